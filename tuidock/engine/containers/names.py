"""Ids and names: 64 hex digits, and two friendly words when nobody names the container."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument, NameTaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

_FIRST = """
    amber agile bold brisk calm clever cosmic crisp daring deft eager fair fluent frank gentle glad golden
    happy hardy honest humble jolly keen kind lively loyal lucid lucky mellow merry mild neat nimble noble
    patient placid plucky polite proud quick quiet ready robust serene sharp shiny silent sincere smart snappy
    solid steady stout sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty
""".split()  # noqa: SIM905
_SECOND = """
    anchor anvil arch atlas badger barge beacon birch bison breeze bridge brook buoy cedar clipper cloud coral
    crane delta dock dolphin dune ember falcon ferry finch fjord garnet glacier harbor hawk heron inlet island
    jetty juniper kayak keel lagoon lantern ledge lynx maple marlin mast meadow mesa moose nebula oak orca
    osprey otter pebble pier pine plover port prairie puffin quay raft raven reef ridge river rudder sail
    schooner seal shoal skiff sloop sparrow spruce summit swan tide trout tug vessel walrus wharf willow wren
    yacht
""".split()  # noqa: SIM905
_FIRST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_CHARACTERS = _FIRST_CHARACTERS | frozenset("_.-")


def new_id() -> str:
    """64 hex digits whose first 12 are not all decimal, so that a short id is never taken for a number."""
    while True:
        identity = os.urandom(32).hex()
        if not identity[:12].isdigit():
            return identity


def valid_name(name: str) -> str:
    """The name without docker's leading slash. Raises InvalidArgument, with the rule."""
    plain = name.removeprefix("/")
    if len(plain) < 2 or plain[0] not in _FIRST_CHARACTERS or not _CHARACTERS.issuperset(plain) or len(plain) > 255:
        raise InvalidArgument(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return plain


def free_name(db: sqlite3.Connection) -> str:
    """Two words that no container bears; a number follows when luck runs out."""
    taken = {row[0] for row in db.execute("SELECT name FROM containers")}
    for attempt in range(1000):
        name = f"{_choose(_FIRST)}_{_choose(_SECOND)}" + (str(attempt // 10) if attempt >= 10 else "")
        if name not in taken:
            return name
    return "container_" + os.urandom(8).hex()


def _choose(words: list[str]) -> str:
    return words[int.from_bytes(os.urandom(4), "little") % len(words)]


def claim_name(db: sqlite3.Connection, name: str) -> str:
    """A valid and free name. Raises NameTaken with the owner's id."""
    plain = valid_name(name)
    row = db.execute("SELECT id FROM containers WHERE name = ?", (plain,)).fetchone()
    if row:
        raise NameTaken(
            f'Conflict. The container name "/{plain}" is already in use by container "{row[0]}". You have to remove '
            "(or rename) that container to be able to reuse that name."
        )
    return plain
