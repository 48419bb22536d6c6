"""What is to run again after the machine was down: docker's restart policies at boot."""

from __future__ import annotations

from tuidock.engine.containers.moves import read_intent
from tuidock.engine.containers.rows import list_containers
from tuidock.engine.instance import Instance


def wanted_after_boot(instance: Instance) -> list[str]:
    """Names, oldest first: `always` at any rate, `unless-stopped` when nobody stopped it, `on-failure` when it ran as the
    machine went down."""
    names = []
    for container in reversed(list_containers(instance)):
        if container.status != "exited":
            continue
        wanted = read_intent(instance, container.id) == "run"
        policy = container.restart_policy
        if (
            policy == "always"
            or (policy == "unless-stopped" and wanted)
            or (policy == "on-failure" and wanted and container.exit_code == 255)
        ):
            names.append(container.name)
    return names
