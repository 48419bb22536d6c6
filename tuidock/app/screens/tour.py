"""A walk through the screen for somebody who sees it for the first time: a few sentences over the real lists.

It is in nobody's way: esc ends it, and so does any key that it does not know, which then does what it always does. It
comes by itself once, in a session of a person: not under a test, not in CI, not when the session is read-only, because
that is often a screen that others look at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tuidock.app import kept
from tuidock.app.bindings import BY_ID, keys_of, show_keys
from tuidock.app.model import CONTAINERS, IMAGES
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.words import mark, tr

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class Step(NamedTuple):
    """One stop: its title, what is said, and the list that is shown meanwhile."""

    title: str
    text: str
    kind: str = CONTAINERS


#: {word} is the key of that action as it is now; see KEYS.
STEPS = (
    Step(
        mark("Welcome to tuidock"),
        mark(
            "Containers, images, volumes and networks of this machine. {down} and {up} move, {pane} changes the list."
        ),
    ),
    Step(
        mark("What is under the cursor"),
        mark(
            "The details follow the cursor: logs, charts, ports, configuration. {select} goes into them, {tab} is the "
            "next tab, {back} comes back."
        ),
    ),
    Step(
        mark("What can be done"),
        mark(
            "The line at the foot has the keys for this row. What would be lost is asked about first; {undo} brings back "
            "what was removed."
        ),
    ),
    Step(
        mark("Logs"),
        mark(
            "{logs} opens the log over the whole screen. There / searches all of it, & keeps the lines that fit, and any "
            "size is fine."
        ),
    ),
    Step(
        mark("Inside"),
        mark("{exec} is a shell in the container, {files} its files, {copy} copies its id, address or command line."),
    ),
    Step(
        mark("Images"),
        mark("{pull} pulls, {build} builds, {run} runs. All of it goes on in the background; {jobs} shows it."),
        IMAGES,
    ),
    Step(
        mark("Finding the rest"),
        mark(
            "{filter} narrows the list, {command} takes commands as a shell does, {palette} has everything that can be "
            "done, {help} all keys. `:tour` comes here again."
        ),
    ),
)
KEYS = {
    "down": "table.down", "up": "table.up", "pane": "pane.next", "select": "table.select", "tab": "tab.next",
    "back": "nav.back", "undo": "app.undo", "logs": "container.logs", "exec": "container.exec", "files": "row.files",
    "copy": "row.copy", "pull": "image.pull", "build": "image.build", "run": "container.run", "jobs": "app.jobs",
    "filter": "list.filter", "command": "app.command", "palette": "app.palette", "help": "app.help",
}  # fmt: skip
_SEEN = "tour"


def wanted(read_only: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether it comes by itself."""
    tested = environ.get("CI") or environ.get("PYTEST_CURRENT_TEST")
    return not (read_only or tested or kept.word(_SEEN, environ))


def begin(app: TuidockApp) -> None:
    kept.keep(_SEEN, "seen")
    app.push_screen(TourScreen())


class TourScreen(ClosesOnce, ModalScreen[None]):
    """One step at a time, at the foot of the screen that it is about."""

    DEFAULT_CSS = """
    TourScreen { background: transparent; align: right bottom; }
    TourScreen #tour { width: 66; max-width: 96%; height: auto; margin: 0 1 2 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.at = 0

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="tour"):
            yield Static("", classes="dialog-title", markup=False)
            yield Static("", classes="dialog-text", markup=False)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self._draw()

    def _draw(self) -> None:
        step = STEPS[self.at]
        keymap = self.tuidock.keymap
        keys = {
            word: show_keys(keys_of(BY_ID[identity], keymap)).split(" ")[0] or f":{BY_ID[identity].command}"
            for word, identity in KEYS.items()
        }
        self.query_one(".dialog-title", Static).update(f"{tr(step.title)}  {self.at + 1}/{len(STEPS)}")
        self.query_one(".dialog-text", Static).update(tr(step.text, **keys))
        items = [Item("next", tr("next") if self.at < len(STEPS) - 1 else tr("begin"), "enter")]
        if self.at:
            items.append(Item("back", tr("back"), "←"))
        items.append(Item("end", tr("end the tour"), "esc"))
        self.query_one(KeyLine).set_items(items)
        main = self.tuidock.main
        if main is not None and main.kind != step.kind:
            main.go(step.kind)

    def _step(self, step: int) -> None:
        if self.at + step >= len(STEPS):
            self.dismiss(None)
        else:
            self.at = max(0, self.at + step)
            self._draw()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        self._do(event.key)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        known = {
            "enter": "next",
            "space": "next",
            "right": "next",
            "left": "back",
            "backspace": "back",
            "escape": "end",
        }
        if event.key in known:
            self._do(known[event.key])
        else:
            self.dismiss(None)
            # It was meant for the screen below, which has the keys as soon as this one has gone.
            self.app.call_later(self.app.post_message, events.Key(event.key, event.character))

    def _do(self, what: str) -> None:
        if what == "end":
            self.dismiss(None)
        else:
            self._step(1 if what == "next" else -1)
