"""What the actions of `bindings.py` do, under the same ids: `container.stop` is the method `container_stop`.

Each asks when it should, hands the work to the workers and leaves: the row changes when the engine's event comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.actions.changes import Changes
from tuidock.app.actions.images import Images
from tuidock.app.actions.logs import Logs
from tuidock.app.actions.machine import Machine
from tuidock.app.actions.networks import Networks
from tuidock.app.actions.removing import Removing
from tuidock.app.actions.terminal import Terminal
from tuidock.app.actions.trash import Trash
from tuidock.app.actions.views import Views
from tuidock.app.bindings import BY_ID, Action, Situation, possible, show_keys
from tuidock.app.model import CONTAINERS, VOLUMES, Row, row_name
from tuidock.app.screen_keys import READ_ONLY
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen

__all__ = ["Actions"]


class Actions(Changes, Removing, Trash, Images, Networks, Machine, Views, Logs, Terminal):
    """The actions of the main screen."""

    @property
    def app(self) -> TuidockApp:  # type: ignore[override]
        return self.screen.tuidock

    def __init__(self, screen: MainScreen) -> None:
        self.screen = screen

    def do(self, identity: str, rows: list[Row] | None = None, kind: str = "") -> None:
        """Does it to these rows, or to what is marked or under the cursor; says why when it is not possible."""
        action = BY_ID[identity]
        situation = self.screen.situation
        if rows is not None:
            row = rows[0] if len(rows) == 1 else None
            situation = situation._replace(
                kind=kind or situation.kind, row=row, marked=len(rows) if len(rows) > 1 else 0
            )
        if action.changes and self.app.read_only:
            self.app.say(tr(READ_ONLY), "warning")
            return
        can = possible(action, situation)
        if not can:
            self.app.say(why_not(action, situation), "warning")
            return
        method = getattr(self, identity.replace(".", "_"))
        if action.when is not None and action.id not in ("table.clear_marks", "list.next", "list.previous"):
            method(rows if rows is not None else self.screen.acted_rows())
        else:
            method()


def why_not(action: Action, situation: Situation) -> str:
    """A sentence that says why an action is not possible now."""
    row = situation.row
    if action.id == "container.copy" and situation.kind == VOLUMES:
        return tr("F opens the files of the volume; there V copies them.")
    if situation.kind not in action.kinds:
        key = show_keys(action.keys).split(" ")[0] or f":{action.command}"
        does = action.help[0].lower() + action.help[1:]
        return tr(
            "{key} does nothing in {kind}. In {kinds}: {does}.",
            key=key,
            kind=situation.kind,
            kinds=" and ".join(action.kinds),
            does=does,
        )
    if row is None:
        return tr("There is nothing under the cursor.")
    if isinstance(row, Container) and situation.kind == CONTAINERS:
        if action.id == "container.open":
            return tr("{name} publishes no port.", name=clean(row.name))
        return tr(
            "{row} is {status}: {label} is not possible.",
            row=clean(row_name(row)),
            status=row.status,
            label=action.label,
        )
    return tr("{capitalize} is not possible here.", capitalize=action.label.capitalize())
