"""What the kernel was built with, as far as it tells: /proc/config.gz, or the file that distributions put beside it."""

from __future__ import annotations

import os

from tuidock.engine.types import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

#: Option and what does not work without it; nothing at all does without the first ones.
_NEEDED: Final = {
    "PID_NS": "containers", "NET_NS": "containers", "IPC_NS": "containers", "UTS_NS": "containers",
    "OVERLAY_FS": "containers that share their image", "SECCOMP_FILTER": "the filter of system calls",
    "BRIDGE": "networks", "VETH": "networks", "NF_TABLES": "networks", "NFT_NAT": "networks", "NFT_MASQ": "networks",
    "NFT_CT": "networks",
}  # fmt: skip
_WANTED: Final = {
    "USER_NS": "--userns and containers of ordinary users", "MEMCG": "--memory", "CFS_BANDWIDTH": "--cpus",
    "CGROUP_PIDS": "--pids-limit", "CPUSETS": "--cpuset-cpus", "BLK_CGROUP": "limits of disks",
    "POSIX_MQUEUE": "/dev/mqueue", "MACVLAN": "networks of the driver macvlan",
    "IPVLAN": "networks of the driver ipvlan", "TUN": "networks of ordinary users",
}  # fmt: skip


def examine() -> Iterator[Finding]:
    """One finding for what the kernel lacks, and one when it has everything."""
    release = os.uname().release
    text = read(("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config"))
    if not text:
        yield Finding(
            "kernel options", "warn", "not known: there is neither /proc/config.gz nor a config file in /boot"
        )
        return
    yield from judge(text)


def read(paths: Sequence[str]) -> str:
    """The first of the files that is there, inflated; "" when none is."""
    for path in paths:
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except OSError:
            continue
        if path.endswith(".gz"):
            import gzip

            raw = gzip.decompress(raw)
        return raw.decode("ascii", "replace")
    return ""


def judge(text: str) -> Iterator[Finding]:
    """What a configuration says about the options that are used here."""
    has = {
        line.removeprefix("CONFIG_").partition("=")[0]
        for line in text.splitlines()
        if line.startswith("CONFIG_") and line.endswith(("=y", "=m"))
    }
    complete = True
    for state, table in (("fail", _NEEDED), ("warn", _WANTED)):
        for option, lost in table.items():
            if option not in has:
                complete = False
                why = f"CONFIG_{option} is not set, without which there are no {lost}: use a kernel that has it"
                yield Finding("kernel options", state, why)
    if complete:
        yield Finding("kernel options", "ok", f"all {len(_NEEDED) + len(_WANTED)} that are used are set")
