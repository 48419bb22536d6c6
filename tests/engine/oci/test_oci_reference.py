"""References mean what the reference implementation says that they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.oci import Invalid, reference

CASES = Path(__file__).resolve().parents[4] / "shared/cases/image_reference_upstream.json"


def cases() -> list[Any]:
    if not CASES.exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason="the recorded cases are not beside this checkout"))]
    return [pytest.param(case, id=f"{number}") for number, case in enumerate(json.loads(CASES.read_text())["cases"])]


def answer(text: str, *, tagged: bool) -> dict[str, str]:
    try:
        parsed = reference.parse_tagged(text) if tagged else reference.parse(text)
    except Invalid:
        return {"error": ""}
    result = {
        "name": parsed.name, "domain": parsed.domain, "path": parsed.path, "familiar": parsed.familiar,
        "familiar_name": parsed.familiar_name, "string": str(parsed),
    }  # fmt: skip
    return result | {key: value for key in ("tag", "digest") if (value := getattr(parsed, key))}


@pytest.mark.parametrize("case", cases())
def test_a_reference_is_read_as_the_reference_implementation_reads_it(case: dict[str, Any]) -> None:
    for key, tagged in (("normalized", False), ("with_default_tag", True)):
        if key in case:
            expected = {"error": ""} if "error" in case[key] else case[key]
            assert answer(case["input"], tagged=tagged) == expected


def test_an_image_id_is_no_reference() -> None:
    with pytest.raises(Invalid, match="64-byte hexadecimal"):
        reference.parse("a" * 64)


def test_a_newline_does_not_end_a_reference() -> None:
    with pytest.raises(Invalid):
        reference.parse("busybox:latest\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:" + "x" * 129, "the tag is longer than 128"),
        ("host:5000/a:" + "x" * 200, "the tag is longer than 128"),
        ("a/" * 130 + "b", "longer than 255"),
        ("a:b:c", "invalid reference format: 'a:b:c'"),
    ],
)
def test_what_is_wrong_with_a_reference(text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        reference.parse(text)
