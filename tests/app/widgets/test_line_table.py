"""The table keeps its cursor and marks by key, and redraws what changed."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.geometry import Offset, Region

from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.widgets.rows import fit, place

COLUMNS = (
    Column("name", "NAME", 10, grow=1),
    Column("cpu", "CPU", 6, "right", priority=1),
    Column("image", "IMAGE", 12, priority=2),
)


def rows(*names: str) -> list[Row]:
    return [Row(name, (name, Cell("1.0%"), "busybox"), (name, 1.0, "busybox")) for name in names]


class TableApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def compose(self) -> ComposeResult:
        yield LineTable(COLUMNS)

    @property
    def table(self) -> LineTable:
        return self.query_one(LineTable)

    def on_mount(self) -> None:
        self.table.focus()

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        self.seen.append(("cursor", event.key))

    def on_line_table_row_selected(self, event: LineTable.RowSelected) -> None:
        self.seen.append(("selected", event.key))

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        self.seen.append(("marks", set(event.marks)))

    def on_line_table_header_clicked(self, event: LineTable.HeaderClicked) -> None:
        self.seen.append(("header", event.column_key))

    def on_line_table_visible_changed(self, event: LineTable.VisibleChanged) -> None:
        self.seen.append(("visible", event.keys))


def screen(table: LineTable) -> list[str]:
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_the_cursor_stays_on_its_key_when_rows_come_and_go() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows(rows("a", "b", "c", "d"))
        app.table.move_cursor("c")
        app.table.set_rows(rows("x", "y", "a", "b", "c"))
        assert app.table.cursor_key == "c"
        app.table.update_row(rows("zz")[0])
        app.table.remove_row("a")
        assert app.table.cursor_key == "c"
        app.table.remove_row("c")
        assert app.table.cursor_key == "zz"
        app.table.remove_row("zz")
        assert app.table.cursor_key == "b"
        app.table.clear()
        assert app.table.cursor_key is None
        await pilot.pause()
        assert ("cursor", None) in app.seen


async def test_rows_above_the_cursor_do_not_move_what_one_looks_at() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 11)) as pilot:
        app.table.set_rows(rows(*(f"r{i:03}" for i in range(100))))
        app.table.move_cursor("r050")
        await pilot.pause()
        before = screen(app.table).index(next(line for line in screen(app.table) if "r050" in line))
        app.table.set_rows(rows(*(f"a{i}" for i in range(20)), *(f"r{i:03}" for i in range(100))))
        await pilot.pause()
        assert "r050" in screen(app.table)[before]


async def test_keys_move_mark_and_select() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows(rows("a", "b", "c", "d", "e"))
        await pilot.press("j", "space", "v", "j", "j", "v")
        assert app.table.marks == {"b", "c", "d", "e"}
        assert app.table.acted_keys == ["b", "c", "d", "e"]
        await pilot.press("backslash", "g", "enter")
        assert app.table.marks == frozenset()
        assert app.table.acted_keys == ["a"]
        assert app.seen[-1] == ("selected", "a")
        await pilot.press("asterisk")
        assert len(app.table.marks) == 5
        app.table.remove_row("b")
        assert app.table.marks == {"a", "c", "d", "e"}


async def test_the_mouse_sorts_moves_and_marks() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows(rows("b", "a", "c"))
        await pilot.click(LineTable, offset=(4, 0))
        assert app.table.keys == ["a", "b", "c"]
        assert ("header", "name") in app.seen
        await pilot.click(LineTable, offset=(4, 0))
        assert app.table.keys == ["c", "b", "a"]
        await pilot.click(LineTable, offset=(5, 3))
        assert app.table.cursor_key == "a"
        await pilot.click(LineTable, offset=(1, 2))
        assert app.table.marks == {"b"}
        await pilot.double_click(LineTable, offset=(5, 1))
        assert app.seen[-1] == ("selected", "c")


async def test_a_changed_cell_refreshes_its_own_columns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows(rows("a", "b"))
        await pilot.pause()
        regions: list[Region] = []
        monkeypatch.setattr(app.table, "refresh", lambda *some, **_: regions.extend(some))
        app.table.update_cells("b", {"cpu": "9.9%"}, {"cpu": 9.9})
        app.table.update_cells("b", {"cpu": "9.9%"})
        app.table.update_cells("never", {"cpu": "9.9%"})
        assert len(regions) == 1
        assert (regions[0].y, regions[0].height, regions[0].width) == (2, 1, 6)
        assert "9.9%" in app.table.render_line(2).text
        app.table.sort_by("cpu", reverse=True)
        assert app.table.keys == ["b", "a"]


async def test_a_filter_hides_and_marks_what_it_found() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)):
        app.table.set_rows(rows("web", "db", "WEB-2"))
        app.table.set_filter("web")
        assert app.table.keys == ["web", "WEB-2"]
        app.table.set_filter("WEB")
        assert app.table.keys == ["WEB-2"]
        app.table.update_row(rows("WEB-3")[0])
        assert app.table.keys == ["WEB-2", "WEB-3"]
        app.table.filter_with(lambda row: row.key == "db")
        assert app.table.keys == ["db"]
        app.table.set_filter("")
        assert len(app.table.keys) == 4


async def test_only_rows_on_screen_are_named_visible() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 6)) as pilot:
        app.table.set_rows(rows(*(f"r{i}" for i in range(50))))
        await pilot.pause()
        assert app.table.visible_keys == ["r0", "r1", "r2", "r3", "r4"]
        await pilot.press("end")
        await pilot.pause()
        assert app.table.visible_keys == ["r45", "r46", "r47", "r48", "r49"]
        assert app.seen[-1] == ("visible", tuple(app.table.visible_keys))


async def test_the_wheel_scrolls_three_rows_and_leaves_the_cursor() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 6)) as pilot:
        app.table.set_rows(rows(*(f"r{i}" for i in range(50))))
        await pilot.pause()
        await pilot._post_mouse_events([events.MouseScrollDown], LineTable, offset=(5, 2))
        assert app.table.scroll_offset.y == 3
        assert app.table.cursor_key == "r0"
        await pilot._post_mouse_events([events.MouseScrollUp], LineTable, offset=(5, 2))
        assert app.table.scroll_offset.y == 0


async def test_an_empty_table_says_so() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 6)):
        app.table.set_empty("no containers yet")
        assert screen(app.table)[1] == "  no containers yet"


async def test_the_terminal_s_cursor_stands_on_the_selected_row() -> None:
    app = TableApp()
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_rows(rows(*(f"r{i}" for i in range(50))))
        await pilot.press("j", "j")
        assert app.cursor_position == (2, 3)
        await pilot.press("end")
        await pilot.pause()
        assert app.cursor_position == (2, 9)
        await pilot.press("home")
        await pilot.pause()
        assert app.cursor_position == (2, 1)
        app.table.sort_by("name", reverse=True)
        await pilot.pause()
        assert app.cursor_position == (2, 1 + app.table.cursor_row - app.table.scroll_offset.y)
        app.table.can_focus = False
        app.set_focus(None)
        await pilot.pause()
        app.cursor_position = Offset(0, 0)
        app.table.move_cursor("r7")
        assert app.cursor_position == (0, 0)


def test_narrow_terminals_lose_the_least_important_columns() -> None:
    def names(width: int) -> list[str]:
        return [placed.column.key for placed in place(COLUMNS, width)]

    assert names(40) == ["name", "cpu", "image"]
    assert names(31) == ["name", "cpu"]
    assert names(15) == ["name"]
    for width in range(1, 80):
        placed = place(COLUMNS, width)
        assert all(one.x + one.width <= max(width, 1) for one in placed)
        assert placed or width <= 2


def test_a_cell_has_exactly_its_width() -> None:
    from rich.cells import cell_len

    for text in ("", "abc", "a" * 40, "漢字漢字漢字", "e\u0301e\u0301", "\x1b[31mred", "👍🏽 ok"):
        for width in range(1, 12):
            assert cell_len(fit(text, width)) == width
            assert cell_len(fit(text, width, "right")) == width
    assert fit("abcdef", 4) == "abc…"
    assert fit("7", 3, "right") == "  7"


async def test_partial_repaints_show_the_same_as_a_full_one() -> None:
    """Plays what is sent to the terminal for a changed cell and compares with the line as a whole."""
    app = TableApp()
    async with app.run_test(size=(60, 8)) as pilot:
        app.table.set_rows(rows("a", "b"))
        await pilot.pause()
        compositor = app.screen._compositor
        compositor._dirty_regions.clear()
        app.table.update_cells("b", {"cpu": "7.7%"})
        x = next(placed.x for placed in app.table._placed if placed.column.key == "cpu")
        compositor._dirty_regions.add(Region(x, 2, 6, 1))
        update = compositor.render_partial_update()
        assert update is not None
        sent = update.render_segments(app.console)
        assert sent.startswith(f"\x1b[3;{x + 1}H")
        assert "7.7%" in sent
        assert "busybox" not in sent and "  b " not in sent
