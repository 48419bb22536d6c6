"""Forms that write a volume to a tar, and make a volume of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app import tasks
from tuidock.app.model import VOLUMES, ViewModel, row_name
from tuidock.app.quoting import words
from tuidock.app.screens.archive_forms import FileForm, file_name
from tuidock.app.screens.form import Field, Tick, flag_words
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Volume

if TYPE_CHECKING:
    from tuidock.app.jobs import Job


class VolumeExportForm(FileForm):
    """What is in a volume into a tar."""

    VERB, WRITES, ENTER_GOES = "volume export", True, True
    FIELDS = (Field("path", "File", "data.tar", "-o", path="file"),)
    KEYS = (("export", "enter", mark("export")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, volume: Volume, model: ViewModel) -> None:
        super().__init__({"path": file_name(volume.name)})
        self._volume = volume
        running = {row.name for row in model.containers().values() if row.status == "running"}
        self._writers = [name for name in volume.users if name in running]

    def heading(self) -> str:
        return tr("Export the volume {name}", name=self._volume.name)

    def note(self) -> str:
        kept = tr("A tar with owners, modes and times; `import` with the cursor on volumes makes a volume of it.")
        if not self._writers:
            return kept
        return f"{clean(', '.join(self._writers))} may write to it meanwhile: pause that for one moment's state. {kept}"

    def first_field(self) -> str:
        return "path"

    def argv(self) -> list[str]:
        return [*super().argv(), self._volume.name]

    def begin(self, path: str) -> Job:
        return tasks.export_volume(self.tuidock, self._volume.name, path)


class VolumeImportForm(FileForm):
    """A volume of a tar: a new one, or one that is empty - or whatever it holds goes to the trash."""

    TITLE_TEXT, VERB = mark("Import a volume"), "volume import"
    FIELDS = (
        Field("path", "File", "data.tar, also compressed", path="file"),
        Field("name", "Volume", "its name; one that is empty is filled", half=True),
        Field("labels", "Labels", "team=shop", "--label", many=True, half=True),
    )
    TICKS = (Tick("replace", "in the place of what it holds (--replace)"),)
    NOTE = mark("What it replaces goes to the trash.")
    KEYS = (("import", "ctrl+r", mark("import")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, model: ViewModel) -> None:
        super().__init__()
        self._names = [row_name(row) for row in model.rows[VOLUMES].values()]

    def first_field(self) -> str:
        return "path"

    def known(self, key: str) -> list[str]:
        return self._names if key == "name" else []

    def argv(self) -> list[str]:
        values = self.values()
        flags = [*flag_words(self.FIELDS, values), *(["--replace"] if self.ticks().get("replace") else [])]
        return [*flags, *(text for key in ("name", "path") if (text := values[key].strip()))]

    def go(self, what: str) -> None:
        if not self.missing("path", tr("Which file?")) and not self.missing("name", tr("Into which volume?")):
            super().go(what)

    def begin(self, path: str) -> Job:
        values = self.values()
        labels = dict(word.partition("=")[::2] for word in words(values["labels"]))
        return tasks.import_volume(
            self.tuidock, values["name"].strip(), path, labels=labels, replace=self.ticks().get("replace", False)
        )
