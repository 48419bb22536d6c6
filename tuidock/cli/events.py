"""`events`: what happens, as it happens."""

from __future__ import annotations

import sys
import time

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.cli.filters import Filters, found_in, label_fits, parse
from tuidock.engine.options.flags import Values, listed, text
from tuidock.engine.options.times import parse_moment
from tuidock.engine.types import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FLAGS = (
    listed("filter", "f", "Show only what fits (type=container, event=die, container=web ...)", kind="filter"),
    text("format", "", "'json', or a Go template"),
    text("since", "", "Begin with past events from a time or a while ago on"),
    text("until", "", "End at a time"),
)
_KEYS = "type event action container image volume network label name scope daemon"
#: Go's struct has these under capitalised names as well.
_NAMES = {"Status": "status", "ID": "id", "From": "from", "Scope": "scope", "Time": "time", "TimeNano": "timeNano"}


def run(context: Context, values: Values, _: list[str]) -> int:
    wanted = parse(values.items("filter"), _KEYS)
    now = time.time_ns()
    since, until = parse_moment(values["since"], now), parse_moment(values["until"], now)
    render = _renderer(values["format"])
    past = bool(until) and until <= now
    for batch in context.engine.events(since=since, until=until, follow=not past):
        lines = [output.shown(render(event)) + "\n" for event in batch if fits(event, wanted)]
        sys.stdout.write("".join(lines))
        sys.stdout.flush()
    return 0


def fits(event: Event, wanted: Filters) -> bool:
    """Whether an event passes every filter."""
    return all(_one_fits(event, key, values) for key, values in wanted.items())


def _one_fits(event: Event, key: str, values: list[str]) -> bool:
    if key == "type":
        return event.type in values
    if key in ("event", "action"):
        return any(event.action == value or event.action.startswith(value + ":") for value in values)
    if key in ("container", "volume", "network"):
        if event.type != key:
            return key == "container" and event.attributes.get("container", "") in values
        return any(value == event.name or (value and event.id.startswith(value)) for value in values)
    if key == "image":
        image = event.name or event.id if event.type == "image" else event.attributes.get("image", "")
        return any(value in (image, image.rpartition(":")[0], event.type == "image" and event.id) for value in values)
    if key == "label":
        return label_fits(event.attributes, values)
    if key == "name":
        return any(found_in(value, event.name) for value in values)
    return key == "daemon" or "local" in values


def attributes_of(event: Event) -> dict[str, str]:
    """docker's: a pull or push tells the repository, all else of an image the name that it is about."""
    name = event.name
    if _is_transfer(event):
        repository, colon, tag = name.partition("@")[0].rpartition(":")
        name = repository if colon and "/" not in tag else name.partition("@")[0]
    return {**event.attributes, **({"name": name} if name else {})}


def _is_transfer(event: Event) -> bool:
    return event.type == "image" and event.action in ("pull", "push") and bool(event.name)


def _subject(event: Event) -> str:
    """Actor.ID: what was pulled or pushed has docker's registry name there."""
    return event.name if _is_transfer(event) else event.id


def _document(event: Event) -> dict[str, Any]:
    return {
        "status": event.action,
        "id": _subject(event),
        "from": event.attributes.get("image", ""),
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": _subject(event), "Attributes": attributes_of(event)},
        "scope": "local",
        "time": event.time // 1_000_000_000,
        "timeNano": event.time,
    }


def _renderer(template: str) -> Callable[[Event], str]:
    if not template:
        return plain
    if template == "json" or template.replace(" ", "") == "{{json.}}":
        from tuidock.cli.template_functions import to_json

        return lambda event: to_json(_document(event))
    from tuidock.cli.template_eval import Template

    parsed = Template(template.replace("\\t", "\t").replace("\\n", "\n"))

    def render(event: Event) -> str:
        document = _document(event)
        return parsed.render({**document, **{field: document[key] for field, key in _NAMES.items()}})

    return render


def plain(event: Event) -> str:
    """docker's line: time type action id (attributes)."""
    seconds, fraction = divmod(event.time, 1_000_000_000)
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    zone = "Z" if zone in ("", "+0000") else zone[:3] + ":" + zone[3:]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", local) + f".{fraction:09d}{zone}"
    attributes = attributes_of(event)
    shown = ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes))
    return f"{stamp} {event.type} {event.action} {_subject(event)}" + (f" ({shown})" if shown else "")


EVENTS = Command("[OPTIONS]", "Get real time events", run, FLAGS, most=0)
