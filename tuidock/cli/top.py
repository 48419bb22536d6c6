"""`top`: the processes of a container, seen from the host."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values


def run(context: Context, _: Values, arguments: list[str]) -> int:
    table = context.engine.top(arguments[0], arguments[1:], told=True)
    output.table([table.titles, *table.rows], least=20)
    return 0


TOP = Command(
    "CONTAINER [ps OPTIONS]",
    "Display the running processes of a container",
    run,
    least=1,
    options_first=True,
)
