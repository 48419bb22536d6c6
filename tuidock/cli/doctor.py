"""`system doctor`: what this machine lacks, a line for each thing."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.clean import clean
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.types import Finding


def doctor(context: Context, values: Values, _: list[str]) -> int:
    from tuidock.engine import examine

    found = []
    for finding in examine(context.root):
        if values.on("quiet") and finding.state == "ok":
            continue
        found.append(finding)
        if not values["format"]:
            output.line(f"{finding.state:<5} {clean(finding.area):<16} {clean(finding.message)}")
            output.flush()
    if values["format"]:
        from tuidock.cli import formats

        columns = {
            "State": _state,
            "Area": lambda row: row.area,
            "Message": lambda row: row.message,
            "Command": lambda row: row.command,
        }
        formats.write(values["format"], found, columns, {name: name.upper() for name in columns})
    return int(any(finding.state == "fail" for finding in found))


def _state(finding: Finding) -> str:
    return finding.state


DOCTOR = Command(
    "[OPTIONS]",
    "Say what this machine lacks for containers, and how to get it",
    doctor,
    (
        text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
        switch("quiet", "q", "Only what is not as it should be"),
    ),
    most=0,
)
