"""`attach`: this terminal joined to a running container."""

from __future__ import annotations

from tuidock.cli.command import Command, Context
from tuidock.engine.errors import SystemFailure, WrongState
from tuidock.engine.options.detach_keys import check_detach_keys, parse_detach_keys
from tuidock.engine.options.flags import Values, switch, text

FLAGS = (
    text("detach-keys", "", "Keys that detach from the container", parse=check_detach_keys),
    switch("no-stdin", "", "Do not attach stdin"),
    switch("sig-proxy", "", "Pass received signals on to the process", on=True),
)


def run(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.stream import Session

    container = context.engine.container(arguments[0])
    if container.status not in ("running", "paused", "restarting"):
        raise WrongState("You cannot attach to a stopped container, start it first")
    if container.status == "restarting":
        raise WrongState("You cannot attach to a restarting container, wait until it is running")
    connection = context.engine.attach(container.id)
    stdin = container.open_stdin and not values.on("no-stdin")
    # a terminal in raw mode sends ctrl-c itself, so signals are for containers without one
    proxy = values.on("sig-proxy") and not container.tty
    session = Session(
        connection,
        stdin=0 if stdin else -1,
        tty=container.tty,
        detach_keys=parse_detach_keys(values["detach-keys"]),
        proxy=proxy,
        keys_at_once=True,
        resumer=context.engine.resumer(container.id),
        reattach=lambda: context.engine.reattach(container.id, owner=False),
    )
    outcome = session.run()
    if outcome.detached:
        context.engine.detached(container.id)
        return 0
    if outcome.lost:
        raise SystemFailure(
            f"attach to {container.name} ended: this terminal was too slow and {outcome.lost} bytes were not sent to it; "
            f"they are in 'tuidock logs {container.name}'"
        )
    return outcome.exit_code if outcome.exit_code is not None else context.engine.wait(container.id)


ATTACH = Command(
    "[OPTIONS] CONTAINER",
    "Attach local standard input, output, and error streams to a running container",
    run,
    FLAGS,
    1,
    1,
)
