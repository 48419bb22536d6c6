"""What the verbs print: lines, tables and errors, cleaned when a person looks at them.

A pipe gets the raw strings, so that scripts see names and labels as they are; a terminal never gets a control
character that came from an image, a label or a log.
"""

from __future__ import annotations

import os
import sys

from tuidock.engine.clean import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def prepare() -> None:
    """UTF-8 with surrogates on both streams, whatever the locale says: names that came in go out unchanged."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="surrogateescape")


def is_terminal(descriptor: int = 1) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def shown(text: str) -> str:
    """The text, cleaned line by line when stdout is a terminal."""
    if not is_terminal():
        return text
    return "\n".join([clean(line) for line in text.split("\n")])


def line(text: str) -> None:
    sys.stdout.write(shown(text) + "\n")


def flush() -> None:
    sys.stdout.flush()


#: --debug: errors show where they came from.
debug = False


def error(message: str) -> None:
    """One sentence on stderr; always cleaned, since it may quote what came from outside."""
    sys.stdout.flush()
    if debug and sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
    sys.stderr.write(f"tuidock: {clean(message)}\n")
    sys.stderr.flush()


def note(message: str) -> None:
    """A remark on stderr that is no error."""
    sys.stdout.flush()
    sys.stderr.write("\n".join([clean(part) for part in message.split("\n")]) + "\n")
    sys.stderr.flush()


def columns(rows: Sequence[Sequence[str]], least: int = 10) -> list[str]:
    """Rows as lines of aligned columns, as docker's tables are: three blanks between, ten characters at least."""
    if not rows:
        return []
    widths = [
        max(least, 3 + max((len(row[index]) for row in rows if index < len(row) - 1), default=0))
        for index in range(max(len(row) for row in rows))
    ]
    lines: list[str] = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("".join([*cells, row[-1] if row else ""]))
    return lines


def table_lines(rows: Sequence[Sequence[str]], least: int = 10) -> list[str]:
    """The lines of a table; cells are cleaned before they are measured."""
    if is_terminal():
        rows = [[clean(cell) for cell in row] for row in rows]
    return columns(rows, least)


def table(rows: Sequence[Sequence[str]], least: int = 10) -> None:
    sys.stdout.write("".join([text + "\n" for text in table_lines(rows, least)]))


def ellipsis(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def confirm(question: str) -> bool:
    """A yes or no on the terminal; no when nobody can answer."""
    sys.stdout.write(question + " [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
