"""AppArmor: which profile a container runs under, and the default one's way into the kernel.

A second wall behind seccomp and capabilities on the kernels of Debian, Ubuntu and SUSE. The profile is only a name here;
the shim writes it to the kernel just before the container's program runs.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import SystemFailure, Unsupported
from tuidock.engine.runtime.seccomp import split_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

DEFAULT: Final = "tuidock-default"
_ENABLED: Final = "/sys/module/apparmor/parameters/enabled"
#: Names of what is loaded, a line each: `NAME (MODE)`. Only root may read it.
_LOADED: Final = "/sys/kernel/security/apparmor/profiles"
_TEXT: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apparmor.txt")
#: How long the parser may take (s); it compiles 4 kB of text.
_PATIENCE: Final = 60


def is_enabled() -> bool:
    """Whether this kernel runs with AppArmor and lets us use it; root of a user namespace may not even look."""
    try:
        with open(_ENABLED, encoding="ascii") as file:
            if file.read(1) != "Y":
                return False
        os.close(os.open(_LOADED, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def asked(options: Sequence[str]) -> str:
    """The profile that --security-opt names; "" when none does. The last one counts."""
    found = ""
    for option in options:
        key, value = split_option(option)
        if key == "apparmor":
            found = value
    return found


def shown(options: Sequence[str], *, privileged: bool) -> str:
    """The name as `inspect` shows it."""
    return asked(options) or ("" if not is_enabled() else "unconfined" if privileged else DEFAULT)


def profile(options: Sequence[str], *, privileged: bool, notices: list[str]) -> str:
    """The name of the profile that a container gets, "" for none; the default one is loaded when it is missing.

    Without apparmor_parser the default cannot be loaded: the container then runs without, and a notice says so. Raises
    Unsupported for a profile that was named on a kernel without AppArmor, SystemFailure for one that is not loaded.
    """
    named = asked(options)
    if named == "unconfined" or (privileged and not named):
        return ""
    if not is_enabled():
        if named:
            raise Unsupported(
                f"--security-opt apparmor={named}: this kernel runs without AppArmor; leave the option out or boot with "
                "apparmor=1 security=apparmor"
            )
        return ""
    wanted = named or DEFAULT
    if _is_loaded(wanted):
        return wanted
    if wanted != DEFAULT:
        raise SystemFailure(
            f"the AppArmor profile {wanted} is not loaded; load its file with `apparmor_parser -r FILE` first"
        )
    problem = _load()
    if problem:
        notices.append(f"containers run without an AppArmor profile: {problem}")
        return ""
    return wanted


def _is_loaded(name: str) -> bool:
    with open(_LOADED, encoding="utf-8", errors="replace") as file:
        return any(line.rpartition(" (")[0] == name for line in file)


def _load() -> str:
    """Loads the default profile; a sentence when that is not possible."""
    import subprocess

    try:
        done = subprocess.run(
            ["apparmor_parser", "--replace", "--skip-cache", _TEXT], capture_output=True, text=True, timeout=_PATIENCE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "apparmor_parser is not installed (package apparmor)"
    except subprocess.TimeoutExpired:
        return f"apparmor_parser did not end within {_PATIENCE} s"
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        return f"apparmor_parser refused {_TEXT}: {said[-1]}"
    return ""
