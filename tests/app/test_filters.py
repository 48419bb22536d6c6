"""The grammar of `/`."""

from __future__ import annotations

import pytest

from tests.fakes.engine import sample_containers
from tuidock.app import panes
from tuidock.app.filters import fuzzy, parse
from tuidock.app.model import CONTAINERS

ROWS = sample_containers()
NAMES = panes.FIELD_NAMES[CONTAINERS]


def chosen(text: str) -> list[str]:
    fits = parse(text, NAMES)
    return [row.name for row in ROWS if fits(panes.fields(row))]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["web", "db", "worker-1", "worker-2", "migrate", "cache", "done"]),
        ("worker", ["worker-1", "worker-2"]),
        ("^w", ["web", "worker-1", "worker-2"]),
        ("!worker", ["web", "db", "migrate", "cache", "done"]),
        ("worker !2", ["worker-1"]),
        ("-f wk1", ["worker-1"]),
        ("-l app=shop", ["web", "db", "worker-1"]),
        ("-l tier", ["web", "db"]),
        ("label:tier=back", ["db"]),
        ("state:running", ["web", "db", "worker-1"]),
        ("state:!running", ["worker-2", "migrate", "cache", "done"]),
        ("!state:running", ["worker-2", "migrate", "cache", "done"]),
        ("status:paused", ["cache"]),
        ("image:app state:exited", ["migrate"]),
        ("health:healthy", ["db"]),
        ("port:5432", ["db"]),
        ("volume:pgdata", ["db"]),
        ("NGINX", []),
        ("nginx", ["web"]),
        ("nginx:1", ["web"]),
        ("-l", ["web", "db", "worker-1", "worker-2", "migrate", "cache", "done"]),
    ],
)
def test_grammar(text: str, names: list[str]) -> None:
    assert chosen(text) == names


def test_what_is_no_regular_expression_is_taken_literally() -> None:
    found = parse("we(", NAMES)
    assert "searched literally" in found.note
    assert not found(panes.fields(ROWS[0]))


def test_fuzzy() -> None:
    assert fuzzy("wr1", "worker-1") and not fuzzy("1w", "worker-1")
