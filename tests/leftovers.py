"""What a test leaves behind on the machine: temporary directories, and names of data roots in the kernel.

A data root has its id in the names of its bridges, nftables table and control groups. An audit hook sees the data roots
that this process opens or takes away, so what else runs on the machine meanwhile (other test processes, a tuidock that
somebody uses) is never taken for a leak.
"""

from __future__ import annotations

import atexit
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

#: What goes with a dying namespace takes its time.
_PATIENCE = 10.0
_UNTIL_EXIT: set[str] = set()
_TESTS = str(Path(__file__).parent)


class Leftovers:
    """The data roots that this process has had to do with since the last look, and its temporary directories."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._seen: set[Path] = set()
        self._directories: dict[str, str] = {}
        self._reading = False
        sys.addaudithook(self._hear)

    def in_kernel(self, base: Path) -> list[str]:
        """Names of the data roots that were opened since the last call, or made below base, in the kernel."""
        new = set(base.iterdir()) - self._seen
        self._seen |= new
        for directory in new:
            self._look_into(directory, 1)
        ids, self._ids = self._ids, set()
        deadline = time.monotonic() + _PATIENCE
        while (found := _named(ids)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def directories(self) -> list[str]:
        """Temporary directories that are still there, each with the file that made it."""
        left = {path for path in self._directories if os.path.exists(path)} - _UNTIL_EXIT
        return [f"{path} ({self._directories[path]})" for path in sorted(left)]

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path = arguments[0]
            if isinstance(path, str) and path.endswith("/instance"):
                self._note(Path(path))
        elif event == "shutil.rmtree":
            self._look_into(Path(str(arguments[0])), 2)
        elif event == "tempfile.mkdtemp":
            self._directories[os.path.abspath(str(arguments[0]))] = _test_that_calls()

    def _look_into(self, directory: Path, depth: int) -> None:
        """Data roots of command lines: the directory itself, or one below it."""
        self._note(directory / "instance")
        if depth and not directory.is_symlink() and os.access(directory, os.R_OK) and directory.is_dir():
            for entry in list(directory.iterdir()):
                self._look_into(entry, depth - 1)

    def _note(self, instance: Path) -> None:
        if self._reading:
            return
        self._reading = True
        try:
            written = re.fullmatch(r"\d+ ([0-9a-f]{8})\n", instance.read_text())
            self._ids.update(written.groups() if written else ())
        except (OSError, ValueError):
            pass
        finally:
            self._reading = False


def until_exit(prefix: str) -> Path:
    """A temporary directory that goes when this process ends."""
    made = tempfile.mkdtemp(prefix=prefix)
    _UNTIL_EXIT.add(os.path.abspath(made))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def _named(ids: Iterable[str]) -> list[str]:
    """Bridges, nftables tables and control groups of these data roots."""
    found = []
    for identity in ids:
        found += [f"link {name}" for name in os.listdir("/sys/class/net") if re.match(f"tdk{identity[:4]}", name)]
        found += [path for top in ("", "*/") for path in glob.glob(f"/sys/fs/cgroup/{top}tuidock-{identity}")]
    if found or ids:
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False).stdout
        found += [line for line in tables.splitlines() if line.rpartition("_")[2] in ids]
    return found


def _test_that_calls() -> str:
    frame = sys._getframe()
    while frame.f_back and not (frame.f_code.co_filename.startswith(_TESTS) and frame.f_code.co_filename != __file__):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
