"""`inspect` of containers, images, volumes and networks: docker's JSON, or a template over it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.clean import clean_json
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound
from tuidock.engine.options.flags import Flag, Values, switch, text

_FORMAT = text("format", "f", "'json', or a Go template")
_SIZE = switch("size", "s", "Show sizes of containers")
_KINDS = ("container", "image", "network", "volume")

Look = Callable[[str], dict[str, Any]]

#: What was found: its kind and its document.
Found = tuple[str, dict[str, Any]]


def _looks(context: Context, size: bool) -> dict[str, Look]:
    engine = context.engine
    return {
        "container": lambda reference: engine.inspect_container(reference, size=size),
        "image": engine.inspect_image,
        "network": engine.inspect_network,
        "volume": lambda reference: engine.inspect_volume(reference, size=size),
    }


def _find(looks: dict[str, Look], kinds: Sequence[str], reference: str) -> Found:
    """The first kind of object that has this name; with one kind its own error is the answer."""
    for kind in kinds:
        try:
            return kind, looks[kind](reference)
        except (NotFound, InvalidArgument):
            if len(kinds) == 1:
                raise
    raise NotFound("object", reference)


def inspect(context: Context, values: Values, arguments: list[str]) -> int:
    kind = values["type"]
    if kind and kind not in _KINDS:
        raise InvalidArgument(f'"{kind}" is not a valid value for --type; there are {", ".join(_KINDS)}')
    looks = _looks(context, values.on("size"))
    return _inspect(looks, (kind,) if kind else _KINDS, values["format"], arguments)


def _of_kind(kind: str) -> Callable[[Context, Values, list[str]], int]:
    def run(context: Context, values: Values, arguments: list[str]) -> int:
        return _inspect(_looks(context, bool(values.get("size", False))), (kind,), values["format"], arguments)

    return run


def _inspect(looks: dict[str, Look], kinds: Sequence[str], template: str, references: list[str]) -> int:
    found: list[Found] = []
    failed: list[str] = []
    for reference in references:
        try:
            found.append(_find(looks, kinds, reference))
        except EngineError as error:
            failed.append(str(error))
    _write(found, template)
    for message in failed:
        output.error(message)
    return 1 if failed else 0


def _write(found: list[Found], template: str) -> None:
    import json

    documents = [document for _, document in found]
    if template in ("", "json"):
        indent, separators = (None, (",", ":")) if template else (4, None)
        text = json.dumps(documents, ensure_ascii=False, indent=indent, separators=separators) + "\n"
        sys.stdout.write(clean_json(text) if output.is_terminal() else text)
    else:
        from tuidock.cli.inspect_types import typed
        from tuidock.cli.template_eval import Template

        parsed = Template(template.replace("\\t", "\t").replace("\\n", "\n"))
        for kind, document in found:  # those before one that does not fit are shown
            output.line(parsed.render(typed(kind, document)))
    sys.stdout.flush()


INSPECT = Command(
    "[OPTIONS] NAME|ID [NAME|ID...]",
    "Return low-level information on objects",
    inspect,
    (_FORMAT, _SIZE, text("type", "", "Only look at containers, images, networks or volumes")),
    least=1,
)


def _command(kind: str, *flags: Flag) -> Command:
    word = kind.upper()
    summary = f"Display detailed information on one or more {kind}s"
    return Command(f"[OPTIONS] {word} [{word}...]", summary, _of_kind(kind), (_FORMAT, *flags), least=1)


INSPECT_CONTAINER = _command("container", _SIZE)
INSPECT_IMAGE = _command("image", text("platform", "", "Accepted for scripts", hidden=True))
INSPECT_NETWORK = _command("network", switch("verbose", "v", "Accepted for scripts", hidden=True))
INSPECT_VOLUME = _command("volume", switch("size", "s", "Measure what it holds"))
