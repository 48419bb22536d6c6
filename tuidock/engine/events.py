"""The journal: every event of an instance, one JSON line each, appended by the engine and by the shims.

It lies alone in its directory, so that a live view needs one inotify watch for a thousand containers. A writer appends
one line with one write(2) in O_APPEND mode, after the thing it announces is on disk; readers keep a byte offset.
"""

from __future__ import annotations

import os
import time

from tuidock.engine import fastjson
from tuidock.engine.types import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

#: A journal longer than this is renamed to journal.1 by the next engine that appends (bytes).
ROTATE_AT = 8 * 1024 * 1024


def append(journal: str, type_: str, action: str, id_: str, name: str = "", **attributes: Any) -> None:
    """Adds one event; `labels` is a mapping, the other attributes are texts.

    A full disk is not worth failing the operation for that the event only reports.
    """
    line: dict[str, object] = {"t": time.time_ns(), "type": type_, "action": action, "id": id_, "name": name}
    image = attributes.pop("image", None)
    if image is not None:
        line["image"] = image
    labels = attributes.pop("labels", None)
    if labels:
        line["labels"] = labels
    line["attr"] = attributes
    try:
        fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_size > ROTATE_AT:
                os.rename(journal, journal + ".1")
            os.write(fd, (fastjson.dumps(line) + "\n").encode())
        finally:
            os.close(fd)
    except OSError:
        pass


def parse(line: bytes) -> Event | None:
    """One line of the journal; None for a torn or foreign one (a crash may have cut the last line)."""
    try:
        raw = fastjson.loads(line.decode())
        given = {**raw.get("labels", {}), **raw.get("attr", {})}
        attributes = {str(key): str(value) for key, value in given.items()}
        if "image" in raw:
            attributes["image"] = str(raw["image"])
        return Event(
            int(raw["t"]), str(raw["type"]), str(raw["action"]), str(raw["id"]), str(raw.get("name", "")), attributes
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class JournalReader:
    """Reads what was appended since the last call, across rotation."""

    def __init__(self, journal: str, *, from_start: bool) -> None:
        self._journal = journal
        self._fd = -1
        self._inode = 0
        self._offset = 0
        self._rest = b""
        self._open()
        if not from_start and self._fd >= 0:
            self._offset = os.fstat(self._fd).st_size

    def _open(self) -> None:
        try:
            self._fd = os.open(self._journal, os.O_RDONLY | os.O_CLOEXEC)
            self._inode, self._offset, self._rest = os.fstat(self._fd).st_ino, 0, b""
        except FileNotFoundError:
            self._fd = -1

    def _drain(self) -> list[Event]:
        events: list[Event] = []
        while self._fd >= 0 and (chunk := os.pread(self._fd, 1 << 16, self._offset)):
            self._offset += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            events += [event for line in lines if (event := parse(line))]
        return events

    def read(self) -> list[Event]:
        """New events, oldest first."""
        if self._fd < 0:
            self._open()
        events = self._drain()
        try:
            rotated = self._fd >= 0 and os.stat(self._journal).st_ino != self._inode
        except FileNotFoundError:
            rotated = self._fd >= 0
        if rotated:
            events += self._drain()  # a shim that still had the old file open
            self.close()
            self._open()
            events += self._drain()
        return events

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_events(
    journal: str, *, since: int = 0, until: int = 0, follow: bool = True, stop: threading.Event | None = None
) -> Iterator[list[Event]]:
    """Batches of events. since/until are ns since the epoch, 0 = from now on / for ever.

    With follow the first batch (perhaps empty) comes at once, then it blocks on inotify (no polling) until `stop` is set,
    `until` has passed or the data root has gone.
    """
    watch = None
    if follow and not (until and time.time_ns() >= until):
        from tuidock.engine.watch import Watch

        watch = Watch([os.path.dirname(journal)])  # stands before the first read, so nothing falls in between
    ground = _inode(os.path.dirname(journal))
    reader = JournalReader(journal, from_start=since > 0)
    try:
        past: list[Event] = []
        if since:
            old = JournalReader(journal + ".1", from_start=True)
            past = [*old.read(), *reader.read()]
            old.close()
            past = [event for event in past if event.time >= since and (not until or event.time <= until)]
        if past or follow:
            yield past  # also an empty first batch: it says that the watch stands
        while watch is not None and not (stop and stop.is_set()):
            watch.wait((until - time.time_ns()) / 1e9 if until else None, stop)
            batch = [event for event in reader.read() if not until or event.time <= until]
            if batch:
                yield batch
            if until and time.time_ns() >= until:
                return
            if _inode(os.path.dirname(journal)) != ground:
                return  # nothing is ever written here again
    finally:
        reader.close()
        if watch is not None:
            watch.close()


def newest(journal: str, most: int) -> list[Event]:
    """The last `most` events that the journal still tells of, the earliest first; only their lines are parsed."""
    lines: list[bytes] = []
    for path in (journal + ".1", journal):
        try:
            with open(path, "rb") as file:
                lines += file.read().split(b"\n")
        except OSError:
            continue
    found: list[Event] = []
    while lines and len(found) < most:
        event = parse(lines.pop())
        if event is not None:
            found.append(event)
    return found[::-1]


def of_containers(journal: str, ids: Collection[str], actions: Collection[str]) -> list[Event]:
    """What the journal still tells of these containers, the earliest first; only their lines are parsed."""
    found: list[Event] = []
    for path in (journal + ".1", journal):
        try:
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")
        except OSError:
            continue
        for line in lines:
            # the id stands in front of everything that a person may have chosen
            at = line.find(b'"id":"')
            if at < 0 or line[at + 6 : at + 70].decode("ascii", "replace") not in ids:
                continue
            event = parse(line)
            if event is not None and event.id in ids and event.action in actions:
                found.append(event)
    return found


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def attributes_of(event: Event) -> Mapping[str, str]:
    """The attributes as docker shows them: the actor's name and image among them."""
    named = {"name": event.name} if event.name else {}
    return {**event.attributes, **named}
