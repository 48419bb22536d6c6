"""Images that come in and go out: `load`, `save`, `import`, `pull`."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.cli.images import check_platform
from tuidock.engine.errors import BadContent, InvalidArgument
from tuidock.engine.options.flags import Values, listed, switch, text
from tuidock.engine.options.values import check_platform as check_pulled_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

_PLATFORM = text("platform", "", "Accepted where it names this machine", parse=check_platform, hidden=True)


def load(context: Context, values: Values, _: list[str]) -> int:
    from tuidock.cli.progress import show

    path = values["input"]
    if not path and output.is_terminal(0):
        raise InvalidArgument("requested load from stdin, but stdin is empty; give -i FILE or pipe an archive in")
    with _opened(path) as source, _named("load", path):
        for step in show(context.engine.load(source), quiet=values.on("quiet"), descriptor=2):
            if step.action == "loaded":
                kind = "Loaded image ID" if step.subject.startswith("sha256:") else "Loaded image"
                output.line(f"{kind}: {step.subject}")
    return 0


@contextmanager
def _named(tried: str, path: str) -> Iterator[None]:
    """What is wrong with an archive, with the name of its file."""
    try:
        yield
    except BadContent as error:
        raise BadContent(f"cannot {tried} {path if path not in ('', '-') else 'standard input'}: {error}") from error


def _opened(path: str) -> BinaryIO:
    if not path or path == "-":
        return os.fdopen(os.dup(0), "rb")
    try:
        return open(path, "rb")
    except OSError as error:
        raise InvalidArgument(f"open {path}: {(error.strerror or str(error)).lower()}") from None


def save(context: Context, values: Values, arguments: list[str]) -> int:
    path = values["output"]
    if not path:
        if output.is_terminal():
            raise InvalidArgument("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as target:
            context.engine.save(arguments, target)
        return 0
    from tuidock.cli.whole_file import whole_file

    try:
        with whole_file(path) as target:
            context.engine.save(arguments, target)
    except OSError as error:
        raise InvalidArgument(f"failed to save image to {path}: {(error.strerror or str(error)).lower()}") from None
    return 0


def import_image(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.progress import show

    source, reference = arguments[0], arguments[1] if len(arguments) > 1 else ""
    message = values["message"]
    if "://" in source:
        from tuidock.cli.fetching import Fetched, without_secrets

        opened: Any = Fetched(source)
        message = message or f"Imported from {without_secrets(source)}"
    else:
        opened = _opened(source)
    with opened as file, _named("import", source):
        changes, platform = values.items("change"), values["platform"]
        for step in show(
            context.engine.import_image(file, reference, message, changes, platform=platform), descriptor=2
        ):
            if step.action == "imported":
                output.line(step.subject)
    return 0


def pull(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.progress import follow_pull

    reference, every, quiet = arguments[0], values.on("all-tags"), values.on("quiet")
    named = reference if every or ":" in reference.rpartition("/")[2] or "@" in reference else reference + ":latest"
    steps = context.engine.pull(reference, platform=values["platform"], all_tags=every)
    if not quiet and named != reference:
        output.line("Using default tag: latest")
    told = follow_pull(steps, quiet=quiet)
    names = [step.subject for step in told if step.action == "digest"]
    states = [step for step in told if step.action == "pulled-image"]
    if states and not quiet:
        news = [step.message for step in states if not step.message.startswith("Image is up to date")]
        subject = states[-1].subject
        subject = subject.rpartition(":")[0] if every else subject
        output.line(f"Status: {(news or [states[-1].message])[0]} for {subject}")
    name = names[-1] if names else named
    output.line(name.rpartition(":")[0] if every and names else name)
    return 0


LOAD = Command(
    "[OPTIONS]",
    "Load an image from a tar archive or STDIN",
    load,
    (
        text("input", "i", "Read from this archive instead of stdin"),
        _PLATFORM,
        switch("quiet", "q", "Do not show progress"),
    ),
    most=0,
)
SAVE = Command(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    save,
    (text("output", "o", "Write to this file instead of stdout"), _PLATFORM),
    least=1,
)
IMPORT = Command(
    "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    "Import the contents from a tarball to create a filesystem image",
    import_image,
    (
        listed("change", "c", "Apply a Dockerfile instruction to the image"),
        text("message", "m", "Set the comment of the image"),
        text("platform", "", "What the image is for, when that is not this machine", parse=check_pulled_platform),
    ),
    least=1,
    most=2,
)
PULL = Command(
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "Download an image from a registry",
    pull,
    (
        switch("all-tags", "a", "Download all tagged images of the repository"),
        switch("disable-content-trust", "", "Accepted for scripts, without effect", on=True, hidden=True),
        text("platform", "", "Set the platform if the server is multi-platform capable", parse=check_pulled_platform),
        switch("quiet", "q", "Do not show progress"),
    ),
    least=1,
    most=1,
)
