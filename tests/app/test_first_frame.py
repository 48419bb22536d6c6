"""The picture before Textual and Textual's own first picture are one; what the cache of colours may do and may not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import NOW, Engine, container
from tuidock.app import lists
from tuidock.app.bindings import keymap_of
from tuidock.app.config import Config
from tuidock.app.first import styles
from tuidock.app.first.frame import Look, draw

Grid = list[list[tuple[str, str]]]
_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")


def drawn(picture: str, width: int, height: int) -> Grid:
    """The cells of a frame: a character and its colours each."""
    grid: Grid = [[(" ", "")] * width for _ in range(height)]
    x = y = at = 0
    colour = ""
    while at < len(picture):
        if found := _MOVE.match(picture, at):
            y, x, at = int(found[1]) - 1, int(found[2]) - 1, found.end()
        elif found := _COLOUR.match(picture, at):
            colour, at = ("" if found[1] == "0" else found[1]), found.end()
        else:
            assert picture[at] != "\x1b"
            if x < width:
                grid[y][x] = (picture[at], colour)
            x, at = x + 1, at + 1
    return grid


def shown(app: Any) -> Grid:
    """The same of what Textual has on the screen."""
    grid: Grid = []
    for strip in app.screen._compositor.render_strips():
        line: list[tuple[str, str]] = []
        for segment in strip:
            code = styles._code(app, segment.style)
            line += [(char, code[2:-1] if code else "") for char in segment.text]
        grid.append(line)
    return grid


def visible(cell: tuple[str, str]) -> tuple[str, str]:
    """A blank has a background and nothing else."""
    char, colour = cell
    if char == " ":
        rest = re.sub(r"38;2;\d+;\d+;\d+", "", colour)
        found = re.search(r"(?<![0-9])(48;2;\d+;\d+;\d+|48;5;\d+|4[0-79]|7)(?![0-9])", rest)
        return char, found[0] if found else ""
    return char, colour


@pytest.mark.parametrize("look", ["", "tuidock-light", "terminal-dark", "nocolor"])
@pytest.mark.parametrize("size", [(80, 24), (120, 32), (160, 48)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_textual_takes_over_without_a_jump(
    size: tuple[int, int], look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if look == "nocolor":
        monkeypatch.setenv("NO_COLOR", "1")
    config = Config(theme="" if look == "nocolor" else look)
    async with running(size=size, config=config) as ui:
        ui.app.engine_workers.set_awake(False)
        await ui.until(lambda: ui.main.detail.view is not None or ui.main.narrow)
        ui.main.detail.say("")
        for view in ui.main.detail._views.values():
            view.display = False
        ui.main.detail.log_state = ""
        ui.main.detail._draw_tabs()
        ui.app.model.history.clear()
        ui.main.pane("containers").show_rows()
        await ui.pilot.pause()
        picture = draw(ui.app.model, *size, styles.names(ui.app), Look(False, False, keymap_of("default", {})[0]))
        expected, got = shown(ui.app), drawn(picture, *size)
        wrong = [
            (x, y, got[y][x], expected[y][x])
            for y in range(size[1])
            for x in range(size[0])
            if visible(got[y][x]) != visible(expected[y][x])
        ]
        assert not wrong, (len(wrong), wrong[:6])


async def test_lists_that_are_grouped_sorted_and_arranged_do_not_jump_either() -> None:
    size = (140, 36)
    wanted = {
        "columns": ["state", "name", "ports"],
        "sort": "name",
        "reverse": True,
        "group": "image",
        "filter": "!redis",
    }
    listings, _ = lists.configured({"containers": wanted, "images": {"sort": "size", "group": "state"}})
    lists.save({**listings, "containers": listings["containers"]._replace(folded=frozenset({"app:dev"}))}, listings)
    async with running(size=size, config=Config(lists=listings)) as ui:
        ui.app.engine_workers.set_awake(False)
        await ui.until(lambda: ui.app.model.images_size >= 0)
        ui.app.model.history.clear()
        ui.main.pane("containers").show_rows()
        await ui.pilot.pause()
        picture = draw(ui.app.model, *size, styles.names(ui.app), Look(lists=lists.load(listings)))
        got = ["".join(char for char, _ in line[:64]) for line in drawn(picture, *size)[1:-1]]
        assert got == [line[:64] for line in ui.screen_text().splitlines()[1:-1]]
        assert "▸ app:dev · 3" in "".join(got) and "by image · /!redis" in got[0]


@pytest.mark.parametrize("size", [(80, 24), (120, 32)])
async def test_many_rows_and_none(size: tuple[int, int]) -> None:
    """Columns make room for a scroll bar, which Textual brings; an empty list says what to do."""
    many = Engine()
    many.rows = {row.id: row for row in (container(at, f"c{at:03}", "img", "created") for at in range(1, 90))}
    for engine in (many, Engine(empty=True)):
        async with running(engine, size=size) as ui:
            picture = draw(ui.app.model, *size, styles.names(ui.app), Look())
            got = ["".join(char for char, _ in line) for line in drawn(picture, *size)]
            text = ui.screen_text().splitlines()
            for y in range(2, 9):
                assert got[y][:40] == text[y][:40]


def test_hostile_names_stay_text() -> None:
    engine = Engine()
    bad = "\x1b]0;owned\x07\x1b[2J‮evil"
    engine.rows = {"a" * 64: container(1, bad, bad, "running", error=bad)._replace(id="a" * 64)}
    from tuidock.app.model import ViewModel

    model = ViewModel(lambda: NOW)
    model.host_name = bad
    model.replace("containers", engine.containers())
    names = {name: "" for name in _names()}
    for width in (80, 130):
        picture = draw(model, width, 24, names, Look())
        assert not re.sub(r"\x1b\[\d+;\d+H|\x1b\[0m", "", picture).encode("unicode_escape").count(b"\\x1b")
        assert "\x07" not in picture and "‮" not in picture


def _names() -> list[str]:
    from tuidock.app import spans
    from tuidock.app.widgets.rows import STYLES

    rows = [f"{over}/{row}" for over in ("", "cursor") for row in ("", "muted")]
    return [
        "screen", "thumb", "track", "list-header", "current-rule", "current-title", "other-rule", "other-title", "beside",
        *(f"line-{name}" for name in spans.STYLES), *(f"gutter-{name}" for name in rows),
        *(f"row-{name}/{cell}" for name in rows for cell in STYLES),
    ]  # fmt: skip


class TestCache:
    def test_a_wide_screen_needs_what_only_a_wide_one_has(self) -> None:
        styles.save("nord", 80, {"screen": "\x1b[45m"}, [])
        assert styles.load("nord", 120) is None and styles.load("nord", 80) is not None

    def test_what_was_kept_comes_back(self, tmp_path: Path) -> None:
        theme = tmp_path / "theme.yaml"
        theme.write_text("dark: true")
        styles.save("nord", 120, {"screen": "\x1b[44m"}, [str(theme)])
        assert styles.load("nord", 200) == {"screen": "\x1b[44m"}
        assert styles.load("nord", 80) == {"screen": "\x1b[44m"}
        styles.save("nord", 80, {"screen": "\x1b[45m"}, [str(theme)])
        assert styles.load("nord", 80) == {"screen": "\x1b[45m"} and styles.load("nord", 120) is not None

    def test_it_does_not_count_when_anything_has_changed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        theme = tmp_path / "theme.yaml"
        theme.write_text("dark: true")
        styles.save("nord", 120, {"screen": "\x1b[44m"}, [str(theme), str(tmp_path / "own.yaml")])
        assert styles.load("other", 120) is None
        monkeypatch.setenv("TERM", "linux")
        assert styles.load("nord", 120) is None
        monkeypatch.setenv("TERM", "xterm-256color")
        assert styles.load("nord", 120) is not None
        (tmp_path / "own.yaml").write_text("dark: false")
        assert styles.load("nord", 120) is None

    @pytest.mark.parametrize("value", ["\x1b]0;x\x07", "\x1b[2J", "text", 5, None])
    def test_nothing_but_colours_is_believed(self, value: object) -> None:
        styles.save("", 120, {"screen": "\x1b[44m"}, [])
        path = Path(styles.cache_path())
        kept = json.loads(path.read_text())
        kept["colours"]["wide"]["screen"] = value
        path.write_text(json.dumps(kept))
        assert styles.load("", 120) is None

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', "null"])
    def test_a_damaged_file_is_none(self, text: str) -> None:
        path = Path(styles.cache_path())
        os.makedirs(path.parent, exist_ok=True)
        path.write_text(text)
        assert styles.load("", 120) is None
        styles.save("", 120, {"screen": ""}, [])
        assert styles.load("", 120) == {"screen": ""}
