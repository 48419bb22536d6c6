"""ARG: values that a build is given.

The ARGs before the first FROM are a scope of their own, for FROM lines only; a stage gets at them by declaring the name
again. Platforms are in that scope too, proxies are known everywhere without a declaration and leave no trace in the
image. What ENV sets beats what ARG says.
"""

from __future__ import annotations

from tuidock.engine.dockerfile.expand import expand_instruction, expand_word
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuidock.engine.dockerfile.ast import Dockerfile, Instruction

#: Known in every RUN when the build is given them; neither in the history nor part of what a step depends on.
PROXIES = (
    "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy",
    "ALL_PROXY", "all_proxy",
)  # fmt: skip


class Argument(Named):
    """A declared name; value None: nobody gave one."""

    name: str
    value: str | None


def platform_arguments(target: str, build: str, stage: str = "") -> dict[str, str]:
    """TARGETPLATFORM, TARGETOS, ..., BUILDVARIANT for two platforms such as linux/arm/v7; stage is TARGETSTAGE."""
    found: dict[str, str] = {}
    for prefix, platform in (("BUILD", build), ("TARGET", target)):
        system, _, rest = platform.partition("/")
        machine, _, variant = rest.partition("/")
        found |= {
            f"{prefix}PLATFORM": platform,
            f"{prefix}OS": system,
            f"{prefix}ARCH": machine,
            f"{prefix}VARIANT": variant,
        }
    return {**found, "TARGETSTAGE": stage or "default"}


def global_arguments(
    dockerfile: Dockerfile, build_args: Mapping[str, str], predefined: Mapping[str, str]
) -> dict[str, str]:
    """The scope of FROM lines: `predefined` (platforms), and the ARGs before the first FROM. Raises DockerfileError."""
    scope = {name: build_args.get(name, value) for name, value in predefined.items()}
    for instruction in dockerfile.arguments:
        for name, value in _declared(instruction, scope, build_args, {}):
            if value is not None:
                scope[name] = value
    return scope


def declare(
    instruction: Instruction,
    env: Mapping[str, str],
    build_args: Mapping[str, str],
    global_args: Mapping[str, str],
) -> tuple[Argument, ...]:
    """What an ARG of a stage declares: --build-arg, else its default (with the variables of `env` and of the names
    before it), else the value of the global scope. Raises DockerfileError."""
    return tuple(_declared(instruction, env, build_args, global_args))


def _declared(
    instruction: Instruction,
    env: Mapping[str, str],
    build_args: Mapping[str, str],
    global_args: Mapping[str, str],
) -> list[Argument]:
    seen = dict(env)
    found: list[Argument] = []
    for word in expand_instruction(instruction, env).args:
        name, equals, default = word.partition("=")
        value = build_args.get(name)
        if value is None:
            value = expand_word(instruction, default, seen) if equals else global_args.get(name)
        if value is not None:
            seen[name] = value
        found.append(Argument(name, value))
    return found


def unused(dockerfile: Dockerfile, build_args: Mapping[str, str]) -> tuple[str, ...]:
    """The build arguments that no ARG of the file names, to warn about."""
    declared = set(PROXIES) | set(platform_arguments("", ""))
    for instruction in (*dockerfile.arguments, *[each for stage in dockerfile.stages for each in stage.instructions]):
        if instruction.word == "ARG":
            declared.update(word.partition("=")[0] for word in instruction.args)
        if instruction.trigger and instruction.trigger.word == "ARG":
            declared.update(word.partition("=")[0] for word in instruction.trigger.args)
    return tuple(sorted(set(build_args) - declared))


class Scope:
    """The variables of a stage as its instructions are done in turn."""

    __slots__ = ("arguments", "environment")

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.arguments: dict[str, str | None] = {}

    def variables(self) -> dict[str, str]:
        """What words are expanded with, and what RUN sees: ENV beats ARG."""
        given = {name: value for name, value in self.arguments.items() if value is not None}
        return given | self.environment

    def declare(self, arguments: tuple[Argument, ...]) -> None:
        """What an ARG declared."""
        for name, value in arguments:
            self.arguments[name] = value

    def set(self, instruction: Instruction) -> None:
        """What an expanded ENV sets."""
        self.environment.update(instruction.pairs)
