"""One search over many logs, and times as people type them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.app.logs.log_samples import record
from tuidock.app.logs.grep import KEPT_HITS, Grep
from tuidock.app.logs.moments import moment_of
from tuidock.app.logs.query import QueryError
from tuidock.app.logs.session import LogSource
from tuidock.engine.errors import InvalidArgument

SECOND = 1_000_000_000


def source(root: Path, name: str, content: bytes) -> LogSource:
    (root / name).mkdir()
    (root / name / "0000000001.log").write_bytes(content)
    return LogSource(name, name, str(root / name))


def searched(sources: list[LogSource], pattern: str) -> Grep:
    ended = threading.Event()
    grep = Grep(sources, pattern, lambda: ended.set() if grep.ended else None)
    grep.start()
    assert ended.wait(20)
    return grep


def test_each_log_has_its_count_and_its_last_lines(tmp_path: Path) -> None:
    evil = b"\x1b]52;c;eA==\x07Timeout \xe2\x80\xae\x9b2J"
    sources = [
        source(tmp_path, "web", b"".join(record(b"timeout %d" % i, i) for i in range(1000))),
        source(tmp_path, "quiet", record(b"nothing")),
        LogSource("never", "never", str(tmp_path / "never")),
        source(tmp_path, "db", record(evil) + record(b"x" * 5000 + b" timeout at last") + record(b"Time", tag="P")),
    ]
    grep = searched(sources, "timeout")
    assert [(each.source.name, each.number) for each in grep.results] == [("web", 1000), ("db", 2)]
    assert grep.count == 1002 and grep.looked_through == 4 and grep.share == 1
    web, db = grep.results
    assert [hit.text for hit in web.hits] == [f"timeout {i}" for i in range(1000 - KEPT_HITS, 1000)]
    first, last = db.hits
    assert first.text.isprintable() and "Timeout" in first.text and "\u202e" not in first.text
    assert last.text.endswith("x timeout at last") and last.text.startswith("…") and len(last.text) < 60
    assert last.position == (1, len(record(evil)))


def test_a_bad_expression_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(QueryError):
        Grep([], "(", lambda: None)


def test_it_can_be_given_up(tmp_path: Path) -> None:
    ended = threading.Event()
    grep = Grep([source(tmp_path, f"c{i}", record(b"timeout")) for i in range(4)], "timeout", ended.set)
    grep.cancel()
    grep.start()
    assert ended.wait(20) and grep.ended
    assert grep.looked_through == 0 and grep.share < 1 and not grep.results


def test_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        now = 1_795_550_400 * SECOND  # 2026-11-24T20:00:00Z
        assert moment_of("19:30", now) == now - 1800 * SECOND
        assert moment_of(" 19:30:15 ", now) == now - 1785 * SECOND
        assert moment_of("20:01", now) == now + 60 * SECOND - 86_400 * SECOND
        assert moment_of("10m", now) == now - 600 * SECOND
        assert moment_of("2026-11-24 19:00", now) == moment_of("2026-11-24T19:00:00Z", now) == now - 3600 * SECOND
        for wrong in ("25:61:", "soon", "10x", "24:99"):
            with pytest.raises(InvalidArgument):
                moment_of(wrong, now)
    finally:
        monkeypatch.undo()
        time.tzset()
