"""`cp`: files between a container and this machine, or a tar on the standard streams."""

from __future__ import annotations

import os
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine import units
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.types import Progress

_CLEAR_LINE = "\r\x1b[2K"


def split(argument: str) -> tuple[str, str]:
    """(container, path); a path of this machine is absolute, begins with a dot, or has no colon."""
    container, colon, path = argument.partition(":")
    if argument.startswith("/") or not colon or container.startswith("."):
        return "", argument
    return container, path


def run(context: Context, values: Values, arguments: list[str]) -> int:
    source, target = arguments
    if not source:
        raise InvalidArgument("source can not be empty")
    if not target:
        raise InvalidArgument("destination can not be empty")
    (from_container, source_path), (to_container, target_path) = split(source), split(target)
    if from_container and to_container:
        raise InvalidArgument("copying between containers is not supported")
    if not from_container and not to_container:
        raise InvalidArgument("must specify at least one container source")
    quiet = values.on("quiet") if values.given("quiet") else not output.is_terminal(1)
    options = {"follow": values.on("follow-link"), "archive": values.on("archive")}
    if from_container:
        if target_path == "-":
            return _to_stdout(context, from_container, source_path, options)
        steps = context.engine.copy_out(from_container, source_path, target_path, **options)
        _show(steps, "Copying from container - ", os.path.abspath(target_path), quiet=quiet)
        return 0
    if source_path == "-":
        sys.stdout.flush()
        with os.fdopen(os.dup(0), "rb") as stream:
            steps = context.engine.copy_in(to_container, stream, target_path, **options)
            _show(steps, "", "", quiet=True)
        return 0
    steps = context.engine.copy_in(to_container, source_path, target_path, **options)
    _show(steps, "Copying to container - ", f"{to_container}:{target_path}", quiet=quiet)
    return 0


def _to_stdout(context: Context, container: str, path: str, options: dict[str, bool]) -> int:
    if output.is_terminal(1):
        raise InvalidArgument("cowardly refusing to write an archive to a terminal; redirect it")
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as stream:
        for _ in context.engine.copy_out(container, path, stream, **options):
            pass
    return 0


def _show(steps: Iterator[Progress], title: str, target: str, *, quiet: bool) -> None:
    """docker's line on stderr, and its last sentence."""
    done, live = 0, not quiet and output.is_terminal(2)
    try:
        for step in steps:
            done = step.done
            if live:
                sys.stderr.write(f"{_CLEAR_LINE}{title}{units.human_size(done)}")
                sys.stderr.flush()
    finally:
        if live:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
    if not quiet:
        output.note(f"Successfully copied {units.human_size(done)} to {target}")


CP = Command(
    "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n       tuidock cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    "Copy files/folders between a container and the local filesystem",
    run,
    (
        switch("archive", "a", "Archive mode (keep the owners, or give the files to the container's user)"),
        switch("follow-link", "L", "Always follow a link at the end of SRC_PATH"),
        switch("quiet", "q", "No progress; it is not shown either when no terminal is attached"),
    ),
    least=2,
    most=2,
)
