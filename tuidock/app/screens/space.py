"""What takes room on the disk, by kind, and the way to where something can be done about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tuidock.app import screen_keys
from tuidock.app.format import size
from tuidock.app.model import CONTAINERS
from tuidock.app.screens.dialog import Dialog, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.types import UsageRow

COLUMNS = (
    Column("kind", "KIND", 14, grow=1, sortable=False),
    Column("total", "TOTAL", 6, "right", sortable=False),
    Column("active", "IN USE", 6, "right", sortable=False),
    Column("size", "SIZE", 7, "right", sortable=False),
    Column("free", "CAN GO", 13, "right", sortable=False),
)
TRASH, CONTAINER = "Trash", "Containers"


def rows_of(usage: Sequence[UsageRow]) -> list[Row]:
    rows = []
    for each in usage:
        share = f" {each.reclaimable * 100 // each.size:3d}%" if each.size else "     "
        rows.append(
            Row(
                each.type,
                (
                    each.type, str(each.total), Cell(str(each.active), "" if each.active else "muted"), size(each.size),
                    Cell(f"{size(each.reclaimable)}{share}", "accent" if each.reclaimable else "muted"),
                ),
            )
        )  # fmt: skip
    return rows


class SpaceScreen(Dialog):
    """The lines of `system df`; enter goes to prune, the trash or the containers."""

    BINDINGS = bindings(screen_keys.SPACE)
    KEYS = screen_keys.SPACE

    def __init__(self) -> None:
        super().__init__(name="df")
        self._usage: list[UsageRow] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog listing"):
            with Horizontal(classes="dialog-head"):
                yield Static(tr("Room on the disk"), classes="dialog-title", markup=False)
                yield StatusLine(id="space-sum")
            yield PlainTable(COLUMNS, empty=tr("measuring …"), ascii=self.tuidock.config.ascii)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()

    def on_screen_resume(self) -> None:
        """Also when prune or the trash above it has been closed."""
        self.action_again()

    def action_again(self) -> None:
        def look(engine: Any) -> tuple[list[UsageRow], int]:
            status = os.statvfs(engine.root)
            return engine.disk_usage(), status.f_bavail * status.f_frsize

        def found(answer: tuple[list[UsageRow], int]) -> None:
            if not self.is_attached:
                return
            self._usage, free = answer
            self.query_one(PlainTable).set_rows(rows_of(self._usage))
            whole = sum(each.size for each in self._usage)
            words = f"{size(whole)} taken · {size(free)} free"
            self.query_one("#space-sum", StatusLine).set([], [Cell(words, "muted")])

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self.query_one(PlainTable).set_empty(text)

        self.tuidock.engine_workers.ask_apart(look, found, failed)

    @on(LineTable.RowSelected)
    def action_go(self) -> None:
        kind, main = self.query_one(PlainTable).cursor_key, self.tuidock.main
        if kind is None or main is None:
            return
        if kind == CONTAINER:
            self.dismiss(None)
            main.go(CONTAINERS)
        elif kind == TRASH:
            self.action_trash()
        else:
            self.action_prune()

    def action_prune(self) -> None:
        from tuidock.app.screens.prune import PruneScreen

        if self.tuidock.read_only:
            self.tuidock.say(tr(screen_keys.READ_ONLY), "warning")
        else:
            self.app.push_screen(PruneScreen())

    def action_trash(self) -> None:
        from tuidock.app.screens.trash import TrashScreen

        self.app.push_screen(TrashScreen())

    def action_back(self) -> None:
        self.dismiss(None)
