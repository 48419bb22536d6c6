"""Themes: what is shipped is readable, what is wrong is said and left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App
from textual.color import Color

from tuidock.app.theme import DEFAULT, PLAIN, checked, default_theme, load_themes, shipped_directory


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def luminance(colour: Color) -> float:
    parts = [part / 255 for part in (colour.r, colour.g, colour.b)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def blended(foreground: str | None, background: str | None, share: float) -> str:
    return Color.parse(background or "").blend(Color.parse(foreground or ""), share).hex


def test_shipped_themes_are_sound_and_readable() -> None:
    themes, problems = load_themes()
    assert problems == []
    assert {DEFAULT, PLAIN} <= {theme.name for theme in themes}
    assert len(themes) >= 6
    assert sum(theme.ansi for theme in themes) >= 2
    for theme in themes:
        if theme.ansi:
            assert theme.background == "ansi_default"
            continue
        assert contrast(theme.foreground or "", theme.background or "") >= 7, theme.name
        for name in ("primary", "accent", "success", "warning", "error"):
            assert contrast(getattr(theme, name), theme.background or "") >= 4.5, (theme.name, name)
        muted = theme.variables.get("text-muted") or blended(theme.foreground, theme.background, 0.62)
        for ground in (theme.background, theme.surface, theme.panel):
            assert contrast(theme.foreground or "", ground or "") >= 4.5, (theme.name, ground)
            assert contrast(muted, ground or "") >= 3, (theme.name, ground)
        assert contrast(theme.variables["footer-key-foreground"], theme.background or "") >= 4.5, theme.name
        cursor = theme.variables["block-cursor-foreground"], theme.variables["block-cursor-background"]
        assert contrast(*cursor) >= 7, theme.name


@pytest.mark.parametrize("name", [file.stem for file in sorted(shipped_directory().glob("*.yaml"))])
async def test_every_theme_can_be_worn(name: str) -> None:
    from tuidock.app.widgets.line_table import Column, LineTable

    class Worn(App[None]):
        def compose(self):  # type: ignore[no-untyped-def]
            yield LineTable([Column("a", "A", 5)])

    app = Worn()
    async with app.run_test(size=(40, 10)):
        themes, problems = load_themes()
        assert problems == []
        for theme in themes:
            app.register_theme(theme)
        app.theme = name


def test_ones_own_theme_wins_and_a_faulty_one_is_named(own_home: Path) -> None:
    mine = own_home / "mine"
    mine.mkdir()
    good = (shipped_directory() / "moss.yaml").read_text()
    (mine / "moss.yaml").write_text(good.replace("#232a2e", "#000000"))
    (mine / "broken.yaml").write_text("primary: '#12'\nshade: 3\ndark: perhaps\nvariables: {'a;b': 'red;}'}\n")
    (mine / "torn.yaml").write_text("primary: [")
    themes, problems = load_themes(str(mine))
    assert next(theme for theme in themes if theme.name == "moss").background == "#000000"
    text = "\n".join(problems)
    for part in (
        "unknown key 'shade'",
        "'#12' is no colour",
        "dark is true or false",
        "a;b",
        "accent is missing",
        "torn",
    ):
        assert part in text
    assert not {"broken", "torn"} & {theme.name for theme in themes}


def test_what_was_read_is_kept_until_a_file_changes(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = own_home / "mine"
    mine.mkdir()
    load_themes(str(mine))
    import yaml

    def never(_: object) -> object:
        raise AssertionError("read again")

    monkeypatch.setattr(yaml, "safe_load", never)
    assert len(load_themes(str(mine))[0]) >= 6
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_home / "cache"))
    (mine / "new.yaml").write_text((shipped_directory() / "moss.yaml").read_text())
    assert "new" in {theme.name for theme in load_themes(str(mine))[0]}


def test_a_theme_is_a_mapping() -> None:
    assert checked(["no"], "x")[1] == ["theme x: the file is not a list of `name: value` lines"]
    assert "small letters" in checked({}, "../x")[1][0]


def test_no_color_means_the_terminals_own_palette() -> None:
    assert default_theme({"NO_COLOR": "1", "TERM": "xterm-256color"}) == PLAIN
    assert default_theme({"TERM": "linux"}) == PLAIN
    assert default_theme({"TERM": "xterm-256color"}) == DEFAULT
