"""The argv of exec, apart from all that looks at processes: `exec` is typed all day and loads no more than this."""

from __future__ import annotations

from tuidock.engine.instance import Instance
from tuidock.engine.runtime import shim
from tuidock.engine.types import ExecRequest


def exec_argv(instance: Instance, container_id: str, request: ExecRequest) -> list[str]:
    """Options in the order that native/src/shim/exec.c documents."""
    options: list[str] = []
    for flag, wanted in (
        ("-i", request.interactive), ("-t", request.tty), ("-d", request.detach), ("--privileged", request.privileged)
    ):  # fmt: skip
        if wanted:
            options.append(flag)
    for variable in request.env:
        options += ("-e", variable)
    if request.working_dir:
        options += ("-w", request.working_dir)
    if request.user:
        options += ("-u", request.user)
    options += ("--detach-keys", request.detach_keys)
    paths = instance.paths
    return shim.exec_argv(paths.container(container_id), paths.container_run(container_id), options, request.command)
