"""The trash: what rm, volume rm and rmi remove comes back with everything that it had, or makes room."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, request
from tuidock.engine import Engine
from tuidock.engine.errors import Conflict, NotFound
from tuidock.engine.options.settings import parse_trash
from tuidock.engine.store import expiring, removed


@pytest.fixture(autouse=True)
def empty(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty trash before and after, and a configuration of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    engine.empty_trash()
    yield
    engine.empty_trash()
    assert not os.path.exists(engine.instance.paths.removed) or os.listdir(engine.instance.paths.removed) == []


def configure(tmp_path: Path, text: str) -> None:
    (tmp_path / "tuidock").mkdir(exist_ok=True)
    (tmp_path / "tuidock" / "config.yaml").write_text(text)


def events_of(engine: Engine, kind: str) -> list[str]:
    return [e.action for batch in engine.events(since=1, follow=False) for e in batch if e.type == kind]


def kinds(engine: Engine) -> list[tuple[str, str]]:
    return [(entry.kind, entry.name) for entry in engine.trash()]


def test_a_container_comes_back_with_everything_that_it_had(engine: Engine, run: Run) -> None:
    made = run.start(
        ["sh", "-c", "echo said; echo 1 > /kept; echo 2 > /anonymous/f; exit 7"],
        name="whole", config={"Volumes": {"/anonymous": {}}, "Labels": {"a": "b"}}, Binds=["named:/named"],
        Memory=64 << 20,
    )  # fmt: skip
    engine.wait(made)
    before, shown = engine.container(made), engine.inspect_container(made)
    engine.remove(made, volumes=True)
    assert kinds(engine) == [("volume", before.mounts[0].name), ("container", "whole")]
    with pytest.raises(NotFound):
        engine.container(made)
    engine.remove_volume("named")
    assert list(engine.check(fast=True)) == []

    (named,) = engine.undo(["named"])
    assert (named.kind, named.name, named.remarks) == ("volume", "named", ())
    restored = engine.undo()
    assert [(one.kind, one.name, one.remarks) for one in restored] == [
        ("volume", before.mounts[0].name, ()), ("container", "whole", ()),
    ]  # fmt: skip
    after = engine.container("whole")
    assert after._replace(stopped=False) == before._replace(stopped=False)
    again = engine.inspect_container(made)
    for document in (shown, again):
        document["State"].pop("Error", None)
    assert again == shown
    assert run.text(made) == "said\n" and after.exit_code == 7
    assert Path(after.mounts[0].source, "f").read_text() == "2\n"
    assert engine.trash() == [] and list(engine.check(fast=True)) == []
    engine.start(made)
    assert engine.wait(made) == 7 and run.text(made) == "said\nsaid\n"
    assert "undo" in events_of(engine, "container") and "undo" in events_of(engine, "volume")


def test_what_one_command_removed_comes_back_together(engine: Engine, run: Run) -> None:
    made = [run.start(["sleep", "100"], name=f"many{index}") for index in range(3)]
    engine.remove_many(made[:2], force=True)
    engine.remove(made[2], force=True)
    assert [one.name for one in engine.undo()] == ["many2"]
    assert sorted(one.name for one in engine.undo()) == ["many0", "many1"]
    with pytest.raises(Conflict, match="the trash is empty"):
        engine.undo()
    assert {engine.container(name).exit_code for name in ("many0", "many1", "many2")} == {137}


def test_a_name_and_an_address_that_are_taken_are_told(engine: Engine, run: Run) -> None:
    first = engine.create(request(["true"], name="mine"))
    run.made.append(first)
    address = engine.container(first).networks[0].address
    engine.remove(first)
    second = engine.create(request(["true"], name="mine"))
    run.made.append(second)
    with engine.instance.state.write() as db:
        document = json.loads(db.execute("SELECT document FROM removed").fetchone()[0])
        db.execute(
            "UPDATE addresses SET address = ? WHERE container_id = ?", (document["addresses"][0]["address"], second)
        )
    (restored,) = engine.undo(["mine"])
    assert restored.name == "mine-1"
    taken, moved = restored.remarks
    assert (
        taken == "the name mine is taken, so it is mine-1 now" and f"its address {address} in bridge is taken" in moved
    )
    assert engine.container("mine-1").networks[0].address not in ("", address)
    written = json.loads(Path(engine.instance.paths.container(first), "create.json").read_text())
    assert written["Name"] == "mine-1"
    engine.remove("mine-1", now=True)
    assert engine.trash() == []


def test_a_volume_comes_back_beside_one_of_its_name(engine: Engine) -> None:
    for content in ("old", "new"):
        volume = engine.create_volume("twice", {"c": content}, {"type": "tmpfs"} if content == "" else None)
        Path(volume.mountpoint, "f").write_text(content)
        if content == "old":
            engine.remove_volume("twice")
    (restored,) = engine.undo()
    assert restored.name == "twice-1" and "the name twice is taken" in restored.remarks[0]
    assert Path(engine.volume("twice-1").mountpoint, "f").read_text() == "old"
    assert engine.volume("twice-1").labels == {"c": "old"} and engine.volume("twice").labels == {"c": "new"}
    engine.remove_volume("twice", now=True)
    engine.remove_volume("twice-1")
    engine.create_volume("twice-1")  # empty and unused: it makes room
    assert engine.undo()[0].name == "twice-1"
    assert Path(engine.volume("twice-1").mountpoint, "f").read_text() == "old"
    engine.remove_volume("twice-1", now=True)


def test_a_container_brings_its_removed_volume_along(engine: Engine, run: Run) -> None:
    made = engine.create(request(["true"], name="owner", Binds=["own:/v", "lost:/l"]))
    run.made.append(made)
    Path(engine.volume("own").mountpoint, "f").write_text("content")
    engine.remove(made)
    engine.remove_volume("own")
    engine.remove_volume("lost", now=True)
    (restored,) = engine.undo(["owner"])
    assert set(restored.remarks) == {
        "its volume own came back with it", "its volume lost has gone for good, so it is empty now",
    }  # fmt: skip
    assert Path(engine.volume("own").mountpoint, "f").read_text() == "content"
    assert list(engine.check(fast=True)) == []


def test_an_image_comes_back_with_its_names(engine: Engine, archive: bytes, run: Run) -> None:
    engine.tag("busybox", "busybox:other")
    image = engine.images()[0]
    (untagged,) = engine.remove_image("busybox:other")
    assert untagged.kind == "Untagged"
    assert engine.undo()[0].name == "busybox:other"
    assert engine.images() == [image]
    done = engine.remove_image(image.id, force=True)
    assert [one.kind for one in done][:3] == ["Untagged", "Untagged", "Deleted"]
    assert engine.images() == [] and [p for p in engine.check() if not p.repaired] == []
    engine.sweep()  # a collection takes nothing that can come back
    (restored,) = engine.undo()
    assert restored.remarks == () and engine.images() == [image]
    assert run.output(["echo", "runs"]) == "runs\n"
    engine.remove_many(run.made, force=True, now=True)
    run.made.clear()
    engine.remove_image("busybox:other")
    engine.remove_image("busybox")
    for _ in engine.load(io.BytesIO(archive)):
        pass
    assert engine.undo()[0].remarks == ()  # its name stands for the same image again
    assert engine.undo()[0].name == "busybox:other"
    engine.remove_image("busybox:other", now=True)


def test_the_image_of_a_removed_container_stays_for_it(engine: Engine, archive: bytes, run: Run) -> None:
    made = engine.create(request(["echo", "back"], name="pinned"))
    run.made.append(made)
    engine.remove(made)
    engine.remove_image("busybox", now=True)
    engine.sweep()
    assert engine.images() == []
    engine.undo(["pinned"])
    engine.start(made)
    engine.wait(made)
    assert run.text(made) == "back\n"
    engine.remove(made, now=True)
    run.made.clear()
    assert os.listdir(engine.instance.paths.snapshots) == []
    for _ in engine.load(io.BytesIO(archive)):
        pass


def test_rm_of_containers_that_remove_themselves_and_prune_keep_nothing(engine: Engine, run: Run) -> None:
    own = {"Volumes": {"/v": {}}}
    engine.remove(run.start(["sleep", "100"], config=own, AutoRemove=True), force=True, volumes=True)
    assert [volume for volume in engine.volumes() if volume.anonymous] == []
    engine.wait(run.start(["true"]))
    engine.prune_containers()
    run.made.clear()
    assert engine.trash() == []


def test_what_is_old_or_too_much_goes_the_oldest_first(engine: Engine, tmp_path: Path) -> None:
    state, paths = engine.instance.state, engine.instance.paths
    for name in ("first", "second", "third"):
        Path(engine.create_volume(name).mountpoint, "f").write_bytes(b"x" * 100_000)
        engine.remove_volume(name)
    assert [name for _, name in kinds(engine)] == ["third", "second", "first"]
    usage = {row.type: row for row in engine.disk_usage()}
    assert usage["Trash"].total == 3 and usage["Trash"].size >= 300_000
    configure(tmp_path, "trash: {keep: 1h, size: 250k}\n")
    assert [entry.name for entry in expiring.enforce(state, paths)] == ["first"]
    with state.write() as db:
        db.execute("UPDATE removed SET time = ? WHERE name = 'second'", (time.time_ns() - 3_601_000_000_000,))
    engine.remove_volume(engine.create_volume("fourth").name)
    assert [name for _, name in kinds(engine)] == ["fourth", "third"]
    assert len(os.listdir(paths.removed)) == 2 and os.listdir(paths.trash) == []
    configure(tmp_path, "trash: {keep: 0}   # nothing is kept\n")
    engine.remove_volume(engine.create_volume("fifth").name)
    assert "fifth" not in str(kinds(engine))


def test_a_wrong_setting_is_told_and_the_default_counts(engine: Engine, tmp_path: Path) -> None:
    assert parse_trash({"keep": "90m", "size": "5%"}) == (5400, (5, True))
    assert parse_trash({"size": "1g"}) == (86400, (1 << 30, False)) and parse_trash({"keep": 60}) == (60, (10, True))
    for wrong in ("24h", {"keep": "long"}, {"size": "101%"}, {"other": 1}):
        assert parse_trash(wrong) is None
    configure(tmp_path, "trash: 24h\n")
    engine.remove_volume(engine.create_volume("kept").name)
    assert engine.notices() == ["config.yaml: trash must be as {keep: 24h, size: 10%}, not '24h'"]
    assert kinds(engine) == [("volume", "kept")]


def test_a_lost_database_loses_nothing_of_the_trash(engine: Engine, run: Run) -> None:
    made = engine.create(request(["true"], name="found"))
    run.made.append(made)
    Path(engine.create_volume("seen", {"a": "b"}).mountpoint, "f").write_text("content")
    stays = engine.create_volume("stays", {"c": "d"}, {"type": "tmpfs", "size": "1m"})
    engine.remove(made)
    engine.remove_volume("seen")
    before = engine.trash()
    engine.rebuild()
    assert engine.trash() == before  # from the old database
    with engine.instance.state.write() as db:
        db.execute("DELETE FROM removed")
    engine.rebuild()
    assert sorted(kinds(engine)) == [("container", "found"), ("volume", "seen")]  # from the directories
    engine.undo(["found", "seen"])
    assert engine.container("found").id == made and engine.container("found").networks
    assert Path(engine.volume("seen").mountpoint, "f").read_text() == "content"
    assert engine.volume("seen").labels == {"a": "b"}
    assert engine.volume("stays")._replace(created=0) == stays._replace(created=0)
    assert list(engine.check(fast=True)) == []
    for name in ("seen", "stays"):
        engine.remove_volume(name, now=True)


def test_an_undo_that_fails_leaves_nothing(engine: Engine, run: Run) -> None:
    made = engine.create(request(["true"], name="stuck"))
    run.made.append(made)
    engine.remove(made)
    with engine.instance.state.write() as db:
        image = db.execute("SELECT * FROM images").fetchone()
        db.execute("DELETE FROM images")
    with pytest.raises(Conflict, match="container stuck cannot come back: its image busybox has gone; pull it"):
        engine.undo()
    assert kinds(engine) == [("container", "stuck")] and not os.path.exists(engine.instance.paths.container_run(made))
    with engine.instance.state.write() as db:
        db.execute(f"INSERT INTO images VALUES ({','.join('?' * len(image))})", image)
    assert engine.undo()[0].name == "stuck"


def test_entries_are_found_by_prefix_and_name(engine: Engine) -> None:
    engine.remove_volume(engine.create_volume("named").name)
    entry = engine.trash()[0]
    state = engine.instance.state
    assert removed.find(state, [entry.id[:10]]) == removed.find(state, ["named"]) == [entry]
    with pytest.raises(NotFound, match="No such removal in the trash: other"):
        engine.undo(["other"])
    assert engine.empty_trash(["named"])[0] == 1
