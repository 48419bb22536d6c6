"""The log view: levels, neighbours, fields, marks, runs, numbers, and what it passes over in a flood."""

from __future__ import annotations

import re
from pathlib import Path

from tests.app.widgets.test_log_view import BASE, LogApp, append, counted, record, screen, until
from tuidock.app.log_sources import Rule
from tuidock.app.widgets.log_view import LogView

SECOND = 1_000_000_000
EVIL = b"\x1b]0;t\x07\x1b]52;c;eA==\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae\x00"
FOREIGN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def test_levels_and_neighbours_by_key(tmp_path: Path) -> None:
    texts = [b"plain %d" % i for i in range(200)]
    texts[50], texts[100], texts[150] = b"INFO fifty", b"WARN hundred", b"ERROR last"
    append(tmp_path / "a", 1, b"".join(record(text) for text in texts))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(90, 12)) as pilot:
        await pilot.press("plus", "greater_than_sign")
        await until(lambda: screen(app.view) == ["INFO fifty", "WARN hundred", "ERROR last"])
        await pilot.press("greater_than_sign")
        await until(lambda: screen(app.view) == ["WARN hundred", "ERROR last"])
        await until(lambda: "2 of 200 lines with warn and worse" in app.view.state_text)
        await pilot.press("plus")
        assert screen(app.view) == ["plain 99", "WARN hundred", "plain 101", "plain 149", "ERROR last", "plain 151"]
        muted = app.view._style("muted").color
        strips = [app.view.render_line(y) for y in range(2)]
        assert [any(part.style and part.style.color == muted for part in list(strip)[:-1]) for strip in strips] == [
            True,
            False,
        ]
        assert "±1 around" in app.view.state_text
        assert list(app.view.lines("shown")()) == screen(app.view) and len(list(app.view.lines("all")())) == 200
        app.view.set_filter("last")
        await until(lambda: screen(app.view) == ["plain 149", "ERROR last", "plain 151"])
        await pilot.press("minus", "less_than_sign", "less_than_sign")
        await until(lambda: screen(app.view) == ["ERROR last"])
        app.view.set_filter("")
        assert len(screen(app.view)) == 12


async def test_fields_are_columns_and_harmless(tmp_path: Path) -> None:
    evil = EVIL.decode().encode("unicode_escape").replace(b"\\x", b"\\u00")
    append(
        tmp_path / "a", 1,
        record(b'{"level":"info","msg":"one","http":{"status":200}}')
        + record(b'level=error msg="two words" http.status=500')
        + record(b"no structure") + record(b'{"level":"warning","msg":"' + evil + b'"}')
        + record(b'{"msg":"\\ud800\\u009b","level":["' + evil + b'"]}') + record(b"level=" + EVIL + b" msg=x"),
    )  # fmt: skip
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(100, 50)) as pilot:
        await pilot.pause()
        assert {"level", "msg", "http.status"} <= set(app.view.field_names())
        app.view.set_fields(["level", "http.status", "msg"])
        shown = screen(app.view)
        widths = {line.index("  ") for line in shown if line.startswith(("info ", "error "))}
        assert [line.split() for line in shown[:3]] == [
            ["info", "200", "one"], ["error", "500", "two", "words"], ["no", "structure"],
        ]  # fmt: skip
        assert widths and shown[0].index("one") == shown[1].index("two")
        app.view.set_fields(["msg", "level"])
        await pilot.press("w")
        assert not FOREIGN.search("".join(screen(app.view))) and "fields msg,level" in app.view.state_text
        app.view.set_fields([])
        await pilot.press("enter")
        assert "  msg          two words" in screen(app.view) and not FOREIGN.search("".join(screen(app.view)))


async def test_marks_stand_at_their_line_among_many_of_one_time(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"l%d" % i) for i in range(100)))
    append(tmp_path / "b", 1, b"".join(record(b"m%d" % i) for i in range(100)))
    app = LogApp(tmp_path / "a", tmp_path / "b")
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("apostrophe")
        app.view._go(app.view._session.merged.start())  # type: ignore[union-attr]
        await pilot.press(*["j"] * 30, "m")
        assert screen(app.view)[0].startswith("── mark 1") and screen(app.view)[1] == "a l30"
        await pilot.press(*["pagedown"] * 10, "k", "m")
        mark, line = screen(app.view)[:2]
        assert mark.startswith("── mark 2") and line.startswith("b m")
        await pilot.press("end", "apostrophe")
        assert screen(app.view)[:2] == [mark, line]
        await pilot.press("apostrophe")
        assert screen(app.view)[0].startswith("── mark 1") and screen(app.view)[1] == "a l30"
        await pilot.press("apostrophe")
        assert screen(app.view)[:2] == [mark, line]
        await pilot.press("j", "k")
        assert screen(app.view)[:2] == [mark, line]
        app.view.clear_marks()
        assert not any("mark" in text for text in screen(app.view))


async def test_runs_are_ruled_off_and_gone_to(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"run %d" % (i // 20), i) for i in range(60)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(60, 10)) as pilot:
        rules = []
        for run in range(3):
            start = (BASE + 20 * run) * SECOND
            # a start is announced when the process runs already
            rules.append(Rule(f"started {run}", start + SECOND // 20, "a", "start"))
            rules.append(Rule(f"ended (exit {run})", start + 19 * SECOND + 1, "a", "end"))
        app.view.add_rules(rules)
        app.view.add_rules(rules[:2])
        await pilot.press("p")
        assert [text[:20].rstrip("─ ") for text in screen(app.view)[:2]] == ["── started 1", "run 1"]
        await pilot.press("p")
        assert screen(app.view)[0].startswith("── started 0") and screen(app.view)[1] == "run 0"
        await pilot.press("p", "P")
        assert screen(app.view)[0].startswith("── started 1")
        await pilot.press("k")
        assert screen(app.view)[0].startswith("── ended (exit 0)")
        await pilot.press("P", "P", "P")
        assert app.view.follow and screen(app.view)[-1].startswith("── ended (exit 2)")


async def test_lines_are_numbered_and_copied_whole(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"%d " % i + b"x" * 200, i) for i in range(3000)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("number_sign")
        await until(lambda: screen(app.view)[0].startswith("2991    2990 xxx"))
        await pilot.press("Y")
        assert app.seen[-1] == "2999 " + "x" * 200
        app.view.go_to_time((BASE + 1500) * SECOND)
        assert screen(app.view)[0].startswith("1501    1500 xxx")


async def test_what_is_passed_over_is_counted_exactly(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"%d" % i, i) for i in range(100)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 10)) as pilot:
        await until(counted(app))
        shown = set(screen(app.view))
        assert "skipped" not in app.view.state_text
        for burst in range(3):
            append(tmp_path / "a", 1 + burst // 2, b"".join(record(b"%d" % i, i) for i in range(500)))
            await until(lambda wanted=100 + 500 * (burst + 1): app.view._session.line_count == wanted)  # type: ignore
            app.view.poke()
            shown |= set(screen(app.view))
        await until(lambda: "lines skipped" in app.view.state_text)
        await until(lambda: "1 470 lines skipped" in app.view.state_text)
        await pilot.press("s", "s")
        assert "skipped" not in app.view.state_text


async def test_what_was_lost_and_why_there_is_nothing(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"one"))
    (tmp_path / "a" / "dropped").write_text("2048")
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert "2.0K lost, the disk was full" in app.view.state_text
    app = LogApp(tmp_path / "none", note="It keeps no log.")
    async with app.run_test(size=(80, 10)) as pilot:
        app.query_one(LogView).add_rules([Rule("started", BASE * SECOND, "", "start")])
        await pilot.pause()
        assert screen(app.view)[0].startswith("── started") and screen(app.view)[1] == "  It keeps no log."
