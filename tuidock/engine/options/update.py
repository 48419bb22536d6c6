"""`update`: its flags, read as docker's command line reads them."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Flag, Values, text
from tuidock.engine.options.resource_flags import RESOURCE_FLAGS, read_resources
from tuidock.engine.options.values import parse_restart_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UPDATE_FLAGS: tuple[Flag, ...] = (
    *RESOURCE_FLAGS,
    text("restart", "", "Restart policy: no, on-failure[:N], always, unless-stopped"),
)


def read_update(values: Values) -> tuple[dict[str, Any], dict[str, object] | None]:
    """(HostConfig keys that are to change, restart policy or None). Raises InvalidArgument when nothing was given."""
    if not any(values.given(flag.name) for flag in UPDATE_FLAGS):
        raise InvalidArgument("you must provide one or more flags when using this command")
    resources = {key: value for key, value in read_resources(values).items() if value}
    policy = parse_restart_policy(values["restart"]) if values.given("restart") and values["restart"] else None
    return resources, policy
