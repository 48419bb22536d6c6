"""Waiting for an app until it has done what it was given, without looking at the clock.

Textual's pilot sleeps at least 40 ms for each key, until the process uses no processor. What has to be waited for is
known exactly: messages that wait, handlers that run, and what has to be laid out or drawn.
"""

from __future__ import annotations

import asyncio
from typing import Any

#: Turns of the event loop after which an app that always has something to do (a spinner) is taken as it is.
_MOST = 400


def still(app: Any) -> bool:
    """Nothing is on its way: no message waits, nothing has to be laid out or drawn."""
    screen = app.screen
    if screen._layout_required or screen._dirty_widgets or screen._callbacks or screen._recompose_required:
        return False
    return not any(node._message_queue.qsize() or node._next_callbacks for node in (app, *app._registry))


async def turn(app: Any) -> None:
    """Lets messages be handled until none waits, and draws; what a handler still awaits is not waited for."""
    quiet = 0
    for _ in range(_MOST):
        await asyncio.sleep(0)
        if app._exit or not app.screen_stack:
            return
        if still(app):
            quiet += 1
            if quiet == 3:
                return
        else:
            quiet = 0
            if not app.screen._message_queue.qsize():
                app.screen._on_timer_update()


async def settle(app: Any) -> None:
    """Until every message that is on its way, and those that follow from it, have been handled and drawn."""
    from textual.pilot import Pilot

    for _ in range(3):
        await turn(app)
        if app._exit or not app.screen_stack or not await Pilot(app)._wait_for_screen():
            return
        await asyncio.sleep(0)
        if app._exit or not app.screen_stack or still(app):
            return


async def turn_active(*_: float) -> None:
    """Takes the place of textual's wait_for_idle between the keys of one press; the app is the one of this task."""
    from textual._context import active_app

    await turn(active_app.get())


async def settle_active(*_: float) -> None:
    """Takes the place of textual's wait_for_idle where a pilot pauses."""
    from textual._context import active_app

    await settle(active_app.get())
