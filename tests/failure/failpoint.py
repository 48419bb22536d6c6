"""A tuidock-shim that dies where a test wants it to: see failpoint.c."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from tests.leftovers import until_exit
from tests.native.monitored import SOURCES


@functools.cache
def directory() -> Path:
    return until_exit("tuidock-failpoint-")


def plan() -> Path:
    """The file that says who dies when."""
    return directory() / "plan"


@functools.cache
def shim() -> Path:
    """The program, compiled once per test run. The container's init process sees the plan only until it has pivoted."""
    flags = [
        "-std=gnu17",
        "-O1",
        "-fno-strict-aliasing",
        "-static",
        "-finstrument-functions",
        "-finstrument-functions-exclude-file-list=record.c,record_values.c,util.c,netlink.c,seccomp.c",
        f'-DPLAN="{plan()}"',
    ]
    sources = sorted(str(path) for path in SOURCES.glob("*.c"))
    binary = directory() / "tuidock-shim"
    subprocess.run(
        ["gcc", *flags, "-o", str(binary), str(Path(__file__).with_name("failpoint.c")), *sources], check=True
    )
    return binary


def arm(role: str, step: int) -> None:
    """The next process of that role (shim, recorder, init) that comes to its step-th step dies there."""
    temporary = plan().with_suffix(".new")
    temporary.write_text(f"{role} {step}")
    temporary.rename(plan())


def disarm() -> bool:
    """Takes the plan away; False when somebody has died of it."""
    try:
        plan().unlink()
    except FileNotFoundError:
        return False
    return True
