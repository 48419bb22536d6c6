"""`volume export` and `volume import`."""

from __future__ import annotations

import os
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import BadContent, InvalidArgument
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.options.values import check_label, to_mapping
from tuidock.engine.options.volumes import check_volume_name


def export(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.progress import show

    path, name = values["output"], arguments[0]
    if not path or path == "-":
        if output.is_terminal():
            raise InvalidArgument("cowardly refusing to write a tar to a terminal. Use the -o flag or redirect")
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as target:
            show(context.engine.export_volume(name, target), descriptor=2)
        return 0
    # written beside and renamed, so that a failed export leaves no half archive under the asked name
    regular = not os.path.exists(path) or os.path.isfile(path)
    part = f"{path}.{os.getpid()}.part" if regular else path
    try:
        with open(part, "wb") as target:
            show(context.engine.export_volume(name, target), descriptor=2)
        if regular:
            os.replace(part, path)
    except OSError as error:
        raise InvalidArgument(f"export volume {name} to {path}: {(error.strerror or str(error)).lower()}") from None
    finally:
        if regular and os.path.exists(part):
            os.unlink(part)
    return 0


def import_volume(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.progress import show

    name, path = check_volume_name(arguments[0]), arguments[1] if len(arguments) > 1 else "-"
    if path == "-" and output.is_terminal(0):
        raise InvalidArgument("standard input is a terminal; name a file or pipe a tar in")
    try:
        descriptor = os.dup(0) if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    labels = to_mapping(values.items("label"))
    with os.fdopen(descriptor, "rb") as source:
        try:
            steps = context.engine.import_volume(name, source, labels=labels, replace=values.on("replace"))
            show(steps, descriptor=2)
        except BadContent as error:
            raise BadContent(f"cannot import {path if path != '-' else 'standard input'}: {error}") from error
    output.line(name)
    return 0


EXPORT = Command(
    "[OPTIONS] VOLUME",
    "Write a volume's content as a tar archive",
    export,
    (text("output", "o", "Write to this file instead of stdout"),),
    least=1,
    most=1,
)
IMPORT = Command(
    "[OPTIONS] VOLUME [FILE|-]",
    "Make a volume of a tar archive",
    import_volume,
    (
        listed("label", "", "Set labels of a new volume (key=value)", parse=check_label),
        switch("replace", "", "Put it in the place of what a volume holds, which goes to the trash"),
    ),
    least=1,
    most=2,
)
