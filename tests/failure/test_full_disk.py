"""The data root on a small file system of its own that gets full: every refusal says so in one sentence, what runs goes
on, ends are recorded, removal works, and when there is room again everything is as before."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import leaks, missing, request
from tests.failure.machine import cli, eventually, kill, monitors, settled
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Progress

ADVICE = "No space left on device; free some space"


class Disk:
    """A mounted ext4 of 40 MB, and a way to fill it to the last block."""

    def __init__(self, place: str) -> None:
        self.image, self.mounted = f"{place}/disk.img", f"{place}/mounted"
        with open(self.image, "wb") as file:
            file.truncate(40 << 20)
        os.mkdir(self.mounted)
        # no block is reserved for root: else a filled disk would have room for us, who are root
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "4000", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.mounted], check=True)

    def fill(self) -> None:
        """Takes every free block."""
        ballast = os.open(f"{self.mounted}/ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 1 << 12, 1):
                while True:
                    try:
                        os.write(ballast, b"x" * size)
                        os.fdatasync(ballast)
                    except OSError:
                        break
        finally:
            os.close(ballast)

    def available(self) -> int:
        """Bytes that can be written; ext4 gives blocks free with its next commit."""
        subprocess.run(["sync", "-f", self.mounted], check=True)
        state = os.statvfs(self.mounted)
        return state.f_bavail * state.f_bsize

    def free(self) -> None:
        Path(self.mounted, "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", self.mounted], check=False)


@pytest.fixture
def disk() -> Iterator[Disk]:
    if shutil.which("mkfs.ext4") is None:
        missing("mkfs.ext4 is not installed (package e2fsprogs)")
    place = tempfile.mkdtemp(prefix="tuidock-disk-")
    made = Disk(place)
    yield made
    made.close()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def small(disk: Disk, archive: bytes) -> Iterator[Engine]:
    """An engine on the small disk, with busybox."""
    Path(f"{disk.mounted}.tar").write_bytes(archive)
    engine = Engine(f"{disk.mounted}/root")
    assert cli(engine.root, "load", "-q", "-i", f"{disk.mounted}.tar").returncode == 0
    yield engine
    disk.free()
    engine.remove_many([c.id for c in engine.containers()], force=True)
    left = [leak for leak in leaks(engine) if not leak.endswith(disk.mounted)]
    engine.reset()
    assert not left, left


def refused(root: str, *words: str) -> None:
    """The command fails with one sentence that says why and what to do."""
    done = cli(root, *words)
    assert done.returncode != 0, f"{words} worked on a full disk"
    first, *rest = done.stderr.strip().splitlines()
    assert first.startswith("tuidock: ") and ADVICE in first, done.stderr
    assert all(not line or line.startswith("See ") for line in rest), done.stderr


def test_on_a_full_disk_everything_is_refused_in_one_sentence_and_works_again_later(small: Engine, disk: Disk) -> None:
    waiting = small.create(request(["sleep", "100"], name="waiting"))
    disk.fill()
    refused(small.root, "create", "--name", "new", "-v", "/data", "busybox", "true")
    refused(small.root, "run", "-d", "--name", "new", "busybox", "true")
    refused(small.root, "run", "--rm", "busybox", "true")
    refused(small.root, "start", "waiting")
    assert [c.name for c in small.containers()] == ["waiting"]
    assert small.volumes() == []
    for verb in (["ps", "-a"], ["images"], ["inspect", "waiting"], ["system", "df"], ["info"], ["logs", "waiting"]):
        assert cli(small.root, *verb).returncode == 0, f"{verb} needs no space"
    disk.free()
    settled(small)
    small.start(waiting)
    assert small.container(waiting).status == "running"
    assert cli(small.root, "run", "--rm", "busybox", "echo", "again").stdout == "again\n"


def test_a_load_that_fills_the_disk_is_refused_and_leaves_what_was_there(
    small: Engine, disk: Disk, archive: bytes
) -> None:
    small.tag("busybox", "kept:1")
    free = disk.available()
    big = Path(f"{disk.mounted}.big")
    subprocess.run(["tar", "-cf", big, "-C", "/usr/bin", "."], check=False, capture_output=True)
    assert big.stat().st_size > free, "the machine has too few programs for this test"
    refused(small.root, "import", str(big), "big:1")
    settled(small)
    assert free - disk.available() < 1 << 20, "the refused import left something"
    assert sorted(reference for image in small.images() for reference in image.references) == [
        "busybox:latest",
        "kept:1",
    ]
    assert cli(small.root, "run", "--rm", "kept:1", "echo", "usable").stdout == "usable\n"


def test_a_container_goes_on_when_its_log_fills_the_disk_and_the_loss_is_counted(small: Engine, disk: Disk) -> None:
    script = "echo first; until [ -e /dev/shm/go ]; do sleep 0.01; done; yes 0123456789abcdef | head -n 100000; " \
             "echo counted > /dev/shm/done; until [ -e /dev/shm/end ]; do sleep 0.01; done; echo last; exit 7"  # fmt: skip
    container = small.create(request(["sh", "-c", script], name="chatty"))
    small.start(container)
    inside = Path(f"/proc/{monitors(small, container).init[0]}/root/dev/shm")
    eventually(lambda: list(small.logs(container)), "the first line is there")
    disk.fill()
    inside.joinpath("go").touch()
    eventually(inside.joinpath("done").exists, "it has written everything and was not held up")
    row = eventually(
        lambda: (c := small.container(container)).log_dropped > 1_000_000 and c, "the loss is counted"
    )  # fmt: skip
    assert row and row.status == "running"
    shown = cli(small.root, "inspect", "-f", "{{.State.Status}} {{.LogDropped}}", "chatty")
    assert shown.stdout.split() == ["running", str(small.container(container).log_dropped)], shown
    assert "were not written" in cli(small.root, "logs", "chatty").stderr
    inside.joinpath("end").touch()
    assert small.wait(container) == 7, "its end was not recorded"
    assert small.container(container).exit_code == 7
    small.remove(container)
    disk.free()
    settled(small)


def test_ends_are_recorded_on_a_full_disk_whoever_dies(small: Engine, disk: Disk) -> None:
    script = "until [ -e /dev/shm/end ]; do sleep 0.01; done; exit 5"
    names = {"plain": (), "orphan": ("shim",), "halved": ("recorder",)}
    ids = {name: small.create(request(["sh", "-c", script], name=name)) for name in names}
    for container in ids.values():
        small.start(container)
    disk.fill()
    for name, victims in names.items():
        record = monitors(small, ids[name])
        for victim in victims:
            kill(getattr(record, victim))
        Path(f"/proc/{record.init[0]}/root/dev/shm/end").touch()
    assert {name: small.wait(container) for name, container in ids.items()} == dict.fromkeys(names, 5)
    disk.free()
    settled(small)


def test_stop_and_rm_work_on_a_full_disk_and_give_the_space_back(small: Engine, disk: Disk) -> None:
    fat = small.create(request(["sh", "-c", "dd if=/dev/zero of=/fat bs=1M count=4; sleep 100"], name="fat"))
    thin = small.create(request(["sleep", "100"], name="thin", PortBindings={"80/tcp": [{}]}))
    for container in (fat, thin):
        small.start(container)
    eventually(lambda: os.path.getsize(f"{small.instance.paths.container(fat)}/upper/fat") == 4 << 20, "it is fat")
    disk.fill()
    assert cli(small.root, "stop", "-t", "0", "thin").returncode == 0
    done = cli(small.root, "rm", "-f", "thin", "fat")
    assert done.returncode == 0, done.stderr
    assert small.containers() == []
    eventually(lambda: disk.available() >= 4 << 20, "the space is there again")
    disk.free()
    settled(small)


def test_a_read_only_data_root_can_be_looked_at_and_says_why_it_cannot_be_changed(small: Engine, disk: Disk) -> None:
    small.create(request(["true"], name="there"))
    small.close()
    subprocess.run(["mount", "-o", "remount,ro", disk.mounted], check=True)
    try:
        for verb in (["ps", "-a"], ["images"], ["inspect", "there"]):
            done = cli(small.root, *verb)
            assert done.returncode == 0 or "its file system is read-only; mount it writable" in done.stderr, (
                verb,
                done,
            )
        for verb in (["start", "there"], ["create", "busybox", "true"], ["rm", "there"], ["volume", "create", "more"]):
            done = cli(small.root, *verb)
            assert done.returncode != 0
            assert done.stderr.startswith("tuidock: ") and done.stderr.strip().count("\n") <= 2, done.stderr
            assert "ead-only" in done.stderr or "readonly" in done.stderr, done.stderr
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk.mounted], check=True)
    assert small.container("there").status == "created"


def test_what_was_filled_up_can_always_be_listed(small: Engine, disk: Disk) -> None:
    for number in range(5):
        small.create(request(["true"], name=f"number-{number}"))
    disk.fill()
    try:
        for number in range(5, 40):
            small.create(request(["true"], name=f"number-{number}"))
    except EngineError as error:
        assert ADVICE in str(error)
    names = [c.name for c in small.containers()]
    assert {f"number-{number}" for number in range(5)} <= set(names)
    assert all(os.path.exists(small.instance.paths.container(c.id) + "/create.json") for c in small.containers())
    disk.free()
    settled(small)


def test_on_a_disk_that_gets_full_the_trash_gives_way_first(small: Engine, disk: Disk) -> None:
    for name in ("older", "newer"):
        fat = small.create(request(["dd", "if=/dev/zero", "of=/fat", "bs=1M", "count=1"], name=name))
        small.start(fat)
        assert small.wait(fat) == 0
        small.remove(fat)
    small.create(request(["true"], name="kept"))
    assert [entry.name for entry in small.trash(sizes=True)] == ["newer", "older"]
    ballast = Path(disk.mounted, "ballast")
    ballast.write_bytes(b"x" * (disk.available() - (1 << 20)))
    disk.available()
    assert cli(small.root, "rm", "kept").returncode == 0
    assert "older" not in [entry.name for entry in small.trash()]
    disk.fill()
    assert cli(small.root, "trash", "empty", "-f").returncode == 0
    assert small.trash() == [] and os.listdir(small.instance.paths.removed) == []
    disk.free()
    settled(small)


def test_long_work_that_fills_the_disk_gets_room_from_the_trash(small: Engine, disk: Disk) -> None:
    for name in ("older", "newer"):
        Path(small.create_volume(name).mountpoint, "fat").write_bytes(os.urandom(1 << 20))
        small.remove_volume(name)
    ballast = Path(disk.mounted, "ballast")

    def filling() -> Iterator[Progress]:
        ballast.write_bytes(b"x" * (disk.available() - (1 << 20)))
        while len(small.trash()) == 2:
            yield Progress("archive", "reading")

    for _ in small._noted(filling()):
        pass
    assert [entry.name for entry in small.trash()] in (["newer"], [])
    small.empty_trash()
    disk.free()
    settled(small)
