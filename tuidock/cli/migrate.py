"""`migrate docker|podman`: says what it would take over, asks, and takes it."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuidock.engine.types import MigrationItem

_KINDS = ("image", "network", "volume", "container")


def migrate(context: Context, values: Values, arguments: list[str]) -> int:
    kinds = [kind.rstrip("s") for given in values.items("only") for kind in given.split(",")] or list(_KINDS)
    for kind in kinds:
        if kind not in _KINDS:
            raise InvalidArgument(f"--only {kind}: there are images, networks, volumes and containers")
    engine = context.engine
    with engine.migration_source(arguments[0], arguments[1] if len(arguments) > 1 else values["host"]) as source:
        inventory, items = engine.migration_plan(source)
        items = [item for item in items if item.kind in kinds]
        _show(items)
        wanted = [item for item in items if item.action == "take"]
        if not wanted:
            output.line("Nothing is left to take over.")
            return 0
        size = sum(item.size for item in wanted)
        output.line(f"\n{_count(wanted)} would be taken over, {human_size(size)}. {arguments[0]} is only read.")
        if values.on("dry-run"):
            return 0
        if not values.on("force") and not output.confirm("Do you want to continue?"):
            return 0
        failed = 0
        for step in engine.migrate(source, inventory, wanted):
            if step.action == "failed":
                output.error(f"{step.subject}: {step.message}")
                failed = 1
            elif step.action == "taken":
                output.line(step.subject + (f" ({step.message})" if step.message else ""))
                output.flush()
        return failed


def _show(items: Sequence[MigrationItem]) -> None:
    rows = [["KIND", "NAME", "ACTION", "SIZE", "NOTES"]]
    for item in items:
        size = human_size(item.size) if item.size else ""
        rows.append([item.kind, output.ellipsis(item.name, 48), item.action, size, "; ".join(item.notes)])
    output.table(rows)


def _count(items: Sequence[MigrationItem]) -> str:
    counts = [(kind, sum(item.kind == kind for item in items)) for kind in _KINDS]
    return ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts if count)


MIGRATE = Command(
    "[OPTIONS] docker|podman [SOCKET]",
    "Take over images, networks, volumes and container definitions of a docker or podman on this machine",
    migrate,
    (
        switch("dry-run", "", "Only say what would be done"),
        switch("force", "f", "Do not ask"),
        text("host", "H", "Socket of the other engine (unix:///path), as DOCKER_HOST and CONTAINER_HOST"),
        listed("only", "", "Only these: images, networks, volumes, containers"),
    ),
    least=1,
    most=2,
)
