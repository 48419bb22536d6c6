"""Forms between images, containers and files: commit, save, export, load, import."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuidock.app import paths, registry_names, tasks
from tuidock.app.quoting import words
from tuidock.app.screens.form import Field, Form, Tick, flag_words
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.jobs import Job


class CommitForm(Form):
    """An image of a container as it is now."""

    VERB = "commit"
    FIELDS = (
        Field("reference", "Name", "name:tag; without one the image is dangling"),
        Field("author", "Author", "who made it", "-a", half=True),
        Field("message", "Message", "what has changed", "-m", half=True),
        Field("changes", "Changes", "'CMD [\"app\"]' 'ENV MODE=prod'", "-c", many=True),
    )
    TICKS = (Tick("pause", "pause it meanwhile", True),)
    KEYS = (("commit", "ctrl+r", mark("commit")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, container: Container, reference: str = "") -> None:
        super().__init__({"reference": reference} if reference else {})
        self._container = container

    def heading(self) -> str:
        return tr("Commit {name} to an image", name=self._container.name)

    def first_field(self) -> str:
        return "reference"

    def argv(self) -> list[str]:
        flags = flag_words(self.FIELDS, self.values())
        reference = self.values()["reference"].strip()
        pause = [] if self.ticks().get("pause", True) else ["--pause=false"]
        return [*flags, *pause, self._container.name, *([reference] if reference else [])]

    def problem(self) -> str:
        return registry_names.problem(self.values()["reference"])

    def go(self, what: str) -> None:
        if problem := self.problem():
            self.complain(problem)
            return
        values = self.values()
        self.dismiss(None)
        job = tasks.commit(
            self.tuidock, self._container.id, values["reference"].strip(), author=values["author"].strip(),
            message=values["message"].strip(), changes=tuple(words(values["changes"])),
            pause=self.ticks().get("pause", True),
        )  # fmt: skip
        self.tuidock.show_jobs(job)


class FileForm(Form):
    """A form with a path in it that is written or read."""

    WRITES = False

    def path(self) -> str:
        return paths.absolute(self.values()["path"])

    def problem(self) -> str:
        path = self.path()
        if not path:
            return ""
        if self.WRITES:
            if os.path.isdir(path):
                return tr("{path} is a directory; name a file in it.", path=path)
            if not os.path.isdir(os.path.dirname(path)):
                return tr("There is no directory {path}.", path=os.path.dirname(path))
        elif not os.path.isfile(path):
            return tr("There is no file {path}.", path=path)
        return ""

    def begin(self, path: str) -> Job:
        raise NotImplementedError

    def go(self, what: str) -> None:
        if self.missing("path", tr("Which file?")):
            return
        if problem := self.problem():
            self.complain(problem)
            return
        path = self.path()

        def yes() -> None:
            job = self.begin(path)
            self.dismiss(None)
            self.tuidock.show_jobs(job)

        if self.WRITES and os.path.exists(path):
            self.tuidock.confirm(
                tr("{path} exists", path=clean(path)), [tr("It will be written anew.")], tr("overwrite"), yes
            )
        else:
            yes()


class SaveForm(FileForm):
    """Images into an archive."""

    TITLE_TEXT, VERB, WRITES, ENTER_GOES = mark("Save images to an archive"), "save", True, True
    FIELDS = (Field("path", "File", "images.tar", "-o", path="file"),)
    NOTE = mark("docker, podman and skopeo read it, and `tuidock load`.")
    KEYS = (("save", "enter", mark("save")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__({"path": file_name(references[0] if len(references) == 1 else "images")})
        self._references = list(references)

    def first_field(self) -> str:
        return "path"

    def argv(self) -> list[str]:
        return [*super().argv(), *self._references]

    def begin(self, path: str) -> Job:
        return tasks.save(self.tuidock, self._references, path)


class ExportForm(FileForm):
    """All files of a container into a tar."""

    VERB, WRITES, ENTER_GOES = "export", True, True
    FIELDS = (Field("path", "File", "files.tar", "-o", path="file"),)
    NOTE = mark("A tar of its root file system; `tuidock import` makes an image of it.")
    KEYS = (("export", "enter", mark("export")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, container: Container) -> None:
        super().__init__({"path": file_name(container.name)})
        self._container = container

    def heading(self) -> str:
        return tr("Export the files of {name}", name=self._container.name)

    def first_field(self) -> str:
        return "path"

    def argv(self) -> list[str]:
        return [*super().argv(), self._container.name]

    def begin(self, path: str) -> Job:
        return tasks.export(self.tuidock, self._container.id, clean(self._container.name), path)


class LoadForm(FileForm):
    """Images from an archive."""

    TITLE_TEXT, VERB, ENTER_GOES = mark("Load images from an archive"), "load", True
    FIELDS = (Field("path", "File", "images.tar, also compressed", "-i", path="file"),)
    KEYS = (("load", "enter", mark("load")), ("copy", "ctrl+c", mark("copy the command")))

    def begin(self, path: str) -> Job:
        return tasks.load(self.tuidock, path)


class ImportForm(FileForm):
    """An image of a tar of a root file system."""

    TITLE_TEXT, VERB = mark("Import a root file system"), "import"
    FIELDS = (
        Field("path", "File", "rootfs.tar, also compressed", path="file"),
        Field("reference", "Name", "name:tag"),
        Field("message", "Message", "where it comes from", "-m"),
        Field("changes", "Changes", "'CMD [\"sh\"]' 'ENV MODE=prod'", "-c", many=True),
    )
    KEYS = (("import", "ctrl+r", mark("import")), ("copy", "ctrl+c", mark("copy the command")))

    def argv(self) -> list[str]:
        values = self.values()
        named = [values[key].strip() for key in ("path", "reference") if values[key].strip()]
        return [*flag_words(self.FIELDS, values), *named]

    def problem(self) -> str:
        return super().problem() or registry_names.problem(self.values()["reference"])

    def begin(self, path: str) -> Job:
        values = self.values()
        return tasks.import_image(
            self.tuidock, path, values["reference"].strip(), values["message"].strip(), words(values["changes"])
        )


def file_name(name: str) -> str:
    """A name for the archive in the present directory."""
    safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in name).strip("_.")
    return shlex.join([f"{safe or 'images'}.tar"])
