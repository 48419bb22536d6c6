"""The 962 recorded Dockerfiles: BuildKit's parse of each, or that it refuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.options.recorded import CASES
from tuidock.engine.dockerfile import parser, syntax
from tuidock.engine.dockerfile.ast import Dockerfile, Instruction
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.lines import Reader

FOLDER = CASES / "dockerfiles"
GROUPS = (
    "buildah-bud", "buildah-conformance", "buildkit-frontend", "buildkit-inline", "buildkit-parser", "imagebuilder",
    "kaniko", "podman-build",
)  # fmt: skip

#: Accepted by the recorded parser, refused here, with the reason.
REFUSED = {
    "buildkit-frontend/dockerfile_mount-173": "--mount=typ=tmpfs: docker finds the unknown key when it comes to the step",
}


def parameters(group: str) -> list[Any]:
    found = sorted((FOLDER / group).glob("*.expected.json"))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"the recorded Dockerfiles of {group} are not here"))]
    names = [path.name.removesuffix(".expected.json") for path in found]
    return [pytest.param(FOLDER / group / name, id=f"{group}/{name}") for name in names]


def recorded(case: Path) -> tuple[bytes, dict[str, Any]]:
    expected: dict[str, Any] = json.loads(case.with_name(case.name + ".expected.json").read_bytes())
    return case.with_name(case.name + ".Dockerfile").read_bytes(), expected


def every_case(test: Any) -> Any:
    return pytest.mark.parametrize("case", [each for group in GROUPS for each in parameters(group)])(test)


def node_of(instruction: Instruction) -> dict[str, Any]:
    """An instruction in the recorded parser's way of telling it."""
    args = list(instruction.args)
    if instruction.word in ("ENV", "LABEL"):
        args = [part for key, value in instruction.pairs for part in (key, value, "" if instruction.legacy else "=")]
    if instruction.word not in syntax.INSTRUCTIONS or instruction.trigger:
        args = [""]
    return {
        "instruction": instruction.spelled,
        "args": args,
        "flags": list(instruction.written_flags),
        "json": instruction.json,
        "heredocs": [
            {"name": each.name, "content": each.content, "expand": each.expand, "chomp": each.chomp,
             "fd": each.descriptor}
            for each in instruction.heredocs
        ],
        "start": instruction.line,
        "end": instruction.end_line,
    }  # fmt: skip


def lists(node: dict[str, Any]) -> dict[str, Any]:
    """A recorded node; its trigger is compared apart."""
    return {**{key: value for key, value in node.items() if key != "sub"}, "flags": node["flags"] or []}


@every_case
def test_every_line_is_read_as_buildkit_reads_it(case: Path) -> None:
    raw, expected = recorded(case)
    if "parse_error" in expected:
        with pytest.raises(DockerfileError):
            parser.parse(raw)
        return
    reader = Reader(raw.decode("utf-8", "replace"), "Dockerfile")
    instructions = list(syntax.read(reader))
    nodes = expected["nodes"]
    assert [node_of(instruction) for instruction in instructions] == [lists(node) for node in nodes]
    for instruction, node in zip(instructions, nodes, strict=True):
        assert (instruction.trigger is None) == (not node["sub"])
        if instruction.trigger:
            trigger = node_of(instruction.trigger)
            for key in ("instruction", "args", "flags", "json"):
                if key != "args" or instruction.trigger.word != "ONBUILD":  # only BuildKit goes on into ONBUILD ONBUILD
                    assert trigger[key] == (node["sub"][0][key] or [] if key == "flags" else node["sub"][0][key])
    assert reader.source.escape == expected["escape"]
    assert [warning.message for warning in reader.warnings] == expected["warnings"]


def stages_of(dockerfile: Dockerfile) -> list[dict[str, Any]]:
    return [
        {
            "base": stage.base,
            "name": stage.name,
            "platform": stage.platform,
            "commands": [(each.spelled, each.text) for each in stage.instructions],
        }
        for stage in dockerfile.stages
    ]


@every_case
def test_stages_and_refusals_are_buildkits(case: Path) -> None:
    raw, expected = recorded(case)
    if "stages" not in expected or f"{case.parent.name}/{case.name}" in REFUSED:
        with pytest.raises(DockerfileError) as caught:
            parser.parse(raw, "Dockerfile")
        told = str(caught.value)
        assert told.startswith("Dockerfile:") and caught.value.exit_code == 1
        if caught.value.line:
            assert told.splitlines()[-1].endswith("^") and caught.value.column > 0
        return
    dockerfile = parser.parse(raw, "Dockerfile")
    assert stages_of(dockerfile) == [
        {**stage, "commands": [(each["name"], each["text"]) for each in stage["commands"]]}
        for stage in expected["stages"]
    ]
    arguments = [word.partition("=") for instruction in dockerfile.arguments for word in instruction.args]
    assert [{"key": key, "value": value if equals else None} for key, equals, value in arguments] == expected[
        "meta_args"
    ]


@every_case
def test_an_error_is_told_at_the_line_where_buildkit_tells_it(case: Path) -> None:
    _, expected = recorded(case)
    told = expected.get("instructions_error", "")
    if not told.startswith("dockerfile parse error on line"):
        return
    with pytest.raises(DockerfileError) as caught:
        parser.parse(recorded(case)[0])
    start = int(told.removeprefix("dockerfile parse error on line ").partition(":")[0])
    assert caught.value.line >= start
    if "did you mean" in told:
        near = told.partition("did you mean ")[2].partition("?")[0]
        assert f"did you mean {near}?" in str(caught.value)
