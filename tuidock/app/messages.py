"""What has happened, in the past tense: the way from the threads of `workers.py` to the screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message

from tuidock.app.model import HostLoad, Row
from tuidock.engine.types import Container, Event, Stats

if TYPE_CHECKING:
    from tuidock.app.jobs import Job


class RowsRead(Message, bubble=False):
    """A whole list was read again."""

    def __init__(self, kind: str, rows: Sequence[Row]) -> None:
        super().__init__()
        self.kind, self.rows = kind, rows


class ContainersRead(Message, bubble=False):
    """Single containers that events named were read again; `gone` are ids that exist no more."""

    def __init__(self, rows: Sequence[Container], gone: Sequence[str]) -> None:
        super().__init__()
        self.rows, self.gone = rows, gone


class EventsRead(Message, bubble=False):
    """The engine reported events; their rows have been posted before."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__()
        self.events = events


class StatsRead(Message, bubble=False):
    """One sample of the rows on screen and of the host."""

    def __init__(self, samples: Sequence[Stats], host: HostLoad) -> None:
        super().__init__()
        self.samples, self.host = samples, host


class HostRead(Message, bubble=False):
    """The name of the machine and how it is used."""

    def __init__(self, name: str, host: HostLoad) -> None:
        super().__init__()
        self.name, self.host = name, host


class JobBegan(Message, bubble=False):
    """A thread has begun a long operation by itself, such as the pull of an image that a container wants."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class JobNews(Message, bubble=False):
    """The feed of a job has something."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class JobEnded(Message, bubble=False):
    """A job is over: the error and its sentence when it went wrong."""

    def __init__(self, job: Job, error: BaseException | None, sentence: str) -> None:
        super().__init__()
        self.job, self.error, self.sentence = job, error, sentence


class MovesEnded(Message, bubble=False):
    """An action on one or more objects has ended: names that went well, and sentences about those that did not."""

    def __init__(self, verb: str, done: Sequence[str], failed: Sequence[str]) -> None:
        super().__init__()
        self.verb, self.done, self.failed = verb, done, failed


class EngineFailed(Message, bubble=False):
    """Something that nobody in particular asked for went wrong: one sentence."""

    def __init__(self, sentence: str) -> None:
        super().__init__()
        self.sentence = sentence


class Answered(Message, bubble=False):
    """The engine has answered a question of a screen, which said what to do with the answer."""

    def __init__(self, then: Callable[[Any], None], value: Any) -> None:
        super().__init__()
        self.then, self.value = then, value
