"""Control groups that systemd gives to an ordinary user: cgroup v2 only, below the user's own service manager."""

from __future__ import annotations

import os

from tuidock.engine import rootless
from tuidock.engine.runtime import cgroup_files as files


def base_of(root: str) -> str:
    """The group below which this user may make others; "" when there is none.

    That of the user's service manager, wherever this command runs: what has been started in it is found from outside.
    """
    user = rootless.mapped()[0][1]
    base = f"{root}/user.slice/user-{user}.slice/user@{user}.service"
    try:
        return base if os.stat(base).st_uid == 0 and os.access(f"{base}/cgroup.procs", os.W_OK) else ""
    except OSError:
        return ""


def may_be_joined(base: str, root: str) -> bool:
    """Whether a process of ours may be moved below `base`: only from a group that is below it already."""
    own = files.read("/proc/self/cgroup").partition("0::")[2].split("\n")[0]
    return f"{root}{own}/".startswith(base + "/")
