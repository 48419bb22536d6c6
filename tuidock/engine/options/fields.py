"""Comma-separated fields of --mount, --network, --publish and --gpus, with the quoting of Go's CSV reader.

A field that starts with a quote may hold commas, doubled quotes stand for one; a quote inside a bare field is an
error, not text. Python's csv module reads such lines differently and would be one more import.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument


def split_fields(line: str) -> list[str]:
    """The fields of one line; an empty line has none and is an error for every caller, so it raises."""
    if not line:
        raise InvalidArgument("value is empty")
    fields: list[str] = []
    at = 0
    while True:
        if line.startswith('"', at):
            field, at = _quoted(line, at + 1)
        else:
            end = line.find(",", at)
            field = line[at:] if end < 0 else line[at:end]
            if '"' in field:
                raise InvalidArgument(f'bare " in the field {field!r}; quote the whole field')
            at = len(line) if end < 0 else end
        fields.append(field)
        if at >= len(line):
            return fields
        at += 1  # the comma
        if at >= len(line):
            fields.append("")
            return fields


def _quoted(line: str, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        end = line.find('"', at)
        if end < 0:
            raise InvalidArgument(f"a quoted field has no closing quote: {line}")
        parts.append(line[at:end])
        if line.startswith('"', end + 1):
            parts.append('"')
            at = end + 2
            continue
        if end + 1 < len(line) and line[end + 1] != ",":
            raise InvalidArgument(f"text follows a closing quote: {line}")
        return "".join(parts), end + 1
