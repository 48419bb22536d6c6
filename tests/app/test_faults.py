"""Whatever the engine does - fail, hang, lose its data - the app stays, answers keys and says what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine, container, identity
from tuidock.app import panes
from tuidock.app.config import Config
from tuidock.engine.errors import Conflict

FAULTS = [
    RuntimeError("the sky fell"),
    OSError(5, "Input/output error"),
    Conflict("Another process has removed the data root."),
]


#: How a person comes to each method: a command, or a pane and a tab. Those with "y" ask first.
WAYS: dict[str, tuple[str, ...]] = {
    "containers": ("refresh",), "images": ("refresh",), "volumes": ("refresh",), "networks": ("refresh",),
    "start": ("start done",), "stop": ("stop worker-2",), "restart": ("restart db",), "pause": ("pause worker-1",),
    "unpause": ("unpause cache",), "kill": ("kill db",), "rename": ("rename cache warm",),
    "pull": ("pull host/base",), "tag": ("tag nginx:1.27 other",), "create": ("run nginx:1.27",),
    "exec_argv": ("exec web",), "remove": ("rm migrate", "y"), "remove_image": ("rmi cdcdcdcdcdcd", "y"),
    "create_volume": ("create fresh",), "container": ("event",), "stats": ("wait",),
    "log_directory": ("tab containers logs",), "inspect_container": ("tab containers inspect",),
    "listeners": ("tab containers ports",), "top": ("tab containers top",), "history": ("tab images history",),
    "layers": ("tab images layers",), "layer_tree": ("files nginx:1.27",), "diff": ("diff worker-1",),
    "diff_images": ("diff nginx:1.27 redis:7",), "push": ("push redis:7",), "search": ("search nginx",),
    "logins": ("logins",), "logout": ("logout registry.example",), "build": ("build /tmp",),
    "commit": ("commit worker-1 mine:1",), "build_cache": ("prune",),
    "inspect_image": ("tab images inspect",), "inspect_volume": ("tab volumes inspect",),
    "inspect_network": ("tab networks inspect",),
}  # fmt: skip


async def go(ui: Driver, way: tuple[str, ...]) -> None:
    """Comes to a method of the engine as a person would, without typing each letter."""
    from tuidock.app.commands import execute

    while ui.app.screen is not ui.main:
        await ui.app.pop_screen()
    word, *rest = way[0].split()
    if word == "event":
        ui.engine.emit("container", "pause", identity(1), "web")
    elif word == "tab":
        other = panes.TABS[rest[0]][-1 if rest[1] != panes.TABS[rest[0]][-1][0] else 0][0]
        ui.main.go(rest[0])
        ui.main.detail.show_tab(other)
        await ui.pilot.pause()
        ui.main.detail.show_tab(rest[1])
        ui.main.detail.reload()
    elif word == "create":
        ui.main.actions.create_volume(rest[0])
    elif word != "wait":
        execute(ui.main, way[0])
    await ui.pilot.pause()
    if "y" in way:
        await ui.press("y")


async def still_there(ui: Driver) -> None:
    """The app goes on and follows the cursor."""
    assert ui.app.is_running
    while len(ui.app.screen_stack) > 1:
        await ui.press("escape")
    ui.main.go("containers")
    await ui.press("g")
    first = ui.main.pane("containers").cursor_key
    await ui.press("j")
    assert ui.main.pane("containers").cursor_key != first


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
async def test_every_method_may_fail_and_nothing_ends(fault: Exception) -> None:
    """After each fault there is one sentence that is no traceback, and the next key works."""
    engine = Engine()
    async with running(engine, size=(80, 24), config=Config(confirm="never")) as ui:
        for method, way in WAYS.items():
            before = len(engine.called(method))
            engine.fail = {method: fault}
            await go(ui, way)
            await ui.until(lambda method=method, before=before: len(engine.called(method)) > before, method)  # type: ignore[misc]
            engine.fail = {}
            await ui.pilot.pause()
            assert ui.app.is_running and ui.app.errors == [], method
            assert all("Traceback" not in toast and "\n" not in toast for toast in ui.toasts)
            ui.app.clear_notifications()
        await still_there(ui)


async def test_everything_fails_at_once_and_comes_back() -> None:
    engine = Engine()
    async with running(engine, config=Config(confirm="never")) as ui:
        engine.fail = {method: RuntimeError("no such table: containers") for method in WAYS}
        for way in WAYS.values():
            await go(ui, way)
        await still_there(ui)
        engine.fail = {}
        engine.put(container(40, "newcomer", "img", "running"))
        await ui.until(lambda: ui.row("newcomer") is not None)
        await ui.until(lambda: "newcomer" in ui.screen_text())


class Torn(Engine):
    """An engine whose stream of events breaks, as when the directory of the journal vanishes."""

    def __init__(self) -> None:
        super().__init__()
        self.torn = 0

    def events(self, **options: Any) -> Iterator[Any]:
        if self.torn < 2:
            self.torn += 1
            raise FileNotFoundError(2, "No such file or directory", "/gone/events")
        return super().events(**options)


async def test_a_broken_stream_of_events_is_taken_up_again() -> None:
    engine = Torn()
    async with running(engine) as ui:
        await ui.until(lambda: any("/gone/events" in toast for toast in ui.toasts))
        engine.rows[identity(41)] = container(41, "missed", "img", "running")
        await ui.until(lambda: engine.torn == 2)
        await ui.until(lambda: ui.row("missed") is not None, "what happened meanwhile")


async def test_no_call_of_the_engine_on_the_thread_of_the_screen() -> None:
    engine = Engine()
    here = threading.current_thread()
    wrong: list[str] = []
    entered: Callable[..., None] = engine._enter

    def enter(method: str, *arguments: Any, changes: bool = False) -> None:
        if threading.current_thread() is here:
            wrong.append(method)
        entered(method, *arguments, changes=changes)

    engine._enter = enter  # type: ignore[method-assign]
    async with running(engine, config=Config(confirm="never")) as ui:
        for method, way in WAYS.items():
            await go(ui, way)
            await ui.until(lambda method=method: engine.called(method), method)  # type: ignore[misc]
        await still_there(ui)
    assert not wrong


@pytest.mark.parametrize("method", ["containers", "container", "stats", "log_directory", "inspect_container", "stop"])
async def test_an_engine_that_hangs_does_not_hold_up_keys(method: str) -> None:
    """As behind a database that another process has locked for long."""
    engine = Engine()
    free = threading.Event()
    try:
        async with running(engine, config=Config(confirm="never")) as ui:
            engine.before[method] = lambda: (free.wait(30), None)[1]
            engine.emit("container", "start", identity(1), "web")
            await ui.press("i")
            await go(ui, ("stop worker-1",))
            await still_there(ui)
            await ui.press("2")
            assert ui.main.kind == "images"
            await ui.press("question_mark")
            assert "Keys and commands" in ui.screen_text()
            await ui.press("escape")
            free.set()
            await ui.until(lambda: ui.row("web") is not None)
    finally:
        free.set()


async def test_a_storm_of_sizes() -> None:
    async with running() as ui:
        for width, height in ((80, 24), (20, 5), (300, 90), (99, 24), (100, 24), (1, 1), (101, 60), (40, 10)) * 3:
            await ui.pilot.resize_terminal(width, height)
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        await ui.press("escape", "question_mark", "escape")
        await ui.pilot.resize_terminal(120, 32)
        await ui.until(lambda: "1 Containers" in ui.screen_text() and "web" in ui.screen_text())


async def test_quit_while_something_hangs_ends_at_once() -> None:
    engine = Engine()
    free = threading.Event()
    engine.before["stop"] = lambda: (free.wait(30), None)[1]
    try:
        async with running(engine, config=Config(confirm="never")) as ui:
            await go(ui, ("stop web",))
            await ui.until(lambda: engine.called("stop"))
            await ui.press("q")
            await ui.until(lambda: ui.app._exit)
    finally:
        free.set()
