"""How this program is called in a shell, so that a command line that was copied works where it is pasted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys


def prefix(root: str = "") -> str:
    """`tuidock` where that is this program, else its path; with the data root when it is not the usual one."""
    this = os.path.realpath(sys.argv[0]) if os.path.basename(sys.argv[0]) == "tuidock" else ""
    found = shutil.which("tuidock")
    if not this:
        words = [sys.executable, "-m", "tuidock"]
    else:
        words = ["tuidock"] if found and os.path.realpath(found) == this else [this]
    if root:
        words += ["--root", root]
    return shlex.join(words)


def runnable(text: str, root: str = "") -> str:
    """A line that begins with `tuidock`, as a shell finds it."""
    return f"{prefix(root)}{text.removeprefix('tuidock')}" if text.startswith("tuidock ") else text
