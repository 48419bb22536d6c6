"""Values of `build` that have a grammar of their own: NAME=VALUE, further contexts, secrets."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.flags import BadOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def read_pairs(given: Sequence[str]) -> dict[str, str | None]:
    """NAME=VALUE; a name alone takes its value from the environment."""
    found: dict[str, str | None] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not name:
            raise BadOptions(f"invalid value {item!r}: it is written NAME=VALUE")
        found[name] = value if equals else None
    return found


def read_contexts(given: Sequence[str]) -> dict[str, str]:
    """Places by name, from NAME=PATH; names are in lower case."""
    found = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name or not value:
            raise BadOptions(f"invalid build context {item!r}: it is written NAME=PATH")
        found[name.lower()] = value
    return found


def read_secrets(given: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Files and values by id, from `id=x,src=FILE` and `id=x,env=NAME`."""
    files: dict[str, str] = {}
    secret_values: dict[str, str] = {}
    for item in given:
        fields = dict(field.partition("=")[::2] for field in split_fields(item))
        unknown = set(fields) - {"id", "src", "source", "env", "type"}
        if unknown or not fields.get("id"):
            raise BadOptions(f"invalid secret {item!r}: it is written id=NAME,src=FILE or id=NAME,env=VARIABLE")
        name = fields["id"]
        path = fields.get("src") or fields.get("source") or ""
        variable = fields.get("env", "")
        if fields.get("type") == "env" and path:
            path, variable = "", path
        if not path and not variable:
            variable, path = (name, "") if name in os.environ else ("", name)
        if variable:
            if variable not in os.environ:
                raise InvalidArgument(f"secret {name}: the variable {variable} is not set")
            secret_values[name] = os.environ[variable]
        elif not os.path.isfile(path):
            raise InvalidArgument(f"secret {name}: there is no file {path}")
        else:
            files[name] = os.path.abspath(path)
    return files, secret_values
