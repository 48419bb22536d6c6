"""Logs over the whole screen, merged by project, and the search over all of them, in the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.app.test_hostile import EVIL, FORBIDDEN, check, hostile_engine
from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine, identity
from tuidock.app.format import PROJECT
from tuidock.engine.errors import WrongState


def engine_with_logs() -> Engine:
    engine = Engine()
    for number, name in enumerate(("web", "db", "worker-1"), 1):
        engine.log(name, [f"{name} line {at} {'Timeout' if at % 20 == number else 'ok'}" for at in range(100)])
        engine.rows[identity(number)] = engine.rows[identity(number)]._replace(labels={PROJECT: "shop", "n": name[:1]})
    return engine


async def grep(ui: Driver, pattern: str) -> None:
    await ui.press("ctrl+g")
    await ui.type(pattern)
    await ui.press("enter")


async def test_the_search_over_all_logs_leads_to_the_line() -> None:
    async with running(engine_with_logs(), size=(80, 24)) as ui:
        await grep(ui, r"line \d+ timeout")
        await ui.until(lambda: "15 hits in 3 of 7 logs" in ui.screen_text())
        assert "web line 81 Timeout" in ui.screen_text() and "5 hits" in ui.screen_text()
        await ui.press("j", "j")
        text = ui.app.screen.query_one("HitTable").row(ui.app.screen.query_one("HitTable").cursor_key)
        await ui.press("enter")
        await ui.until(lambda: "of 5 · paused" in ui.screen_text())
        view = ui.app.screen.log_view
        assert view.current_text() == text.cell(2).text and f"hit {view.hit_number} of 5" in ui.screen_text()
        assert view._session.query.spans(view.current_text())
        await ui.press("escape", "escape")
        assert "Search in all logs" in ui.screen_text()
        await ui.press("c")
        assert ui.copied[-1].endswith(text.cell(2).text)
        ui.engine.log("db", ["db Line 7 TIMEOUT"])
        await ui.press("r")
        await ui.until(lambda: "16 hits" in ui.screen_text())
        await ui.press("slash")
        assert ui.app.screen.query_one("PromptLine Input").value == r"line \d+ timeout"
        await ui.press("escape", "escape")
        assert ui.app.screen is ui.main


async def test_many_hits_fold_and_unfold_and_marked_containers_only() -> None:
    engine = Engine()
    for name in ("web", "db"):
        engine.log(name, [f"{name} {at}" for at in range(300)])
    async with running(engine, size=(100, 40)) as ui:
        await ui.press("space")
        await ui.command(r"grep web \d")
        await ui.until(lambda: "300 hits in 1 of 1 logs" in ui.screen_text())
        assert "… 295 before" in ui.screen_text() and "Search in 1 logs" in ui.screen_text()
        await ui.press("space")
        assert "… 100 before" in ui.screen_text()
        await ui.press("space")
        assert "… 295 before" in ui.screen_text()
        await ui.press("slash")
        await ui.type("x(")
        await ui.press("enter")
        assert "is not a valid regular expression" in ui.screen_text()


async def test_a_search_over_all_logs_that_cannot_begin_says_why() -> None:
    engine = engine_with_logs()
    engine.fail["log_directory"] = WrongState("The keeper of the logs does not answer.")
    async with running(engine, size=(80, 24)) as ui:
        await grep(ui, "x")
        await ui.until(lambda: "The keeper of the logs does not answer." in ui.screen_text())
        assert "searching" not in ui.screen_text()


async def test_a_project_is_one_log_and_words_are_about_it() -> None:
    async with running(engine_with_logs(), size=(120, 32)) as ui:
        await ui.press("L")
        await ui.until(lambda: "project shop · merged by time" in ui.screen_text())
        await ui.until(lambda: "300 lines" in ui.screen_text())
        for word, state in (
            ("level error", "0 of 300 lines with error"),
            ("level all", "300 lines"),
            ("fields level,msg", "fields level,msg"),
            ("fields", "300 lines"),
        ):
            await ui.command(word)
            await ui.until(lambda wanted=state: wanted in ui.screen_text().split("\n")[0], word)  # type: ignore[misc]
        await ui.command("since 2026-11-24T07:59:20Z")
        await ui.until(lambda: "240 lines" in ui.screen_text())
        await ui.command("goto 2026-11-24T07:59:39Z")
        assert "web line 39 ok" in ui.screen_text().split("\n")[1]
        await ui.command("level loud")
        await ui.command("since yesterday")
        await ui.command("around x")
        assert [text.split(";")[0][:24] for text in ui.toasts[-3:]] == [
            "There is no level loud", '"yesterday" is no time: ', "around wants one or two ",
        ]  # fmt: skip
        await ui.command("merged -l n=w")
        await ui.until(lambda: "n=w · merged by time" in ui.screen_text())
        await ui.command("merged db web")
        await ui.until(lambda: "db + web · merged by time" in ui.screen_text())


async def test_what_is_saved_is_chosen_first(tmp_path: Path) -> None:
    async with running(engine_with_logs(), size=(100, 24)) as ui:
        await ui.press("l")
        await ui.until(lambda: "100 lines" in ui.screen_text())
        ui.app.screen.log_view.set_filter("Timeout")

        async def save(choice: str, name: str = "") -> list[str]:
            await ui.press("ctrl+s")
            shown = ui.screen_text()
            await ui.press(choice)
            ui.app.screen.query_one("PromptLine Input").value = str(tmp_path / (name or choice))
            before = len(ui.toasts)
            await ui.press("enter")
            await ui.until(lambda: len(ui.toasts) > before)
            assert "with times" in shown
            return (tmp_path / (name or choice)).read_text().splitlines()

        assert await save("1") == [f"web line {at} Timeout" for at in range(1, 100, 20)]
        assert (await save("2"))[0] == "2026-11-24T07:59:01.000000000Z web line 1 Timeout"
        assert len(await save("3")) == 100
        await ui.press("v", "k")
        assert await save("1", "selected") == ["web line 61 Timeout", "web line 81 Timeout"]


async def test_marks_are_listed_and_a_log_that_is_not_kept_says_so() -> None:
    engine = engine_with_logs()
    engine.no_logs.add("migrate")
    engine.emit("container", "start", identity(1), "web")
    async with running(engine, size=(100, 24)) as ui:
        await ui.press("l")
        await ui.until(lambda: "── web started" in ui.screen_text())
        engine.emit("container", "die", identity(2), "db", exitCode="4")
        engine.emit("container", "die", identity(1), "web", exitCode="3")
        await ui.until(lambda: "── web ended (exit 3)" in ui.screen_text())
        assert "db ended" not in ui.screen_text()
        await ui.press("quotation_mark", "m", "m", "quotation_mark")
        assert "There is no mark; m sets one." in ui.toasts
        assert "1 mark 1" in ui.screen_text() and "3 clear all marks" in ui.screen_text()
        await ui.press("3")
        assert "mark 1" not in ui.screen_text()
        await ui.press("escape")
        await ui.command("logs migrate")
        await ui.until(lambda: "It keeps no log: it was created with --log-driver none." in ui.screen_text())


async def test_hostile_logs_in_every_new_view() -> None:
    engine: Any = hostile_engine()
    for row in engine.rows.values():
        engine.rows[row.id] = row._replace(labels={PROJECT: EVIL})
    async with running(engine, size=(160, 48)) as ui:
        await ui.press("L")
        await ui.until(lambda: "merged by time" in ui.screen_text())
        check(ui)
        view = ui.app.screen.log_view
        view.set_fields([EVIL, "x"])
        await ui.press("number_sign", "greater_than_sign", "m", "quotation_mark")
        check(ui)
        await ui.press("escape", "less_than_sign", "Y", "F")
        check(ui)
        assert FORBIDDEN.search(ui.copied[-1]) is None
        await ui.press("escape", "escape")
        await grep(ui, "e")
        await ui.until(lambda: "hits in 2 of 2 logs" in ui.screen_text())
        check(ui)
        assert len(ui.app.screen._grep.results) == 2
        await ui.press("c")
        assert FORBIDDEN.search(ui.copied[-1]) is None
