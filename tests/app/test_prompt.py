"""The line at the foot: it completes, it says what is wrong while it is open, and it loses nothing that was typed."""

from __future__ import annotations

import pytest

from tests.app.test_terminal import Terminal, terminal  # noqa: F401
from tests.fakes.driving import Driver, running
from tuidock.app import kept
from tuidock.app.config import Config


def typed(ui: Driver) -> str:
    return str(ui.app.screen.query_one("#prompt Input").value)


async def test_tab_completes_themes_keymaps_and_columns() -> None:
    async with running() as ui:
        for text, becomes in (("the", "theme "), ("theme pap", "theme paper"), ("keys la", "keys lazydocker"),
                              ("sort me", "sort memory"), ("imag", "images")):  # fmt: skip
            await ui.press("colon")
            await ui.type(text)
            await ui.press("tab")
            assert typed(ui) == becomes
            await ui.press("escape")


async def test_tab_goes_through_what_fits() -> None:
    async with running() as ui:
        await ui.press("colon")
        await ui.type("theme terminal")
        await ui.press("tab")
        assert typed(ui) == "theme terminal-"
        await ui.press("tab")
        assert typed(ui) == "theme terminal-dark"
        await ui.press("tab")
        assert typed(ui) == "theme terminal-light"
        await ui.press("tab")
        assert typed(ui) == "theme terminal-dark"


async def test_a_theme_that_is_not_there() -> None:
    async with running() as ui:
        await ui.command("theme papr")
        assert "There is no theme papr; did you mean paper?" in ui.toasts
        await ui.command("theme zzzzzz")
        assert "There is no theme zzzzzz; `:theme` lists them." in ui.toasts


async def test_tuidocks_own_themes_come_first() -> None:
    async with running(size=(120, 40)) as ui:
        await ui.command("theme")
        text = ui.screen_text()
        assert text.index("contrast") < text.index("tuidock-light") < text.index("atom-one-dark")


async def test_a_chosen_theme_is_kept() -> None:
    async with running() as ui:
        await ui.command("theme nord")
        assert ui.app.theme == "nord"
    assert kept.word("theme") == "nord"
    async with running(config=Config(theme=kept.word("theme"), theme_kept=True)) as ui:
        assert ui.app.theme == "nord"
    async with running(config=Config(theme="it-is-gone", theme_kept=True)) as ui:
        assert ui.app.theme == "tuidock-dark" and not ui.toasts


async def test_the_file_wins_over_a_chosen_theme() -> None:
    async with running(config=Config(theme="moss")) as ui:
        await ui.command("theme nord")
        assert ui.app.theme == "nord"
        assert "nord in this session; config.yaml says moss." in ui.toasts
    assert kept.word("theme") == ""


@pytest.mark.parametrize("content", ["", "../x", "a b", "\0\xff", "x" * 500])
def test_a_damaged_file(content: str) -> None:
    import os

    os.makedirs(os.path.dirname(kept.path()), exist_ok=True)
    with open(kept.path(), "w", encoding="latin-1") as file:
        file.write(content)
    assert kept.word("theme") in ("", "x" * 64)


async def test_a_command_with_an_open_quote_stays() -> None:
    async with running() as ui:
        await ui.press("colon")
        await ui.type("run 'nginx")
        await ui.press("enter")
        assert "the quote is not closed" in ui.screen_text() and typed(ui) == "run 'nginx"
        assert ui.engine.called("create") == []


@pytest.mark.parametrize("key", ["slash", "ampersand"])
@pytest.mark.parametrize("size", [(120, 32), (80, 24)])
async def test_a_bad_expression_in_a_log_stays(key: str, size: tuple[int, int]) -> None:
    async with running(size=size) as ui:
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        await ui.press(key)
        await ui.type("a(b")
        await ui.press("enter")
        await ui.until(lambda: "not a valid regular expression" in ui.screen_text())
        assert typed(ui) == "a(b" and "a(b" in ui.screen_text().splitlines()[-1]
        await ui.press("backspace", "backspace", "enter")
        await ui.until(lambda: not ui.app.screen.query("#prompt"))


@pytest.mark.parametrize("width", [80, 120])
async def test_a_bad_expression_in_the_filter_is_readable(width: int) -> None:
    async with running(size=(width, 24)) as ui:
        await ui.press("slash")
        text = "web.*(prod|stag"
        await ui.type(text)
        lines = ui.screen_text().splitlines()
        assert any(line.startswith(f"/{text}") for line in lines[-2:])
        assert "so it is searched literally" in "\n".join(lines[-2:])
        await ui.press("escape")


async def test_a_hint_leaves_room_for_what_is_typed() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.press("colon")
        await ui.until(lambda: "tab completes" in ui.screen_text())
        await ui.type("run --name a-rather-long-name --volume data:/somewhere/in/the/container nginx")
        assert "in/the/container nginx" in ui.screen_text().splitlines()[-1]
        assert "tab completes" not in ui.screen_text()


def test_the_theme_is_there_after_a_new_start(
    terminal: Terminal,  # noqa: F811
) -> None:
    terminal.start(100, 40)
    for typed_text, seen in ((":theme moss", ""), (":theme", "moss")):
        terminal.app()
        terminal.until(lambda text: "1 Containers" in text and "? help" in text)
        terminal.type(typed_text)
        terminal.press("Enter")
        if seen:
            terminal.until(lambda text: any("moss" in line and "now" in line for line in text.splitlines()))
            terminal.press("Escape")
        else:
            terminal.until(lambda text: kept.word("theme") == "moss")
        terminal.until(lambda text: "? help" in text and "Theme" not in text)
        terminal.press("q")
        terminal.until(lambda text: text.rstrip().endswith("prompt$"))
