"""Events as lines of a list, and what the filter sees of them. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tuidock.app.filters import Fields
from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.engine.types import Event

COLUMNS = (
    Column("time", "TIME", 8, sortable=False),
    Column("type", "TYPE", 9, priority=1, sortable=False),
    Column("action", "ACTION", 14, sortable=False, grow=1),
    Column("name", "NAME", 16, grow=2, sortable=False),
    Column("about", "DETAILS", 24, priority=2, grow=4, sortable=False),
)
FIELDS = frozenset({"type", "action", "name", "id"})
#: The list that shows what an event is about.
KINDS = {"container": CONTAINERS, "image": IMAGES, "volume": VOLUMES, "network": NETWORKS}
_STYLES = {
    "start": "good", "unpause": "good", "pull": "good", "oom": "bad", "kill": "warn", "stop": "warn", "pause": "warn",
    "destroy": "muted", "delete": "muted", "untag": "muted",
}  # fmt: skip
#: Seconds by the key that chooses them; 0 for everything that is kept.
SINCE = {"0": 0, "1": 60, "2": 300, "3": 900, "4": 3600, "5": 6 * 3600, "6": 24 * 3600}


def since_words(seconds: int) -> str:
    if not seconds:
        return "all"
    return f"last {seconds // 3600} h" if seconds >= 3600 else f"last {seconds // 60} min"


def moment(time_ns: int, now_ns: int) -> str:
    """The time of day, or the day when it is another one."""
    then, now = time.localtime(time_ns / 1e9), time.localtime(now_ns / 1e9)
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%d %b", then)


def action(event: Event) -> Cell:
    code = event.attributes.get("exitCode", "")
    bad = event.action == "die" and code not in ("", "0")
    style = "bad" if bad or "unhealthy" in event.action else _STYLES.get(event.action, "")
    return Cell(f"{event.action} {code}" if bad else event.action, style)


def about(event: Event) -> str:
    """What else is known of it, but its name."""
    known: Mapping[str, str] = event.attributes
    return " ".join(f"{key}={value}" for key, value in sorted(known.items()) if key != "name" and value)


def name(event: Event) -> str:
    return event.name or event.id.removeprefix("sha256:")[:12]


def row_of(key: str, event: Event, now_ns: int) -> Row:
    cells = (
        Cell(moment(event.time, now_ns), "muted"), Cell(event.type, "muted"), action(event), name(event),
        Cell(about(event), "muted"),
    )  # fmt: skip
    return Row(key, cells)


def fields(event: Event) -> Fields:
    named = {"type": event.type, "action": event.action, "name": name(event), "id": event.id}
    text = f"{event.type} {event.action} {name(event)} {event.id[:12]} {about(event)}"
    return Fields(text, named, event.attributes)
