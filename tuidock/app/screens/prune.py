"""Prune: nothing goes that was not seen. What nobody uses, with sizes; what is ticked goes after one more question."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tuidock.app import prune_rows, screen_keys
from tuidock.app.format import size
from tuidock.app.model import IMAGES, VOLUMES
from tuidock.app.prune_rows import CACHE, CACHED, DANGLING, EMPTY, IMAGE, NETWORK, UNUSED, Candidate
from tuidock.app.screens.dialog import Dialog, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import Cell, LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Image, Volume


class PruneTable(PlainTable):
    SPACE = "tick"


class PruneScreen(Dialog):
    """A list with boxes to tick. Dangling images are ticked at the beginning; volumes never are by themselves."""

    BINDINGS = bindings(screen_keys.PRUNE)
    KEYS = screen_keys.PRUNE

    def __init__(self) -> None:
        super().__init__()
        self._every: list[Candidate] = []
        self._ticked: set[str] = set()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog prune"):
            with Horizontal(classes="dialog-head"):
                yield Static(tr("Prune"), classes="dialog-title", markup=False)
                yield StatusLine(id="prune-sum")
            yield PruneTable(prune_rows.COLUMNS, header=False, empty=tr("looking …"), ascii=self.tuidock.config.ascii)
            yield Static(
                tr('Layers that other images share stay, so less may become free. Volumes are never ticked by themselves.'),
                classes="dialog-text", markup=False,
            )  # fmt: skip
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(PruneTable).focus()
        self.draw_keys()
        model = self.tuidock.model
        images = [row for row in model.rows[IMAGES].values() if isinstance(row, Image)]
        volumes = [row for row in model.rows[VOLUMES].values() if isinstance(row, Volume)]

        def look(engine: Any) -> list[Candidate]:
            sized = [
                row if row.size >= 0 or row.users else row._replace(size=engine.volume_size(row.name))
                for row in volumes
            ]
            return prune_rows.candidates(images, engine.build_cache(), sized, model.clock(), engine.unused_networks())

        def found(every: list[Candidate]) -> None:
            if not self.is_attached:
                return
            self._every = every
            self._ticked = {each.key for each in every if each.sort == DANGLING}
            table = self.query_one(PruneTable)
            table.set_empty(tr("Everything is in use: there is nothing to remove."))
            table.set_rows([prune_rows.row_of(each, each.key in self._ticked) for each in every])
            self._arrange()
            self._draw()

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self.query_one(PruneTable).set_empty(text)

        self.tuidock.engine_workers.ask_apart(look, found, failed)

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """As high as its rows where there is room."""
        room = max(3, self.app.size.height - 12)
        self.query_one(PruneTable).styles.height = max(1, min(len(self._every), room))

    def _draw(self) -> None:
        table = self.query_one(PruneTable)
        for each in self._every:
            table.update_row(prune_rows.row_of(each, each.key in self._ticked))
        text = prune_rows.summed(self._every, self._ticked)
        self.query_one("#prune-sum", StatusLine).set([], [Cell(text, "accent" if self._ticked else "muted")])

    # -- keys -------------------------------------------------------------------------------------------------------

    def action_tick(self) -> None:
        table = self.query_one(PruneTable)
        if table.cursor_key is not None:
            self._ticked ^= {table.cursor_key}
            self._draw()
            table.action_cursor_down()

    def action_dangling(self) -> None:
        self._tick_all(DANGLING)

    def action_unused(self) -> None:
        self._tick_all(DANGLING, UNUSED, CACHED, EMPTY)

    def action_none(self) -> None:
        self._tick_all()

    def _tick_all(self, *sorts: str) -> None:
        self._ticked = {each.key for each in self._every if each.sort in sorts}
        self._draw()

    @on(LineTable.RowSelected)
    def action_go(self) -> None:
        chosen = [each for each in self._every if each.key in self._ticked]
        if self.tuidock.read_only:
            return
        if not chosen:
            self.tuidock.say(tr("Nothing is ticked: space ticks the line under the cursor."), "warning")
            return
        counts = {kind: sum(each.kind == kind for each in chosen) for kind in ("image", "cache", "network", "volume")}
        names = {"image": "image", "cache": "cached step", "network": "network", "volume": "volume"}
        lines = [f"{count} {names[kind]}{'s' * (count != 1)}" for kind, count in counts.items() if count]
        if counts["volume"]:
            lines.append(tr("What is in the volumes is lost."))
        freed = size(sum(max(0, each.size) for each in chosen))
        self.tuidock.confirm(
            tr("Remove {count}, up to {freed}?", count=len(chosen), freed=freed),
            lines,
            tr("remove"),
            lambda: self._remove(chosen),
        )

    def _remove(self, chosen: list[Candidate]) -> None:
        by_key = {each.key: each for each in chosen}

        def call(engine: Any, key: str) -> None:
            each = by_key[key]
            if each.kind == CACHE:
                engine.prune_builds(all=True, filters=[f"id={each.id}"])
            elif each.kind == IMAGE:
                engine.remove_image(each.id, force=len(each.name.split()) > 1, now=True)
            elif each.kind == NETWORK:
                engine.remove_network(each.id)
            else:
                engine.remove_volume(each.id, now=True)

        self.tuidock.engine_workers.move("removed", [(each.key, clean(each.name)) for each in chosen], call)
        self.dismiss(None)

    def action_back(self) -> None:
        self.dismiss(None)
