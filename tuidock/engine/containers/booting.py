"""What is to run again after the machine was down: docker's restart policies at boot."""

from __future__ import annotations

from tuidock.engine.containers.moves import read_intent
from tuidock.engine.containers.rows import list_containers
from tuidock.engine.instance import Instance


def wanted_after_boot(instance: Instance) -> list[str]:
    """Names, oldest first: `always` at any rate, the other policies when the container ran as the machine went down."""
    names = []
    for container in reversed(list_containers(instance)):
        if container.status != "exited":
            continue
        ran = read_intent(instance, container.id) == "run" and container.exit_code == 255
        policy = container.restart_policy
        if policy == "always" or (policy in ("unless-stopped", "on-failure") and ran):
            names.append(container.name)
    return names
