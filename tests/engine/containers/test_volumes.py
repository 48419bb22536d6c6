"""What containers mount: volumes of every kind, directories with what is mounted below them, paths within volumes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, request
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, InvalidArgument, StartFailed, SystemFailure


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """A block device with an empty ext4 on it."""
    image = tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(image)], check=True)
    device = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True).stdout
    yield device.strip()
    subprocess.run(["losetup", "-d", device.strip()], check=True)


def mounts_below(root: str) -> list[str]:
    return [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if root in line]


def test_containers_share_a_tmpfs_for_as_long_as_one_uses_it(engine: Engine, run: Run) -> None:
    engine.create_volume("memory", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=1770,uid=7"})
    first = run.start(["sh", "-c", "echo shared > /m/f; exec sleep 100"], Binds=["memory:/m"])
    assert run.output(["sh", "-c", "until cat /m/f; do :; done; stat -c '%a %u' /m; df -k /m"], Binds=["memory:/m:ro"])
    assert "shared\n1770 7\n" in run.text(run.made[-1]) and " 1024 " in run.text(run.made[-1])
    assert [problem for problem in engine.check(fast=True) if problem.area == "mount"] == []
    engine.stop(first, timeout=0)
    assert mounts_below(engine.root) == []
    assert run.output(["ls", "/m"], Binds=["memory:/m"]) == ""
    engine.sweep()  # the last one ended by itself
    assert mounts_below(engine.root) == []


def test_a_device_is_mounted_in_the_container_only_and_gets_the_images_content(
    engine: Engine, run: Run, disk: str, tmp_path: Path
) -> None:
    engine.create_volume("disk", options={"type": "ext4", "device": disk, "o": "noatime"})
    root = run.start(["sh", "-c", "rmdir /m/lost+found; echo kept > /m/f; sync; exec sleep 100"], Binds=["disk:/m"])
    shown = run.output(
        ["sh", "-c", "until cat /m/f 2>/dev/null; do :; done; grep ' /m ' /proc/mounts"], Binds=["disk:/m"]
    )
    assert shown.startswith("kept\n") and "ext4" in shown and "noatime" in shown
    assert mounts_below(engine.root) == []
    engine.stop(root, timeout=0)
    assert run.output(["cat", "/m/f"], Binds=["disk:/m:ro"]) == "kept\n"
    # whoever looks from outside sees the same, and leaves no mount
    (entry,) = engine.volume_files("disk")
    assert (entry.path, engine.read_volume_file("disk", "f")) == ("f", b"kept\n")
    list(engine.copy_out(root, "/m/f", str(tmp_path / "got")))
    assert (tmp_path / "got").read_text() == "kept\n" and engine.volume_size("disk") == 5
    assert mounts_below(engine.root) == []


def test_a_volume_may_be_a_directory_of_the_host(engine: Engine, run: Run, tmp_path: Path) -> None:
    engine.create_volume("place", options={"type": "none", "o": "bind", "device": str(tmp_path)})
    assert run.output(["sh", "-c", "ls /m/bin >&2; cat /m/etc/passwd | head -c 4"], Binds=["place:/m"]) != ""
    run.output(["sh", "-c", "echo x > /m/f"], Binds=["place:/m"])
    assert (tmp_path / "f").read_text() == "x\n"
    tmp_path.joinpath("f").unlink()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"type": "ext4", "device": "/dev/nothing-here"}, "no such file or directory"),
        ({"type": "none", "o": "bind", "device": "/nothing/here"}, "the directory /nothing/here does not exist"),
        ({"type": "nosuchfs", "device": "x"}, "this kernel has no file system nosuchfs; load its module"),
    ],
)
def test_what_cannot_be_mounted_says_why(engine: Engine, run: Run, options: dict[str, str], words: str) -> None:
    name = f"broken-{options['type']}"
    engine.create_volume(name, options=options)
    container = engine.create(request(["true"], Binds=[f"{name}:/m:nocopy"]))
    run.made.append(container)
    with pytest.raises(EngineError, match="(?i)" + words):
        engine.start(container)
    assert engine.container(container).status == "created"


def test_an_anonymous_volume_has_the_options_of_its_mount(engine: Engine, run: Run) -> None:
    driver = {"Name": "local", "Options": {"type": "tmpfs", "size": "2m"}}
    mount = {"Type": "volume", "Target": "/m", "VolumeOptions": {"DriverConfig": driver, "Labels": {"a": "b"}}}
    assert " 2048 " in run.output(["df", "-k", "/m"], Mounts=[mount])
    (point,) = engine.container(run.made[-1]).mounts
    volume = engine.volume(point.name)
    assert volume.options == {"type": "tmpfs", "size": "2m"} and volume.labels == {"a": "b"}
    with pytest.raises(InvalidArgument, match="volume driver 'other' does not exist"):
        driver["Name"] = "other"
        engine.create(request(["true"], Mounts=[mount]))


def test_binds_bring_what_is_mounted_below_unless_told_otherwise(engine: Engine, run: Run, tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(below)], check=True)
    try:
        (below / "f").touch()
        look = ["sh", "-c", "ls /m/below; touch /m/below/new && rm /m/below/new; true"]
        assert run.output(look, Binds=[f"{tmp_path}:/m"]) == "f\n"
        assert "f\n" in run.output(look, Binds=[f"{tmp_path}:/m:ro"]) and "Read-only" in run.text(run.made[-1])
        base = {"Type": "bind", "Source": str(tmp_path), "Target": "/m"}
        assert run.output(look, Mounts=[{**base, "BindOptions": {"NonRecursive": True}}]) == ""
        writable = {**base, "ReadOnly": True, "BindOptions": {"ReadOnlyNonRecursive": True}}
        assert run.output([*look[:2], look[2] + "; touch /m/x"], Mounts=[writable]).startswith(
            "f\ntouch: /m/x: Read-only"
        )
    finally:
        subprocess.run(["umount", str(below)], check=True)


def test_a_subpath_never_leaves_its_volume(engine: Engine, run: Run) -> None:
    data = Path(engine.create_volume("parts").mountpoint)
    (data / "a" / "b").mkdir(parents=True)
    (data / "a" / "b" / "f").write_text("inside\n")
    (data / "out").symlink_to("/etc")
    (data / "etc").mkdir()

    def mount(path: str, target: str = "/m") -> dict[str, object]:
        return {"Type": "volume", "Source": "parts", "Target": target, "VolumeOptions": {"Subpath": path}}

    assert run.output(["cat", "/m/f", "/file"], Mounts=[mount("a/b"), mount("a/b/f", "/file")]) == "inside\ninside\n"
    assert run.output(["ls", "/m"], Mounts=[mount("out")]) == ""  # a link ends at the root of the volume
    with pytest.raises(SystemFailure, match="cannot access path none of volume parts"):
        run.start(["true"], Mounts=[mount("none")])
    with pytest.raises(InvalidArgument, match="must lie in the volume"):
        engine.create(request(["true"], Mounts=[mount("../x")]))


def test_mounts_of_a_stopped_container_are_taken_over(engine: Engine, run: Run) -> None:
    donor = engine.create(request(["true"], name="donor", Binds=["taken:/a"], config={"Volumes": {"/b": {}}}))
    run.made.append(donor)
    run.output(["sh", "-c", "echo 1 > /a/f; echo 2 > /b/f"], VolumesFrom=["donor"])
    shown = run.output(["sh", "-c", "cat /a/f /b/f; touch /b/g"], VolumesFrom=["donor:ro"])
    assert shown.startswith("1\n2\n") and "Read-only" in shown
    # a later -v wins over what is taken over
    assert run.output(["ls", "/a"], VolumesFrom=["donor"], Binds=["other:/a"]) == ""


def test_wrong_words_are_named(engine: Engine, run: Run) -> None:
    with pytest.raises(InvalidArgument, match=r'invalid tmpfs option \["sice=1m"\]'):
        engine.create(request(["true"], Tmpfs={"/t": "sice=1m"}))
    assert run.output(["sh", "-c", "echo x > /t/f && sh /t/f; stat -c %a /t"], Tmpfs={"/t": "exec,mode=700"})
    engine.instance.notices.clear()
    run.output(["true"], Binds=[f"{os.getcwd()}:/m:z"])
    assert engine.instance.notices == ["-v with :z is mounted without it: there are no SELinux labels here"]
    with pytest.raises(StartFailed):
        run.start(["true"], Tmpfs={"/t": "mode=9"})
