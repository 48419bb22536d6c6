"""The log: what a container writes is on disk, whole, in segments, whatever the disk says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import Watched, eventually, needs_root, watched

pytestmark = needs_root
LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) ([^\n]*)\n")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path) as box:
        yield box


def records(log: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Stream, tag and text of each line; every byte of the log belongs to one."""
    found = LINE.findall(log)
    assert sum(len(text) + 41 for _, _, text in found) == len(log), "something that is no line"
    return found


def test_lines_of_both_streams_are_logged_with_time_and_stream(box: Watched) -> None:
    box.sh("echo one; echo two >&2; echo").started()
    assert box.ended()["status"] == "0"
    lines = records(box.log())
    assert [text for stream, _, text in lines if stream == b"stdout"] == [b"one", b""]
    assert [text for stream, _, text in lines if stream == b"stderr"] == [b"two"]


def test_long_lines_are_cut_at_16384_bytes_and_an_unended_one_stays_partial(box: Watched) -> None:
    box.sh("head -c 40000 /dev/zero | tr '\\0' x; echo; printf rest").started()
    box.ended()
    assert [(tag, len(text)) for _, tag, text in records(box.log())] == [
        (b"P", 16384),
        (b"P", 16384),
        (b"F", 40000 - 2 * 16384),
        (b"P", 4),
    ]


def test_a_line_written_in_pieces_is_one_line(box: Watched) -> None:
    box.sh("for i in 1 2 3 4 5; do printf $i; sleep 0.02; done; echo").started()
    box.ended()
    assert records(box.log()) == [(b"stdout", b"F", b"12345")]


def test_every_byte_value_comes_back(box: Watched) -> None:
    payload = bytes(value for value in range(256) if value != 10) + b"\n"
    (box.shared / "bytes").write_bytes(payload * 500)
    box.sh("cat /shared/bytes").started()
    box.ended()
    assert b"".join(text + b"\n" for _, _, text in records(box.log())) == payload * 500


def test_segments_are_rotated_and_the_oldest_go(box: Watched) -> None:
    box.values |= {"log-max-size": "4096", "log-max-file": "3"}
    box.sh("seq 1 2000").started()
    box.ended()
    segments = sorted(box.container.glob("logs/*.log"))
    assert len(segments) == 3
    numbers = [int(path.stem) for path in segments]
    assert numbers == list(range(numbers[0], numbers[0] + 3)) and numbers[0] > 1
    assert all(4096 <= path.stat().st_size < 4096 + 100 for path in segments[:2])
    texts = [int(text) for _, _, text in records(box.log())]
    assert texts == list(range(texts[0], 2001))


def test_without_a_limit_there_is_one_segment(box: Watched) -> None:
    box.sh("seq 1 300000").started()
    box.ended()
    assert [path.name for path in box.container.glob("logs/*.log")] == ["0000000001.log"]
    assert [int(text) for _, _, text in records(box.log())] == list(range(1, 300001))


def test_a_second_start_goes_on_in_the_same_segment(box: Watched) -> None:
    for word in ("first", "second"):
        box.sh(f"echo {word}").started()
        box.ended()
    assert [text for _, _, text in records(box.log())] == [b"first", b"second"]


def test_driver_none_writes_nothing(box: Watched) -> None:
    box.values["log-driver"] = "none"
    box.sh("seq 1 100000").started()
    assert box.ended()["status"] == "0"
    assert box.log() == b""


def test_a_full_disk_counts_what_is_lost_and_never_holds_the_container_up(box: Watched) -> None:
    logs = box.container / "logs"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(logs)], check=True)
    try:
        box.sh(
            "seq 1 100000; touch /shared/written; while ! [ -e /shared/more ]; do sleep 0.01; done; echo again"
        ).started()
        eventually((box.shared / "written").exists, "the container has written everything")
        eventually(lambda: int((logs / "dropped").read_text()) > 0, "the loss is counted")
        kept = sum(len(text) + 1 for _, _, text in records(box.log()))
        everything = sum(len(str(number)) + 1 for number in range(1, 100001))
        eventually(lambda: kept + int((logs / "dropped").read_text()) == everything, "kept and lost are everything")
        subprocess.run(["mount", "-o", "remount,size=16m", str(logs)], check=True)
        eventually(lambda: written_again(box), "the log is written again", 10)
        assert box.ended()["status"] == "0"
    finally:
        subprocess.run(["umount", "-l", str(logs)], check=True)


def written_again(box: Watched) -> bool:
    """Lets the container write its last line once the retry is due."""
    import time

    dropped = box.container / "logs/dropped"
    if time.time() - dropped.stat().st_mtime > 1.1:
        (box.shared / "more").touch()
    return box.log().endswith(b" stdout F again\n")


def test_a_full_disk_does_not_lose_the_exit_record(box: Watched) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(box.container)], check=True)
    try:
        box.sh("seq 1 50000; exit 9").started()
        assert box.ended()["status"] == "9"
        assert int((box.container / "logs/dropped").read_text()) > 0
    finally:
        subprocess.run(["umount", "-l", str(box.container)], check=True)
