"""The words behind `:build`, and what the build form makes of its fields: the flags of `tuidock build` that the app has.

Read with the engine's own grammar of options, so that `-t`, `-tNAME` and `--tag=NAME` mean here what they mean there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tuidock.app.paths import absolute
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.image_types import BuildRequest


def _pairs(texts: Sequence[str]) -> dict[str, str | None]:
    """NAME=value; without = the value is that of the environment."""
    pairs: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        pairs[name] = value if equals else None
    return pairs


def parse_build(argv: Sequence[str]) -> BuildRequest:
    """Everything behind the verb. Raises InvalidArgument."""
    from tuidock.engine.options import flags as grammar

    known = (
        grammar.listed("tag", "t", "name of the image"), grammar.text("file", "f", "the Dockerfile"),
        grammar.text("target", "", "stage to build"), grammar.listed("build-arg", "", "value of an ARG"),
        grammar.listed("label", "", "label of the image"), grammar.switch("no-cache", "", "use no cached step"),
        grammar.switch("pull", "", "ask for newer base images"), grammar.text("platform", "", "platform"),
        grammar.text("network", "", "network of RUN"), grammar.switch("quiet", "q", "", hidden=True),
        grammar.text("progress", "", "", hidden=True),
    )  # fmt: skip
    values, words = grammar.parse(known, argv)
    if len(words) != 1:
        raise InvalidArgument("build wants one directory: the context, from which COPY takes its files.")
    return BuildRequest(
        context=context_of(words[0]),
        dockerfile=values["file"] or "",
        tags=tuple(values["tag"] or ()),
        target=values["target"] or "",
        build_args=_pairs(values["build-arg"] or ()),
        labels={name: value or "" for name, value in _pairs(values["label"] or ()).items()},
        no_cache=bool(values["no-cache"]),
        pull=bool(values["pull"]),
        platform=values["platform"] or "",
        network=values["network"] or "",
    )


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
        return f"{directory} is not a directory."
    name = values.get("dockerfile", "").strip()
    path = os.path.join(directory, name or "Dockerfile")
    if name and not os.path.isfile(path) and os.path.isfile(absolute(name)):
        return ""
    if not os.path.isfile(path):
        return f"There is no {path}" + ("." if name else "; File names another one.")
    return ""
