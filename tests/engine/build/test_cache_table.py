"""The table of the cache: made in data roots of the version before, without touching what is in them."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.engine.build.helpers import build_text
from tuidock.engine import Engine
from tuidock.engine.build import cache
from tuidock.engine.image_types import CacheEntry
from tuidock.engine.state import SCHEMA_VERSION, STEPS


def old_root(path: Path, archive: bytes) -> str:
    """A data root as version 1 left it: what it knew already of the rows of today."""
    engine = Engine(str(path))
    for _ in engine.load(io.BytesIO(archive)):
        pass
    engine.close()
    (path / "state.db").rename(path / "newest.db")
    database = sqlite3.connect(path / "state.db")
    database.executescript(STEPS[1])
    database.execute("ATTACH ? AS newest", (str(path / "newest.db"),))
    for (table,) in database.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
        columns = ", ".join(row[1] for row in database.execute(f"PRAGMA main.table_info({table})"))
        database.execute(f"INSERT OR REPLACE INTO main.{table}({columns}) SELECT {columns} FROM newest.{table}")
    database.execute("PRAGMA user_version=1")
    database.commit()
    database.close()
    (path / "newest.db").unlink()
    return str(path)


def version(root: str) -> int:
    database = sqlite3.connect(f"{root}/state.db")
    try:
        return int(database.execute("PRAGMA user_version").fetchone()[0])
    finally:
        database.close()


def test_a_root_of_version_1_goes_on(archive: bytes, tmp_path: Path) -> None:
    root = old_root(tmp_path / "root", archive)
    looking = Engine(root, read_only=True)
    assert looking.build_cache() == []
    assert [row.total for row in looking.disk_usage() if row.type == "Build Cache"] == [0]
    assert not [problem for problem in looking.check() if problem.area in ("image", "content")]
    assert [image.references for image in looking.images()] == [("busybox:latest",)] and looking.containers() == []
    database = sqlite3.connect(f"{root}/state.db")  # an older program goes on with it meanwhile
    database.execute("UPDATE image_references SET reference = 'docker.io/library/other:1'")
    database.commit()
    assert [image.references for image in looking.images()] == [("other:1",)]
    database.execute("UPDATE image_references SET reference = 'docker.io/library/busybox:latest'")
    database.commit()
    database.close()
    looking.close()
    assert version(root) == 1
    engine = Engine(root)
    assert [image.references for image in engine.images()] == [("busybox:latest",)]
    assert version(root) == SCHEMA_VERSION
    build_text(engine, tmp_path / "context", "FROM busybox\nRUN true\n")
    assert len(engine.build_cache()) == 1
    engine.reset()


def test_the_last_use_is_written_down_when_it_is_news(engine: Engine, tmp_path: Path) -> None:
    def build() -> int:
        build_text(engine, tmp_path / "context", "FROM scratch\nWORKDIR /news\n")
        (found,) = [one.used for one in engine.build_cache() if one.text == "WORKDIR /news"]
        return found

    made = build()
    assert build() == made
    with engine.instance.state.write() as db:
        db.execute("UPDATE build_cache SET used = used - ?", (cache.SETTLED,))
    assert build() > made
    with engine.instance.state.write() as db:  # the clock was put back since
        db.execute("UPDATE build_cache SET used = used + ?", (2 * cache.SETTLED,))
    assert made < build() < made + cache.SETTLED


def entry(name: str, size: int, used: int, *, in_use: bool = False, kind: str = "RUN") -> CacheEntry:
    return CacheEntry(name, kind, "", size, used, used, in_use)


def test_what_a_prune_takes() -> None:
    found = [
        entry("new", 10, 30), entry("middle", 10, 20), entry("old", 10, 10), entry("used", 10, 5, in_use=True),
        entry("mounted", 10, 4, in_use=True, kind=cache.MOUNT), entry("mount", 10, 15, kind=cache.MOUNT),
    ]  # fmt: skip

    def names(**wish: object) -> list[str]:
        return [one.id for one in cache.select(found, **wish)]  # type: ignore[arg-type]

    assert names() == ["old", "mount", "middle", "new"]
    assert names(all_=True) == ["used", "old", "mount", "middle", "new"]
    assert names(keep_bytes=25) == ["old", "mount"]
    assert names(before=15) == ["old", "mount"]
    assert names(kinds=(cache.MOUNT,)) == ["mount"]


def test_keys() -> None:
    state = cache.state_of("sha256:1", {"config": {"Env": ["A=1"]}, "os": "linux"})
    assert state == cache.state_of("sha256:1", {"os": "linux", "config": {"Env": ["A=1"]}})
    others = {
        cache.state_of("", {}), cache.state_of("sha256:2", {"config": {"Env": ["A=1"]}, "os": "linux"}),
        cache.state_of("sha256:1", {"config": {"Env": ["A=1", ""]}, "os": "linux"}),
    }  # fmt: skip
    assert state not in others
    assert cache.key_of(state, "RUN", "a", "b") != cache.key_of(state, "RUN", "ab")


def test_a_build_that_finds_everything_loads_little(engine: Engine, tmp_path: Path) -> None:
    """What is slow to import stays out: the whole command takes little longer than the shortest one."""
    text = 'FROM busybox\nWORKDIR /w\nCOPY --from=busybox /etc/group /g\nRUN true\nCMD ["x"]\n'
    build_text(engine, tmp_path, text, tags=("quick",))
    heavy = ("re", "json", "hashlib", "threading", "contextlib", "httpx", "tuidock.engine.store.content")
    program = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})\n"
        "from tuidock.engine import Engine\nfrom tuidock.engine.image_types import BuildRequest\n"
        f"events = list(Engine({engine.root!r}).build(BuildRequest({str(tmp_path)!r}, tags=('quick',))))\n"
        "assert {event.state for event in events if event.kind == 'state'} == {'cached'}, events\n"
        f"print([name for name in {heavy!r} if name in sys.modules and name not in before])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
