"""The files of a volume, one directory at a time; look into a file, copy out and in.

A volume may hold millions of files, so that nothing is read but the directory that is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult

from tuidock.app import screen_keys
from tuidock.app.filetree import mode_words
from tuidock.app.format import age, counted, size
from tuidock.app.model import VOLUMES
from tuidock.app.model import Row as Thing
from tuidock.app.screens.copy_forms import CopyForm
from tuidock.app.screens.files import FileScreen
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.image_types import TreeEntry

COLUMNS = (
    Column("mode", "MODE", 10, priority=2, sortable=False),
    Column("owner", "OWNER", 11, priority=3),
    Column("size", "SIZE", 7, "right"),
    Column("age", "CHANGED", 8, "right", priority=1),
    Column("name", "NAME", 24, grow=1),
)
UP = ".."


def rows_of(entries: Sequence[TreeEntry], now: int, inside: bool) -> list[Row]:
    """Directories first, each by name; the way up is the first line."""
    lines = [Row(UP, (Cell(""), Cell(""), Cell(""), Cell(""), Cell("..", "accent")))] if inside else []
    for entry in sorted(entries, key=lambda each: (each.kind != "dir", each.path)):
        name = entry.path.rpartition("/")[2]
        text = f"{name}/" if entry.kind == "dir" else f"{name} → {entry.target}" if entry.kind == "link" else name
        length = size(entry.size) if entry.kind == "file" else ""
        changed = age(now - entry.mtime) if entry.mtime else ""
        style = "accent" if entry.kind == "dir" else "" if entry.kind == "file" else "muted"
        lines.append(
            Row(
                entry.path,
                (
                    Cell(mode_words(entry), "muted"), Cell(f"{entry.uid}:{entry.gid}", "muted"),
                    Cell(length), Cell(changed, "muted"), Cell(text, style),
                ),
                ("", entry.uid, entry.size, -entry.mtime, name.casefold()),
            )
        )  # fmt: skip
    return lines


class VolumeFilesScreen(Keyed):
    """enter opens a directory or a file; backspace goes up."""

    BINDINGS = bindings(screen_keys.VOLUME)
    KEYS, HELP_TITLE = screen_keys.VOLUME, mark("Files of a volume")

    def __init__(self, volume: str) -> None:
        super().__init__(name="volume-files", classes="volume-screen")
        self._volume, self._path = volume, ""
        self._entries: dict[str, TreeEntry] = {}
        self._seek = ""

    def compose(self) -> ComposeResult:
        yield StatusLine(id="volume-status")
        yield PlainTable(COLUMNS, empty=tr("reading …"), ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        self._go("")

    def _go(self, path: str, seek: str = "") -> None:
        """To another directory; the old one stays on the screen until that is read."""
        volume = self._volume

        def read(entries: list[TreeEntry]) -> None:
            if not self.is_attached:
                return
            self._path, self._entries = path, {entry.path: entry for entry in entries}
            table = self.query_one(PlainTable)
            table.set_empty(tr("Nothing is in it."))
            table.set_rows(rows_of(entries, self.tuidock.model.clock(), bool(path)))
            if not (seek and table.move_cursor(seek)) and table.keys:
                table.move_cursor(table.keys[0])
            self._draw_status()

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self.query_one(PlainTable).set_empty(text)
                self.tuidock.say(text, "error")

        def ask(engine: Any) -> list[TreeEntry]:
            return engine.volume_files(volume, path)  # type: ignore[no-any-return]

        self.tuidock.engine_workers.ask_apart(ask, read, failed)

    def _draw_status(self) -> None:
        whole = sum(entry.size for entry in self._entries.values() if entry.kind == "file")
        words = f"{counted(len(self._entries), 'name')} · {size(whole)} in files" if self._entries else "empty"
        place = f"{clean(self._volume)}:/{clean(self._path)}"
        self.query_one("#volume-status", StatusLine).set([place], [Cell(words, "muted")])

    @property
    def _entry(self) -> TreeEntry | None:
        return self._entries.get(self.query_one(PlainTable).cursor_key or "")

    def command_rows(self) -> tuple[str, list[Thing]]:
        row = self.tuidock.model.find(VOLUMES, self._volume)
        return VOLUMES, [row] if row is not None else []

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        entry = self._entry
        if entry is None:
            self.action_up()
        elif entry.kind == "dir":
            self._go(entry.path)
        elif entry.kind == "file":
            volume, path = self._volume, entry.path
            self.app.push_screen(
                FileScreen(path, entry.size, lambda engine, limit: engine.read_volume_file(volume, path, limit))
            )
        else:
            self.tuidock.say(tr("A {kind} is not looked into.", kind=entry.kind), "warning")

    def action_up(self) -> None:
        if self._path:
            self._go(self._path.rpartition("/")[0], seek=self._path)

    def action_files(self) -> None:
        """Out of the volume what is under the cursor, or into the directory that is shown."""
        entry = self._entry
        path = entry.path if entry is not None else self._path
        self.app.push_screen(CopyForm(self._volume, self._volume, f"/{path}", volume=True))

    def action_again(self) -> None:
        self._go(self._path, seek=self.query_one(PlainTable).cursor_key or "")

    def action_copy(self) -> None:
        entry = self._entry
        self.tuidock.copy("/" + clean(entry.path if entry is not None else self._path), "the path")

    def action_back(self) -> None:
        if self._path:
            self.action_up()
        else:
            self.dismiss()
