"""Recorded answers of docker's own parsers, which lie beside the repository and not in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def load_cases(name: str) -> list[dict[str, Any]]:
    path = CASES / name
    if not path.exists():
        return []
    cases: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return cases


def case_parameters(name: str, **filters: Any) -> list[Any]:
    """The cases of a file as parameters; one skipped parameter when the file is absent."""
    cases = [case for case in load_cases(name) if all(case.get(key) == value for key, value in filters.items())]
    if not cases:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"the recorded cases {name} are not here"))]
    return [pytest.param(case, id=f"{index}-{str(case['input'])[:40]}") for index, case in enumerate(cases)]
