"""`exec`: becomes the shim's own exec, so that nothing stands between the terminal and the command."""

from __future__ import annotations

import os
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.detach_keys import DEFAULT, check_detach_keys
from tuidock.engine.options.env_file import read_env
from tuidock.engine.options.flags import CannotAttach, Values, listed, switch, text
from tuidock.engine.options.values import check_env
from tuidock.engine.types import ExecRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

FLAGS = (
    switch("detach", "d", "Run the command in the background"),
    text("detach-keys", "", "Keys that detach from the command", parse=check_detach_keys),
    listed("env", "e", "Set environment variables", parse=check_env),
    listed("env-file", "", "Read environment variables from a file"),
    switch("interactive", "i", "Keep stdin open even if not attached"),
    switch("privileged", "", "Give extended privileges to the command"),
    switch("tty", "t", "Allocate a terminal"),
    text("user", "u", "User (name|uid[:group|gid])"),
    text("workdir", "w", "Working directory inside the container"),
)


def become(context: Context, argv: list[str]) -> NoReturn:
    """This process goes on as that program. Raises OSError."""
    context.engine.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(argv[0], argv)


def run(context: Context, values: Values, arguments: list[str]) -> int:
    detach, interactive, tty = values.on("detach"), values.on("interactive"), values.on("tty")
    if tty and interactive and not detach and not output.is_terminal(0):
        raise CannotAttach("the input device is not a TTY")
    request = ExecRequest(
        command=tuple(arguments[1:]),
        tty=tty,
        interactive=interactive,
        detach=detach,
        env=tuple(read_env(values.items("env-file"), values.items("env"), os.environ)),
        working_dir=values["workdir"],
        user=values["user"],
        privileged=values.on("privileged"),
        detach_keys=values["detach-keys"] or DEFAULT,
    )
    become(context, context.engine.exec_argv(arguments[0], request))


EXEC = Command(
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    "Execute a command in a running container",
    run,
    FLAGS,
    least=2,
    options_first=True,
)
