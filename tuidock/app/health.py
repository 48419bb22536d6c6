"""What the health check of a container says: its state, and the last probes with what they printed. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tuidock.app.format import age
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean

COLUMNS = (
    Column("when", "PROBE", 12, sortable=False),
    Column("took", "TOOK", 7, "right", sortable=False),
    Column("exit", "EXIT", 7, sortable=False),
    Column("output", "OUTPUT", 24, grow=1, sortable=False),
)
NONE = mark("It has no health check: `--health-cmd`, or HEALTHCHECK in its image, gives it one.")
_SIGNS = {"healthy": ("●", "*", "good"), "starting": ("◐", "o", "busy"), "unhealthy": ("✖", "!", "bad")}
#: Nanoseconds; what docker and this engine take where nothing is set.
_INTERVAL = _TIMEOUT = 30_000_000_000
_RETRIES = 3
#: The exit code that stands for a probe that had no time left.
_NO_TIME = -1
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def rows_of(value: Mapping[str, Any], now: int, ascii: bool = False) -> list[Row]:
    """From what `inspect` says: the state, the check, the last probes, the newest first."""
    config = value.get("Config") or {}
    check, state = config.get("Healthcheck") or {}, (value.get("State") or {}).get("Health") or {}
    command = _command(check.get("Test"))
    if not command:
        return []
    status = str(state.get("Status") or "none")
    glyph, plain, style = _SIGNS.get(status, ("○", "-", "muted"))
    streak = int(state.get("FailingStreak") or 0)
    words = f"{streak} failed one after the other" if streak else "" if state.get("Log") else "no probe yet"
    sign = Cell(f"{plain if ascii else glyph} {status}", style)
    rows = [
        Row("state", (sign, "", "", Cell(words, style if streak else "muted"))),
        Row("check", (Cell(tr('check'), "muted"), "", "", command)),
        Row("times", (Cell("", "muted"), "", "", Cell(_times(check), "muted"))),
    ]  # fmt: skip
    for at, probe in enumerate(reversed(state.get("Log") or ())):
        rows += _probe_rows(at, probe, now, ascii)
    return rows


def output_of(value: Mapping[str, Any], key: str) -> str:
    """What the probe of this line printed, to be copied; of the other lines the command."""
    kind, _, rest = key.partition(" ")
    log = ((value.get("State") or {}).get("Health") or {}).get("Log") or ()
    if kind == "probe":
        return "\n".join(_lines(list(reversed(log))[int(rest.split(" ")[0])]))
    return clean(_command(((value.get("Config") or {}).get("Healthcheck") or {}).get("Test")))


def _probe_rows(at: int, probe: Mapping[str, Any], now: int, ascii: bool) -> list[Row]:
    start, end = _moment(probe.get("Start")), _moment(probe.get("End"))
    code = int(probe.get("ExitCode") or 0)
    good = code == 0
    glyph, plain, style = ("✓", "+", "good") if good else ("✖", "!", "bad")
    when = f"{age(max(0, now - start))} ago" if start else ""
    took = f"{(end - start) / 1e9:.2f} s" if start and end >= start else ""
    lines = _lines(probe)
    ended = "timeout" if code == _NO_TIME else f"exit {code}"
    first = (
        Cell(f"{plain if ascii else glyph} {when}", style), Cell(took, "muted"),
        Cell(ended, "muted" if good else style), lines[0],
    )  # fmt: skip
    rows = [Row(f"probe {at}", first)]
    rows += [Row(f"probe {at} {number}", ("", "", "", line)) for number, line in enumerate(lines[1:], 1)]
    return rows


def _lines(probe: Mapping[str, Any]) -> list[str]:
    """What it printed, without colours."""
    return [clean(_COLOURS.sub("", line)) for line in str(probe.get("Output") or "").rstrip("\n").split("\n")]


def _command(test: Any) -> str:
    """docker's Test as a person would type it; "" for none."""
    words = [str(word) for word in test or ()]
    if not words or words[0] == "NONE":
        return ""
    return clean(" ".join(words[1:]) if words[0] == "CMD-SHELL" else shlex.join(words[1:]))


def _times(check: Mapping[str, Any]) -> str:
    interval, timeout = int(check.get("Interval") or _INTERVAL), int(check.get("Timeout") or _TIMEOUT)
    retries, start = int(check.get("Retries") or _RETRIES), int(check.get("StartPeriod") or 0)
    words = [f"every {_seconds(interval)}", f"{_seconds(timeout)} to answer", f"unhealthy after {retries}"]
    return ", ".join(words + ([f"{_seconds(start)} to begin"] if start else []))


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:g} s"


def _moment(text: Any) -> int:
    """Nanoseconds of docker's time; 0 when there is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1_000_000) * 1000 if found.year > 1970 else 0
