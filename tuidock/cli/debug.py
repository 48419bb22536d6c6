"""`debug`: a shell in a container that has none, from the programs of another image."""

from __future__ import annotations

import os

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.cli.execute import become
from tuidock.engine.errors import NotFound
from tuidock.engine.options.detach_keys import DEFAULT, check_detach_keys
from tuidock.engine.options.env_file import read_env
from tuidock.engine.options.flags import Values, listed, text
from tuidock.engine.options.values import check_env
from tuidock.engine.types import ExecRequest

FLAGS = (
    text("detach-keys", "", "Keys that detach from the shell", parse=check_detach_keys),
    listed("env", "e", "Set environment variables", parse=check_env),
    text("image", "", "Image whose programs are brought along (default: host/base)"),
    text("user", "u", "User (name|uid[:group|gid]) of that image (default: root)"),
    text("workdir", "w", "Working directory (default: /container)"),
)


def run(context: Context, values: Values, arguments: list[str]) -> int:
    engine = context.engine
    on_terminal = output.is_terminal(0) and output.is_terminal(1)
    request = ExecRequest(
        command=tuple(arguments[1:]),
        tty=on_terminal,
        interactive=True,
        env=tuple(read_env([], values.items("env"), os.environ)),
        working_dir=values["workdir"],
        user=values["user"],
        detach_keys=values["detach-keys"] or DEFAULT,
    )
    try:
        argv, lease = engine.debug_argv(arguments[0], request, values["image"])
    except NotFound as error:
        if values["image"] or error.kind != "image":
            raise
        from tuidock.cli.progress import show

        output.note("making the image host/base from this machine's programs")
        show(context.publisher.pull("host/base"), quiet=False, descriptor=2)
        argv, lease = engine.debug_argv(arguments[0], request)
    os.set_inheritable(lease, True)
    become(context, argv)


DEBUG = Command(
    "[OPTIONS] CONTAINER [COMMAND] [ARG...]",
    "Run a shell from another image in a container's namespaces; its files are below /container",
    run,
    FLAGS,
    least=1,
    options_first=True,
)
