"""A hostile tar and what has to come of it, and short words for writing one down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.rawtar import DIRECTORY, HARDLINK, SYMLINK, archive, entry

#: More than any test's directory is deep.
UP = "../" * 40


class Case(NamedTuple):
    """refused None: either will do. tree: what must be there when it is taken, `kind detail...` by path ("" for what
    must not be there). layer: so for layers only; an import takes whiteouts for names and passes over nameless files."""

    tar: bytes
    refused: bool | None = False
    tree: Mapping[str, str] = {}
    layer: bool = False


def refused(*parts: bytes, layer: bool = False) -> Case:
    return Case(archive(*parts), True, layer=layer)


def taken(*parts: bytes, tree: Mapping[str, str], layer: bool = False) -> Case:
    return Case(archive(*parts), False, tree, layer)


def either(*parts: bytes) -> Case:
    return Case(archive(*parts), None)


def directory(name: str, **more: Any) -> bytes:
    return entry(name, DIRECTORY, **{"mode": 0o755, **more})


def link(name: str, target: str) -> bytes:
    return entry(name, SYMLINK, link=target)


def hard(name: str, target: str) -> bytes:
    return entry(name, HARDLINK, link=target)
