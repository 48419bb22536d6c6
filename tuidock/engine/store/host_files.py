"""Which files of this machine a small root file system is made of: programs, their loader and libraries, nothing else.

Only programs and libraries are taken, by name from a list, out of the system's own directories: no configuration, no
keys, nobody's home. What the machine lacks is left out.
"""

from __future__ import annotations

import os
import subprocess

from tuidock.engine.named import Named
from tuidock.engine.store import elf
from tuidock.engine.store.elf import Elf

_DIRECTORIES = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")

PROGRAMS = """
    sh bash ls cat echo sleep date env id head tail wc tr sort uniq cut paste nl tac seq shuf dd stat touch mkdir rmdir
    rm ln cp mv chmod chown chgrp true false yes tee printf test [ expr uname hostname kill ps top free uptime pgrep
    pkill grep egrep sed awk tar gzip find xargs cmp diff basename dirname realpath readlink mktemp mknod mkfifo nproc
    df du sync timeout nohup nice split fold base64 md5sum sha1sum sha256sum od stty tty whoami groups pwd printenv
    clear tput less which mount umount dmesg setsid getent ip ss
"""

#: Libraries that glibc opens by name at run time, in versions that do not have them built in.
_OPENED = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")
_TERMINALS = ("xterm", "xterm-256color", "linux", "screen", "screen-256color", "tmux", "tmux-256color", "vt100", "dumb")
_TERMINFO = ("/usr/share/terminfo", "/lib/terminfo", "/usr/lib/terminfo", "/etc/terminfo")
_LOCALE = "/usr/lib/locale/C.utf8"


class HostFiles(Named):
    """files: path in the image -> path on this machine; links: path in the image -> target."""

    files: dict[str, str]
    links: dict[str, str]
    busybox: bool
    locale: bool


def merged(path: str) -> str:
    """The place of a path where /bin, /sbin and /lib* are links into /usr, without leading slash."""
    plain = os.path.normpath(path).lstrip("/")
    top = plain.split("/", 1)[0]
    return f"usr/{plain}" if top in ("bin", "sbin") or top.startswith("lib") else plain


def _which(name: str) -> str:
    for directory in _DIRECTORIES:
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return os.path.realpath(path)
    return ""


class _Gathering:
    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self._cache = elf.library_cache()
        self._library_directory = ""
        self._done: set[str] = set()

    def program(self, name: str) -> None:
        real = _which(name)
        found = elf.read(real) if real else None
        if found is None:
            return
        base = os.path.basename(real)
        self.files[f"usr/bin/{base}"] = real
        if base != name:
            self.links[f"usr/bin/{name}"] = base
        self._needs(found, real)

    def library(self, name: str, kind: tuple[int, int, int], run_path: tuple[str, ...], origin: str) -> None:
        path = self._find(name, kind, run_path, origin)
        if not path or name in self._done:
            return
        self._done.add(name)
        if not self._library_directory or name.startswith(("libc.so", "libc.musl")):
            self._library_directory = merged(os.path.dirname(path))
        self.files[f"{merged(os.path.dirname(path))}/{name}"] = os.path.realpath(path)
        found = elf.read(path)
        if found is not None:
            self._needs(found, path)

    def _needs(self, found: Elf, path: str) -> None:
        if found.interpreter and os.path.isfile(found.interpreter):
            self.files[merged(found.interpreter)] = os.path.realpath(found.interpreter)
        origin = os.path.dirname(path)
        for name in found.needed:
            self.library(name, found.kind, found.run_path, origin)

    def _find(self, name: str, kind: tuple[int, int, int], run_path: tuple[str, ...], origin: str) -> str:
        directories: list[str] = [part.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for part in run_path]
        standard = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
        candidates: list[str] = [
            *(f"{directory}/{name}" for directory in directories),
            *self._cache.get(name, ()),
            *(f"{directory}/{name}" for directory in standard),
        ]
        for path in candidates:
            if os.path.isfile(path):
                found = elf.read(path)
                if found is not None and found.kind == kind:
                    return path
        return ""

    def collect_libraries(self) -> None:
        """The image has no ld.so.cache: libraries from elsewhere go where the loader looks by itself."""
        for place in list(self.files):
            directory, _, name = place.rpartition("/")
            odd = directory not in (self._library_directory, "usr/lib", "usr/lib64", "usr/bin")
            if odd and ".so" in name and self.files[place]:
                self.files[f"{self._library_directory}/{name}"] = self.files.pop(place)


def _busybox_applets(path: str) -> list[str]:
    try:
        listed = subprocess.run([path, "--list"], capture_output=True, timeout=10, check=True, text=True, env={})
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    return [name for name in listed.stdout.split() if "/" not in name and name != "busybox"]


def _add_tree(files: dict[str, str], path: str) -> bool:
    for directory, _, names in os.walk(path):
        for name in names:
            files[f"{directory.lstrip('/')}/{name}"] = f"{directory}/{name}"
    return os.path.isdir(path)


def gather() -> HostFiles:
    """Everything that the image gets from this machine."""
    found = _Gathering()
    for name in PROGRAMS.split():
        found.program(name)
    shell = elf.read(_which("sh")) if _which("sh") else None
    if shell is not None:
        for name in _OPENED:
            found.library(name, shell.kind, (), "")
    found.collect_libraries()
    files, links = found.files, found.links
    busybox = _which("busybox")
    parsed = elf.read(busybox) if busybox else None
    if parsed is not None and not parsed.interpreter:
        files["usr/bin/busybox"] = busybox
        for applet in _busybox_applets(busybox):
            if f"usr/bin/{applet}" not in files and f"usr/bin/{applet}" not in links:
                links[f"usr/bin/{applet}"] = "busybox"
    for terminal in _TERMINALS:
        for base in _TERMINFO:
            path = f"{base}/{terminal[0]}/{terminal}"
            if os.path.isfile(path):
                files[f"usr/share/terminfo/{terminal[0]}/{terminal}"] = os.path.realpath(path)
                break
    return HostFiles(files, links, "usr/bin/busybox" in files, _add_tree(files, _LOCALE))
