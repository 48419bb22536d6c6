"""export: the whole tree of a container as a tar, without its history, its mounts and its settings."""

from __future__ import annotations

import errno
import os
import threading

from tuidock.engine.clean import clean
from tuidock.engine.containers.layers import open_root, place_of
from tuidock.engine.containers.telling import tell
from tuidock.engine.files import refuse
from tuidock.engine.instance import Instance
from tuidock.engine.types import Container
from tuidock.native.tarwriter import TarError, TarWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_BEAT = 0.2


def export(instance: Instance, container: Container, target: BinaryIO) -> None:
    """Writes the tar; what the container changes meanwhile may be in it or not.

    Raises BrokenPipeError when nobody reads on, SystemFailure.
    """
    root = open_root(instance, container, place_of(instance, container))
    writer = TarWriter(0)
    failures: list[BaseException] = []
    try:
        target.flush()
        try:
            sink = os.dup(target.fileno())
        except (AttributeError, OSError, ValueError):
            _by_pipe(writer, root, target, failures)
        else:
            _work(writer, root, sink, failures)
    finally:
        os.close(root)
    if failures:
        raise _sentence(failures[0], container)
    tell(instance, "export", container.id, container.name)


def _start(writer: TarWriter, root: int, sink: int, failures: list[BaseException]) -> threading.Thread:
    """Takes the sink. In a thread of its own, so that the caller can be interrupted."""

    def run() -> None:
        try:
            writer.run(root, sink)
        except BaseException as error:
            failures.append(error)
        finally:
            os.close(sink)

    thread = threading.Thread(target=run, name="tuidock-export", daemon=True)
    thread.start()
    return thread


def _work(writer: TarWriter, root: int, sink: int, failures: list[BaseException]) -> None:
    thread = _start(writer, root, sink, failures)
    try:
        while thread.is_alive():
            thread.join(_BEAT)
    except BaseException:
        writer.stop()
        raise
    thread.join()


def _by_pipe(writer: TarWriter, root: int, target: BinaryIO, failures: list[BaseException]) -> None:
    """For a target that is no file of the system."""
    reader, sink = os.pipe2(os.O_CLOEXEC)
    thread = _start(writer, root, sink, failures)
    try:
        while chunk := os.read(reader, 1 << 20):
            target.write(chunk)
    finally:
        os.close(reader)
        writer.stop()
        thread.join()


def _sentence(error: BaseException, container: Container) -> BaseException:
    if isinstance(error, TarError):
        if error.errno == errno.EPIPE:
            return BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        return refuse(OSError(error.errno, ""), f"export container {container.name} ({clean(error.reason)})")
    return error
