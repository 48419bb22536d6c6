"""The log view: where it stands, what it finds, what it lets through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.screen import ModalScreen

from tuidock.app.log_sources import Rule
from tuidock.app.logs.query import QueryError
from tuidock.app.widgets.log_view import LogSource, LogView

BASE = 1_795_478_400


def record(text: bytes, second: float = 0, stream: str = "stdout", tag: str = "F") -> bytes:
    nano = round(second % 1 * 1e9)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(BASE + int(second)))
    return f"{moment}.{nano:09}Z {stream} {tag} ".encode() + text + b"\n"


def append(directory: Path, number: int, content: bytes) -> None:
    directory.mkdir(exist_ok=True)
    with open(directory / f"{number:010}.log", "ab") as file:
        file.write(content)


class LogApp(App[None]):
    def __init__(self, *directories: Path, note: str = "") -> None:
        super().__init__()
        self.sources = [LogSource(one.name, one.name, str(one)) for one in directories]
        self.note = note
        self.seen: list[Any] = []

    def compose(self) -> ComposeResult:
        yield LogView()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def on_mount(self) -> None:
        self.view.show(self.sources, note=self.note)
        self.view.focus()

    def on_log_view_copy_requested(self, event: LogView.CopyRequested) -> None:
        self.seen.append(event.text)

    def on_log_view_search_requested(self, event: LogView.SearchRequested) -> None:
        self.seen.append(event.mode)


def screen(view: LogView) -> list[str]:
    lines = [view.render_line(y).text[:-1].rstrip() for y in range(view.size.height)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


async def until(truth: Callable[[], bool]) -> None:
    """Wait for what a thread or the kernel brings."""
    for _ in range(500):
        if truth():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def counted(app: LogApp) -> Callable[[], bool]:
    return lambda: app.view._session is not None and app.view._session.counted >= 1


async def test_it_opens_at_the_end_and_follows_by_itself(tmp_path: Path) -> None:
    log = tmp_path / "web"
    append(log, 1, b"".join(record(b"line %d" % i, i) for i in range(1000)))
    app = LogApp(log)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert screen(app.view) == [f"line {i}" for i in range(990, 1000)]
        await until(counted(app))
        assert app.view.state_text == "following · 1 000 lines · wrap off"
        append(log, 1, record(b"news", 1000))
        await until(lambda: screen(app.view)[-1] == "news")
        append(log, 2, record(b"rotated", 1001))
        await until(lambda: screen(app.view)[-2:] == ["news", "rotated"])


async def test_reading_stays_in_place_while_lines_come_and_segments_go(tmp_path: Path) -> None:
    log = tmp_path / "web"
    append(log, 1, b"".join(record(b"old %d" % i, i) for i in range(100)))
    append(log, 2, b"".join(record(b"mid %d" % i, 100 + i) for i in range(100)))
    app = LogApp(log)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("g", "pagedown", "pagedown")
        assert not app.view.follow
        before = screen(app.view)
        append(log, 2, record(b"more", 300))
        append(log, 3, record(b"even more", 301))
        app.view.poke()
        assert screen(app.view) == before
        (log / "0000000001.log").unlink()
        app.view.poke()
        assert screen(app.view) == before
        await pilot.press("j")
        assert screen(app.view)[0] == before[1]
        await pilot.press("end")
        assert app.view.follow
        assert screen(app.view)[-1] == "even more"
        append(log, 3, record(b"last", 302))
        app.view.poke()
        await pilot.press("g")
        assert screen(app.view)[0].startswith("── 1 older segment rotated away")


async def test_arriving_at_the_end_resumes_following(tmp_path: Path) -> None:
    log = tmp_path / "web"
    append(log, 1, b"".join(record(b"%d" % i, i) for i in range(100)))
    app = LogApp(log)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("k", "k")
        assert not app.view.follow
        assert screen(app.view)[-1] == "97"
        await pilot.press("j", "j")
        assert app.view.follow
        assert screen(app.view)[-1] == "99"


async def test_search_counts_and_walks_over_the_whole_log(tmp_path: Path) -> None:
    log = tmp_path / "web"
    texts = [b"timeout %d" % i if i % 1000 == 7 else b"quiet" for i in range(20_000)]
    append(log, 1, b"".join(record(text, i / 10) for i, text in enumerate(texts)))
    app = LogApp(log)
    async with app.run_test(size=(60, 10)) as pilot:
        app.view.search("timeout")
        await until(lambda: app.view.search_progress >= 1 and app.view.hit_number == 20)
        assert app.view.hits == 20
        assert "timeout 19007" in screen(app.view)
        await pilot.press("N")
        await until(lambda: app.view.hit_number == 19)
        assert "timeout 18007" in screen(app.view)
        await pilot.press("n")
        assert app.view.hit_number == 20
        await pilot.press("n")
        assert app.view.hit_number == 20
        with pytest.raises(QueryError):
            app.view.search("(")
        app.view.clear_search()
        assert app.view.hits == 0


async def test_a_filter_shows_what_fits_and_what_comes_later(tmp_path: Path) -> None:
    log = tmp_path / "web"
    append(log, 1, b"".join(record(b"ERROR %d" % i if i % 500 == 0 else b"ok %d" % i, i / 10) for i in range(10_000)))
    app = LogApp(log)
    async with app.run_test(size=(80, 10)) as pilot:
        app.view.set_filter("ERROR")
        await until(lambda: len(screen(app.view)) == 10 and screen(app.view)[-1] == "ERROR 9500")
        assert screen(app.view) == [f"ERROR {i}" for i in range(5000, 10_000, 500)]
        append(log, 1, record(b"ok", 2000) + record(b"ERROR new", 2001))
        await until(lambda: screen(app.view)[-1] == "ERROR new")
        await pilot.press("g")
        await until(lambda: screen(app.view)[0] == "ERROR 0")
        app.view.set_filter("!ok")
        await until(lambda: screen(app.view)[-1] == "ERROR new")
        app.view.set_filter("nowhere")
        await until(lambda: "nothing fits nowhere" in screen(app.view)[0])
        app.view.set_filter("")
        assert screen(app.view)[-1] == "ERROR new" and screen(app.view)[-2] == "ok"


async def test_several_logs_are_one_by_time(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"a%d" % i, i) for i in range(0, 20, 2)))
    append(tmp_path / "bb", 1, b"".join(record(b"b%d" % i, i) for i in range(1, 20, 2)))
    app = LogApp(tmp_path / "a", tmp_path / "bb")
    async with app.run_test(size=(60, 30)) as pilot:
        await pilot.pause()
        assert screen(app.view) == [f"{'a ' if i % 2 == 0 else 'bb'} {'ab'[i % 2]}{i}" for i in range(20)]
        app.view.add_rules([Rule("restarted (exit 137, out of memory)", (BASE + 10) * 10**9, "bb", "")])
        await pilot.pause()
        assert screen(app.view)[10].startswith("── bb: restarted (exit 137, out of memory) ──")
        await pilot.press("m")
        assert screen(app.view)[-1].startswith("── mark ")


async def test_wrapping_keeps_every_character(tmp_path: Path) -> None:
    text = "".join(chr(33 + i % 90) for i in range(500)) + "漢字" * 30
    append(tmp_path / "a", 1, record(b"first") + record(text.encode()) + record(b"last"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(41, 30)) as pilot:
        await pilot.press("w")
        shown = screen(app.view)
        assert shown[0] == "first" and shown[-1] == "last"
        assert "".join(shown[1:-1]) == text
        await pilot.press("k")
        await pilot.resize_terminal(21, 8)
        await pilot.press("end")
        assert screen(app.view)[-1] == "last"


async def test_a_line_without_end_is_cut_and_says_how_much(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"x" * 16_384, tag="P") * 9 + record(b"end"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 100)) as pilot:
        await pilot.press("w")
        joined = "".join(screen(app.view))
        assert joined == "x" * 4096 + f"…+{9 * 16_384 + 3 - 4096}"


async def test_time_stamps_and_ranges(tmp_path: Path) -> None:
    now = time.time()
    append(tmp_path / "a", 1, b"".join(record(b"l%d" % i, now - BASE - 600 + i * 60) for i in range(10)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("t", "t")
        assert screen(app.view)[0].endswith("Z l0")
        await pilot.press("t")
        assert screen(app.view)[1] == "+00:01:00.000 l1"
        await pilot.press("t", "3")
        assert screen(app.view) == ["l6", "l7", "l8", "l9"] or screen(app.view) == ["l5", "l6", "l7", "l8", "l9"]
        await pilot.press("C")
        assert "nothing in this range" in screen(app.view)[0]
        append(tmp_path / "a", 1, record(b"fresh", now - BASE + 1))
        app.view.poke()
        assert screen(app.view) == ["fresh"]
        await pilot.press("0")
        assert screen(app.view)[0] == "l0"


async def test_lines_are_selected_and_copied(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"l%d" % i, i) for i in range(100)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.press("v", "k", "k")
        append(tmp_path / "a", 1, record(b"l100", 100))
        app.view.poke()
        assert app.view.selected_text() == "l97\nl98\nl99"
        await pilot.press("c")
        assert app.seen[-1] == "l97\nl98\nl99"
        await pilot.press("v", "pageup", "pageup")
        assert app.view.selected_text().split("\n")[-1] in ("l97", "l98", "l99")
        await pilot.press("v", "g", "slash", "ampersand")
        assert app.seen[-2:] == ["/", "&"]


async def test_text_is_selected_with_the_mouse(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"line number %d" % i, i) for i in range(100)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 10)) as pilot:
        await pilot.mouse_down(LogView, offset=(5, 2))
        await pilot.hover(LogView, offset=(11, 3))
        await pilot.mouse_up(LogView, offset=(11, 3))
        await pilot.pause()
        assert app.screen.get_selected_text() == "number 92\nline number "
        assert not app.view.follow
        await pilot.press("k")
        assert app.view.selected_text() == "number 92\nline number "


async def test_the_wheel_and_the_scroll_bar_move(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, b"".join(record(b"line %d" % i, i) for i in range(1000)))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 11)) as pilot:
        await pilot._post_mouse_events([events.MouseScrollUp], LogView, offset=(5, 2))
        assert screen(app.view)[-1] == "line 996"
        await pilot._post_mouse_events([events.MouseScrollDown], LogView, offset=(5, 2))
        assert app.view.follow
        await pilot.click(LogView, offset=(79, 5))
        assert 450 < int(screen(app.view)[0].split()[1]) < 550
        bars = [app.view.render_line(y).text[-1] for y in range(11)]
        assert bars.count("┃") == 1 and bars[4:7].count("┃") == 1


async def test_json_unfolds(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b'{"level":"error","job":{"id":1}}') + record(b"plain {x}"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert screen(app.view)[0].endswith("▸")
        await pilot.press("enter")
        assert '  "level": "error",' in screen(app.view)
        await pilot.press("enter")
        assert len(screen(app.view)) == 2


async def test_saving_writes_clean_text_of_what_is_shown(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"\x1b[31mred\x1b[0m\x1b]0;t\x07") + record(b"other") + record(b"red 2"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)):
        assert list(app.view.lines("shown")()) == ["red", "other", "red 2"]
        app.view.set_filter("!red")
        kept = app.view.lines("shown")
        assert list(kept()) == list(kept()) == ["other"]
        assert list(app.view.lines("all", times=True)()) == [
            f"2026-11-24T00:00:00.000000000Z {text}" for text in ("red", "other", "red 2")
        ]
    assert list(kept()) == ["other"], "also when the view is gone"


async def test_an_empty_log_says_why(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)):
        assert screen(app.view) == ["  no output yet"]
        append(tmp_path / "a", 1, record(b"first"))
        await until(lambda: screen(app.view) == ["first"])
    app = LogApp(tmp_path / "a" / "missing", note="log driver none")
    async with app.run_test(size=(80, 20)):
        assert screen(app.view) == ["  log driver none"]


async def test_a_hidden_view_sleeps_and_catches_up(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"one"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.display = False
        await pilot.pause()
        assert not app.view._listening
        append(tmp_path / "a", 1, record(b"two", 1))
        app.view.display = True
        await until(lambda: screen(app.view) == ["one", "two"])
        append(tmp_path / "a", 1, record(b"three", 2))
        await until(lambda: screen(app.view)[-1] == "three")


async def test_a_directory_that_appears_is_noticed(tmp_path: Path) -> None:
    app = LogApp(tmp_path / "containers" / "a" / "log")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert screen(app.view) == ["  no output yet"]
        (tmp_path / "containers" / "a").mkdir(parents=True)
        append(tmp_path / "containers" / "a" / "log", 1, record(b"first"))
        await until(lambda: screen(app.view) == ["first"])
        append(tmp_path / "containers" / "a" / "log", 1, record(b"second"))
        await until(lambda: screen(app.view) == ["first", "second"])


async def test_under_another_screen_it_sleeps(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"one"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)) as pilot:
        for lines in (2, 3):
            await app.push_screen(ModalScreen[None]())
            await pilot.pause()
            assert not app.view._listening
            append(tmp_path / "a", 1, record(b"more", lines))
            await pilot.pause()
            assert len(screen(app.view)) == lines - 1
            await app.pop_screen()
            await until(lambda wanted=lines: len(screen(app.view)) == wanted)  # type: ignore[misc]
        append(tmp_path / "a", 1, record(b"last", 9))
        await until(lambda: screen(app.view)[-1] == "last")


async def test_a_prompt_is_found_and_a_line_is_one_over_a_rotation(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"hello") + record(b"Pass", 1, tag="P"))
    append(tmp_path / "a", 2, record(b"word: ", 2, tag="P"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert screen(app.view) == ["hello", "Password:"]
        app.view.search("password")
        await until(lambda: app.view.hits == 1 and app.view.hit_number == 1 and app.view.search_progress == 1)
        append(tmp_path / "a", 2, record(b"12345", 3))
        await until(lambda: screen(app.view) == ["hello", "Password: 12345"])
        app.view.set_filter("12345")
        await until(lambda: screen(app.view) == ["Password: 12345"])


async def test_what_cannot_be_searched_for_is_said_and_changes_nothing(tmp_path: Path) -> None:
    append(tmp_path / "a", 1, record(b"one") + record(b"two"))
    app = LogApp(tmp_path / "a")
    async with app.run_test(size=(80, 20)):
        app.view.search("one")
        with pytest.raises(QueryError, match="look-around"):
            app.view.search("(?<=o)ne")
        with pytest.raises(QueryError, match="references"):
            app.view.set_filter(r"(o)\1")
        await until(lambda: app.view.hits == 1)
        assert screen(app.view) == ["one", "two"]


async def test_threads_and_descriptors_end_with_the_view(tmp_path: Path) -> None:
    import os
    import threading

    append(tmp_path / "a", 1, record(b"x"))
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(3):
        app = LogApp(tmp_path / "a")
        async with app.run_test(size=(80, 20)):
            for _ in range(3):
                app.view.show(app.sources)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1
    assert threading.active_count() <= threads
