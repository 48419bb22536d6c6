"""`images`, `rmi`, `tag`, `history`."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine import units
from tuidock.engine.errors import EngineError, InvalidArgument, NotFound
from tuidock.engine.named import Named
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.types import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_FORMAT = text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers")
IMAGES_FLAGS = (
    switch("all", "a", "Show all images, intermediate ones too"),
    switch("digests", "", "Show digests"),
    listed("filter", "f", "Show only what fits (dangling=true, label=x, reference=a*:b ...)", kind="filter"),
    _FORMAT,
    switch("no-trunc", "", "Show everything in full"),
    switch("quiet", "q", "Show ids only"),
    switch("tree", "", "Accepted for scripts", hidden=True),
)


class NamedImage(Named):
    """A row: one name of an image."""

    image: Image
    repository: str
    tag: str
    digest: str


def images(context: Context, values: Values, arguments: list[str]) -> int:
    found = context.engine.images(all=values.on("all"))
    given = values.items("filter") + [f"reference={pattern}" for pattern in arguments]
    if given:
        from tuidock.cli import filters

        found = filters.images(found, filters.parse(given, filters.IMAGE_KEYS), context.engine)
    full = values.on("no-trunc")
    template = values["format"]
    wants_digests = values.on("digests") or "Digest" in (template or "")
    rows = [row for image in found for row in named_rows(image, wants_digests)]
    if values.on("quiet") and not template:
        sys.stdout.write("".join([_id(row.image, full) + "\n" for row in rows]))
        return 0
    columns = _columns(full)
    if template and template != "table":
        from tuidock.cli import formats

        formats.write(template, rows, columns, _FIELD_HEADERS, quiet=values.on("quiet"))
        return 0
    order = ["Repository", "Tag", *(["Digest"] if values.on("digests") else []), "ID", "CreatedSince", "Size"]
    head = [_FIELD_HEADERS[name] for name in order]
    output.table([head, *([columns[name](row) for name in order] for row in rows)])
    return 0


def named_rows(image: Image, wants_digests: bool) -> Iterator[NamedImage]:
    """A row for each tag, and when digests are wanted for each digest that its repository knows the image by."""
    digests: dict[str, list[str]] = {}
    for named in image.digests:
        name, _, digest = named.partition("@")
        digests.setdefault(name, []).append(digest)
    for reference in image.references:
        repository, tag = reference, "<none>"
        if "@" not in reference and ":" in reference.rpartition("/")[2]:
            repository, _, tag = reference.rpartition(":")
        repository = repository.partition("@")[0]
        known = digests.get(repository, ["<none>"])
        for digest in known if wants_digests else known[:1]:
            yield NamedImage(image, repository, tag, digest)
    if not image.references:
        repository, known = next(iter(digests.items()), ("<none>", ["<none>"]))
        yield NamedImage(image, repository, "<none>", known[0])


def _id(image: Image, full: bool) -> str:
    return image.id if full else image.short_id


def _columns(full: bool) -> dict[str, Callable[[NamedImage], Any]]:
    return {
        "ID": lambda row: _id(row.image, full),
        "Repository": lambda row: row.repository,
        "Tag": lambda row: row.tag,
        "Digest": lambda row: row.digest,
        "CreatedSince": lambda row: units.ago(row.image.created) if row.image.created else "N/A",
        "CreatedAt": lambda row: units.local_time(row.image.created),
        "Size": lambda row: units.human_size(row.image.size),
        "Containers": lambda row: str(row.image.containers),
        "SharedSize": lambda row: "N/A",
        "UniqueSize": lambda row: "N/A",
        "VirtualSize": lambda row: units.human_size(row.image.size),
        "Label": lambda row: lambda key: row.image.labels.get(key, ""),
    }


_FIELD_HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}


def remove(context: Context, values: Values, arguments: list[str]) -> int:
    failed, engine = 0, context.engine
    batch = engine.new_batch()
    for reference in arguments:
        try:
            done = engine.remove_image(
                reference, values.on("force"), values.on("no-prune"), now=values.on("now"), batch=batch
            )
        except EngineError as problem:
            output.error(str(problem))
            failed |= not (values.on("force") and isinstance(problem, NotFound))
        else:
            for removed in done:
                output.line(f"{removed.kind}: {removed.what}")
            output.flush()
    return int(failed)


def tag(context: Context, _: Values, arguments: list[str]) -> int:
    context.engine.tag(arguments[0], arguments[1])
    return 0


def history(context: Context, values: Values, arguments: list[str]) -> int:
    steps = context.engine.history(arguments[0])
    full, human = values.on("no-trunc"), values.on("human")
    columns = _history_columns(full, human)
    if values.on("quiet") and not values["format"]:
        sys.stdout.write("".join([columns["ID"](step) + "\n" for step in steps]))
        return 0
    if values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], steps, columns, _HISTORY_HEADERS)
        return 0
    order = ("ID", "CreatedSince" if human else "CreatedAt", "CreatedBy", "Size", "Comment")
    head = [_HISTORY_HEADERS[name] for name in order]
    output.table([head, *([columns[name](step) for name in order] for step in steps)])
    return 0


_HISTORY_HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def _moment(step: dict[str, Any]) -> int:
    created = step.get("Created") or 0
    if isinstance(created, str):
        return units.parse_rfc3339(created)
    return int(created) * 1_000_000_000 if created < 1 << 40 else int(created)


def _created_by(step: dict[str, Any], full: bool) -> str:
    text = str(step.get("CreatedBy") or "").replace("\t", " ").replace("\n", " ")
    return text if full else output.ellipsis(text, 45)


def _history_columns(full: bool, human: bool) -> dict[str, Callable[[dict[str, Any]], str]]:
    def identity(step: dict[str, Any]) -> str:
        raw = str(step.get("Id") or "<missing>")
        return raw if full or raw == "<missing>" else raw.removeprefix("sha256:")[:12]

    return {
        "ID": identity,
        "CreatedSince": lambda step: units.ago(_moment(step)) if _moment(step) > 0 else "N/A",
        "CreatedAt": lambda step: units.rfc3339_local(_moment(step)),
        "CreatedBy": lambda step: _created_by(step, full),
        "Size": lambda step: units.human_size(step.get("Size") or 0) if human else str(step.get("Size") or 0),
        "Comment": lambda step: str(step.get("Comment") or ""),
    }


def check_platform(raw: str) -> str:
    """--platform is accepted where it names this machine's system."""
    if raw and raw.partition("/")[0] != "linux":
        raise InvalidArgument(f"platform {raw} cannot run here")
    return raw


IMAGES = Command("[OPTIONS] [REPOSITORY[:TAG]]", "List images", images, IMAGES_FLAGS, most=1)
RMI = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove one or more images",
    remove,
    (
        switch("force", "f", "Remove even if it is in use by stopped containers"),
        switch("no-prune", "", "Keep untagged parents"),
        switch("now", "", "Remove for good, without the trash"),
        text("platform", "", "Accepted for scripts", hidden=True, parse=check_platform),
    ),
    least=1,
)
TAG = Command(
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    tag,
    least=2,
    most=2,
)
HISTORY = Command(
    "[OPTIONS] IMAGE",
    "Show the history of an image",
    history,
    (
        _FORMAT,
        switch("human", "H", "Show sizes and dates for people", on=True),
        switch("no-trunc", "", "Show everything in full"),
        text("platform", "", "Accepted for scripts", hidden=True, parse=check_platform),
        switch("quiet", "q", "Show ids only"),
    ),
    least=1,
    most=1,
)
