"""Long operations in the background - pulls, builds, saves - and what has become of them.

A job belongs to the app, not to the screen that shows it: one may leave and come back. Its thread (`workers.py`) puts
news into the feed, the app takes them out a few times a second, so that ten thousand blocks cost a few redraws and the
last one is never lost. What the news mean is the tracker's business: `transfers.py` or `builds.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol

#: Seconds between two looks at what a job has done.
LOOK_EVERY = 0.15
#: Jobs that have ended and can still be looked at.
KEPT = 20

RUNNING, STOPPING, DONE, FAILED, GIVEN_UP = "running", "stopping", "done", "failed", "given up"


def whole_sentence(text: str) -> str:
    """The engine's sentence so that another one can stand behind it."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


class GivenUp(Exception):
    """A person has given the job up."""


class Tracker(Protocol):
    """What the news of a job add up to. `key` is called by the job's thread, the rest by the app's."""

    def key(self, news: Any) -> Hashable | None:
        """News with the same key replace each other while they wait; None: nobody has to be told."""

    def take(self, news: list[Any], now: int) -> None: ...

    def ended(self, now: int, good: bool) -> None: ...

    def close(self) -> None: ...

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def words(self) -> str: ...


class Feed:
    """News on their way from a job's thread to the app."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._news: dict[Hashable, Any] = {}
        self._told = False
        self.cancelled = threading.Event()

    def put(self, key: Hashable, news: Any) -> bool:
        """True when the app has to be told that there are news."""
        with self._lock:
            self._news[key] = news
            told, self._told = self._told, True
            return not told

    def take(self) -> list[Any]:
        """What has come; until `rest` nobody is told of more."""
        with self._lock:
            news = list(self._news.values())
            self._news.clear()
            return news

    def rest(self) -> bool:
        """The pause after `take` is over: True when news have come meanwhile, else the next ones will be told."""
        with self._lock:
            self._told = bool(self._news)
            return self._told


class Job:
    """One of them. begin makes the engine's generator, and is kept to try again; subject is the image it is about."""

    def __init__(
        self,
        number: int,
        title: str,
        *,
        kind: str = "",
        subject: str = "",
        begin: Callable[[Any, Job], Iterator[Any]] | None = None,
        make_tracker: Callable[[], Tracker] | None = None,
        started: int = 0,
    ) -> None:
        self.number, self.title, self.kind, self.subject = number, title, kind, subject
        self.begin, self.make_tracker = begin, make_tracker
        self.tracker = make_tracker() if make_tracker is not None else None
        self.feed = Feed()
        self.state = RUNNING
        self.error = ""
        self.fault: BaseException | None = None
        self.started, self.ended_at = started, 0
        #: Set by `workers.py` while the job runs: tells the app that the feed has something.
        self.tell: Callable[[], None] = lambda: None

    @property
    def ended(self) -> bool:
        return self.state in (DONE, FAILED, GIVEN_UP)

    @property
    def done(self) -> int:
        return self.tracker.done if self.tracker is not None else 0

    @property
    def total(self) -> int:
        return self.tracker.total if self.tracker is not None else 0

    @property
    def message(self) -> str:
        """How far it is, in a few words."""
        return self.tracker.words if self.tracker is not None else ""

    @property
    def wants_login(self) -> bool:
        """Whether it failed because the registry wants other credentials."""
        return type(self.fault).__name__ == "AuthFailed"

    def put(self, news: Any) -> None:
        """Called by the job's thread. Raises GivenUp when somebody has given it up."""
        key = self.tracker.key(news) if self.tracker is not None else None
        if key is not None and self.feed.put(key, news):
            self.tell()
        if self.feed.cancelled.is_set():
            raise GivenUp

    def take(self, now: int) -> None:
        """Called by the app: what has come since the last time."""
        news = self.feed.take()
        if news and self.tracker is not None:
            self.tracker.take(news, now)

    def give_up(self) -> None:
        """At the next piece of news; what was begun is cleaned up by the engine."""
        if not self.ended:
            self.state = STOPPING
            self.feed.cancelled.set()

    def end(self, fault: BaseException | None, error: str, now: int) -> None:
        self.take(now)
        self.ended_at = now
        if self.feed.cancelled.is_set() and fault is not None:
            self.state = GIVEN_UP
        elif fault is not None:
            self.state, self.fault, self.error = FAILED, fault, error
        else:
            self.state = DONE
