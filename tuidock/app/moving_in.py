"""Moving in from another engine, as the app sees it: the plan as lines to tick, and the job that takes what is ticked.

The plan is made anew when the job begins, so that a job that is tried again takes what is still missing and nothing
twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from tuidock.app.format import counted, size
from tuidock.app.transfers import Part, Transfer
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import SystemFailure
from tuidock.engine.types import MigrationItem, Progress

COLUMNS = (
    Column("tick", "", 3, sortable=False),
    Column("name", "NAME", 26, grow=2, sortable=False),
    Column("size", "SIZE", 7, "right", sortable=False),
    Column("what", "WHAT", 24, grow=3, sortable=False),
)
#: In the order in which they are taken.
KINDS = ("image", "network", "volume", "container")
TAKE, PRESENT, SKIP = "take", "present", "skip"
GROUP = "group"


def key_of(item: MigrationItem) -> str:
    return f"{item.kind} {item.name}"


def choosable(items: Sequence[MigrationItem], kind: str = "") -> list[str]:
    """The keys of what could be taken."""
    return [key_of(item) for item in items if item.action == TAKE and (not kind or item.kind == kind)]


def rows_of(items: Sequence[MigrationItem], ticked: Collection[str], ascii: bool = False) -> list[Row]:
    """By kind: a line that sums it up and ticks all of it, then its items."""
    rows = []
    for kind in KINDS:
        of_kind = [item for item in items if item.kind == kind]
        if of_kind:
            rows.append(_group_row(kind, of_kind, ticked))
            rows += [_row(item, key_of(item) in ticked, ascii) for item in of_kind]
    return rows


def _group_row(kind: str, items: Sequence[MigrationItem], ticked: Collection[str]) -> Row:
    can = choosable(items)
    count = sum(key in ticked for key in can)
    tick = "" if not can else "[x]" if count == len(can) else "[ ]" if not count else "[-]"
    here = sum(item.action == PRESENT for item in items)
    words = [f"{count} of {counted(len(can), kind)}" if can else "", f"{here} here already" if here else ""]
    whole = sum(item.size for item in items if key_of(item) in ticked)
    return Row(
        f"{GROUP} {kind}",
        (
            Cell(tick, "accent" if count else "muted"), Cell(f"{kind.capitalize()}s", "accent"),
            Cell(size(whole) if whole else "", "accent"), Cell(", ".join(word for word in words if word), "muted"),
        ),
    )  # fmt: skip


def _row(item: MigrationItem, ticked: bool, ascii: bool) -> Row:
    notes = "; ".join(item.notes)
    if item.action == TAKE:
        tick, style = "[x]" if ticked else "[ ]", ""
        what = Cell(notes, "warn" if item.kind in ("volume", "container") else "muted")
    elif item.action == PRESENT:
        tick, style = " v" if ascii else " ✓", "muted"
        what = Cell("; ".join((tr("is here already"), *item.notes)), "muted")
    else:
        tick, style, what = "", "muted", Cell(tr("stays there: {notes}", notes=notes), "warn")
    return Row(
        key_of(item),
        (
            Cell(tick, "accent" if ticked else "muted"),
            Cell(f"  {item.name}", style if ticked or item.action != TAKE else "muted"),
            Cell(size(item.size) if item.size else "", style), what,
        ),
    )  # fmt: skip


def note_of(item: MigrationItem) -> str:
    """All that is to be known of one, a sentence for each note."""
    lead = {
        TAKE: tr("The {kind} {name} would be taken over", kind=item.kind, name=item.name),
        PRESENT: tr("The {kind} {name} is here already", kind=item.kind, name=item.name),
        SKIP: tr("The {kind} {name} stays there", kind=item.kind, name=item.name),
    }[item.action]
    return clean(f"{lead}{': ' if item.notes else '.'}{'; '.join(item.notes)}")


class Moving(Transfer):
    """What the progress of the items adds up to."""

    def take(self, news: list[Progress], now: int) -> None:
        for step in news:
            part = self.parts.get(step.subject)
            if part is None:
                part = self.parts[step.subject] = Part(step.subject)
            # an image comes layer by layer: its bar does not go back with each of them
            done = max(step.done, part.done) if step.action == part.action else step.done
            part.take(step._replace(done=done), now)

    @property
    def failed(self) -> int:
        return sum(part.action == "failed" for part in self.parts.values())

    @property
    def words(self) -> str:
        over = sum(part.over for part in self.parts.values()) - self.failed
        return f"{over} of {len(self.parts)} taken" + (f", {self.failed} failed" if self.failed else "")


def moving(engine: Any, kind: str, host: str, wanted: Sequence[MigrationItem]) -> Iterator[Progress]:
    """Takes the wanted items. Raises SystemFailure at the end when some could not be taken."""
    for item in wanted:
        yield Progress(key_of(item), "waiting", 0, item.size)
    keys = {key_of(item) for item in wanted}
    failures: list[Progress] = []
    with engine.migration_source(kind, host) as source:
        inventory, every = engine.migration_plan(source)
        chosen = [item for item in every if key_of(item) in keys]
        for item in chosen:
            if item.action != TAKE:
                yield Progress(key_of(item), "exists", item.size, item.size)
        for gone in keys - {key_of(item) for item in chosen}:
            failures.append(Progress(gone, "failed", 0, 0, f"{kind} does not have it any more"))
            yield failures[-1]
        steps = engine.migrate(source, inventory, chosen)
        try:
            for step in steps:
                if step.action == "failed":
                    failures.append(step)
                yield step
        finally:
            steps.close()
    if failures:
        first = failures[0]
        others = f"; {len(failures) - 1} more failed" if len(failures) > 1 else ""
        raise SystemFailure(f"{first.subject} was not taken over: {first.message}{others}")
