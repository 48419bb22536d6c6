"""What networks of containers need of this machine: nft, forwarding, and no other firewall in the way."""

from __future__ import annotations

import os
import shutil
import subprocess

from tuidock.engine.clean import clean
from tuidock.engine.system.remedies import PATH, install
from tuidock.engine.types import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

_PATIENCE: Final = 20


def examine() -> Iterator[Finding]:
    """nftables, forwarding, firewalls of others."""
    yield _nft()
    for version, path in (
        ("IPv4", "/proc/sys/net/ipv4/ip_forward"),
        ("IPv6", "/proc/sys/net/ipv6/conf/all/forwarding"),
    ):
        if os.path.exists(path):
            yield _forwarding(version, path)
    if os.geteuid() == 0:
        yield from _firewalls()


def _nft() -> Finding:
    program = shutil.which("nft", path=PATH)
    if program is None:
        why = "nft is missing, so there are no networks and ports: install nftables"
        return Finding("nftables", "fail", why, install("nftables"))
    if os.geteuid() != 0:
        return Finding("nftables", "ok", program)
    # --check asks the kernel for a table and takes it back; a list of all would begin again with every change by others
    try:
        done = subprocess.run(
            [program, "--check", "add table ip tuidock_doctor"],
            capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finding(
            "nftables", "warn", f"{program} did not answer within {_PATIENCE} s: ask again when there is less to do"
        )
    except OSError as error:
        return Finding("nftables", "fail", f"{program} cannot be run: {clean(error.strerror or str(error))}")
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it failed"])[0]
        return Finding("nftables", "fail", f"the kernel refuses nft: {clean(said)}; use one with CONFIG_NF_TABLES")
    return Finding("nftables", "ok", program)


def _forwarding(version: str, path: str) -> Finding:
    name = path.removeprefix("/proc/sys/").replace("/", ".")
    with open(path, encoding="ascii") as file:
        if file.read().strip() != "0":
            return Finding("forwarding", "ok", f"{version} packets are forwarded")
    if os.access(path, os.W_OK) and os.geteuid() == 0:
        return Finding(
            "forwarding", "ok", f"{version}: off; the first container with a network of it switches {name} on"
        )
    state = "warn" if os.geteuid() else "fail"
    return Finding(
        "forwarding", state, f"{name} is 0 and cannot be set here: sysctl -w {name}=1, as root", f"sysctl -w {name}=1"
    )


def _firewalls() -> Iterator[Finding]:
    from tuidock.engine.network import nftables

    drops = nftables.foreign_drops()
    for sentence in drops:
        yield Finding("firewall", "warn", clean(sentence))
    others = [
        name
        for name, sign in (("docker", "/sys/class/net/docker0"), ("podman", "/sys/class/net/podman0"))
        if os.path.exists(sign)
    ]
    beside = f" ({' and '.join(others)} is here too, with a bridge of its own)" if others else ""
    if not drops:
        yield Finding("firewall", "ok", f"nobody else drops forwarded packets{beside}")
