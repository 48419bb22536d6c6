"""The build context: a directory, a tar or Dockerfile from stdin, or something to fetch; and the Dockerfile in it.

A directory is opened once and read through that descriptor, file by file as instructions ask; nothing is copied
beforehand. An archive is unpacked into a directory of its own that goes with the build.
"""

from __future__ import annotations

import errno
import os
import stat

from tuidock import native
from tuidock.engine.build.trees import Tree
from tuidock.engine.dockerfile.parser import SIZE_LIMIT
from tuidock.engine.errors import InvalidArgument, NotFound, Unsupported
from tuidock.engine.files import Undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import BinaryIO

    from tuidock.engine.dockerfile.ignore import Patterns
    from tuidock.engine.image_types import BuildRequest
    from tuidock.engine.instance import Instance

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_IGNORE = ".dockerignore"
_REMOTE = ("http://", "https://", "git://", "git@", "ssh://", "github.com/")


class Context:
    """Use as context manager. dockerfile: its text; name: how errors call it."""

    def __init__(self, instance: Instance, request: BuildRequest, source: BinaryIO | None) -> None:
        self._instance, self._request, self._source = instance, request, source
        self._undo = Undo()
        self._named: dict[str, Tree] = {}
        self.dockerfile, self.name = b"", "Dockerfile"
        self.tree = Tree(self._empty, own_ids=False)
        self._undo.add(lambda: self.tree.close())

    def __enter__(self) -> Context:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._undo.__exit__(kind, error, trace)

    def open(self) -> Iterator[tuple[int, int]]:
        """Makes everything ready; yields bytes done and in all while it fetches or unpacks.

        Raises NotFound, InvalidArgument, Unsupported.
        """
        place, directory = self._request.context, ""
        if place == "-":
            yield from self._from_source()
        elif place.startswith(_REMOTE):
            directory = yield from self._remote(place)
        else:
            self.tree = Tree(lambda: _open_directory(place), own_ids=False)
            _ = self.tree.root
        if directory:
            self.tree = Tree(lambda: _open_directory(directory), own_ids=False)
        if not self.dockerfile:
            self._read_dockerfile()
        if self.tree.patterns is None:
            self.tree.patterns = self._patterns()

    # ---- kinds ----

    def _empty(self) -> int:
        from tuidock.engine.build.merging import open_empty

        return open_empty()

    def _from_source(self) -> Iterator[tuple[int, int]]:
        if self._source is None:
            raise InvalidArgument("the build context '-' needs a tar or a Dockerfile on standard input")
        if self._request.dockerfile == "-":
            raise InvalidArgument("invalid argument: can't use stdin for both build context and dockerfile")
        from tuidock.engine.build.unpacking import is_archive

        path = self._stored(self._source)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if is_archive(fd):
                yield from self._unpacked(fd)
                return
            if os.fstat(fd).st_size > SIZE_LIMIT:
                raise InvalidArgument("standard input is neither a tar nor a Dockerfile")
            self.dockerfile = _text(os.pread(fd, SIZE_LIMIT, 0), "standard input")
        finally:
            os.close(fd)

    def _stored(self, source: BinaryIO) -> str:
        """What comes, as a file that goes with the build."""
        from tuidock.engine.store.content import CHUNK, ContentStore

        ingests = ContentStore(self._instance.paths).ingests()
        self._undo.add(ingests.__exit__)
        blob = ingests.new()
        while chunk := source.read(CHUNK):
            blob.write(chunk)
        blob.finish()
        return blob.path

    def _unpacked(self, fd: int) -> Iterator[tuple[int, int]]:
        from tuidock.engine.store.layers import Unpacking
        from tuidock.engine.store.snapshots import Snapshots

        draft = Snapshots(self._instance.paths).draft()
        self._undo.add(draft.close)
        os.lseek(fd, 0, os.SEEK_SET)
        for progress in Unpacking(fd, draft, flags=0).progress("context", os.fstat(fd).st_size):
            yield progress.done, progress.total
        self.tree = Tree(lambda: os.open(draft.path + "/fs", _DIRECTORY), own_ids=False)

    def _remote(self, place: str) -> Generator[tuple[int, int], None, str]:
        """Answers the directory of a git repository, "" when the tree or the Dockerfile came as a file."""
        from tuidock.engine.build import fetching
        from tuidock.engine.build.unpacking import is_archive

        if fetching.is_repository(place):
            from tuidock.engine.store.snapshots import Snapshots

            draft = Snapshots(self._instance.paths).draft()
            self._undo.add(draft.close)
            return fetching.clone(place, draft.path + "/fs")
        download = fetching.Download(self._instance.paths, place)
        self._undo.add(download.close)
        yield from download.run()
        if is_archive(download.fd):
            yield from self._unpacked(download.fd)
        elif os.fstat(download.fd).st_size > SIZE_LIMIT:
            raise InvalidArgument(f"{place:.200} is neither a tar nor a Dockerfile")
        else:
            self.dockerfile = _text(os.pread(download.fd, SIZE_LIMIT, 0), f"{place:.200}")
        return ""

    def named(self, name: str) -> Tree:
        """A further context (--build-context): a directory. Raises Unsupported, NotFound."""
        tree = self._named.get(name)
        if tree is None:
            value = self._request.contexts[name]
            if value.startswith((*_REMOTE, "oci-layout://")):
                raise Unsupported(
                    f"the build context {name} cannot be {value:.100}; give a directory or docker-image://"
                )
            tree = self._named[name] = Tree(lambda: _open_directory(value), own_ids=False)
            self._undo.add(tree.close)
            tree.patterns = _patterns_of(_read_in(tree, _IGNORE) or b"", _IGNORE)
        return tree

    # ---- the Dockerfile ----

    def _read_dockerfile(self) -> None:
        wanted = self._request.dockerfile
        if wanted == "-":
            if self._source is None:
                raise InvalidArgument("the Dockerfile '-' needs one on standard input")
            self.dockerfile = self._source.read(SIZE_LIMIT + 1) or b"\n"
            return
        local = not self._request.context.startswith((*_REMOTE, "-"))
        raw: bytes | None
        if wanted and local and os.path.exists(wanted):
            self.name, raw = wanted, _read_path(wanted)
        else:
            self.name = wanted or "Dockerfile"
            raw = _read_in(self.tree, self.name)
            if raw is None and not wanted:
                raw = _read_in(self.tree, "dockerfile")
        if raw is None:
            raise InvalidArgument(f"failed to read dockerfile: {self.name:.200} is not there; name another one with -f")
        self.dockerfile = raw or b"\n"

    def _patterns(self) -> Patterns | None:
        own = None
        if self._request.dockerfile != "-":
            beside = f"{self.name}{_IGNORE}"
            is_path = self._request.dockerfile and os.path.exists(self._request.dockerfile)
            own = (_read_path(beside) if os.path.exists(beside) else None) if is_path else _read_in(self.tree, beside)
            if own is not None:
                return _patterns_of(own, beside)
        return _patterns_of(_read_in(self.tree, _IGNORE) or b"", _IGNORE)


def _text(raw: bytes, place: str) -> bytes:
    """Raises InvalidArgument for what nobody wrote: an empty byte stands in no Dockerfile, and soon in anything else."""
    if b"\0" in raw:
        raise InvalidArgument(f"{place} is neither a tar nor a Dockerfile")
    return raw or b"\n"


def _patterns_of(raw: bytes, name: str) -> Patterns | None:
    if not raw.strip():
        return None
    from tuidock.engine.dockerfile.ignore import Patterns

    patterns = Patterns(raw.decode("utf-8", "replace"), name)
    return patterns if patterns else None


def _open_directory(path: str) -> int:
    try:
        return os.open(path, _DIRECTORY)
    except FileNotFoundError:
        raise NotFound("build context", path) from None
    except OSError as error:
        what = "it is no directory" if error.errno == errno.ENOTDIR else os.strerror(error.errno or 0)
        raise InvalidArgument(f"unable to prepare context: {path:.200}: {what}") from None


def _read_in(tree: Tree, path: str) -> bytes | None:
    """A small file of a tree, None when it is not there. An archive can hold pipes and devices, which are not opened."""
    try:
        fd = _open_plain(tree.root, path) if "/" not in path else -1
        if fd < 0:
            fd = native.open_file_in_root(tree.root, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidArgument(f"cannot read {path:.200}: {os.strerror(error.errno or 0)}") from None
    return _read_fd(fd, path)


def _open_plain(root: int, name: str) -> int:
    """A regular file right below the root, -1 for anything else: it needs no help of the kernel's, and a build that finds
    everything done would spend a tenth of its time on loading what asks for that."""
    if not stat.S_ISREG(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
        return -1
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=root)


def _read_path(path: str) -> bytes:
    try:
        return _read_fd(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), path)
    except OSError as error:
        raise InvalidArgument(f"cannot read {path:.200}: {os.strerror(error.errno or 0)}") from None


def _read_fd(fd: int, path: str) -> bytes:
    os.set_blocking(fd, True)
    with open(fd, "rb") as file:
        try:
            return file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise InvalidArgument(f"cannot read {path:.200}: {os.strerror(error.errno or 0)}") from None
