"""A running app over the engine in memory, and words to drive it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.app.settling import still
from tests.fakes.engine import NOW, Engine


def make_app(engine: Engine, **values: Any) -> Any:
    from tuidock.app import machine
    from tuidock.app.app import TuidockApp
    from tuidock.app.config import Config
    from tuidock.app.model import HostLoad, ViewModel
    from tuidock.app.workers import Workers

    load = HostLoad(14.0, 2_100_000_000, 7_800_000_000, 31_000_000_000)
    machine.host_load = lambda before, root="/": (load, before)
    machine.host_name = lambda: "web-01"
    workers = Workers(lambda: engine)  # type: ignore[arg-type, return-value]
    workers.open()
    assert workers.wait_open(10)
    model = ViewModel(lambda: NOW)
    model.user = "root"
    for kind, rows in workers.first_rows.items():
        model.replace(kind, rows)
    return TuidockApp(workers, model, values.pop("config", Config()), read_only=engine.read_only, **values)


#: How long a key's questions to the engine are waited for; some tests hold an answer back on purpose (s).
_ANSWERS = 0.25
_ASKING = ("tuidock-question", "tuidock-open", "tuidock-refresh", "tuidock-run")


def is_asking(app: Any) -> bool:
    """Whether a thread of the app is finding an answer, which comes as a message afterwards."""
    workers = app.engine_workers
    if workers._questions or any(thread.name in _ASKING for thread in threading.enumerate()):
        return True
    return not workers.stopping.is_set() and workers._opened.is_set() and not workers._asked._waiters


class Driver:
    """A running app, its engine and its pilot. `copied` and `given` are what went to clipboard and terminal."""

    def __init__(self, app: Any, engine: Engine, pilot: Any) -> None:
        self.app, self.engine, self.pilot = app, engine, pilot
        self.copied: list[str] = []
        self.given: list[list[str]] = []

    @property
    def main(self) -> Any:
        return self.app.main

    @property
    def toasts(self) -> list[str]:
        return [str(note.message) for note in self.app._notifications]

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()
        end = time.monotonic() + _ANSWERS
        while is_asking(self.app) and time.monotonic() < end:
            await asyncio.sleep(0.001)
            await self.pilot.pause()

    def send(self, text: str) -> None:
        """All keys are there before the app has seen the first, as after one read of a terminal."""
        from textual.events import Key
        from textual.keys import _character_to_key

        for char in text:
            key = {"\n": "enter", "\x1b": "escape", "\x7f": "backspace"}.get(char) or _character_to_key(char)
            self.app.post_message(Key(key, char if char.isprintable() else None))

    async def type(self, text: str) -> None:
        self.send(text)
        await self.pilot.pause()

    async def command(self, text: str) -> None:
        """`:` and a command."""
        await self.press("colon")
        await self.type(text)
        await self.press("enter")

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Waits until threads have done their part."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            await self.pilot.pause()
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(
            f"never came: {what or condition}; toasts: {self.toasts}, errors: {self.app.errors}\n{self.screen_text()}"
        )

    def row(self, name: str) -> Any:
        return next((row for row in self.app.model.containers().values() if row.name == name), None)

    async def go_to(self, name: str) -> None:
        self.main.pane("containers").move_cursor(self.row(name).id)
        await self.pilot.pause()

    def screen_text(self) -> str:
        return text_of(self.app)


@asynccontextmanager
async def running(
    engine: Engine | None = None, size: tuple[int, int] = (120, 32), *, tolerate: bool = False, **values: Any
) -> AsyncIterator[Driver]:
    """An app that has shown its first rows. When it ends, nothing may have gone wrong in it unless tolerated."""
    engine = engine or Engine()
    app = make_app(engine, **values)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, engine, pilot)
            copy = app.copy

            def copied(text: str, what: str = "", quiet: bool = False) -> None:
                driver.copied.append(text)
                copy(text, what, quiet)

            def given(argv: list[str], note: str, more: object = None) -> int:
                driver.given.append(list(argv))
                return 0

            app.copy, app.give_terminal = copied, given
            await driver.until(lambda: app.model.host_name, "the first rows")
            yield driver
            if not tolerate:
                assert app.errors == []
    finally:
        app.engine_workers.stop()


async def until_still(pilot: Any, condition: Callable[[], object] = lambda: True) -> None:
    """Waits until the condition holds and nothing is on its way any more, twice in a row."""
    quiet = 0
    end = time.monotonic() + 30
    while time.monotonic() < end:
        await pilot.pause()
        quiet = quiet + 1 if still(pilot.app) and condition() else 0
        if quiet == 2:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never still; errors: {getattr(pilot.app, 'errors', [])}; the screen:\n{text_of(pilot.app)}")


def details_are_there(detail: Any) -> bool:
    """The engine has answered for the row under the cursor; a log that is seen is counted and drawn."""
    if detail._delay is not None or detail._shown != (detail.kind, detail.identity, detail.tab):
        return False
    return log_is_there(detail.view)


def log_is_there(view: Any) -> bool:
    session = getattr(view, "_session", None)
    if session is None or not session.size or not view.size.height:
        return True
    return bool(session.view.rows) and session.counted >= 1 and view._told_state == view.state_text


def text_of(app: Any) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)
