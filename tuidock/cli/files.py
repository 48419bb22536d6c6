"""What is in a container or an image: `export`, `diff`, `image diff`, `image layers`."""

from __future__ import annotations

import os
import stat
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine import units
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, switch, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tuidock.engine.image_types import Change, LayerInfo, TreeEntry


def export(context: Context, values: Values, arguments: list[str]) -> int:
    path = values["output"]
    if not path:
        if output.is_terminal():
            raise InvalidArgument("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as target:
            context.engine.export(arguments[0], target)
        return 0
    from tuidock.cli.whole_file import whole_file

    try:
        with whole_file(path) as target:
            context.engine.export(arguments[0], target)
    except OSError as error:
        raise InvalidArgument(
            f"failed to export container to {path}: {(error.strerror or str(error)).lower()}"
        ) from None
    return 0


def _changes(changes: Sequence[Change], template: str) -> int:
    if template and template != "table":
        from tuidock.cli import formats

        columns: dict[str, Callable[[Change], Any]] = {"Type": lambda c: c.kind, "Path": lambda c: c.path}
        formats.write(template, changes, columns, {"Type": "CHANGE TYPE", "Path": "PATH"})
        return 0
    for change in changes:
        output.line(f"{change.kind} {change.path}")
    return 0


def diff(context: Context, values: Values, arguments: list[str]) -> int:
    return _changes(context.engine.diff(arguments[0]), values["format"])


def diff_images(context: Context, values: Values, arguments: list[str]) -> int:
    return _changes(context.engine.diff_images(arguments[0], arguments[1]), values["format"])


# ---- layers ----------------------------------------------------------------------------------------------------------


def layers(context: Context, values: Values, arguments: list[str]) -> int:
    if len(arguments) == 2:
        return _tree(context, values, arguments[0], arguments[1])
    found = context.engine.layers(arguments[0])
    columns = _layer_columns(values.on("no-trunc"))
    if values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], found, columns, _LAYER_HEADERS)
        return 0
    order = ("Index", "ID", "CreatedSince", "Size", "BlobSize", "Wasted", "CreatedBy")
    head = [_LAYER_HEADERS[name] for name in order]
    output.table([head, *([str(columns[name](layer)) for name in order] for layer in found)])
    return 0


_LAYER_HEADERS = {
    "Index": "LAYER",
    "ID": "DIFF ID",
    "ChainID": "CHAIN ID",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "BlobSize": "BLOB",
    "Wasted": "WASTED",
    "CreatedBy": "CREATED BY",
    "Comment": "COMMENT",
}


def _layer_columns(full: bool) -> dict[str, Callable[[LayerInfo], Any]]:
    def identity(digest: str) -> str:
        return digest if full else digest.removeprefix("sha256:")[:12]

    def command(layer: LayerInfo) -> str:
        line = (layer.command or layer.comment).replace("\t", " ").replace("\n", " ")
        return line if full else output.ellipsis(line, 60)

    return {
        "Index": lambda layer: layer.index + 1,
        "ID": lambda layer: identity(layer.diff_id),
        "ChainID": lambda layer: identity(layer.chain_id),
        "Digest": lambda layer: identity(layer.digest),
        "CreatedSince": lambda layer: units.ago(layer.created) if layer.created else "N/A",
        "CreatedAt": lambda layer: units.rfc3339(layer.created) if layer.created else "N/A",
        "Size": lambda layer: units.human_size(layer.size),
        "BlobSize": lambda layer: units.human_size(layer.blob_size),
        "Wasted": lambda layer: units.human_size(layer.wasted),
        "CreatedBy": command,
        "Comment": lambda layer: layer.comment,
    }


def _tree(context: Context, values: Values, image: str, index: str) -> int:
    if not (index.isascii() and index.isdecimal() and int(index)):
        raise InvalidArgument(f"invalid layer {index!r:.40}: it is a number, counted from 1")
    entries = context.engine.layer_tree(image, int(index) - 1)
    if values["format"] and values["format"] != "table":
        from tuidock.cli import formats

        formats.write(values["format"], entries, _ENTRY_COLUMNS, {name: name.upper() for name in _ENTRY_COLUMNS})
        return 0
    rows = [["", "MODE", "OWNER", "SIZE", "NAME"]]
    for entry in entries:
        size = units.human_size(entry.size) if entry.kind == "file" else ""
        shown = "  " * entry.path.count("/") + entry.path.rpartition("/")[2]
        shown += "/" if entry.kind == "dir" else f" -> {entry.target}" if entry.target else ""
        rows.append([entry.mark, _mode(entry), f"{entry.uid}:{entry.gid}", size, shown])
    output.table(rows, 1)
    return 0


_ENTRY_COLUMNS: dict[str, Callable[[TreeEntry], Any]] = {
    "Mark": lambda entry: entry.mark,
    "Kind": lambda entry: entry.kind,
    "Path": lambda entry: "/" + entry.path,
    "Size": lambda entry: entry.size,
    "Mode": lambda entry: f"{entry.mode:04o}",
    "Owner": lambda entry: f"{entry.uid}:{entry.gid}",
    "Target": lambda entry: entry.target,
}
_TYPES = {
    "file": stat.S_IFREG, "dir": stat.S_IFDIR, "link": stat.S_IFLNK, "device": stat.S_IFCHR, "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}  # fmt: skip


def _mode(entry: TreeEntry) -> str:
    return stat.filemode(_TYPES[entry.kind] | entry.mode)


_FORMAT = text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers")
EXPORT = Command(
    "[OPTIONS] CONTAINER",
    "Export a container's filesystem as a tar archive",
    export,
    (text("output", "o", "Write to this file instead of stdout"),),
    least=1,
    most=1,
)
DIFF = Command(
    "CONTAINER",
    "Inspect changes to files or directories on a container's filesystem",
    diff,
    (_FORMAT,),
    least=1,
    most=1,
)
DIFF_IMAGES = Command(
    "[OPTIONS] IMAGE|CONTAINER IMAGE|CONTAINER",
    "Show in which files two images differ",
    diff_images,
    (_FORMAT,),
    least=2,
    most=2,
)
LAYERS = Command(
    "[OPTIONS] IMAGE [LAYER]",
    "List the layers of an image, or the files in one of them",
    layers,
    (_FORMAT, switch("no-trunc", "", "Show everything in full")),
    least=1,
    most=2,
)
