"""`:` on the screens above the main one: about what they show, and never about a row that nobody sees."""

from __future__ import annotations

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine


async def over_ports(ui: Driver) -> None:
    await ui.go_to("cache")
    await ui.press("W")
    await ui.until(lambda: "cache" in ui.screen_text())


async def test_a_command_is_about_the_line_under_the_cursor() -> None:
    async with running() as ui:
        await over_ports(ui)
        table = ui.app.screen.query_one("PlainTable")
        table.move_cursor(next(key for key in table.keys if ":8080" in key or key.startswith(ui.row("web").id)))
        await ui.command("restart")
        await ui.press("y")
        await ui.until(lambda: ui.engine.called("restart"))
        assert ui.engine.called("restart") == [("web",)]
        assert ui.app.screen.name == "ports", "it stays where it was"


@pytest.mark.parametrize("key", ["J", "T", "X"])
async def test_where_nothing_is_meant_it_has_to_be_named(key: str) -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press(key)
        over = ui.app.screen
        await ui.command("stop")
        assert ui.app.screen is over and ui.engine.called("stop") == []
        assert "Which container? stop NAME says it." in ui.toasts
        await ui.command("pause db")
        await ui.until(lambda: ui.engine.called("pause") == [("db",)])
        assert ui.app.screen is over


async def test_what_only_the_main_screen_shows_closes_the_others() -> None:
    async with running() as ui:
        await ui.press("m")
        await ui.command("jobs")
        assert ui.app.screen.name == "jobs"
        await ui.command("jobs")
        await ui.command("images")
        assert ui.app.screen is ui.main and ui.main.kind == "images"
        await over_ports(ui)
        await ui.command("inspect web")
        assert ui.app.screen is ui.main and ui.main.detail.tab == "inspect" and ui.main.detail.row.name == "web"


async def test_logs_are_those_of_their_container_also_read_only() -> None:
    async with running(Engine(read_only=True)) as ui:
        await ui.go_to("db")
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        await ui.command("restart")
        assert any("read-only" in text for text in ui.toasts) and ui.engine.called("restart") == []
        await ui.command("nonsense")
        assert any("no command nonsense" in text for text in ui.toasts)
        await ui.command("inspect")
        assert ui.app.screen is ui.main and ui.main.detail.row.name == "db"
