"""One of the four lists: a table that shows one kind of row of the view model."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from tuidock.app import filters, panes
from tuidock.app import format as shown
from tuidock.app.model import CONTAINERS, Row, ViewModel
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.rows import Row as Line
from tuidock.engine.types import Container

RUNNING = ("running", "paused", "restarting")


class Pane(LineTable):
    """The rows of one kind. Titles are the top border, so that a pane costs no line more than its rows."""

    def __init__(
        self, kind: str, model: ViewModel, *, ascii: bool = False, read_only: bool = False, hidden: Iterable[str] = ()
    ) -> None:
        self.kind, self.model = kind, model
        self._ascii = ascii
        self._filter = filters.Filter("")
        self.only_running = False
        self._sought = ""
        self._current = False
        empty = panes.EMPTY_READ_ONLY if read_only else panes.EMPTY
        self._empty_text = empty[kind]
        self._title = ""
        super().__init__(panes.columns(kind), header=kind == CONTAINERS, empty="", ascii=ascii, id=kind)
        self._hidden = frozenset(hidden)

    # -- rows -------------------------------------------------------------------------------------------------

    def _chosen(self) -> list[Row]:
        rows = self.model.rows[self.kind].values()
        if self.kind == CONTAINERS and self.only_running:
            return [row for row in rows if isinstance(row, Container) and row.status in RUNNING]
        return list(rows)

    def show_rows(self) -> None:
        """All rows of the model anew."""
        lines = [panes.line(row, self.model, self._ascii) for row in self._chosen()]
        columns = panes.columns(self.kind, lines)
        if columns != self._columns:
            self.set_columns(columns)
        self.set_rows(lines)
        if self._sought and self.move_cursor(self._sought):
            self._sought = ""
        self._after()

    def seek(self, identity: str) -> None:
        """Puts the cursor on a row, or will as soon as the engine's event has brought it."""
        self._sought = "" if self.move_cursor(identity) else identity

    def show_changed(self, rows: Iterable[Row]) -> None:
        """Rows that are known already and show something else now."""
        lines = [panes.line(row, self.model, self._ascii) for row in rows]
        wider = [
            column._replace(want=max(column.want, new.want)) if new.want else column
            for column, new in zip(self._columns, panes.columns(self.kind, lines), strict=True)
        ]
        if tuple(wider) != self._columns:
            self.set_columns(wider)
        for line in lines:
            self.update_row(line)
        self._after()

    def show_samples(self, ids: Iterable[str]) -> None:
        for each in ids:
            sample = self.model.sample(each)
            before = self.model.sample_before(each)
            self.update_cells(each, shown.stats_cells(sample, before, self._ascii), shown.stats_sort_keys(sample))

    def _after(self) -> None:
        if self.kind not in self.model.loaded:
            self.set_empty("reading …")
        elif self._filter.source:
            self.set_empty(f"Nothing fits {self._filter.source}. esc clears the filter.")
        elif self.only_running and self.model.rows[self.kind]:
            self.set_empty("Nothing runs. A shows all containers.")
        else:
            self.set_empty(self._empty_text)
        self.show_title()

    def show_title(self) -> None:
        title = " " + panes.title(self.kind, self.model, len(self.keys))
        if self.only_running:
            title += " · running"
        if self._filter.source:
            title += f" · /{self._filter.source}"
        if self.marks:
            title += f" · {len(self.marks)} marked"
        if title != self._title:
            # Setting it draws the whole list again. A Content is taken as it is: a filter may hold brackets.
            self._title = title
            self.border_title = Content(title + " ")

    @property
    def row_at_cursor(self) -> Row | None:
        return self.model.get(self.kind, self.cursor_key) if self.cursor_key is not None else None

    def acted_rows(self) -> list[Row]:
        """What an action is about: the marked rows, else the one under the cursor."""
        found = (self.model.get(self.kind, key) for key in self.acted_keys)
        return [row for row in found if row is not None]

    # -- view -------------------------------------------------------------------------------------------------

    @property
    def filter_text(self) -> str:
        return self._filter.source

    def set_filter_text(self, text: str) -> str:
        """Filters by the grammar of filters.py; gives a note when something was not understood."""
        self._filter = chosen = filters.parse(text, panes.FIELD_NAMES[self.kind])
        if not chosen.predicates:
            self.filter_with(None)
        else:

            def fits(line: Line) -> bool:
                row = self.model.get(self.kind, line.key)
                return row is not None and chosen(panes.fields(row))

            plain = chosen.source if chosen.source.replace("-", "").replace("_", "").isalnum() else ""
            self.filter_with(fits, plain if not chosen.source.startswith("-") else "")
        self._after()
        return chosen.note

    @property
    def header_shown(self) -> bool:
        return bool(self._header)

    def show_header(self, on: bool) -> None:
        if bool(self._header) != on:
            self._header = int(on)
            self._layout_columns()
            self._keep_in_view(self.cursor_row)

    def set_hidden(self, keys: Iterable[str]) -> None:
        """Leaves out these columns."""
        self._hidden = frozenset(keys)
        self._layout_columns()

    # -- drawing ----------------------------------------------------------------------------------------------

    def set_current(self, on: bool) -> None:
        """Only the list in use shows where its cursor is."""
        if self._current != on:
            self._current = on
            self._redraw()

    def _row_strip(self, key: str, at_cursor: bool, base: Style) -> Strip:
        return super()._row_strip(key, at_cursor and self._current, base)
