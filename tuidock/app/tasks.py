"""What the forms and the words after `:` start in the background, each as one job: how it is called, how it begins.

The functions here run on the app's thread; what they hand over as `begin` runs on the job's, and is kept to try again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import FileIO
from typing import TYPE_CHECKING, Any, BinaryIO

from tuidock.app.jobs import Job
from tuidock.app.transfers import Transfer
from tuidock.engine.types import MigrationItem, Progress

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.engine.image_types import BuildRequest

#: Bytes between two pieces of news about a file that is written or read.
_NEWS_EVERY = 1 << 20
#: Lines of a log that are written at once.
_LINES = 2_000


def pull(app: TuidockApp, reference: str, platform: str = "", all_tags: bool = False) -> Job:
    def begin(engine: Any, job: Job) -> Iterator[Any]:
        options: dict[str, Any] = {}
        if platform:
            options["platform"] = platform
        if all_tags:
            options["all_tags"] = True
        return engine.pull(reference, **options)  # type: ignore[no-any-return]

    return app.begin_job(f"pull {reference}", "pull", begin, Transfer, reference)


def push(app: TuidockApp, reference: str, source: str = "", all_tags: bool = False) -> Job:
    """source: an image that gets the name first."""

    def begin(engine: Any, job: Job) -> Iterator[Any]:
        if source:
            engine.tag(source, reference)
        return engine.push(reference, **({"all_tags": True} if all_tags else {}))  # type: ignore[no-any-return]

    return app.begin_job(f"push {reference}", "push", begin, Transfer, reference)


def build(app: TuidockApp, request: BuildRequest, command: str = "", files: str = "") -> Job:
    """command is the command line that does the same, to be copied; files: the directory that gets what comes out."""
    from tuidock.app.builds import Build

    def begin(engine: Any, job: Job) -> Iterator[Any]:
        return engine.build(request, **({"target": files} if files else {}))  # type: ignore[no-any-return]

    name = request.tags[0] if request.tags else os.path.basename(request.context.rstrip("/"))
    return app.begin_job(f"build {name}", "build", begin, lambda: Build(request.tags, command, files), name)


def commit(app: TuidockApp, container: str, reference: str = "", **options: Any) -> Job:
    return app.begin_job(
        f"commit {reference or container}", "commit",
        lambda engine, job: engine.commit(container, reference, **options), Transfer, reference,
    )  # fmt: skip


def save(app: TuidockApp, references: Sequence[str], path: str) -> Job:
    names = list(references)
    title = f"save {names[0]}" if len(names) == 1 else f"save {len(names)} images"
    return _write(app, title, "save", path, lambda engine, target: engine.save(names, target))


def export(app: TuidockApp, container: str, name: str, path: str) -> Job:
    return _write(app, f"export {name}", "export", path, lambda engine, target: engine.export(container, target))


def export_volume(app: TuidockApp, volume: str, path: str) -> Job:
    """The engine writes to the file by its descriptor, and tells how much."""

    def begin(engine: Any, job: Job) -> Iterator[Any]:
        with _whole(path, job) as file:
            size = 0
            for step in engine.export_volume(volume, file):
                size = step.done
                yield step
        yield Progress(path, "written", size, size)

    return app.begin_job(f"export {volume}", "export", begin, Transfer, path)


def import_volume(
    app: TuidockApp, volume: str, path: str, labels: Mapping[str, str] = {}, replace: bool = False
) -> Job:
    """replace: what the volume holds goes to the trash."""
    return _read(
        app, f"import {os.path.basename(path)} into {volume}", "import-volume", path,
        lambda engine, source: engine.import_volume(volume, source, labels=dict(labels) or None, replace=replace),
    )  # fmt: skip


def save_log(app: TuidockApp, name: str, path: str, lines: Callable[[], Iterable[str]]) -> Job:
    """Lines of a log as a text file."""

    def write(engine: Any, file: BinaryIO) -> None:
        batch: list[str] = []
        for line in lines():
            batch.append(line)
            if len(batch) >= _LINES:
                file.write(("\n".join(batch) + "\n").encode("utf-8", "replace"))
                batch.clear()
        if batch:
            file.write(("\n".join(batch) + "\n").encode("utf-8", "replace"))

    return _write(app, f"save the log of {name} to {path}", "save-log", path, write)


def load(app: TuidockApp, path: str) -> Job:
    return _read(app, f"load {os.path.basename(path)}", "load", path, lambda engine, source: engine.load(source))


def import_image(
    app: TuidockApp, path: str, reference: str = "", message: str = "", changes: Sequence[str] = ()
) -> Job:
    return _read(
        app, f"import {os.path.basename(path)}", "import", path,
        lambda engine, source: engine.import_image(source, reference, message, tuple(changes)),
    )  # fmt: skip


def copy_out(app: TuidockApp, container: str, name: str, there: str, here: str, archive: bool) -> Job:
    """Files of a container to a path of this machine."""
    title = f"copy {name}:{there} to {here}"
    return app.begin_job(
        title, "copy", lambda engine, job: engine.copy_out(container, there, here, archive=archive), Transfer, name
    )


def copy_in(app: TuidockApp, container: str, name: str, there: str, here: str, archive: bool) -> Job:
    """A file or directory of this machine into a container."""
    title = f"copy {here} to {name}:{there}"
    return app.begin_job(
        title,
        "copy",
        lambda engine, job: engine.copy_in(container, here, there or "/", archive=archive),
        Transfer,
        name,
    )


def copy_volume_out(app: TuidockApp, volume: str, name: str, there: str, here: str, archive: bool) -> Job:
    title = f"copy {name}:{there} to {here}"
    return app.begin_job(
        title, "copy",
        lambda engine, job: engine.copy_out_of_volume(volume, there.strip("/"), here, archive=archive), Transfer, name,
    )  # fmt: skip


def copy_volume_in(app: TuidockApp, volume: str, name: str, there: str, here: str, archive: bool) -> Job:
    """Owners stay in any case: a volume has no user of its own."""
    title = f"copy {here} to {name}:{there}"
    return app.begin_job(
        title, "copy", lambda engine, job: engine.copy_into_volume(volume, here, there.strip("/")), Transfer, name
    )


def migrate(app: TuidockApp, kind: str, host: str, wanted: Sequence[MigrationItem]) -> Job:
    """Things of another engine; host "" for its usual socket."""
    from tuidock.app.moving_in import Moving, moving

    chosen = list(wanted)
    return app.begin_job(
        f"move in from {kind}", "migrate", lambda engine, job: moving(engine, kind, host, chosen), Moving,
        f"{kind} {host}".rstrip(),
    )  # fmt: skip


@contextmanager
def _whole(path: str, job: Job) -> Iterator[FileIO]:
    """A file that appears under its name when it is complete, readable for its owner only. `name` is that name already."""
    part = f"{path}.part-{os.getpid()}-{job.number}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    file = FileIO(path, "wb", opener=lambda *_: os.open(part, flags, 0o600))
    try:
        with file:
            yield file
        os.rename(part, path)
    except BaseException:
        os.unlink(part)
        raise


def _write(app: TuidockApp, title: str, kind: str, path: str, call: Callable[[Any, BinaryIO], None]) -> Job:
    def begin(engine: Any, job: Job) -> Iterator[Any]:
        name = os.path.basename(path)
        with _whole(path, job) as file:
            counted = Counted(file, job)
            call(engine, counted)  # type: ignore[arg-type]
        yield Progress(name, "done", counted.count, counted.count)
        yield Progress(path, "written", counted.count, counted.count)

    return app.begin_job(title, kind, begin, Transfer, path)


def _read(app: TuidockApp, title: str, kind: str, path: str, call: Callable[[Any, BinaryIO], Iterator[Any]]) -> Job:
    def begin(engine: Any, job: Job) -> Iterator[Any]:
        with open(path, "rb") as file:
            yield from call(engine, file)

    return app.begin_job(title, kind, begin, Transfer, path)


class Counted:
    """A file that tells its job how much has been written, and that stops when the job is given up."""

    def __init__(self, file: FileIO, job: Job) -> None:
        self._file, self._job, self.name = file, job, str(file.name)
        self.count = 0
        self._told = -_NEWS_EVERY

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        size = len(view)
        while view:
            view = view[self._file.write(view) :]
        self.count += size
        if self.count - self._told >= _NEWS_EVERY:
            self._told = self.count
            self._job.put(Progress(os.path.basename(self.name), "writing", self.count))
        return size

    def flush(self) -> None:
        """Every write goes to the file at once."""

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.count

    def close(self) -> None:
        """The file belongs to who made it."""
