"""What containers of ordinary users, and user namespaces of root's, need of this machine."""

from __future__ import annotations

import os
import shutil

from tuidock.engine.files import read_text
from tuidock.engine.rootless import subordinate
from tuidock.engine.system.remedies import PATH, install
from tuidock.engine.types import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

#: Switches of kernels and distributions: file, the value that forbids, what to do about it.
_SWITCHES: Final = (
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
)  # fmt: skip
_IDS: Final = 65536


def own_root() -> str:
    """Where an ordinary user's containers lie by default, as `rootless.enter` says; "" for root and for who has chosen."""
    if os.geteuid() == 0 or os.environ.get("TUIDOCK_ROOT"):
        return ""
    return (os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")) + "/tuidock"


def examine() -> Iterator[Finding]:
    """User namespaces; and for who is not root, or came here by sudo, what is his."""
    yield _namespaces()
    given = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else str(os.geteuid())
    if given.isdecimal() and int(given):
        yield _ranges(int(given))
    missing = [name for name in ("newuidmap", "newgidmap") if shutil.which(name, path=PATH) is None]
    if missing:
        why = f"{' and '.join(missing)} missing, so containers of ordinary users have one id only: install uidmap"
        yield Finding("uidmap", "warn", why, install("uidmap"))
    yield _usermode()
    if os.geteuid() != 0:
        yield Finding("limits", "warn", "without root there are no control groups: --memory and --cpus need root")


def _usermode(tun: str = "/dev/net/tun") -> Finding:
    """slirp4netns, and whether it may have the device from which it makes a network."""
    if shutil.which("slirp4netns", path=PATH) is None:
        why = "it is missing, so containers of ordinary users have no network of their own: install slirp4netns"
        return Finding("slirp4netns", "warn", why, install("slirp4netns"))
    if not os.path.exists(tun):
        return Finding(
            "slirp4netns", "warn", f"{tun} is missing, without which it does nothing: modprobe tun", "modprobe tun"
        )
    if not _may_use(tun):
        remedy = f"chmod 666 {tun}"
        why = f"ordinary users may not open {tun}, so they have only --network host and none: {remedy}"
        return Finding("slirp4netns", "warn", why, remedy)
    return Finding("slirp4netns", "ok", "containers of ordinary users can have networks")


def _may_use(device: str) -> bool:
    """Whether an ordinary user, who asks or for whom root does, can read and write it. Opening a tun device makes nothing."""
    if os.geteuid() == 0:
        return os.stat(device).st_mode & 0o006 == 0o006
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _namespaces() -> Finding:
    for path, forbidden, remedy in _SWITCHES:
        if (read_text(path) or "").strip() == forbidden:
            state = "fail" if os.geteuid() else "warn"
            name = path.removeprefix("/proc/sys/").replace("/", ".")
            return Finding("user namespaces", state, f"{name} forbids them to ordinary users: {remedy}", remedy)
    return Finding("user namespaces", "ok", "ordinary users may run containers")


def _ranges(uid: int) -> Finding:
    counts = [sum(count for _, count in subordinate(path, uid)) for path in ("/etc/subuid", "/etc/subgid")]
    if min(counts) >= _IDS:
        return Finding("subuid", "ok", f"uid {uid} has {min(counts)} ids for its containers")
    why = f"uid {uid} has {min(counts)} ids in /etc/subuid and /etc/subgid, {_IDS} are needed"
    remedy = "usermod --add-subuids 100000-165535 --add-subgids 100000-165535"
    return Finding("subuid", "warn", f"{why}: {remedy} NAME", f"{remedy} {_name(uid)}")


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "NAME"
