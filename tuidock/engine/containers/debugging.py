"""A shell for a container that has none: programs of another image in the container's namespaces.

The work is `tuidock-shim exec --layer`, see native/src/shim/debug.c: no capability more than the container has, its
control group and its seccomp filter, its files below /container; nothing is written to it, and nothing stays. The image
is leased while it runs, so that removing it meanwhile takes its name and not its files.
"""

from __future__ import annotations

from tuidock.engine.containers.executing import exec_argv
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.instance import Instance
from tuidock.engine.named import Named
from tuidock.engine.store import images
from tuidock.engine.store.leases import Lease
from tuidock.engine.types import Container, ExecRequest

#: What is brought along when nobody says what.
IMAGE = "host/base"
#: Where the files of the container are.
FILES = "/container"
_SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash --norc; exec sh")


class Debug(Named):
    """argv of the program, and a descriptor that it has to inherit: while one is open, the image's files stay."""

    argv: list[str]
    lease: int


def debug(instance: Instance, container: Container, request: ExecRequest, image: str = "") -> Debug:
    """command () is a shell; user "" is root, as far as the container has one. Raises NotFound for the image."""
    record = images.resolve(instance.state, instance.paths, image or IMAGE)
    if not record.layers:
        raise InvalidArgument(f"image {image or IMAGE} has no files, so there is nothing to run in it")
    lease = Lease(instance.paths)
    try:
        lease.add(*(layer.chain_id for layer in record.layers))
        images.get(instance.state, instance.paths, record.id)  # named first, then looked at: now they stay
        env = [str(each) for each in record.container_config.get("Env") or ()]
        env += [f"PS1=debug {container.name} \\w # ", "HOME=/root", *request.env]
        argv = exec_argv(
            instance,
            container.id,
            request._replace(
                command=request.command or _SHELL, env=tuple(env), user=request.user or "0",
                working_dir=request.working_dir or FILES,
            ),
        )  # fmt: skip
        at = argv.index("--")
        layers = [word for directory in record.lower for word in ("--layer", directory)]
        return Debug([*argv[:at], *layers, *argv[at:]], lease.hand_over())
    except BaseException:
        lease.close()
        raise
