"""The config that a Dockerfile makes, without running anything: what the build does with this room's parts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tuidock.engine.dockerfile import arguments, instructions
from tuidock.engine.dockerfile.ast import Dockerfile
from tuidock.engine.dockerfile.expand import expand_instruction
from tuidock.engine.dockerfile.parser import parse_trigger

PLATFORM = "linux/amd64"


def configs(
    dockerfile: Dockerfile, bases: Mapping[str, dict[str, Any]], build_args: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The config of every stage. A base that is no stage and not in `bases` raises KeyError."""
    given = build_args or {}
    scope = arguments.global_arguments(dockerfile, given, arguments.platform_arguments(PLATFORM, PLATFORM))
    made: list[dict[str, Any]] = []
    for stage in dockerfile.stages:
        base = expand_instruction(stage.start, scope).args[0]
        before = dockerfile.stage(base, stage.index, numbers=False)
        config = copy.deepcopy(
            made[before.index] if before else instructions.SCRATCH if base == "scratch" else bases[base]
        )
        triggers = [parse_trigger(text) for text in config.pop("OnBuild", None) or ()]
        variables = arguments.Scope(instructions.variables_of(config))
        own_command = False
        for instruction in (*triggers, *stage.instructions):
            if instruction.word == "ARG":
                variables.declare(arguments.declare(instruction, variables.variables(), given, scope))
                continue
            expanded = expand_instruction(instruction, variables.variables())
            if instruction.word == "ENV":
                variables.set(expanded)
            config = instructions.apply(config, expanded, own_command=own_command)
            own_command = own_command or instruction.word == "CMD"
        made.append(config)
    return made
