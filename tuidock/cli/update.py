"""`update`: other limits and another restart policy for containers that exist."""

from __future__ import annotations

from tuidock.cli.command import Command, Context, each
from tuidock.engine.options.flags import Values
from tuidock.engine.options.update import UPDATE_FLAGS, read_update


def run(context: Context, values: Values, arguments: list[str]) -> int:
    resources, policy = read_update(values)
    return each(arguments, lambda reference: context.engine.update(reference, resources, policy))


UPDATE = Command(
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Update configuration of one or more containers",
    run,
    UPDATE_FLAGS,
    least=1,
)
