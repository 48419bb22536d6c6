"""The table and the JSON of a run."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

from bench.context import Line
from bench.measure import Cell, Figure, Missing

_COLUMNS = ("work", "tuidock", "docker", "podman", "beside", "ratio", "target", "")
_LONGEST = 40  # of a reason in a cell; the whole text stands below the table


def table(lines: Sequence[Line]) -> str:
    notes = [f"{line.work}: {line.note}" for line in lines if line.note]
    rows = [list(_COLUMNS), *(_row(line, notes) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, *(["", *notes] if notes else [])])


def _row(line: Line, notes: list[str]) -> list[str]:
    cells = [_cell(line.work, name, line.cells.get(name), notes) for name in ("tuidock", "docker", "podman")]
    verdict = line.verdict
    judged = ["", "", ""] if verdict is None else [verdict.measured, verdict.target, _word(verdict.ok)]
    return [line.work, *cells, line.beside, *judged]


def _word(ok: bool | None) -> str:
    return {True: "ok", False: "MISSED", None: "-"}[ok]


def _cell(work: str, name: str, cell: Cell | None, notes: list[str]) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Missing) and len(cell.reason) > _LONGEST:
        notes.append(f"{work}, {name}: {cell.reason}")
        return "failed, see below"
    return cell.text()


def missed(lines: Sequence[Line]) -> list[str]:
    return [line.work for line in lines if line.verdict is not None and line.verdict.ok is False]


def as_json(lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "machine": {"kernel": platform.release(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "rows": [
            {
                "work": line.work,
                "cells": {name: _as_json(cell) for name, cell in line.cells.items()},
                "beside": line.beside,
                "note": line.note,
                "verdict": None if line.verdict is None else line.verdict._asdict(),
            }
            for line in lines
        ],
    }


def _as_json(cell: Cell) -> dict[str, Any]:
    if isinstance(cell, Figure):
        return {"unit": cell.unit, "median": cell.median, "best": cell.best, "samples": list(cell.samples)}
    return {"missing": cell.reason}
