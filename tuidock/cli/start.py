"""`start`: in the background, or with -a and -i in the foreground."""

from __future__ import annotations

from tuidock.cli.command import Command, Context, each
from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.options.detach_keys import check_detach_keys, parse_detach_keys
from tuidock.engine.options.flags import Values, switch, text

FLAGS = (
    switch("attach", "a", "Attach stdout and stderr and pass signals on"),
    text("checkpoint", "", "Not supported", hidden=True),
    text("checkpoint-dir", "", "Not supported", hidden=True),
    text("detach-keys", "", "Keys that detach from the container", parse=check_detach_keys),
    switch("interactive", "i", "Attach the container's stdin"),
)


def run(context: Context, values: Values, arguments: list[str]) -> int:
    if values["checkpoint"] or values["checkpoint-dir"]:
        raise Unsupported("containers cannot be restored from checkpoints")
    if not (values.on("attach") or values.on("interactive")):
        return each(arguments, context.publisher.start)
    if len(arguments) > 1:
        raise InvalidArgument("you cannot start and attach multiple containers at once")
    return _attached(context, values, arguments[0])


def _attached(context: Context, values: Values, reference: str) -> int:
    import socket

    from tuidock.cli.stream import Session, Signals, window_size

    engine = context.engine
    container = engine.container(reference)
    if container.status in ("running", "paused", "restarting"):
        owner = False
        connection = engine.attach(container.id)
        signals = Signals(proxy=not container.tty)
    else:
        owner = True
        signals = Signals(proxy=True)
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs:
                size = window_size(0, 1, 2) if container.tty else (0, 0)
                context.publisher.start(container.id, owner=theirs, tty_size=size)
        except BaseException:
            signals.close()
            connection.close()
            raise
    session = Session(
        connection,
        stdin=0 if values.on("interactive") and container.open_stdin else -1,
        tty=container.tty,
        detach_keys=parse_detach_keys(values["detach-keys"]),
        signals=signals,
        resumer=engine.resumer(container.id),
        reattach=lambda: engine.reattach(container.id, owner=owner),
    )
    outcome = session.run()
    if outcome.detached:
        context.engine.detached(container.id)
        return 0
    code = outcome.exit_code if outcome.exit_code is not None else engine.wait(container.id)
    if container.auto_remove and owner:
        from tuidock.cli.lifecycle import remove_quietly

        remove_quietly(context, container.id)
    return code


START = Command("[OPTIONS] CONTAINER [CONTAINER...]", "Start one or more stopped containers", run, FLAGS, least=1)
