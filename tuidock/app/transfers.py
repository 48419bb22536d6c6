"""What the pieces of a transfer add up to: layers of a pull or push, or the one file of a save or load. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from tuidock.app import format as shown
from tuidock.engine.types import Progress

#: Words of the engine as they are shown; the others are shown as they are.
WORDS = {"exists": "there already", "pulled": "done", "pushed": "done", "mounted": "there already"}
#: Nothing of the layer is to come over the line any more.
_FETCHED = ("verifying", "downloaded", "extracting", "pulled", "exists", "pushed", "mounted", "skipped")
_OVER = ("pulled", "exists", "pushed", "mounted", "skipped", "read", "done", "taken", "failed", "exported")
#: Here done and total count files, not bytes.
_COUNTS = ("gathering", "collecting")
#: What is said about the whole, not about a part.
_ABOUT_ALL = ("digest", "pulled-image", "loaded", "imported", "committed", "written", "warning")
#: Steps of the whole for which there is no line of its own.
_SILENT = ("pulling", "pushing-to", "committing")
#: Their message says why.
_REASONS = ("retrying", "failed")
#: Nanoseconds over which a rate is measured.
_WINDOW = 3_000_000_000


class Part:
    """A layer, or a file."""

    __slots__ = ("_seen", "action", "done", "message", "size", "subject", "total")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.action, self.message = "waiting", ""
        self.done = self.total = self.size = 0
        self._seen: deque[tuple[int, int]] = deque()

    def take(self, step: Progress, now: int) -> None:
        if step.action != self.action:
            self._seen.clear()
        self.action, self.message = step.action, step.message
        self.done, self.total = step.done, step.total
        if step.action in _COUNTS:
            return
        # While it is unpacked the total is that of the unpacked files.
        if not self.size or (step.total and step.action in ("downloading", "pushing", "waiting", "verifying")):
            self.size = step.total
        self._seen.append((now, step.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()

    @property
    def over(self) -> bool:
        return self.action in _OVER

    @property
    def fetched(self) -> int:
        """Bytes that have come over the line, or need not."""
        if self.action in _COUNTS:
            return 0
        if self.action in _FETCHED:
            return self.size
        return min(self.done, self.size) if self.size else self.done

    @property
    def fraction(self) -> float:
        if self.over and self.action != "failed":
            return 1.0
        return self.done / self.total if self.total else 0.0

    def rate(self, now: int) -> float:
        """Bytes a second over the last few; 0 when nothing comes any more."""
        if len(self._seen) < 2 or self.over or now - self._seen[-1][0] > _WINDOW:
            return 0.0
        seconds = (max(now, self._seen[-1][0]) - self._seen[0][0]) / 1e9
        return max(0.0, (self._seen[-1][1] - self._seen[0][1]) / seconds) if seconds > 0 else 0.0

    @property
    def words(self) -> str:
        """retrying and failed carry the reason, mounted where from."""
        text = WORDS.get(self.action, self.action)
        return f"{text}: {self.message}" if self.action in _REASONS and self.message else text

    @property
    def bytes_words(self) -> str:
        if self.action in _COUNTS:
            return f"{self.done} of {self.total} files" if self.total else ""
        if self.over or not self.done:
            return shown.size(self.size) if self.size else ""
        return f"{shown.size(self.done)} / {shown.size(self.total)}" if self.total else shown.size(self.done)


class Transfer:
    """All parts in the order in which they were named, and what came out."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}
        self.digest = ""
        self.warning = ""
        self.result = ""
        self.results: list[str] = []

    def key(self, news: Progress) -> Hashable | None:
        return (news.subject, news.action)

    def take(self, news: list[Progress], now: int) -> None:
        for step in news:
            if step.action in _SILENT:
                continue
            if step.action in _ABOUT_ALL or step.message.startswith("sha256:"):
                self._about_all(step)
                continue
            part = self.parts.get(step.subject)
            if part is None:
                part = self.parts[step.subject] = Part(step.subject)
            part.take(step, now)

    def _about_all(self, step: Progress) -> None:
        if step.action == "digest":
            self.digest = step.message
            return
        if step.action == "warning":
            self.warning = step.message
            return
        self.results.append(step.subject)
        if step.action == "pulled-image":
            self.result = step.message
        elif step.action == "pulled":
            self.result = f"made {step.subject}"
        elif step.action == "written":
            self.result = f"{shown.size(step.total)} written"
        else:
            self.result = f"{step.action} {', '.join(self.results)}"

    def ended(self, now: int, good: bool) -> None:
        """It is over: what was not said to be done is."""
        for part in self.parts.values():
            if good and not part.over:
                part.action = "done"

    def close(self) -> None:
        """Nothing is kept outside of memory."""

    @property
    def done(self) -> int:
        return sum(part.fetched for part in self.parts.values())

    @property
    def total(self) -> int:
        return sum(part.size or part.fetched for part in self.parts.values())

    def rate(self, now: int) -> float:
        moving = ("downloading", "pushing", "writing", "reading", "exporting", "importing")
        return sum(part.rate(now) for part in self.parts.values() if part.action in moving)

    @property
    def words(self) -> str:
        if self.result:
            return self.result
        open_parts = [part for part in self.parts.values() if not part.over]
        if not open_parts:
            return ""
        if len(self.parts) == 1:
            return open_parts[0].words
        return f"{len(self.parts) - len(open_parts)} of {len(self.parts)} layers"
