"""How a person wants each list: columns and their order, sorting, groups and which of them are folded.

What was chosen in the app is kept over sessions in $XDG_STATE_HOME/tuidock/lists.json, not in the configuration file,
which belongs to the person. `lists:` of config.yaml says what holds until something else is chosen:

    lists:
      containers: {columns: [name, state, cpu, memory, ports], sort: cpu, reverse: true, group: project, filter: "!test"}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from tuidock.app import format as shown
from tuidock.app import kept
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES

#: What a row is, and how it is: never hidden.
ALWAYS = ("name", "state")
COLUMNS = {
    CONTAINERS: shown.CONTAINER_COLUMNS,
    IMAGES: shown.IMAGE_COLUMNS,
    VOLUMES: shown.VOLUME_COLUMNS,
    NETWORKS: shown.NETWORK_COLUMNS,
}


class Listing(NamedTuple):
    """One list. order: keys of columns that come first; sort: key of a column, "" for the engine's order, newest first;
    group: see `grouping.py`; folded: names of groups; running: only containers that run; filter: the one at the start."""

    order: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    sort: str = ""
    reverse: bool = False
    group: str = ""
    folded: frozenset[str] = frozenset()
    running: bool = False
    filter: str = ""


Listings = dict[str, Listing]
#: As a list is when nobody has said anything.
PLAIN = Listing()


def defaults() -> Listings:
    return {kind: Listing(hidden=shown.EXTRA_COLUMNS if kind == CONTAINERS else frozenset()) for kind in KINDS}


def path(environ: Mapping[str, str] = os.environ) -> str:
    return kept.path("lists.json", environ)


def load(configured: Mapping[str, Listing] | None = None, environ: Mapping[str, str] = os.environ) -> Listings:
    """What holds: what was chosen in the app, else what is configured. A file that is damaged counts as none."""
    listings = {**defaults(), **(configured or {})}
    try:
        with open(path(environ), encoding="utf-8") as file:
            found = json.load(file)
        return {kind: _with(listing, found.get(kind) or {}, kind) for kind, listing in listings.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return listings


def _with(listing: Listing, stored: Mapping[str, Any], kind: str) -> Listing:
    """The listing with what is stored of it; columns that exist no more are dropped."""
    known = {column.key for column in COLUMNS[kind]}
    values: dict[str, Any] = {}
    for name in ("order", "hidden", "folded"):
        if name in stored:
            words = [str(each) for each in stored[name] if name == "folded" or each in known]
            values[name] = tuple(words) if name == "order" else frozenset(words) - {*ALWAYS}
    for name in ("sort", "group"):
        if name in stored:
            values[name] = str(stored[name])
    for name in ("reverse", "running"):
        if name in stored:
            values[name] = bool(stored[name])
    if values.get("sort", "") not in known:
        values.pop("sort", None)
    return listing._replace(**values)


def save(
    listings: Listings, configured: Mapping[str, Listing] | None = None, environ: Mapping[str, str] = os.environ
) -> None:
    """Keeps what differs from the configuration; when that is not possible it is for this session only."""
    base = {**defaults(), **(configured or {})}
    changed: dict[str, dict[str, Any]] = {}
    for kind, listing in listings.items():
        for name, value in listing._asdict().items():
            if value != getattr(base[kind], name) and name != "filter":
                plain = sorted(value) if isinstance(value, frozenset) else value
                changed.setdefault(kind, {})[name] = plain
    kept.write(path(environ), json.dumps(changed))


def configured(data: Mapping[object, object]) -> tuple[Listings, list[str]]:
    """The listings that `lists:` of config.yaml means, and sentences about what it says wrongly."""
    found: Listings = {}
    problems: list[str] = []
    for kind, wanted in data.items():
        if kind not in KINDS or not isinstance(wanted, dict):
            problems.append(
                f"config.yaml: lists has {', '.join(KINDS)}, each with its settings, not {kind!r}: {wanted!r}"
            )
            continue
        keys = [column.key for column in COLUMNS[str(kind)]]
        listing = defaults()[str(kind)]
        for name, value in wanted.items():
            if name == "columns" and isinstance(value, list) and all(each in keys for each in value):
                hidden = frozenset(keys) - {str(each) for each in value} - {*ALWAYS}
                listing = listing._replace(order=tuple(value), hidden=hidden)
            elif name == "sort" and value in keys:
                listing = listing._replace(sort=str(value))
            elif name == "group" and isinstance(value, str):
                listing = listing._replace(group=value)
            elif name == "filter" and isinstance(value, str):
                listing = listing._replace(filter=value)
            elif name == "reverse" and isinstance(value, bool):
                listing = listing._replace(reverse=value)
            elif name == "running" and isinstance(value, bool):
                listing = listing._replace(running=value)
            elif name in ("columns", "sort"):
                problems.append(f"config.yaml: lists.{kind}.{name} has no {value!r}; there are {', '.join(keys)}")
            else:
                known = "columns, sort, reverse, group, filter and running"
                problems.append(f"config.yaml: lists.{kind}.{name}: {value!r} is not understood; there are {known}")
        found[str(kind)] = listing
    return found, problems
