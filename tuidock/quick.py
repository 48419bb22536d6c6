"""The bytecode of the command line's modules in one file, because a short command spends half of its time on finding them.

`tuidock run` imports some eighty modules of its own. Python looks for each in every entry of its path, reads a directory,
stats and opens a file; one file that is read once saves a third of that. It is only a cache of what Python itself
compiled: an entry counts while its source has the same time and size, and whatever is missing or stale is imported in
the ordinary way and written anew by the next command that has the right to. It lies beside Python's own cache, so it is
trusted as far as that is.
"""

from __future__ import annotations

import sys
from builtins import open as io_open
from os import (
    O_CLOEXEC,
    O_CREAT,
    O_EXCL,
    O_RDONLY,
    O_WRONLY,
    fchmod,
    fstat,
    geteuid,
    getpid,
    open,
    pread,
    rename,
    stat,
    unlink,
)

_importlib = sys.modules["_frozen_importlib"]
_external = sys.modules["_frozen_importlib_external"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import Any

_PREFIX = "tuidock."
#: Bytes of the number that begins the file, and a place that takes as many bytes as any real one (32 bit numbers).
_HEADER, _FAR = 8, 1 << 29
#: Not worth a place here: what the app, the benchmark and the tests import is long-lived.
_LEFT_OUT = ("tuidock.app", "tuidock.native._kernel")


class Bundle:
    """A finder and loader for sys.meta_path."""

    def __init__(self, path: str) -> None:
        self._path = path
        #: name -> (source, mtime in ns, size, is a package, place and length of the marshalled code in the file)
        self._entries: dict[str, tuple[str, int, int, bool, int, int]] = {}
        self._ready: dict[str, CodeType] = {}
        self._served: set[str] = set()
        self._fd = -1
        self._load()

    def _load(self) -> None:
        from marshal import loads

        try:
            self._fd = open(self._path, O_RDONLY | O_CLOEXEC)
            status = fstat(self._fd)
            if status.st_mode & 0o022 or status.st_uid not in (0, geteuid()):
                return  # somebody else could have written it
            length = int.from_bytes(pread(self._fd, _HEADER, 0), "little")
            if length > status.st_size:
                return
            magic, entries = loads(pread(self._fd, length, _HEADER))
        except (OSError, EOFError, ValueError, TypeError):
            return
        if magic == _external.MAGIC_NUMBER:
            self._entries = entries

    def _code(self, name: str) -> bytes:
        offset, length = self._entries[name][4:]
        return pread(self._fd, length, offset)

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """A spec for a module that is here and fresh, else None."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        source, changed, size, is_package, _, _ = entry
        try:
            status = stat(source)
        except OSError:
            return None
        if status.st_mtime_ns != changed or status.st_size != size:
            return None
        try:
            self._ready[name] = self.get_code(name)
        except (OSError, EOFError, ValueError, TypeError):
            return None  # a power cut left holes in it
        spec = _importlib.ModuleSpec(name, self, origin=source, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations.append(source.rpartition("/")[0])
        self._served.add(name)
        return spec

    def create_module(self, spec: object) -> None:
        """The ordinary kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        exec(self._ready.pop(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        """The code, read now. Raises OSError, EOFError, ValueError or TypeError when it is damaged."""
        from marshal import loads

        code = loads(self._code(name))
        if not hasattr(code, "co_code"):
            raise TypeError(f"no code for {name}")
        return code  # type: ignore[no-any-return]

    def is_package(self, name: str) -> bool:
        return self._entries[name][3]

    def save(self) -> None:
        """Takes in what this command had to look for; costs nothing when there was nothing."""
        missing = [
            name
            for name in sys.modules
            if name.startswith(_PREFIX) and name not in self._served and not name.startswith(_LEFT_OUT)
        ]
        if missing:
            self._write(missing)

    def _write(self, missing: list[str]) -> None:
        from marshal import dumps

        found = {name: (*entry[:4], self._code(name)) for name, entry in self._entries.items()}
        for name in missing:
            spec = sys.modules[name].__spec__
            try:
                source = spec.origin  # type: ignore[union-attr]
                code = spec.loader.get_code(name)  # type: ignore[union-attr]
                status = stat(source)  # type: ignore[arg-type]
            except (AttributeError, ImportError, OSError, TypeError):
                continue
            if code is not None:
                is_package = spec.submodule_search_locations is not None  # type: ignore[union-attr]
                found[name] = (str(source), status.st_mtime_ns, status.st_size, is_package, dumps(code))
        self._put(found)

    def _put(self, found: dict[str, tuple[str, int, int, bool, bytes]]) -> None:
        """Header with the length of the index, index, code. The index has one size whatever the offsets are."""
        from marshal import dumps

        def index(base: int) -> bytes:
            entries, at = {}, base
            for name, (source, changed, size, is_package, code) in found.items():
                entries[name] = (source, changed, size, is_package, at, len(code))
                at += len(code)
            return dumps((_external.MAGIC_NUMBER, entries), 0)

        length = len(index(_FAR))
        raw = index(_HEADER + length) + b"\0" * (length - len(index(_HEADER + length)))
        temporary = f"{self._path}.{getpid()}"
        try:
            with io_open(open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644), "wb") as file:
                fchmod(file.fileno(), 0o644)
                file.write(length.to_bytes(_HEADER, "little") + raw + b"".join(entry[4] for entry in found.values()))
            rename(temporary, self._path)
        except OSError:
            try:
                unlink(temporary)  # a read-only installation, a full disk: it works without
            except OSError:
                pass


def install() -> Bundle | None:
    """Puts the bundle first on the path of imports; None where Python is told to write no bytecode."""
    if sys.dont_write_bytecode or sys.flags.no_site:
        return None
    directory = __file__.rpartition("/")[0]
    bundle = Bundle(f"{directory}/__pycache__/quick.{sys.implementation.cache_tag}.bin")
    sys.meta_path.insert(0, bundle)
    return bundle
