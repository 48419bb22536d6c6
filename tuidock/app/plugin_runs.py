"""Running a command of one's own beside the app, as a job: its output is kept, and giving it up ends it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from tuidock.app.plugins import Call
from tuidock.app.words import tr, trn
from tuidock.engine.errors import EngineError

if TYPE_CHECKING:
    from tuidock.app.jobs import Job

#: So much of its output is kept.
LINES: Final = 5_000
_LONGEST: Final = 4_096
#: Seconds between two looks whether somebody has given it up, and what it has to end after SIGTERM.
_LOOK: Final = 0.1
_PATIENCE: Final = 3.0


class Failed(EngineError):
    """It ended with another code than 0."""


class Output:
    """The tracker of such a job: the last lines that it wrote."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LINES)
        self.count = 0
        self._part = ""

    def put(self, text: str) -> None:
        """Called by the job's thread."""
        lines = (self._part + text).split("\n")
        self._part = lines.pop()[:_LONGEST]
        self.lines.extend(line[:_LONGEST].rstrip("\r") for line in lines)
        self.count += len(lines)

    def finish(self) -> None:
        if self._part:
            self.put("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines.copy())

    def key(self, news: Any) -> str | None:
        return news or None  # what matters is only that something has come

    def take(self, news: list[Any], now: int) -> None:
        """The lines are here already."""

    def ended(self, now: int, good: bool) -> None:
        """It has told all that it had to tell."""

    def close(self) -> None:
        """Nothing is kept outside of memory."""

    done = total = 0

    @property
    def words(self) -> str:
        return trn("1 line", "{count} lines", self.count)


def start(call: Call, directory: str) -> Any:
    """What begins the job: a function for `begin_job`."""

    def begin(engine: Any, job: Job) -> Iterator[Any]:
        assert isinstance(job.tracker, Output)
        return _follow(call, directory, job.tracker)

    return begin


def _follow(call: Call, directory: str, output: Output) -> Iterator[Any]:
    import codecs
    import selectors

    try:
        process = subprocess.Popen(
            call.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
            cwd=directory, env={**os.environ, **call.environment}, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Failed(tr("{name} cannot be run: {reason}.", name=call.argv[0], reason=error.strerror)) from None
    assert process.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        with process.stdout, selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(_LOOK):
                    yield ""
                    # What it has left behind may hold the other end of the pipe for ever.
                    if process.poll() is not None:
                        break
                    continue
                data = os.read(process.stdout.fileno(), 65_536)
                if not data:
                    break
                output.put(decoder.decode(data))
                yield "output"
        while process.poll() is None:
            yield ""
            _wait(process, _LOOK)
    finally:
        _end(process)
        output.put(decoder.decode(b"", final=True))
        output.finish()
    if process.returncode:
        last = next((line.strip() for line in reversed(output.lines) if line.strip()), "")
        raise Failed(_ended_badly(call.title, process.returncode, last))
    yield "output"


def _ended_badly(title: str, code: int, last: str) -> str:
    if code < 0:
        return tr("{title} was ended by signal {number}.", title=title, number=-code)
    if last:
        return tr("{title} ended with exit code {code}: {last}", title=title, code=code, last=last[:200])
    return tr("{title} ended with exit code {code}.", title=title, code=code)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends it and what it has started, when it has not ended by itself."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        if _wait(process, _PATIENCE):
            return
