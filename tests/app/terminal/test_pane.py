"""Terminals in the app, with real programs on real pseudo-terminals; the engine is in memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual.events import Paste

from tests.app.test_hostile import EVIL, FORBIDDEN
from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.terminal.grid import HISTORY

SHELL = ["/bin/sh", "-c", "PS1='$ ' exec sh"]
#: Shows every byte that it gets.
SHOWS = ["/bin/sh", "-c", "stty raw -echo; printf 'ready '; exec cat -vt"]


@asynccontextmanager
async def opened(
    program: Sequence[str] = SHELL, size: tuple[int, int] = (100, 30), **values: Any
) -> AsyncIterator[Driver]:
    engine = Engine()
    engine.program = list(program)
    async with running(engine, size, **values) as ui:
        await ui.go_to("web")
        await ui.press("e")
        await ui.until(lambda: ui.app.screen.id == "terminal" and ui.app.screen.view.session is not None)
        yield ui
        ui.app.terminals.close_all()


def shown(ui: Driver, text: str) -> Any:
    return lambda: text in ui.screen_text()


async def test_a_shell_and_back() -> None:
    async with opened() as ui:
        await ui.until(shown(ui, "$ "))
        _, request = ui.engine.called("exec_argv")[0]
        assert "TERM=xterm-256color" in request.env and request.detach_keys == ""
        assert "ctrl+] keys" in ui.screen_text() and "ctrl+p ctrl+q leave" in ui.screen_text()
        await ui.type("echo it is $((40+2)); stty size")
        await ui.press("enter")
        await ui.until(shown(ui, "it is 42"))
        await ui.until(shown(ui, "29 100"))
        await ui.pilot.resize_terminal(80, 24)
        await ui.until(lambda: ui.app.terminals.sessions[0].emulator.columns == 80)
        await ui.type("stty size")
        await ui.press("enter")
        await ui.until(shown(ui, "23 80"))
        await ui.type("exit")
        await ui.press("enter")
        await ui.until(lambda: ui.app.screen is ui.main)
        assert ui.app.terminals.sessions == []


async def test_every_key_is_the_programs() -> None:
    """Those of the app, too; and the detach keys only when they come together."""
    async with opened(SHOWS) as ui:
        await ui.until(shown(ui, "ready"))
        for key in (
            "q",
            "ctrl+q",
            "ctrl+c",
            "ctrl+z",
            "escape",
            "up",
            "f5",
            "tab",
            "shift+tab",
            "enter",
            "ctrl+r",
            "question_mark",
        ):
            await ui.pilot.press(key)
        await ui.until(shown(ui, "q^Q^C^Z^[^[[A^[[15~^I^[[Z^M^R?"))
        await ui.press("ctrl+p", "x", "ctrl+right_square_bracket", "ctrl+right_square_bracket")
        await ui.until(shown(ui, "^Px^]"))
        assert ui.app.is_running and ui.app.screen.id == "terminal"
        ui.app.screen.view.session.show(b"\x1b[?1h\x1b[?2004h")
        await ui.press("up", "home")
        ui.app.screen.view.post_message(Paste("one\ntwo\x1b[201~"))
        await ui.until(shown(ui, "^[OA^[OH^[[200~one^Mtwo[201~^[[201~"))


async def test_sessions_are_left_found_again_and_shown_beside_the_list() -> None:
    async with opened(size=(120, 32)) as ui:
        await ui.until(shown(ui, "$ "))
        await ui.type("A=kept")
        await ui.press("enter", "ctrl+p", "ctrl+q")
        await ui.until(lambda: ui.app.screen is ui.main)
        assert len(ui.app.terminals.sessions) == 1 and "› bash" in ui.screen_text()
        await ui.press("e")
        await ui.until(lambda: ui.app.screen.id == "terminal")
        assert len(ui.engine.called("exec_argv")) == 1
        leader = "ctrl+right_square_bracket"
        await ui.press(leader)
        assert "full/pane" in ui.screen_text() and "new shell" in ui.screen_text()
        await ui.press("f")
        await ui.until(lambda: ui.app.screen is ui.main and ui.main.in_detail and ui.main.detail.terminal is not None)
        await ui.type("echo $A; stty size")
        await ui.press("enter")
        await ui.until(shown(ui, "kept"))
        view = ui.main.detail.terminal
        await ui.until(shown(ui, f"{view.size.height} {view.size.width}"))
        assert "1 Containers" in ui.screen_text() and "ctrl+] keys" in ui.screen_text()
        await ui.press(leader, "c")
        await ui.until(lambda: len(ui.app.terminals.sessions) == 2 and ui.app.screen.id == "terminal")
        second = ui.app.screen.view.session
        await ui.press(leader, "n")
        assert ui.app.screen.view.session is not second
        await ui.press(leader, "n", leader, "x")
        await ui.until(shown(ui, "End bash?"))
        await ui.press("y")
        await ui.until(lambda: second.over and ui.app.screen is ui.main)
        # beside the list the other one goes on; behind the leader are the keys of the app
        await ui.until(lambda: ui.main.detail.terminal is not None)
        await ui.press(leader, "2")
        assert ui.main.kind == "images"


async def test_quitting_asks_for_a_shell() -> None:
    async with opened() as ui:
        await ui.until(shown(ui, "$ "))
        await ui.press("ctrl+p", "ctrl+q", "q")
        await ui.until(shown(ui, "Quit while this goes on?"))
        await ui.press("escape")


async def test_scrolling_marking_and_copying() -> None:
    async with opened(["/bin/sh", "-c", "for n in $(seq 100); do echo row $n; done; printf 'end '; exec cat"]) as ui:
        await ui.until(shown(ui, "end "))
        assert "row 100" in ui.screen_text() and "row 40" not in ui.screen_text()
        await ui.press("shift+pageup", "shift+pageup")
        assert "row 40" in ui.screen_text() and "row 100" not in ui.screen_text()
        assert "rows above the end: 56" in ui.screen_text()
        await ui.type("x")
        await ui.until(shown(ui, "end x"))
        await ui.press(
            "ctrl+right_square_bracket", "left_square_bracket", "up", "up", "home", "space", "down", "end", "enter"
        )
        assert ui.copied == ["row 99\nrow 100"]
        await ui.press("ctrl+right_square_bracket", "left_square_bracket", "g", "v", "w", "y")
        assert ui.copied[1:] == ["row 1"]
        await ui.pilot.mouse_down("TerminalView", offset=(4, 27))
        await ui.pilot.hover("TerminalView", offset=(6, 27))
        await ui.pilot.mouse_up("TerminalView", offset=(6, 27))
        assert ui.copied[2:] == ["100"]


async def test_the_mouse_is_the_programs_when_it_asks() -> None:
    async with opened(SHOWS) as ui:
        await ui.until(shown(ui, "ready"))
        ui.app.screen.view.session.show(b"\x1b[?1002;1006h")
        await ui.pilot.mouse_down("TerminalView", offset=(9, 4))
        await ui.pilot.hover("TerminalView", offset=(10, 4))
        await ui.pilot.mouse_up("TerminalView", offset=(10, 4))
        await ui.until(shown(ui, "^[[<0;10;5M^[[<32;11;5M^[[<0;11;5m"))
        assert ui.copied == []


async def test_hostile_output_stays_cells() -> None:
    text = EVIL + "\x1b]8;;http://evil\x07link\x1b]8;;\x07\x1b[?1049hinside"
    async with opened(["/bin/sh", "-c", 'printf %s "$0"; exec cat', text.replace("\x00", "")]) as ui:
        await ui.until(shown(ui, "inside"))
        for strip in ui.app.screen._compositor.render_strips():
            for segment in strip:
                assert not FORBIDDEN.search(segment.text) and segment.control is None
                assert segment.style is None or segment.style.link is None
        assert ui.app.title == "tuidock"


async def test_what_failed_at_once_stays_to_be_read() -> None:
    async with opened(["/bin/sh", "-c", "echo there is no such thing; exit 127"]) as ui:
        await ui.until(shown(ui, "ended with 127"))
        assert "there is no such thing" in ui.screen_text()
        await ui.press("enter")
        await ui.until(lambda: ui.app.screen is ui.main)
        assert ui.app.terminals.sessions == []


async def test_a_program_that_cannot_be_started_is_a_sentence() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("e")
        await ui.until(lambda: any("No such file" in toast for toast in ui.toasts))
        assert ui.app.terminals.sessions == [] and ui.app.screen is ui.main


async def soon(condition: Callable[[], object]) -> None:
    """Without waiting for an app that is never still."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "never came"
        await asyncio.sleep(0.01)


async def test_a_flood_leaves_the_app_its_time() -> None:
    """Keys work while a program writes without end, and it is gone when its terminal is."""
    async with opened(["/bin/sh", "-c", "read line; exec yes flood"]) as ui:
        session, view = ui.app.screen.view.session, ui.app.screen.view
        session.send(b"\n")
        await soon(lambda: session.bytes_read > 1 << 18)
        view.do("lead")
        await soon(lambda: any(item.key == "full" for item in ui.app.screen.query_one("#keys").items))
        pid = session._channel._pid
        assert session.emulator.total <= HISTORY + session.emulator.lines
        ui.app.terminals.drop(session)
        await soon(lambda: not os.path.exists(f"/proc/{pid}"))
