"""One of the four lists: a table that shows one kind of row of the view model."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from rich.style import Style
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from tuidock.app import filters, grouping, panes
from tuidock.app import format as shown
from tuidock.app.lists import Listing
from tuidock.app.model import CONTAINERS, Row, ViewModel
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.words import tr


class Pane(LineTable):
    """The rows of one kind. Titles are the top border, so that a pane costs no line more than its rows."""

    class ListingChanged(Message):
        """Sorted, grouped, folded or with other columns: to be kept for the next session."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(
        self, kind: str, model: ViewModel, listing: Listing, *, ascii: bool = False, read_only: bool = False
    ) -> None:
        self.kind, self.model, self._listing = kind, model, listing
        self._ascii = ascii
        self._filter = filters.parse(listing.filter, panes.FIELD_NAMES[kind])
        self._sought = ""
        self._current = False
        self._read_only = read_only
        self._title = ""
        columns = panes.columns(kind)
        super().__init__(columns, header=kind == CONTAINERS, empty="", ascii=ascii, id=kind)
        self._hidden, self._order = listing.hidden, listing.order
        panes.prepare(self._rows, kind, model, listing, columns, ascii)

    # -- how it is listed ---------------------------------------------------------------------------------------

    @property
    def listing(self) -> Listing:
        """How the list is looked at now."""
        return self._listing._replace(
            order=self._order, hidden=self._hidden, sort=self.sort[0], reverse=self.sort[1], folded=self.folded
        )

    @property
    def only_running(self) -> bool:
        return self._listing.running

    def set_running(self, on: bool) -> None:
        """Shows only what runs, or everything."""
        self._listing = self._listing._replace(running=on)
        self.show_rows()
        self._keep()

    def sort_by(self, column_key: str, reverse: bool = False) -> None:
        super().sort_by(column_key, reverse)
        self._keep()

    def toggle_fold(self, header: str) -> None:
        super().toggle_fold(header)
        self._keep()

    def fold_all(self, on: bool) -> None:
        super().fold_all(on)
        self._keep()

    def group_by(self, by: str) -> None:
        """By a word of `grouping.WORDS` or `label:NAME`; "" takes the groups apart."""
        self._listing = self._listing._replace(group=by, folded=frozenset())
        row_of = functools.partial(self.model.get, self.kind)
        self.group_with(grouping.grouping(self.kind, by, row_of, self._columns, self._ascii))
        self.show_rows()
        self._keep()

    def arrange_columns(self, order: Iterable[str], hidden: Iterable[str]) -> None:
        """Puts columns in this order and leaves out some."""
        self._order, self._hidden = tuple(order), frozenset(hidden)
        self._layout_columns()
        self._keep()

    def _keep(self) -> None:
        if self.is_mounted:
            self.post_message(self.ListingChanged(self))

    @property
    def line_count(self) -> int:
        """Rows and headers, whatever is filtered or folded away: how much room the list could use."""
        return self.row_count + len(self._rows.groups)

    # -- rows -------------------------------------------------------------------------------------------------

    def show_rows(self) -> None:
        """All rows of the model anew."""
        rows = panes.chosen(self.kind, self.model, self._listing)
        lines = [panes.line(row, self.model, self._ascii) for row in rows]
        columns = panes.columns(self.kind, lines, grouping.widest(self._listing.group, rows))
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
        self.renew_headers()
        self._after()

    def show_samples(self, ids: Iterable[str]) -> None:
        for each in ids:
            sample = self.model.sample(each)
            before = self.model.sample_before(each)
            self.update_cells(each, shown.stats_cells(sample, before, self._ascii), shown.stats_sort_keys(sample))
        self.renew_headers()

    def _after(self) -> None:
        if self.kind not in self.model.loaded:
            self.set_empty(tr("reading …"))
        else:
            count = len(self.model.rows[self.kind])
            text = panes.empty_text(self.kind, count, self._read_only, self._listing, self._filter.source)
            self.set_empty(text)
        self.show_title()

    def show_title(self) -> None:
        listing, marked = self._listing, len(self.marks)
        title = " " + panes.title(self.kind, self.model, len(self._rows.passing), listing, self._filter.source, marked)
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
        plain = chosen.source if chosen.source.replace("-", "").replace("_", "").isalnum() else ""
        self.filter_with(
            panes.predicate(self.kind, self.model, chosen), plain if not chosen.source.startswith("-") else ""
        )
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

    # -- drawing ----------------------------------------------------------------------------------------------

    def set_current(self, on: bool) -> None:
        """Only the list in use shows where its cursor is."""
        if self._current != on:
            self._current = on
            self._redraw()

    def _row_strip(self, key: str, at_cursor: bool, base: Style) -> Strip:
        return super()._row_strip(key, at_cursor and self._current, base)

    # -- groups -----------------------------------------------------------------------------------------------

    def group_words(self) -> str:
        """What the header under the cursor stands for."""
        count = len(self.members(self.cursor_key))
        if not self.on_header or not count:
            return ""
        what = panes.number(self.kind, count)
        return tr(
            "{what}. Keys act on all of them, after asking once; enter folds and unfolds, space marks them.", what=what
        )
