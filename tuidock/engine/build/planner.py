"""What a build will do: the stages that the target needs, in an order in which each finds what it builds on, with the
numbers that people see.

FROM lines are expanded here, with the arguments before the first one; everything else depends on what came before it and
is expanded when its turn comes.
"""

from __future__ import annotations

from tuidock.engine.dockerfile.arguments import global_arguments
from tuidock.engine.dockerfile.expand import expand_instruction, shown
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.image_types import BuildStep
from tuidock.engine.named import Named
from tuidock.engine.options.fields import split_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuidock.engine.dockerfile.ast import Dockerfile, Instruction, Stage

SCRATCH = "scratch"


class Step(Named):
    """An instruction of a stage with its number in the plan; triggers of a base image have that of their FROM."""

    number: int
    instruction: Instruction


class StagePlan(Named):
    """stage: its index. base: that of another one, or -1 for `reference`: an image, scratch, or a build context."""

    stage: int
    name: str
    start: Step
    base: int
    reference: str
    platform: str
    steps: tuple[Step, ...]
    needs: frozenset[int]


class Plan(Named):
    """stages by index, only those that are needed; target is the last one's index."""

    stages: Mapping[int, StagePlan]
    target: int
    arguments: Mapping[str, str]
    lines: tuple[BuildStep, ...]


def make_plan(
    dockerfile: Dockerfile,
    target: str,
    build_args: Mapping[str, str],
    predefined: Mapping[str, str],
    contexts: Mapping[str, str],
) -> Plan:
    """Raises DockerfileError, InvalidArgument for a target that is not there."""
    arguments = global_arguments(dockerfile, build_args, predefined)
    last = _target(dockerfile, target)
    drafts: dict[int, StagePlan] = {}
    left = [last]
    while left:
        index = left.pop()
        if index not in drafts:
            drafts[index] = _stage(dockerfile, dockerfile.stages[index], arguments, contexts)
            left += drafts[index].needs
    stages: dict[int, StagePlan] = {}
    lines: list[BuildStep] = []
    for index in sorted(drafts):
        stages[index] = _numbered(drafts[index], lines, shown(dockerfile.stages[index].start, arguments))
    return Plan(stages, last, arguments, tuple(lines))


def _target(dockerfile: Dockerfile, target: str) -> int:
    if not target:
        return len(dockerfile.stages) - 1
    stage = dockerfile.stage(target)
    if stage is None:
        known = ", ".join(stage.name for stage in dockerfile.stages if stage.name) or "none has a name"
        raise InvalidArgument(f"target stage {target!r:.100} could not be found in {dockerfile.name} (stages: {known})")
    return stage.index


def _stage(
    dockerfile: Dockerfile, stage: Stage, arguments: Mapping[str, str], contexts: Mapping[str, str]
) -> StagePlan:
    start = expand_instruction(stage.start, arguments)
    reference = start.args[0]
    if not reference:
        raise stage.start.error(f"base name ({stage.base}) should not be blank", at=stage.base)
    base = None if reference in contexts else dockerfile.stage(reference, stage.index, numbers=False)
    needs = {base.index} if base is not None else set()
    for instruction in stage.instructions:
        for name in origins(instruction):
            found = None if name in contexts else dockerfile.stage(name, stage.index)
            if found is not None:
                needs.add(found.index)
            elif dockerfile.stage(name) is stage:
                raise instruction.error(f"circular dependency: stage {name!r:.60} takes from itself", at=name)
    return StagePlan(
        stage.index, stage.name, Step(0, start), base.index if base is not None else -1, reference,
        start.flag("platform"), tuple(Step(0, instruction) for instruction in stage.instructions), frozenset(needs),
    )  # fmt: skip


def origins(instruction: Instruction) -> list[str]:
    """The stages, images or contexts that an instruction takes from."""
    found = [instruction.flag("from")] if instruction.word in ("COPY", "ADD") else []
    if instruction.word == "RUN":
        for written in instruction.values("mount"):
            fields = [field.partition("=") for field in split_fields(written)]
            found += [value for key, _, value in fields if key.lower() == "from"]
    return [name for name in found if name]


def _numbered(stage: StagePlan, lines: list[BuildStep], beginning: str) -> StagePlan:
    """beginning: the FROM line with the values of its variables."""
    name = stage.name or f"stage-{stage.stage}"

    def numbered(step: Step, text: str) -> Step:
        lines.append(BuildStep(len(lines) + 1, name, text, step.instruction.line, step.instruction.end_line))
        return step._replace(number=len(lines))

    start = numbered(stage.start, beginning)
    return stage._replace(start=start, steps=tuple([numbered(step, step.instruction.text) for step in stage.steps]))
