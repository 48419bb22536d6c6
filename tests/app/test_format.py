"""Engine values become cells that fit, sort and tell the state without colour."""

from __future__ import annotations

import pytest

from tuidock.app import format as shown
from tuidock.app.widgets.rows import Cell
from tuidock.engine.types import Container, Image, Network, PortBinding, Stats, Volume

NOW = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9


def container(**changes: object) -> Container:
    base = Container("f" * 64, "web", "nginx:1.27", "sha256:" + "0" * 64, "nginx", NOW - 5 * HOUR, "running",
                     started=NOW - 3 * HOUR)  # fmt: skip
    return base._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(-1, ""), (0, "0B"), (999, "999B"), (1024, "1.0K"), (12_600, "12K"), (2_040_109_466, "1.9G"), (10**18, "888P")],
)
def test_sizes_have_at_most_five_characters(bytes_: int, text: str) -> None:
    assert shown.size(bytes_) == text
    assert all(len(shown.size(1 << power)) <= 5 for power in range(64))


def test_ages_are_short() -> None:
    assert [shown.age(seconds * 10**9) for seconds in (0, 59, 60, 3600, 86_400, 20 * 86_400, 800 * 86_400)] == [
        "0s", "59s", "1m", "1h", "1d", "2w", "2y",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "cell", "plain"),
    [
        ({}, Cell("● up 3h", "good"), "* up 3h"),
        ({"health": "unhealthy"}, Cell("● up 3h unhealthy", "bad"), "* up 3h unhealthy"),
        (
            {"status": "exited", "exit_code": 0, "finished": NOW - HOUR},
            Cell("○ exited 1h ago", "muted"),
            "o exited 1h ago",
        ),
        (
            {"status": "exited", "exit_code": 1, "finished": NOW - HOUR},
            Cell("✖ exit 1 1h ago", "bad"),
            "! exit 1 1h ago",
        ),
        ({"status": "exited", "exit_code": 137, "oom_killed": True}, Cell("✖ out of memory", "bad"), "! out of memory"),
        ({"status": "restarting", "restarts": 3}, Cell("↻ 3 restarts", "warn"), "~ 3 restarts"),
        ({"status": "paused"}, Cell("◐ paused", "warn"), "= paused"),
        ({"status": "created"}, Cell("○ created", "muted"), "o created"),
        ({"status": "a new word"}, Cell("? a new word", "muted"), "? a new word"),
    ],
)
def test_the_state_is_a_glyph_and_words(changes: dict[str, object], cell: Cell, plain: str) -> None:
    assert shown.state(container(**changes), NOW) == cell
    assert shown.state(container(**changes), NOW, ascii=True).text == plain


def test_ports_are_named_once() -> None:
    both = (PortBinding(80, "tcp", "0.0.0.0", 8080), PortBinding(80, "tcp", "::", 8080))
    assert shown.ports(both) == "8080→80"
    assert shown.ports([PortBinding(53, "udp", "127.0.0.1", 5353)]) == "127.0.0.1:5353→53/udp"
    assert shown.ports([], ["6379/tcp"]) == "6379"


def test_rows_have_a_cell_and_a_sort_key_for_each_column() -> None:
    stats = Stats("f" * 64, NOW, 7.94, 0, 88 << 20, 0, 5, 0, 2000, 1000, 0, 0)
    before = stats._replace(time=NOW - 10**9, net_rx=0, net_tx=0)
    image = Image("sha256:" + "1" * 64, ("localhost:5000/app:dev", "app:2"), (), NOW, 243 << 20)
    network = Network("2" * 64, "backend", "bridge", "10.89.1.0/24", "10.89.1.1", "br", NOW, members=(("a", "b"),))
    for row, columns in (
        (shown.container_row(container(), stats, NOW, previous=before), shown.CONTAINER_COLUMNS),
        (shown.image_row(image, NOW), shown.IMAGE_COLUMNS),
        (
            shown.volume_row(Volume("pgdata", "local", "/x", NOW, users=("db",), size=640 << 20), NOW),
            shown.VOLUME_COLUMNS,
        ),
        (shown.network_row(network, NOW), shown.NETWORK_COLUMNS),
    ):
        assert len(row.cells) == len(row.sort_keys) == len(columns)
    texts = [row if isinstance(row, str) else row.text for row in shown.container_row(container(), stats, NOW).cells]
    assert texts[:6] == ["web", "● up 3h", "7.9%", "88M", "", "nginx:1.27"]
    assert shown.stats_cells(stats, before)["network"].text == "2.0K/s 1.0K/s"
    assert shown.split_reference("localhost:5000/app") == ("localhost:5000/app", "")
    assert shown.split_reference("app:dev") == ("app", "dev")


def test_an_exited_container_shows_no_use() -> None:
    cells = shown.container_row(container(status="exited", exit_code=0), None, NOW).cells
    assert [cell.text for cell in cells[2:4] if isinstance(cell, Cell)] == ["-", "-"]
