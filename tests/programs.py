"""C programs of the tests, compiled once for each text of theirs and kept in pytest's cache.

Several test processes want the same ones at the same time: the first compiles, the others wait for its lock.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

_CACHE = Path(__file__).parents[1] / ".pytest_cache" / "programs"
#: Seconds after which a program that nobody has asked for goes.
_KEPT = 86400


@functools.cache
def compiled(name: str, command: tuple[str, ...], sources: tuple[Path, ...]) -> Path:
    """The program that `command -o PROGRAM SOURCES` makes; headers that lie beside the sources count as its text."""
    headers = {header for source in sources for header in source.parent.glob("*.h")}
    texts = {file.name: file.read_bytes() for file in sorted({*sources, *headers})}
    digest = hashlib.sha256(repr((command, texts)).encode()).hexdigest()
    directory = _CACHE / f"{name}-{digest[:16]}"
    program = directory / name
    (directory / "src").mkdir(parents=True, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            for file, text in texts.items():  # a copy, since somebody may be writing at the sources
                (directory / "src" / file).write_bytes(text)
            copies = [str(directory / "src" / source.name) for source in sources]
            subprocess.run([*command, "-o", str(directory / "new"), *copies], check=True)
            (directory / "new").rename(program)
        os.utime(directory)
    finally:
        os.close(lock)
    for other in _CACHE.glob(f"{name}-*"):
        if other.stat().st_mtime < time.time() - _KEPT:
            shutil.rmtree(other, ignore_errors=True)
    return program


def musl() -> list[str]:
    """musl-gcc, which knows only musl's own headers, with the kernel's beside them; gcc where it is missing."""
    if shutil.which("musl-gcc") is None:
        return ["gcc"]
    directory = _CACHE / "headers"
    directory.mkdir(parents=True, exist_ok=True)
    machine = subprocess.check_output(["gcc", "-print-multiarch"], text=True).strip()
    places = {name: Path("/usr/include") / name for name in ("linux", "asm-generic", "mtd")}
    for name, place in {**places, "asm": Path("/usr/include") / machine / "asm"}.items():
        if place.exists():
            try:
                (directory / name).symlink_to(place)
            except FileExistsError:
                pass
    return ["musl-gcc", "-idirafter", str(directory)]
