"""Health checks: what docker's Healthcheck object means, and the file in which the shim keeps what it found.

The file `health` lies beside the launch record: `status`, `streak`, the run that it is about, and one line for each of the
last probes. It stays when the container ends, as docker keeps the last results.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.files import read_text
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

#: docker's defaults: nanoseconds, and failures in a row.
INTERVAL: Final = 30_000_000_000
TIMEOUT: Final = 30_000_000_000
START_INTERVAL: Final = 5_000_000_000
RETRIES: Final = 3
#: Less than this is no time between two probes (ns).
MINIMUM: Final = 1_000_000
_TIMES = ("Interval", "Timeout", "StartPeriod", "StartInterval")


class Check(Named):
    """A health check: the command as it is executed, times in ns."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


class Probe(Named):
    """One result. start and end in ns since the epoch; code -1: it could not be run, or took too long."""

    start: int
    end: int
    code: int
    output: str


class Health(Named):
    """What the shim found. status: starting, healthy or unhealthy; started: of the run (ns since the epoch)."""

    status: str
    streak: int
    started: int
    probes: tuple[Probe, ...] = ()


def merge(image: Mapping[str, Any] | None, asked: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """docker's rule: the user's values, and the image's for those that were not given."""
    if not image or not asked:
        return dict(asked or image or {}) or None
    return {**image, **{key: value for key, value in asked.items() if value}}


def validate(check: Mapping[str, Any] | None) -> None:
    """Raises InvalidArgument in docker's words; an image may say anything."""
    for key in _TIMES:
        value = (check or {}).get(key) or 0
        if not isinstance(value, int) or (value and value < MINIMUM):
            raise InvalidArgument(f"{key} in Healthcheck cannot be less than 1ms")
    retries = (check or {}).get("Retries") or 0
    if not isinstance(retries, int) or retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")


def check_of(config: Mapping[str, Any]) -> Check | None:
    """The check of a container's Config; None when there is none, or NONE."""
    check = config.get("Healthcheck") or {}
    test = [str(word) for word in check.get("Test") or ()]
    kind, words = (test[0], test[1:]) if test else ("", [])
    if kind == "CMD-SHELL" and words:
        words = [*(config.get("Shell") or ("/bin/sh", "-c")), *words]
    if kind not in ("CMD", "CMD-SHELL") or not words:
        return None
    return Check(
        tuple(words), int(check.get("Interval") or INTERVAL), int(check.get("Timeout") or TIMEOUT),
        int(check.get("StartPeriod") or 0), int(check.get("StartInterval") or START_INTERVAL),
        int(check.get("Retries") or RETRIES),
    )  # fmt: skip


def read(directory: str) -> Health | None:
    """What the shim wrote in a container's directory, None when it never checked."""
    text = read_text(directory + "/health")
    if text is None:
        return None
    pairs: dict[str, str] = {}
    probes: list[Probe] = []
    for line in text.split("\n"):
        key, _, value = line.partition(" ")
        if key == "log":
            start, end, rest = value.split(" ", 2)
            code, _, output = rest.partition(" ")
            probes.append(Probe(int(start), int(end), int(code), _unescape(output)))
        else:
            pairs[key] = value
    return Health(pairs.get("status", ""), int(pairs.get("streak", "0")), int(pairs.get("started", "0")), tuple(probes))


def status(directory: str, *, running: bool) -> str:
    """starting, healthy or unhealthy; "" without a check. One that does not run is unhealthy, as docker has it."""
    text = read_text(directory + "/health")
    if text is None:
        return ""
    if not running:
        return "unhealthy"
    return text[text.find("status ") + 7 :].partition("\n")[0]


def _unescape(text: str) -> str:
    r"""The output again: \\, \n and \0 stand for a backslash, a newline and a NUL."""
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\0", "\0") for part in parts)
