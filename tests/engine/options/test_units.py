"""docker's words for sizes, ages, states and ports."""

from __future__ import annotations

import pytest

from tuidock.engine import units
from tuidock.engine.types import Container, PortBinding

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (4_262_000, "4.26MB"), (199_000_000, "199MB"), (2_500_000_000, "2.5GB")],
)
def test_sizes(size: int, shown: str) -> None:
    assert units.human_size(size) == shown


def test_memory() -> None:
    assert units.human_memory(64 << 20) == "64MiB"
    assert units.human_memory(1536) == "1.5KiB"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (119, "About a minute"),
        (180, "3 minutes"), (3600, "About an hour"), (2 * 3600, "2 hours"), (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"), (13 * 86400, "13 days"), (14 * 86400, "2 weeks"), (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"), (729 * 86400, "24 months"), (731 * 86400, "2 years"),
    ],
)  # fmt: skip
def test_durations(seconds: int, shown: str) -> None:
    assert units.human_duration(seconds * SECOND) == shown


def container(status: str, **more: object) -> Container:
    made = Container("f" * 64, "web", "busybox", "sha256:" + "0" * 64, "sh", NOW - 100 * SECOND, status)
    return made._replace(**more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (container("created"), "Created"),
        (container("running", started=NOW - 180 * SECOND), "Up 3 minutes"),
        (container("running", started=NOW - 180 * SECOND, health="starting"), "Up 3 minutes (health: starting)"),
        (container("running", started=NOW - 7200 * SECOND, health="healthy"), "Up 2 hours (healthy)"),
        (container("paused", started=NOW - 5 * SECOND), "Up 5 seconds (Paused)"),
        (container("exited", exit_code=137, finished=NOW - 7200 * SECOND), "Exited (137) 2 hours ago"),
        (container("restarting", exit_code=1, finished=NOW - 5 * SECOND), "Restarting (1) 5 seconds ago"),
        (container("dead"), "Dead"),
        (container("removing"), "Removal In Progress"),
    ],
)
def test_states(made: Container, shown: str) -> None:
    assert units.status_text(made, NOW) == shown


def test_ports_are_joined_to_ranges() -> None:
    assert units.ports_text([PortBinding(80, "tcp", "", 8080)]) == "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
    run = [PortBinding(80 + i, "tcp", "127.0.0.1", 9000 + i) for i in range(3)]
    assert units.ports_text(run) == ", ".join(f"127.0.0.1:{9000 + n}->{80 + n}/tcp" for n in range(3))
    apart = [PortBinding(80, "tcp", "127.0.0.1", 1), PortBinding(81, "tcp", "127.0.0.1", 9)]
    assert units.ports_text(apart) == "127.0.0.1:1->80/tcp, 127.0.0.1:9->81/tcp"
    assert units.ports_text([], ["53/udp", "80/tcp", "81/tcp"]) == "53/udp, 80-81/tcp"
    assert units.ports_text([PortBinding(80, "tcp", "::1", 5)], ["80/tcp"]) == "[::1]:5->80/tcp"


def test_times_round_trip() -> None:
    moment = NOW + 123456789
    assert units.rfc3339(moment) == "2023-11-14T22:13:20.123456789Z"
    assert units.parse_rfc3339(units.rfc3339(moment)) == moment
    assert units.parse_rfc3339("2023-11-15T00:13:20+02:00") == NOW
    assert units.rfc3339(0) == "0001-01-01T00:00:00Z" and units.parse_rfc3339("0001-01-01T00:00:00Z") == 0
