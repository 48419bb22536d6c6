"""Verbs that docker has and this version does not: one clear sentence instead of "unknown command"."""

from __future__ import annotations

from tuidock.cli.command import Command, Context
from tuidock.engine.errors import Unsupported
from tuidock.engine.options.flags import Values

#: What helps meanwhile, by verb.
_INSTEAD = {
    "cp": "until then share a directory with -v, or pipe: tuidock exec -i NAME sh -c 'cat > /file' < file",
    "update": "until then make the container anew with other limits",
}


def later(context: Context, _: Values, arguments: list[str]) -> int:
    path = context.path.removeprefix("container ").removeprefix("image ")
    hint = _INSTEAD.get(path, "")
    raise Unsupported(f"{path} comes with the next version" + (f"; {hint}" if hint else ""))


LATER = Command("[ARG...]", "Comes with the next version", later, raw=True)
