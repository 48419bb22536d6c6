"""--output type=tar and type=local: the files of an image as a tar or into a directory of the host."""

from __future__ import annotations

import os
import threading

from tuidock.engine.build import merging
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.files import refuse
from tuidock.native.extractor import NO_DEVICES, Extractor
from tuidock.native.tarwriter import TarWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    #: A directory of the host, which is made, or what opens the file that a tar goes to.
    Target = str | Callable[[], BinaryIO]

_CHUNK = 1 << 18


def export(lower: Sequence[str], target: Target) -> None:
    """lower: the directories of the layers, topmost first. Raises InvalidArgument, SystemFailure, BrokenPipeError."""
    try:
        root = merging.open_merged(lower) if lower else merging.open_empty()
        try:
            if isinstance(target, str):
                _into(root, target)
            else:
                with target() as file:
                    _through(root, lambda fd: _copy(fd, file))
        finally:
            os.close(root)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refuse(error, "write the result of the build") from error


def _into(root: int, directory: str) -> None:
    """Devices stay out: an image's disk with the mode 0666 would be the host's own, for whoever can reach the place."""
    try:
        os.makedirs(directory, exist_ok=True)
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidArgument(f"cannot write to {directory}: {error.strerror}") from None
    try:
        _through(root, lambda fd: Extractor(NO_DEVICES).run(fd, place))
    finally:
        os.close(place)


def _through(root: int, take: Callable[[int], None]) -> None:
    """A thread walks and writes, this one takes."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    failures: list[BaseException] = []
    tar = TarWriter(0)

    def walk() -> None:
        try:
            tar.run(root, writer)
        except BaseException as error:
            failures.append(error)
        finally:
            os.close(writer)

    thread = threading.Thread(target=walk, name="tuidock-export", daemon=True)
    thread.start()
    try:
        take(reader)
    finally:
        tar.stop()
        os.close(reader)
        thread.join()
    if failures:
        raise failures[0]


def _copy(reader: int, target: BinaryIO) -> None:
    while chunk := os.read(reader, _CHUNK):
        target.write(chunk)
    target.flush()
