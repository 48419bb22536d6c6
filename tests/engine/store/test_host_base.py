"""host/base runs without a network: everything its programs need is inside, nothing else of the machine is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.store.conftest import Store
from tuidock.engine.store import elf, images
from tuidock.engine.transfer import operations


def pull(store: Store) -> str:
    progress = list(operations.pull(store.state, store.paths, "host/base"))
    assert (progress[-1].action, progress[-1].subject) == ("pulled", "host/base:latest")
    return images.resolve(store.state, store.paths, "host/base").id


@pytest.fixture
def rootfs(store: Store) -> Path:
    pull(store)
    return Path(images.resolve(store.state, store.paths, "host/base").lower[0])


def test_it_is_the_same_image_each_time(new_store: Callable[[], Store]) -> None:
    assert pull(new_store()) == pull(new_store())


def test_every_program_finds_its_loader_and_libraries_inside(rootfs: Path) -> None:
    names = {path.name for path in rootfs.rglob("*.so*")}
    programs = 0
    for path in (rootfs / "usr").rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        found = elf.read(str(path))
        if found is None:
            continue
        programs += 1
        assert set(found.needed) <= names, path
        assert not found.interpreter or (rootfs / found.interpreter.lstrip("/")).exists()
    assert programs > 60


@pytest.mark.skipif(os.geteuid() != 0 and os.environ.get("CI") != "true", reason="chroot needs root")
def test_its_programs_run_in_it(rootfs: Path) -> None:
    script = (
        'set -e; id -un; seq 3 | sort -r | tr "\\n" " "; echo "a b" | awk "{print \\$2}"; expr 6 \\* 7; [ -L /bin ]'
    )
    done = subprocess.run(
        ["chroot", str(rootfs), "/bin/sh", "-c", script],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert (done.returncode, done.stdout.split()) == (0, ["root", "3", "2", "1", "b", "42"]), done.stderr


def test_it_holds_no_configuration_of_the_machine(rootfs: Path) -> None:
    assert sorted(os.listdir(rootfs / "etc")) == ["group", "nsswitch.conf", "os-release", "passwd"]
    assert os.listdir(rootfs / "root") == os.listdir(rootfs / "home") == []
    assert "tuidock" in (rootfs / "etc/os-release").read_text()
    for path in rootfs.rglob("*"):
        assert not path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID) or path.is_symlink()


def test_a_static_busybox_brings_its_applets(rootfs: Path) -> None:
    if not shutil.which("busybox"):
        pytest.skip("busybox is not installed")
    assert os.readlink(rootfs / "usr/bin/httpd") == "busybox"
    assert (rootfs / "usr/bin/nc").exists()


def test_its_config_says_what_it_is(store: Store) -> None:
    pull(store)
    config = images.resolve(store.state, store.paths, "host/base").container_config
    assert config["Cmd"] == ["sh"] and any(entry.startswith("PATH=") for entry in config["Env"])
    assert config["Labels"]["org.opencontainers.image.title"] == "host/base"
    assert store.problems() == []


def test_the_headers_agree_with_the_loader() -> None:
    found = elf.read(os.path.realpath("/bin/ls"))
    assert found is not None
    listed = subprocess.run(["readelf", "-d", "/bin/ls"], capture_output=True, text=True)
    if listed.returncode == 0:
        assert all(f"[{name}]" in listed.stdout for name in found.needed)
    assert elf.read("/etc/passwd") is None
