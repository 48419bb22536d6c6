"""`logs`: raw bytes to a pipe or file; on a terminal colours stay and every other control byte becomes visible."""

from __future__ import annotations

import os
import sys
import time

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine import units
from tuidock.engine.clean import clean
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.options.times import parse_moment
from tuidock.engine.types import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FLAGS = (
    switch("details", "", "Show what --log-opt labels and env chose before each line"),
    switch("follow", "f", "Wait for further lines"),
    text("since", "", "Show lines since a time (2026-11-24T08:00:00Z) or from a while ago on (42m)"),
    text("tail", "n", "Number of lines to show from the end", default="all"),
    switch("timestamps", "t", "Show when each line was written"),
    text("until", "", "Show lines before a time or until a while ago"),
)


def run(context: Context, values: Values, arguments: list[str]) -> int:
    tail = _tail(values["tail"])
    now = time.time_ns()
    since, until = parse_moment(values["since"], now), parse_moment(values["until"], now)
    container = context.engine.container(arguments[0])
    plain = not (values.on("follow") or values.on("details") or since or until)
    if plain and not output.is_terminal(1) and (container.tty or not output.is_terminal(2)):
        sys.stdout.flush()
        context.engine.copy_logs(container.id, 1, 2, tail=tail, timestamps=values.on("timestamps"))
        _lost(container.log_dropped)
        return 0
    batches = context.engine.logs(container.id, follow=values.on("follow"), tail=tail, since=since, until=until)
    _write(batches, values.on("timestamps"), _details(context, container.id) if values.on("details") else "")
    _lost(container.log_dropped)
    return 0


def _details(context: Context, container_id: str) -> str:
    """The labels and variables that --log-opt chose, and a blank, which stands alone when it chose none."""
    document = context.engine.inspect_container(container_id)
    config, options = document["Config"], document["HostConfig"]["LogConfig"]["Config"]
    chosen: dict[str, str] = {}
    for option, known in (
        ("labels", dict(config.get("Labels") or {})),
        ("env", {key: value for key, _, value in (item.partition("=") for item in config.get("Env") or ())}),
    ):
        names = str(options.get(option, "")).split(",")
        if pattern := options.get(f"{option}-regex"):
            names += [name for name in known if _matches(pattern, name)]
        chosen.update({name: known[name] for name in names if name in known})
    return ",".join(f"{name}={chosen[name]}" for name in sorted(chosen)) + " "


def _matches(pattern: str, name: str) -> bool:
    import re

    try:
        return re.search(pattern, name) is not None
    except re.error as error:
        raise InvalidArgument(f"the container's log option {pattern!r} is no regular expression: {error}") from None


def _lost(count: int) -> None:
    if count:
        output.note(f"... {units.human_size(count)} of its output were not written to the log: the disk was full ...")


def _tail(raw: str) -> int | None:
    if raw == "all" or (raw.startswith("-") and raw[1:].isdecimal()):
        return None
    if not (raw.isascii() and raw.isdecimal()):
        raise InvalidArgument(f"invalid tail '{raw}': it is a number of lines or 'all'")
    return int(raw)


def _write(batches: Iterable[list[LogLine]], timestamps: bool, details: str) -> None:
    sys.stdout.flush()
    render = {1: for_terminal if output.is_terminal(1) else _raw, 2: for_terminal if output.is_terminal(2) else _raw}
    for batch in batches:
        target = 0
        parts: list[bytes] = []
        for line in batch:
            if line.skipped:
                output.note(f"... {units.human_size(line.skipped)} of older lines were rotated away ...")
                continue
            stream = 2 if line.stream == "stderr" else 1
            if stream != target:
                _put(target, parts)
                target, parts = stream, []
            parts.append(_line(line, render[stream], timestamps, details))
        _put(target, parts)


def _line(line: LogLine, render: Callable[[bytes], bytes], timestamps: bool, details: str) -> bytes:
    head = (units.rfc3339(line.time) + " " if timestamps else "") + details
    return head.encode("utf-8", "surrogateescape") + render(line.text) + (b"\n" if line.complete else b"")


def _put(target: int, parts: list[bytes]) -> None:
    left = memoryview(b"".join(parts))
    while left:
        left = left[os.write(target, left) :]


def _raw(text: bytes) -> bytes:
    return text


def for_terminal(text: bytes) -> bytes:
    """Colours (SGR) stay and are switched off at the line's end; tabs stay; what else moves or asks becomes visible."""
    if text.isascii() and b"\x1b" not in text and text.isalnum():
        return text
    decoded = text.decode("utf-8", "replace").removesuffix("\r")
    parts: list[str] = []
    coloured = False
    at = 0
    while at < len(decoded):
        start = decoded.find("\x1b[", at)
        end = start + 2
        while start >= 0 and end < len(decoded) and decoded[end] in "0123456789;:":
            end += 1
        if start >= 0 and decoded[end : end + 1] == "m":
            parts += [_plain(decoded[at:start]), decoded[start : end + 1]]
            coloured, at = True, end + 1
            continue
        stop = len(decoded) if start < 0 else start + 2
        parts.append(_plain(decoded[at:stop]))
        at = stop
    return ("".join(parts) + ("\x1b[0m" if coloured else "")).encode("utf-8", "replace")


def _plain(text: str) -> str:
    return "\t".join([clean(part) for part in text.split("\t")])


LOGS = Command("[OPTIONS] CONTAINER", "Fetch the logs of a container", run, FLAGS, least=1, most=1)
