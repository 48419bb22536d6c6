"""Verbs that docker has and this version does not: one clear sentence instead of "unknown command"."""

from __future__ import annotations

from tuidock.cli.command import Command, Context
from tuidock.engine.errors import Conflict, NotFound, Unsupported
from tuidock.engine.options.flags import Values

_PREDEFINED = ("bridge", "host", "none")
#: What helps meanwhile, by verb.
_INSTEAD = {
    "cp": "until then share a directory with -v, or pipe: tuidock exec -i NAME sh -c 'cat > /file' < file",
    "network connect": "there are bridge, host and none, chosen with --network when a container is made",
    "network create": "there are bridge, host and none; --link gives containers of the bridge names",
    "update": "until then make the container anew with other limits",
}


def later(context: Context, _: Values, arguments: list[str]) -> int:
    path = context.path.removeprefix("container ").removeprefix("image ")
    if path == "network rm" and arguments:
        name = context.engine.network(arguments[0]).name
        raise Conflict(f"{name} is a pre-defined network and cannot be removed")
    if path == "network prune":
        return 0  # no network is unused: the three of them stay
    if path in ("network connect", "network disconnect") and len(arguments) == 2 and arguments[0] not in _PREDEFINED:
        raise NotFound("network", arguments[0])
    hint = _INSTEAD.get(path, "")
    raise Unsupported(f"{path} comes with the next version" + (f"; {hint}" if hint else ""))


LATER = Command("[ARG...]", "Comes with the next version", later, raw=True)
