"""The lines around the lists - header, tabs, keys - as pieces of text with the name of a style each.

Pure, because they are drawn twice: by widgets, and by the first frame, which is on the screen before Textual is
imported. What both draw from the same pieces does not jump when one takes over from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from tuidock.app import format as shown
from tuidock.app.model import ViewModel
from tuidock.app.words import tr
from tuidock.engine.clean import clean

#: What the names of styles mean in Textual's words.
STYLES = {
    "": "",
    "bold": "bold",
    "muted": "$tuidock-muted",
    "faint": "$tuidock-faint",
    "accent": "bold $accent",
    "tab": "bold underline $accent",
}

Spans = list[tuple[str, str]]
#: First column, the one behind the last, and the key of what can be pressed there.
Places = list[tuple[int, int, str]]


class Item(NamedTuple):
    """A part of a line: a tab, or a key with its label."""

    key: str
    text: str
    hint: str = ""
    enabled: bool = True
    rank: int = 0


def header(model: ViewModel, width: int, read_only: bool = False, ascii: bool = False) -> Spans:
    """Where this is, how many containers there are in which state, how the machine is used, jobs; what does not fit
    goes from the right."""
    right = _right(model, read_only)
    kept = _left(model, ascii)
    room = width - 8 - (cell_len(right) + 2 if right else 0)
    while kept and sum(cell_len(text) + 3 for text, _ in kept) > room:
        kept.pop()
    spans: Spans = [("tuidock", "accent")]
    used = 7
    for at, (text, style) in enumerate(kept):
        separator = "  " if at == 0 else " · "
        spans += [(separator, "muted"), (text, style)]
        used += len(separator) + cell_len(text)
    if right:
        right = right if cell_len(right) < width - used - 1 else set_cell_size(right, max(0, width - used - 2))
        spans += [(" " * max(1, width - used - cell_len(right)), ""), (right, "accent")]
    return spans


def _left(model: ViewModel, ascii: bool) -> Spans:
    parts: Spans = []
    if model.host_name:
        parts.append((clean(model.host_name), "bold"))
    if model.user:
        parts.append((clean(model.user), "muted"))
    counts = model.counts()
    if counts:
        failed = sum(1 for row in model.containers().values() if shown.failed(row))
        words = [
            f"{counts[status]} {shown.GLYPHS[status][ascii]}"
            for status in ("running", "paused", "restarting")
            if counts.get(status)
        ]
        idle = sum(counts.get(status, 0) for status in ("exited", "created", "dead")) - failed
        if idle:
            words.append(f"{idle} {shown.GLYPHS['exited'][ascii]}")
        if failed:
            words.append(f"{failed} {shown.GLYPHS['failed'][ascii]}")
        parts.append((" ".join(words), "muted"))
    host = model.host
    if host.memory >= 0:
        # The place of the processor is kept while it is not known yet: nothing moves when it is.
        parts.append(
            (tr("cpu") + f" {host.cpu_percent:3.0f}%" if host.cpu_percent >= 0 else tr("cpu") + "   -%", "muted")
        )
        parts.append((tr("mem") + f" {shown.size(host.memory)}/{shown.size(host.memory_total)}", "muted"))
    if host.disk_free >= 0:
        parts.append((tr("disk {size} free", size=shown.size(host.disk_free)), "muted"))
    return parts


def _right(model: ViewModel, read_only: bool) -> str:
    words = []
    for job in list(model.jobs.values())[:1]:
        percent = f" {100 * job.done // job.total}%" if job.total else ""
        more = f" +{len(model.jobs) - 1}" if len(model.jobs) > 1 else ""
        words.append(f"{clean(job.title)}{percent}{more}")
    if read_only:
        words.append(tr("read-only"))
    return " · ".join(words)


def tabs(items: Sequence[Item], active: str, suffix: str, width: int) -> tuple[Spans, Places]:
    """Tabs with the active one in the accent colour, and at the right end what they are about."""
    spans: Spans = []
    places: Places = []
    x, gap = 0, 2
    if sum(cell_len(item.text) + gap for item in items) > width and active:
        # Too narrow for all: keep the active one and its neighbours in sight.
        at = next((i for i, item in enumerate(items) if item.key == active), 0)
        while at > 0 and sum(cell_len(item.text) + gap for item in items[: at + 1]) > width:
            items = items[1:]
            at -= 1
    for item in items:
        spans += [(item.text, "tab" if item.key == active else "muted"), (" " * gap, "")]
        places.append((x, x + cell_len(item.text), item.key))
        x += cell_len(item.text) + gap
    room = width - x
    if suffix and room > 4:
        while cell_len(suffix) > room and " · " in suffix:
            suffix = suffix.rpartition(" · ")[0]
        suffix = suffix if cell_len(suffix) <= room else set_cell_size(suffix, room - 1) + "…"
        spans += [(" " * (room - cell_len(suffix)), ""), (suffix, "muted")]
    return spans, places


def keys(items: Sequence[Item], width: int) -> tuple[Spans, Places]:
    """Keys with what they do; when they do not fit, those of the highest rank go first, then those further right."""

    def length(item: Item) -> int:
        return cell_len(item.hint) + 1 + cell_len(item.text) + 2

    kept = list(items)
    while len(kept) > 1 and sum(map(length, kept)) - 2 > width:
        least = max(range(len(kept) - 1), key=lambda at: (kept[at].rank, at))
        del kept[least]
    spans: Spans = []
    places: Places = []
    x = 0
    for item in kept:
        spans += [
            (item.hint, "accent" if item.enabled else "faint"),
            (f" {item.text}  ", "muted" if item.enabled else "faint"),
        ]
        places.append((x, x + length(item) - 2, item.key))
        x += length(item)
    return spans, places
