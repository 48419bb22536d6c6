"""`run` and `create`."""

from __future__ import annotations

import os
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound
from tuidock.engine.options.flags import BadOptions, CannotAttach, Values
from tuidock.engine.options.run import RunCommand, make_command
from tuidock.engine.options.run_flags import CREATE_FLAGS, RUN_FLAGS


def run(context: Context, values: Values, words: list[str]) -> int:
    command = make_command(values, words, verb="run")
    _check_terminal(command)
    if command.detach:
        container_id = _create(context, command)
        output.line(container_id)  # also when it does not start: a script may want to look at it
        output.flush()
        _start_or_remove(context, container_id, command)
        return 0
    return _foreground(context, command)


def create(context: Context, values: Values, words: list[str]) -> int:
    output.line(_create(context, make_command(values, words, verb="create")))
    return 0


def _check_terminal(command: RunCommand) -> None:
    if command.tty and "stdin" in command.attach and not output.is_terminal(0):
        raise CannotAttach("the input device is not a TTY")


def _create(context: Context, command: RunCommand) -> str:
    _check_cidfile(command.cidfile)
    host = command.request.host_config
    if host["NetworkMode"] == "host" and (host["PortBindings"] or host["PublishAllPorts"]):
        output.note("WARNING: Published ports are discarded when using host network mode")
    if command.tty:
        from tuidock.cli.stream import window_size

        command.request.host_config["ConsoleSize"] = list(window_size(0, 1, 2))
    if command.pull == "always":
        _pull(context, command)
    try:
        container_id = context.engine.create(command.request)
    except NotFound as error:
        if error.kind != "image" or command.pull != "missing":
            raise
        if not command.quiet:
            output.note(f"Unable to find image '{_tagged(command.image)}' locally")
        _pull(context, command)
        container_id = context.engine.create(command.request)
    if command.cidfile:
        _write_cidfile(command.cidfile, container_id)
    return container_id


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] or "@" in image else image + ":latest"


def _pull(context: Context, command: RunCommand) -> None:
    from tuidock.cli.progress import follow_pull

    steps = context.engine.pull(command.image, platform=command.request.platform)
    for step in follow_pull(steps, quiet=command.quiet, descriptor=2):
        if step.action == "pulled-image" and not command.quiet:
            output.note(f"Status: {step.message} for {step.subject}")


def _check_cidfile(path: str) -> None:
    if path and os.path.lexists(path):
        raise BadOptions(f"container ID file found, make sure the other container isn't running or delete {path}")


def _write_cidfile(path: str, container_id: str) -> None:
    try:
        with open(path, "x") as file:
            file.write(container_id)
    except OSError as error:
        raise BadOptions(f"failed to create the container ID file {path}: {error.strerror}") from None


def _start_or_remove(context: Context, container_id: str, command: RunCommand) -> None:
    try:
        context.publisher.start(container_id)
    except EngineError:
        if command.rm:
            _remove(context, container_id)
        raise


def _remove(context: Context, container_id: str) -> None:
    try:
        context.engine.remove(container_id, force=True, volumes=True)
    except NotFound:
        pass  # the shim or another client was faster


def _foreground(context: Context, command: RunCommand) -> int:
    if not command.attach:
        raise InvalidArgument("nothing is attached; use -d to run in the background")
    from tuidock.cli.stream import Session, Signals, window_size
    from tuidock.engine.options.detach_keys import parse_detach_keys
    from tuidock.engine.stream import socket_pair

    container_id = _create(context, command)
    signals = Signals(proxy=command.sig_proxy)
    ours, theirs = socket_pair()
    try:
        size = window_size(0, 1, 2) if command.tty else (0, 0)
        try:
            context.publisher.start(container_id, owner=theirs, tty_size=size, bound=command.bound)
        finally:
            theirs.close()
    except BaseException:
        signals.close()
        ours.close()
        if command.rm:
            _remove(context, container_id)
        raise
    sys.stdout.flush()
    session = Session(
        ours,
        stdin=0 if "stdin" in command.attach and command.interactive else -1,
        stdout=1 if "stdout" in command.attach else -1,
        stderr=2 if "stderr" in command.attach else -1,
        tty=command.tty,
        detach_keys=parse_detach_keys(command.detach_keys),
        proxy=command.sig_proxy,
        signals=signals,
        resumer=context.engine.resumer(container_id),
        reattach=lambda: context.engine.reattach(container_id, owner=True),
    )
    outcome = session.run()
    if outcome.detached:
        context.engine.detached(container_id)
        return 0
    code = outcome.exit_code
    if code is None:
        # the shim was killed: its successor or the recorder tells how the container ended
        code = context.engine.wait(container_id)
    if command.rm:
        _remove(context, container_id)
    return code


RUN = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and run a new container from an image",
    run,
    RUN_FLAGS,
    least=1,
    options_first=True,
    failure=125,
)
CREATE = Command(
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create a new container",
    create,
    CREATE_FLAGS,
    least=1,
    options_first=True,
)
