"""Trees that COPY, ADD and bind mounts take files from: a build context, a stage, an image.

A tree is a descriptor of its root. Every path is resolved below it by the kernel (openat2, RESOLVE_IN_ROOT), so neither
`..` nor a symlink leads out of it, however it is exchanged meanwhile. Only what an instruction names is read.
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuidock.engine.dockerfile.ignore import Patterns

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Deeper than a path can name.
_DEPTH = 900


class Entry(Named):
    """A name met while walking. path is relative to where the walk began ("" is the beginning itself); parent is a
    descriptor of its directory, open until the walk goes on."""

    path: str
    name: str
    parent: int
    status: os.stat_result


class Tree:
    """A root directory. patterns: what of it is left out (.dockerignore). own_ids: files keep their owners (a stage's),
    else they become root's (a context's). identity: something that names its content for ever, "" when it may change."""

    def __init__(
        self, opener: Callable[[], int], *, patterns: Patterns | None = None, own_ids: bool = True, identity: str = ""
    ) -> None:
        self._opener, self.patterns, self.own_ids, self.identity = opener, patterns, own_ids, identity
        self._root = -1
        self.described: dict[str, str] = {}  # digests of what was bound, the first time that somebody looked

    @property
    def root(self) -> int:
        """The descriptor; opened when it is first needed, which may be never when the cache knows everything."""
        if self._root < 0:
            self._root = self._opener()
        return self._root

    def close(self) -> None:
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def open(self, path: str, flags: int = native.O_PATH) -> int:
        """A descriptor of a path, links followed inside the tree. Raises OSError."""
        return native.open_in_root(self.root, path or ".", flags)

    def status(self, path: str) -> os.stat_result | None:
        """What a path is, links followed; None when it is not there or left out."""
        if path and self._is_left_out(path):
            return None
        try:
            fd = self.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None  # links that lead in a circle, as those do that lead out: the tree ends at its root
            raise InvalidArgument(f"cannot look at {path!r:.200}: {os.strerror(error.errno or 0)}") from None
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def matches(self, pattern: str) -> list[str]:
        """The paths that a source names, sorted. Raises InvalidArgument for a malformed pattern."""
        from tuidock.engine.build import globbing

        clean = os.path.normpath("/" + pattern).lstrip("/")
        if not globbing.has_meta(clean):
            return [clean] if self.status(clean) is not None else []
        found = [""]
        for part in clean.split("/"):
            try:
                found = [match for directory in found for match in self._in_directory(directory, part)]
            except ValueError as error:
                raise InvalidArgument(f"the pattern {pattern!r:.200} is malformed: {error}") from None
        return [path for path in found if self.status(path) is not None]

    def _in_directory(self, directory: str, part: str) -> list[str]:
        from tuidock.engine.build import globbing

        before = f"{directory}/" if directory else ""
        if not globbing.has_meta(part):
            return [before + part]
        matcher = globbing.compiled(part)
        try:
            fd = self.open(directory, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            names = sorted(os.listdir(fd))
        finally:
            os.close(fd)
        return [before + name for name in names if matcher.fullmatch(name)]

    def _is_left_out(self, path: str) -> bool:
        if self.patterns is None or not self.patterns.excluded(path):
            return False
        if self.patterns.skippable(path):
            return True
        try:
            fd = self.open(path, _DIRECTORY)
        except OSError:
            return True
        try:
            return next(self._below(fd, path, "", 0), None) is None
        finally:
            os.close(fd)

    def walk(self, path: str, also_excluded: Callable[[str], bool] | None = None) -> Iterator[Entry]:
        """Everything below a directory of the tree in order, directories before what they hold. Raises OSError.

        also_excluded: of paths relative to the directory, those that are left out too.
        """
        fd = self.open(path, _DIRECTORY)
        try:
            yield from self._below(fd, path, "", 0, also_excluded)
        finally:
            os.close(fd)

    def _below(
        self, fd: int, base: str, relative: str, depth: int, also: Callable[[str], bool] | None = None
    ) -> Iterator[Entry]:
        if depth > _DEPTH:
            raise InvalidArgument(f"the directory {base!r:.200} is too deep to be copied")
        with os.scandir(fd) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            path = f"{relative}/{name}" if relative else name
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed meanwhile
            is_directory = stat.S_ISDIR(status.st_mode)
            whole = f"{base}/{path}" if base else path
            excluded = self.patterns is not None and self.patterns.excluded(whole)
            if excluded and self.patterns is not None and (not is_directory or self.patterns.skippable(whole)):
                continue
            if also is not None and also(path):
                continue
            entry = Entry(path, name, fd, status)
            if not is_directory:
                yield entry
                continue
            if not excluded:
                yield entry
            child = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            try:
                for inner in self._below(child, base, path, depth + 1, also):
                    if excluded:  # something below it is wanted, so the directory is too
                        excluded = False
                        yield entry
                    yield inner
            finally:
                os.close(child)
