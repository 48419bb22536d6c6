"""Changes of an image config in Dockerfile words, for `import --change` and `commit --change`."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Config = dict[str, Any]

#: docker's list.
_KNOWN = (
    "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


def apply(config: Config, changes: Sequence[str]) -> Config:
    """The config with the changes made, in order. Raises InvalidArgument."""
    from tuidock.engine.dockerfile import instructions
    from tuidock.engine.dockerfile.expand import expand_instruction
    from tuidock.engine.dockerfile.parser import parse_line

    result = dict(config)
    own_command = False
    for change in changes:
        word = change.split(None, 1)[0].upper() if change.strip() else ""
        if word not in _KNOWN:
            raise InvalidArgument(f"{word[:40]!r} is not a valid change command; known are {', '.join(_KNOWN)}")
        instruction = parse_line(change, "--change")
        if word in ("CMD", "ENTRYPOINT") and not instruction.args and not instruction.json:
            raise instruction.error(f"{word} requires an argument")
        expanded = expand_instruction(instruction, instructions.variables_of(result))
        result = instructions.apply(result, expanded, own_command=own_command)
        own_command = own_command or word == "CMD"
    return result
