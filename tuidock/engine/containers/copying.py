"""cp: files between a container and this machine, or a tar stream; docker's rules and words.

Long ones tell how far they are and stop, with half a file taken away, when they are closed.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import ExitStack

from tuidock.engine.clean import clean
from tuidock.engine.containers import copy_paths
from tuidock.engine.containers.copy_entries import Entry, TreeTarget, tree_entries
from tuidock.engine.containers.copy_paths import Side, Target
from tuidock.engine.containers.copy_root import files_of
from tuidock.engine.containers.inspecting import request_of
from tuidock.engine.containers.moves import status_of
from tuidock.engine.errors import EngineError
from tuidock.engine.events import append
from tuidock.engine.files import refuse
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.runtime import userns
from tuidock.engine.store.owners import owner_of
from tuidock.engine.types import Container, Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import BinaryIO

    from tuidock.engine.containers.copy_tars import TarTarget

#: Time between two progresses (ns).
_BEAT = 100_000_000
_BLOCK = 512


class PathStat(Named):
    """What a path in a container is. mode: as of stat(2); mtime in ns since the epoch; link: where a symlink leads."""

    name: str
    size: int
    mode: int
    mtime: int
    link: str = ""


def stat_path(instance: Instance, container: Container, path: str) -> PathStat:
    """Looks at a path without following a link at its end. Raises NotFound."""
    with files_of(instance, container) as root:
        fd = copy_paths.open_source(Side(root, container.name), copy_paths.parse(path), follow=False)
        try:
            status = os.fstat(fd)
            link = os.readlink("", dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
        finally:
            os.close(fd)
    name = os.path.basename(copy_paths.parse(path).clean) or "/"
    return PathStat(name, status.st_size, status.st_mode, status.st_mtime_ns, link)


def copy_out(
    instance: Instance, container: Container, path: str, target: str | BinaryIO, *, follow: bool = False,
    archive: bool = False,
) -> Generator[Progress]:  # fmt: skip
    """From the container to a path of this machine, or as a tar to a stream.

    follow: a link at the end of the path is followed. archive: the owners stay, else the files become the caller's.
    The last progress is `copied` with all bytes. Raises InvalidArgument, NotFound, Conflict, SystemFailure.
    """
    maps = _maps(instance, container)
    with files_of(instance, container) as root:
        yield from send(Side(root, container.name), path, target, follow=follow, archive=archive, maps=maps)
    append(instance.paths.journal, "container", "archive-path", container.id, container.name, image=container.image)


def send(
    side: Side, path: str, target: str | BinaryIO, *, follow: bool = False, archive: bool = False,
    maps: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Generator[Progress]:  # fmt: skip
    """copy_out from any root. maps: through which its owners are seen, uid_map and gid_map."""
    wanted = copy_paths.parse(path)
    with ExitStack() as held:
        source = copy_paths.open_source(side, wanted, follow=follow)
        held.callback(os.close, source)
        if isinstance(target, str):
            here = _this_machine(held)
            is_directory = stat.S_ISDIR(os.fstat(source).st_mode)
            goal = copy_paths.open_target(here, _local(target), wanted, is_directory=is_directory)
            owner = None if archive else (os.geteuid(), os.getegid())
            sink: TreeTarget | TarTarget = TreeTarget(goal.directory, owner=owner, devices=False)
        else:
            from tuidock.engine.containers.copy_tars import TarTarget

            goal, sink = Target(-1, wanted.base), TarTarget(target, content=wanted.base == ".")
        held.callback(sink.close)
        entries: Iterable[Entry] = tree_entries(source, goal.name)
        if maps[0]:
            entries = (
                entry._replace(uid=userns.inner(maps[0], entry.uid), gid=userns.inner(maps[1], entry.gid))
                for entry in entries
            )
        yield from _copied(entries, sink, f"{side.container}:{path}")


def _maps(instance: Instance, container: Container) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of the user namespace that a running container's files are seen through; empty when they are seen as they lie."""
    if status_of(instance, container.id).status not in ("running", "paused"):
        return (), ()
    return userns.maps(request_of(instance, container.id)[1])


def copy_in(
    instance: Instance, container: Container, source: str | BinaryIO, path: str, *, follow: bool = False,
    archive: bool = False,
) -> Generator[Progress]:  # fmt: skip
    """From a path of this machine, or from a tar in a stream, into the container.

    archive: the files become those of the container's user, else the owners stay. As for copy_out.
    """
    maps = _maps(instance, container)
    with files_of(instance, container) as root:
        user = str(request_of(instance, container.id)[0].get("User") or "") if archive else ""
        owner = owner_of(root, user) if user else None
        yield from receive(Side(root, container.name), source, path, follow=follow, owner=owner, maps=maps)
    append(instance.paths.journal, "container", "extract-to-dir", container.id, container.name, image=container.image)


def receive(
    side: Side, source: str | BinaryIO, path: str, *, follow: bool = False, owner: tuple[int, int] | None = None,
    maps: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> Generator[Progress]:  # fmt: skip
    """copy_in to any root; the files become owner's, or stay whose they are. maps: as for send."""
    wanted = copy_paths.parse(path)
    with ExitStack() as held:
        entries: Iterable[Entry]
        if isinstance(source, str):
            local = _local(source)
            fd = copy_paths.open_source(_this_machine(held), local, follow=follow)
            held.callback(os.close, fd)
            is_directory = stat.S_ISDIR(os.fstat(fd).st_mode)
            goal = copy_paths.open_target(side, wanted, local, is_directory=is_directory)
            entries = tree_entries(fd, goal.name)
        else:
            from tuidock.engine.containers.copy_tars import tar_entries

            goal = Target(copy_paths.open_directory(side, wanted), "")
            entries = tar_entries(source)
        sink: TreeTarget
        if maps[0]:
            from tuidock.engine.containers.copy_mapped import MappedTarget

            sink = MappedTarget(goal.directory, maps, owner=owner)
        else:
            sink = TreeTarget(goal.directory, owner=owner, devices=True)
        held.callback(sink.close)
        yield from _copied(entries, sink, source if isinstance(source, str) else "-")


def _this_machine(held: ExitStack) -> Side:
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    held.callback(os.close, root)
    return Side(root, "")


def _local(path: str) -> copy_paths.Path:
    """Against the working directory, with the end of the path as it was typed."""
    return copy_paths.parse(path if path.startswith("/") else f"{os.getcwd()}/{path}")


def _copied(entries: Iterable[Entry], sink: TreeTarget | TarTarget, subject: str) -> Generator[Progress]:
    """The bytes are those of a tar of it all, as docker counts them."""
    done, told = 2 * _BLOCK, time.monotonic_ns()
    path = ""
    try:
        for entry in entries:
            path = entry.path
            done += _BLOCK + -entry.size % _BLOCK
            for count in sink.add(entry):
                done += count
                if time.monotonic_ns() - told > _BEAT:
                    told = time.monotonic_ns()
                    yield Progress(subject, "copying", done)
            if time.monotonic_ns() - told > _BEAT:
                told = time.monotonic_ns()
                yield Progress(subject, "copying", done)
        sink.finish()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _refused(error, clean(path), subject) from error
    yield Progress(subject, "copied", done)


def _refused(error: OSError, path: str, subject: str) -> EngineError:
    return refuse(OSError(error.errno, error.strerror), f"copy {path} of {clean(subject)}" if path != "." else subject)
