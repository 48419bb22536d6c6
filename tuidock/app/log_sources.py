"""What the engine knows of logs before they are shown: where they lie, why one may be empty, when its runs began."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tuidock.app import tabs
from tuidock.app.logs.session import LogSource
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import NotFound

if TYPE_CHECKING:
    from tuidock.engine.types import Container, Event

#: Starts and ends of one opening that become rules between the lines, the latest.
MOST_RUNS = 2_000
#: Logs that are merged at the most: each keeps its segments open, and a process may have 1 024 files.
MOST_MERGED = 100


class Rule(NamedTuple):
    """A rule with a text between the lines, at a time in nanoseconds (0: now). key names the source that it is about; kind
    is "start" or "end" where a run begins or ends."""

    text: str
    time: int
    key: str
    kind: str


class Opened(NamedTuple):
    """Logs to be shown together."""

    rows: tuple[Container, ...]
    sources: tuple[LogSource, ...]
    note: str
    rules: tuple[Rule, ...]


def open_logs(engine: Any, rows: Sequence[Container]) -> Opened:
    """Asks the engine, in one of its threads."""
    rows = tuple(rows[:MOST_MERGED])
    sources = tuple(LogSource(row.id, clean(row.name), engine.log_directory(row.id)) for row in rows)
    note = tr("No output yet.")
    if len(rows) == 1:
        driver = engine.log_driver(rows[0].id)
        note = tabs.log_note(rows[0])
        if driver == "none":
            note = tr("It keeps no log: it was created with --log-driver none.")
    runs = engine.runs([row.id for row in rows])[-MOST_RUNS:]
    return Opened(rows, sources, note, tuple(_rule(event) for event in runs))


def source_of(engine: Any, row: Container) -> LogSource | None:
    """Where the log of a container lies; None when it is gone."""
    try:
        return LogSource(row.id, clean(row.name), engine.log_directory(row.id))
    except NotFound:
        return None


def rules_of(events: Iterable[Event], containers: Collection[str]) -> list[Rule]:
    """The starts and ends of these containers among all that happened, as rules in their logs."""
    return [
        _rule(event)
        for event in events
        if event.type == "container" and event.id in containers and event.action in ("start", "die")
    ]


def _rule(event: Event) -> Rule:
    return Rule(clean(tabs.event_words(event)), event.time, event.id, "start" if event.action == "start" else "end")
