"""Pictures of networks, ports, files of volumes, limits and the trash."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.app.test_image_screenshots import shows
from tests.app.test_screenshots import app_for, settled
from tests.fakes.engine import Engine, identity
from tuidock.app import reach
from tuidock.app.screens import network_map
from tuidock.engine.types import Network

ANSWERS = {8080: reach.LISTENING, 5432: reach.LISTENING, 5433: reach.REFUSED, 6379: reach.SILENT}
SMALL, LARGE = (80, 24), (160, 48)

#: name -> the pane, the word after `:`, what the picture must show, sizes.
PICTURES: dict[str, tuple[str, str, tuple[str, ...], tuple[tuple[int, int], ...]]] = {
    "map": ("4", "map", ("1.1M/s", "└─● db"), (SMALL, LARGE)),
    "ports": ("1", "ports", ("2 listening",), (SMALL, LARGE)),
    "trash": ("1", "trash", ("2 things",), (SMALL,)),
    "volume-files": ("3", "files pgdata", ("postgresql.conf",), (SMALL,)),
    "network-form": ("4", "create", ("Create a network",), (SMALL,)),
    "connect-form": ("4", "connect", ("Connect a container",), (SMALL,)),
    "limits-form": ("1", "update web", ("Limits of web",), (SMALL,)),
    "copy-form": ("1", "cp web", ("Copy files",), (SMALL,)),
    "volume-form": ("3", "create", ("Create a volume",), (SMALL,)),
}


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name, values in PICTURES.items() for size in values[3]],
    ids=lambda value: value if isinstance(value, str) else f"{value[0]}x{value[1]}",
)
def test_places(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]) -> None:
    """The looks of the map are a second apart, however long they take here."""
    monkeypatch.setattr(reach, "ask", lambda port: ANSWERS[port.host_port])
    seconds = itertools.count()
    monkeypatch.setattr(network_map, "monotonic", lambda: float(next(seconds)))
    engine = Engine()
    engine.network_rows.append(
        Network(
            identity(94),
            "shop",
            "bridge",
            "10.89.0.0/24",
            "10.89.0.1",
            "tdk94",
            1,
            True,
            {},
            (("worker-1", "10.89.0.2"),),
        )
    )
    for kind, subject in (("container", "old-web"), ("volume", "cache")):
        engine.put_in_trash(kind, subject, subject, None, False, "b")
    pane, command, words, _ = PICTURES[name]
    app = app_for("dark", monkeypatch, engine)
    assert snap_compare(app, terminal_size=size, run_before=settled(pane, command=command, until=shows(*words)))
