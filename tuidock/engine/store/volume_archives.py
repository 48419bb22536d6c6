"""Volumes as tars: `volume export` writes one, `volume import` makes a volume of one.

A new volume is filled under a name that nobody sees and appears with its row, so a kill, a full disk or a bad archive
leaves nothing. The archive may be compressed in any known way and is read by the extractor of layers, which never leaves
the directory; names that are whiteouts in a layer are plain names here. The entry of the top directory says how the
volume's root looks.
"""

from __future__ import annotations

import errno
import os
import threading

from tuidock import native
from tuidock.engine.clean import clean
from tuidock.engine.errors import BadContent, Conflict, NotFound, SystemFailure
from tuidock.engine.files import is_locked, lock_fd, refuse, remove_tree, sync_directory
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import volume_mounts, volumes
from tuidock.engine.store.compression import inflate
from tuidock.engine.store.loading import reader_of, size_of
from tuidock.engine.types import Progress
from tuidock.native.extractor import ExtractError, Extractor
from tuidock.native.tarwriter import ROOT, TarError, TarWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO, Final

    from tuidock.engine.store.removed import Keeping

#: How often progress is told (s).
_BEAT: Final = 0.2
#: Names that a new file system may have of its own.
_OWN_NAMES: Final = frozenset(("lost+found",))
_STAGING: Final = ".import-"
#: In a volume's directory: its row may not be there yet.
_MARK: Final = "/importing"


def export(state: State, paths: Paths, name: str, target: BinaryIO) -> Iterator[Progress]:
    """Writes the volume as a tar to a file of the system; the last progress is `exported` with its bytes.

    What containers change meanwhile may be in it or not. Raises NotFound, SystemFailure, BrokenPipeError when nobody reads
    on.
    """
    _known(state, name)
    root = volume_mounts.open_root(state, paths, name, read_only=True)
    writer = TarWriter(ROOT)
    try:
        target.flush()
        yield from _in_thread(
            lambda: writer.run(root, target.fileno()),
            writer.stop,
            lambda: Progress(name, "exporting", writer.bytes_written),
        )
    except TarError as error:
        if error.errno == errno.EPIPE:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        raise refuse(OSError(error.errno, ""), f"export volume {name} ({clean(error.reason)})") from None
    finally:
        os.close(root)
    yield Progress(name, "exported", writer.bytes_written, writer.bytes_written)


def _known(state: State, name: str) -> None:
    if not state.read().execute("SELECT 1 FROM volumes WHERE name = ?", (name,)).fetchone():
        raise NotFound("volume", name)


def _in_thread(work: Callable[[], None], stop: Callable[[], None], tell: Callable[[], Progress]) -> Iterator[Progress]:
    """The work beside the progress that is told of it; closing the iterator stops it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="tuidock-volume", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_BEAT)
            yield tell()
    finally:
        if thread.is_alive():
            stop()
        thread.join()
    if failures:
        raise failures[0]


def import_volume(
    state: State, paths: Paths, name: str, source: BinaryIO, *, labels: Mapping[str, str] | None = None,
    replace: bool = False, keeping: Keeping | None = None,
) -> Iterator[Progress]:  # fmt: skip
    """Makes a volume of a tar, or fills an empty one; the last progress is `imported` with its bytes.

    replace: the content of an existing one goes as `volume rm` takes it (keeping: to the trash). Raises Conflict when it is
    not empty, InUse when containers use one that would be replaced, BadContent, SystemFailure.
    """
    volumes.check_name(name)
    row = state.read().execute("SELECT options FROM volumes WHERE name = ?", (name,)).fetchone()
    if row is not None and row[0] not in ("", "{}"):
        yield from _fill(state, paths, name, source)
        return
    if row is not None and not replace and os.listdir(volume_mounts.data_path(paths, name)):
        raise Conflict(f"volume {name} is not empty; import into a new one, or let --replace put this in its place")
    staging = f"{paths.volumes}/{_STAGING}{os.urandom(8).hex()}"
    lock = -1
    try:
        os.mkdir(staging, 0o711)
        lock = lock_fd(staging + "/lock")
        os.close(os.open(staging + _MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.mkdir(staging + "/_data", 0o755)
        root = os.open(staging + "/_data", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from _extract(name, source, root)
            native.syncfs(root)
        finally:
            os.close(root)
        _take_place(state, paths, name, staging, labels, replace=replace, keeping=keeping)
    except OSError as error:
        raise refuse(error, f"import volume {name}") from error
    finally:
        if lock >= 0:
            os.close(lock)
        remove_tree(staging)


def _take_place(
    state: State, paths: Paths, name: str, staging: str, labels: Mapping[str, str] | None, *, replace: bool,
    keeping: Keeping | None,
) -> None:  # fmt: skip
    """The volume that was filled takes the place of the one that is there, whose labels it gets."""
    kept = state.read().execute("SELECT labels FROM volumes WHERE name = ?", (name,)).fetchone()
    if kept is not None and replace:
        volumes.remove(state, paths, name, force=True, keeping=keeping)
    volumes.install(state, paths, name, staging, labels, packed_labels=str(kept[0]) if kept else "")
    sync_directory(paths.volumes)
    try:
        os.unlink(f"{paths.volumes}/{name}{_MARK}")
    except FileNotFoundError:
        pass  # it was filled in place


def _fill(state: State, paths: Paths, name: str, source: BinaryIO) -> Iterator[Progress]:
    """A volume with a file system of its own: what was unpacked before a failure is removed again."""
    if name in volume_mounts.memory_volumes(state) and not volume_mounts.is_mounted(
        volume_mounts.data_path(paths, name)
    ):
        raise Conflict(f"volume {name} is a tmpfs, which has content only while a container uses it; start one first")
    root = volume_mounts.open_root(state, paths, name)
    try:
        if set(os.listdir(root)) - _OWN_NAMES:
            raise Conflict(f"volume {name} is not empty; empty it, or import into a new one")
        try:
            yield from _extract(name, source, root)
            native.syncfs(root)
        except BaseException:
            for entry in set(os.listdir(root)) - _OWN_NAMES:
                remove_tree(f"/proc/self/fd/{root}/{entry}")
            raise
    except OSError as error:
        raise refuse(error, f"import volume {name}") from error
    finally:
        os.close(root)


def _extract(name: str, source: BinaryIO, root: int) -> Iterator[Progress]:
    total, taken = size_of(source), [0]
    read = reader_of(source)

    def counted(size: int) -> bytes:
        chunk = read(size)
        taken[0] += len(chunk)
        return chunk

    tar, pipe = os.pipe2(os.O_CLOEXEC)
    extractor = Extractor(0)
    fed: list[BaseException] = []

    def feed() -> None:
        try:
            for chunk in inflate(counted):
                view = memoryview(chunk)
                while view:
                    view = view[os.write(pipe, view) :]
        except BrokenPipeError:
            pass  # the extractor has stopped and says why
        except BaseException as error:
            fed.append(error)
        finally:
            os.close(pipe)

    def work() -> None:
        feeder = threading.Thread(target=feed, name="tuidock-feed", daemon=True)
        feeder.start()
        try:
            extractor.run(tar, root)
        finally:
            os.close(tar)
        feeder.join()

    try:
        yield from _in_thread(work, extractor.stop, lambda: Progress(name, "importing", taken[0], total))
    except ExtractError as error:
        raise _sentence(fed[0] if fed else error, name) from None
    if fed:
        raise _sentence(fed[0], name)
    yield Progress(name, "imported", extractor.file_bytes, extractor.file_bytes)


def _sentence(error: BaseException, name: str) -> BaseException:
    if isinstance(error, ExtractError):
        if error.bad_content:
            return BadContent(clean(error.reason))
        return refuse(OSError(error.errno, ""), f"import volume {name} ({clean(error.reason)})")
    if isinstance(error, BadContent):
        return error
    if isinstance(error, OSError):
        return SystemFailure(f"cannot read the archive: {os.strerror(error.errno or errno.EIO)}")
    return error


def sweep(state: State, paths: Paths) -> int:
    """Removes what killed imports left; answers how many."""
    done = 0
    with state.write() as db:
        known = {row[0] for row in db.execute("SELECT name FROM volumes")}
        for name in os.listdir(paths.volumes):
            directory = f"{paths.volumes}/{name}"
            half = name.startswith(_STAGING) or os.path.exists(directory + _MARK)
            if not half or is_locked(directory + "/lock"):
                continue
            if name in known:
                os.unlink(directory + _MARK)
                continue
            remove_tree(directory)
            done += 1
    return done
