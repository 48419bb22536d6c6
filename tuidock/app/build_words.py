"""The words behind `:build`, and what the build form makes of its fields: the flags of `tuidock build` that the app has.

Read with the engine's own grammar of options, so that `-t`, `-tNAME` and `--tag=NAME` mean here what they mean there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuidock.app.paths import absolute
from tuidock.app.words import tr
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.image_types import BuildRequest


class Wanted(NamedTuple):
    """A build, and the directory that gets the files of its result; "" keeps them as an image."""

    request: BuildRequest
    files: str = ""


def parse_build(argv: Sequence[str]) -> Wanted:
    """Everything behind the verb. Raises InvalidArgument."""
    from tuidock.engine.options import flags as grammar
    from tuidock.engine.options.build import read_contexts, read_pairs, read_secrets

    known = (
        grammar.listed("tag", "t", "name of the image"), grammar.text("file", "f", "the Dockerfile"),
        grammar.text("target", "", "stage to build"), grammar.listed("build-arg", "", "value of an ARG"),
        grammar.listed("label", "", "label of the image"), grammar.switch("no-cache", "", "use no cached step"),
        grammar.switch("pull", "", "ask for newer base images"), grammar.text("platform", "", "platform"),
        grammar.text("network", "", "network of RUN"), grammar.switch("quiet", "q", "", hidden=True),
        grammar.text("progress", "", "", hidden=True), grammar.text("output", "o", "directory for the files"),
        grammar.listed("secret", "", "a file or value that only RUN sees"), grammar.listed("build-context", "", "NAME=PATH"),
        grammar.listed("add-host", "", "host:ip"), grammar.listed("no-cache-filter", "", "stages to be built again"),
    )  # fmt: skip
    values, words = grammar.parse(known, argv)
    if len(words) != 1:
        raise InvalidArgument("build wants one directory: the context, from which COPY takes its files.")
    secrets, secret_values = read_secrets([at_home(text) for text in values["secret"] or ()])
    request = BuildRequest(
        context=context_of(words[0]),
        dockerfile=values["file"] or "",
        tags=tuple(values["tag"] or ()),
        target=values["target"] or "",
        build_args=read_pairs(values["build-arg"] or ()),
        labels={name: value or "" for name, value in read_pairs(values["label"] or ()).items()},
        no_cache=bool(values["no-cache"]),
        pull=bool(values["pull"]),
        platform=values["platform"] or "",
        network=values["network"] or "",
        secrets=secrets,
        secret_values=secret_values,
        extra_hosts=tuple(host.replace("=", ":", 1) for host in values["add-host"] or ()),
        contexts=read_contexts(values["build-context"] or ()),
        no_cache_stages=tuple(name.lower() for text in values["no-cache-filter"] or () for name in text.split(",")),
    )
    return Wanted(request, _directory(values["output"] or ""))


def at_home(text: str) -> str:
    """What a shell would have made of src=~/file."""
    return text.replace("=~/", f"={os.path.expanduser('~')}/")


def _directory(output: str) -> str:
    """-o DIR, or type=local,dest=DIR. Raises InvalidArgument for what only the command line can do."""
    from tuidock.engine.options.fields import split_fields

    if "=" in output:
        fields = dict(field.partition("=")[::2] for field in split_fields(output))
        output = fields.get("dest", "") if fields.get("type") == "local" else "-"
    if output == "-":
        raise InvalidArgument("The app writes the files of a build to a directory only: -o DIRECTORY.")
    return absolute(output) if output else ""


def context_of(text: str) -> str:
    """A directory becomes absolute; a URL stays. The app has no stdin to read from."""
    if text == "-":
        raise InvalidArgument("The app cannot read a context from stdin; give a directory.")
    return text if "://" in text or text.startswith(("git@", "github.com/")) else absolute(text)


def dockerfile_problem(values: Mapping[str, str]) -> str:
    """A sentence while it is being typed: a context that is no directory, a Dockerfile that is not there."""
    context = values.get("context", "").strip()
    if not context or "://" in context:
        return ""
    directory = absolute(context)
    if not os.path.isdir(directory):
        return tr("{directory} is not a directory.", directory=directory)
    name = values.get("dockerfile", "").strip()
    path = os.path.join(directory, name or "Dockerfile")
    if name and not os.path.isfile(path) and os.path.isfile(absolute(name)):
        return ""
    if not os.path.isfile(path):
        return tr("There is no {path}", path=path) + ("." if name else tr("; File names another one."))
    return ""
