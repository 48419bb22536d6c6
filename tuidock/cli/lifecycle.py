"""Moves of containers that have no output of their own: stop, restart, kill, pause, unpause, wait, rename, rm."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context, each, each_parallel
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound
from tuidock.engine.options.flags import Values, number, switch, text

_SIGNAL = text("signal", "s", "Signal to send to the container")
_STOP_FLAGS = (
    _SIGNAL,
    number("timeout", "t", "Seconds to wait before it is killed, -1 for ever", default=None)._replace(
        aliases=("time",)
    ),
)


def stop(context: Context, values: Values, arguments: list[str]) -> int:
    engine = context.engine
    return each_parallel(
        arguments, lambda reference: engine.stop(reference, timeout=values["timeout"], signal=values["signal"])
    )


def restart(context: Context, values: Values, arguments: list[str]) -> int:
    engine = context.publisher
    return each_parallel(
        arguments, lambda reference: engine.restart(reference, timeout=values["timeout"], signal=values["signal"])
    )


def kill(context: Context, values: Values, arguments: list[str]) -> int:
    return each(arguments, lambda reference: context.engine.kill(reference, values["signal"] or "KILL"))


def pause(context: Context, _: Values, arguments: list[str]) -> int:
    return each(arguments, context.engine.pause)


def unpause(context: Context, _: Values, arguments: list[str]) -> int:
    return each(arguments, context.engine.unpause)


def wait(context: Context, _: Values, arguments: list[str]) -> int:
    return each(arguments, lambda reference: _wait_one(context, reference), echo=False)


def _wait_one(context: Context, reference: str) -> None:
    output.line(str(context.engine.wait(reference)))
    output.flush()


def rename(context: Context, _: Values, arguments: list[str]) -> int:
    old, new = arguments
    if not old or not new:
        raise InvalidArgument("Error: Neither old nor new names may be empty")
    context.engine.rename(old, new)
    return 0


def remove(context: Context, values: Values, arguments: list[str]) -> int:
    if values.on("link"):
        return each(arguments, context.engine.unlink)
    force = values.on("force")
    failed = 0
    done = context.engine.remove_many(arguments, force=force, volumes=values.on("volumes"), now=values.on("now"))
    for reference, error in done:
        if error is None:
            output.line(reference)
        elif not (force and isinstance(error, NotFound)):
            output.error(str(error))
            failed = 1
        else:
            output.error(str(error))
    return failed


def remove_quietly(context: Context, container_id: str) -> None:
    """Removes what another client or the shim may remove at the same time."""
    try:
        context.engine.remove(container_id, force=True, volumes=True)
    except NotFound:
        pass


def reap(context: Context, _: Values, arguments: list[str]) -> int:
    """What a shim calls for --rm when nobody is attached any more."""
    try:
        remove_quietly(context, arguments[0])
    except EngineError as error:
        output.error(str(error))
        return 1
    return 0


_MANY = "CONTAINER [CONTAINER...]"
STOP = Command(f"[OPTIONS] {_MANY}", "Stop one or more running containers", stop, _STOP_FLAGS, least=1)
RESTART = Command(f"[OPTIONS] {_MANY}", "Restart one or more containers", restart, _STOP_FLAGS, least=1)
KILL = Command(f"[OPTIONS] {_MANY}", "Kill one or more running containers", kill, (_SIGNAL,), least=1)
PAUSE = Command(_MANY, "Pause all processes within one or more containers", pause, least=1)
UNPAUSE = Command(_MANY, "Unpause all processes within one or more containers", unpause, least=1)
WAIT = Command(_MANY, "Block until one or more containers stop, then print their exit codes", wait, least=1)
RENAME = Command("CONTAINER NEW_NAME", "Rename a container", rename, least=2, most=2)
RM = Command(
    f"[OPTIONS] {_MANY}",
    "Remove one or more containers",
    remove,
    (
        switch("force", "f", "Remove running ones too (SIGKILL)"),
        switch("link", "l", "Remove a link (CONTAINER/ALIAS) instead of a container"),
        switch("now", "", "Remove for good, without the trash"),
        switch("volumes", "v", "Remove their anonymous volumes"),
    ),
    least=1,
)
REAP = Command("ID", "Remove a container that has ended (called by its shim)", reap, least=1, most=1)
