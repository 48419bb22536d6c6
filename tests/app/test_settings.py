"""Reading the configuration again while the app runs, the pickers that show at once, and the tour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import Engine
from tuidock.app import kept
from tuidock.app.config import Config, config_path
from tuidock.app.screens import tour
from tuidock.app.theme import shipped_directory, user_directory


def write(text: str) -> None:
    path = Path(config_path())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def test_what_is_saved_counts_at_once() -> None:
    async with running(size=(160, 48)) as ui:
        write("theme: moss\nkeymap: {container.kill: K, trash.undo: b}\nplugins: [{name: Greet, command: echo hi}]\n")
        await ui.until(lambda: ui.app.theme == "moss")
        assert "config.yaml was read again." in ui.toasts
        await ui.go_to("web")
        await ui.press("K")
        assert "Kill web?" in ui.screen_text()
        await ui.press("escape")
        await ui.command("plugins")
        assert "Greet" in ui.screen_text()
        await ui.press("escape")
        write("ascii: true\n")
        await ui.until(lambda: "config.yaml was read again; ascii from the next start." in ui.toasts)
        assert ui.app.theme == "tuidock-dark" and not ui.app.config.plugins
        await ui.press("K")
        assert "Kill web?" not in ui.screen_text()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("mouse: true\ntheme: [\n", "config.yaml is not valid YAML, line 3"),
        ("confirm: never\n\nthem: x\n", "config.yaml, line 3: there is no setting 'them'"),
        ("theme: no-such\n", "config.yaml: there is no theme 'no-such'"),
    ],
)
async def test_a_bad_file_changes_nothing_and_is_told_once(text: str, sentence: str) -> None:
    async with running(config=Config(theme="moss", confirm="always")) as ui:
        write(text)
        await ui.until(lambda: ui.toasts)
        (toast,) = ui.toasts
        assert toast.startswith(sentence) and toast.endswith("; the settings stay as they were")
        assert ui.app.theme == "moss" and ui.app.config.confirm == "always"
        ui.app.reload_settings()
        assert len(ui.toasts) == 1


async def test_a_theme_is_read_again_while_it_is_worn() -> None:
    mine = user_directory()
    mine.mkdir(parents=True)
    text = (shipped_directory() / "moss.yaml").read_text()
    (mine / "mine.yaml").write_text(text)
    async with running(config=Config(theme="mine", theme_kept=True)) as ui:
        (mine / "mine.yaml").write_text(text.replace("#232a2e", "#000000"))
        await ui.until(lambda: ui.app.current_theme.background == "#000000")
        await ui.until(lambda: ui.app.screen.styles.background.hex == "#000000")
        (mine / "mine.yaml").write_text("primary: nonsense\n")
        await ui.until(lambda: any("'nonsense' is no colour" in text for text in ui.toasts))
        assert ui.app.current_theme.background == "#000000"


async def test_a_theme_is_worn_while_the_cursor_is_on_it() -> None:
    async with running() as ui:
        await ui.command("theme")
        await ui.press("down")
        await ui.until(lambda: ui.app.theme == "tuidock-light")
        await ui.press("escape")
        assert ui.app.theme == "tuidock-dark" and kept.word("theme") == ""
        await ui.command("theme")
        await ui.type("moss")
        await ui.until(lambda: ui.app.theme == "moss")
        await ui.press("enter")
        assert ui.app.theme == "moss" and kept.word("theme") == "moss"


async def test_a_keymap_is_chosen_kept_and_shown() -> None:
    async with running() as ui:
        await ui.command("keys")
        await ui.press("3")
        assert ui.app.config.preset == kept.word("keymap") == "k9s"
        await ui.command("keys default")
        assert kept.word("keymap") == "tuidock" and "Keymap tuidock." in ui.toasts
    async with running(config=Config(preset="vim")) as ui:
        await ui.command("keys k9s")
        assert "Keymap k9s in this session; config.yaml says vim." in ui.toasts and kept.word("keymap") == "tuidock"


def test_the_tour_comes_to_a_person_once(tmp_path: Path) -> None:
    person = {"XDG_STATE_HOME": str(tmp_path)}
    assert tour.wanted(False, person) and not tour.wanted(True, person)
    assert not tour.wanted(False, {**person, "CI": "true"})
    assert not tour.wanted(False, {**person, "PYTEST_CURRENT_TEST": "x"})
    assert kept.keep("tour", "seen", person) and kept.word("tour", person) == "seen"
    assert not tour.wanted(False, person)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_the_tour_has_the_keys_of_the_keymap_and_ends_on_any_other(size: tuple[int, int]) -> None:
    async with running(size=size, config=Config(preset="k9s")) as ui:
        await ui.command("tour")
        assert kept.word("tour") == "seen"
        for at in range(len(tour.STEPS)):
            text = " ".join(ui.screen_text().split())
            assert f"{at + 1}/{len(tour.STEPS)}" in text and "{" not in text
            if at == 4:
                assert "s is a shell" in text, "as in k9s"
            await ui.press("enter")
        assert ui.app.screen is ui.main
        await ui.command("tour")
        await ui.press("2")
        await ui.until(lambda: ui.app.screen is ui.main and ui.main.kind == "images")


async def test_every_screen_says_its_keys_first() -> None:
    """`?` on each screen begins with what belongs to it."""
    async with running(Engine(), size=(160, 48)) as ui:
        for words, title in (("jobs", "JOBS"), ("map", "NETWORK MAP"), ("ports", "PORTS"), ("logs web", "LOGS")):
            await ui.command(words)
            await ui.until(lambda: ui.app.screen is not ui.main)
            await ui.press("question_mark")
            assert first_title(ui) == title
            await ui.press("escape")
            await ui.press("escape")
            await ui.until(lambda: ui.app.screen is ui.main)


def first_title(ui: Any) -> str:
    from tuidock.app.widgets.line_table import LineTable

    return str(ui.app.screen.query_one(LineTable).row(ui.app.screen.query_one(LineTable).keys[0]).cell(1).text)
