"""Links of an image in the places where something is mounted or made: nothing outside of the root file system changes.

CVE-2021-30465, CVE-2025-31133, CVE-2025-52565, CVE-2025-52881, CVE-2026-41579, CVE-2026-55686.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.native.monitored import needs_root
from tests.native.record import Box, bind

pytestmark = needs_root


def below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host that the links name, by its path and from the root upwards."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "file").write_text("untouched\n")
    return directory


def test_links_below_a_mount_and_a_working_directory_stay_inside(box: Box, outside: Path) -> None:
    (box.rootfs / "absolute").symlink_to(outside)
    (box.rootfs / "upwards").symlink_to("../" * 12 + str(outside))
    source = outside.parent / "source"
    source.mkdir()
    (source / "content").write_text("mounted\n")
    box.mounts += bind(source, "/absolute/made") + bind(source, "/upwards/too")
    box.values["cwd"] = "/upwards/working/directory"
    said = box.shell(f"pwd; cat {outside}/made/content {outside}/too/content")
    assert said.splitlines() == [f"{outside}/working/directory", "mounted", "mounted"]
    assert below(outside) == ["file"] and (outside / "file").read_text() == "untouched\n"


@pytest.mark.parametrize("place", ["etc/hosts", "etc"])
def test_a_linked_file_is_covered_inside(box: Box, outside: Path, place: str) -> None:
    target = box.rootfs / place
    if place == "etc":
        (box.rootfs / "etc").rename(box.rootfs / "was")
        target.symlink_to(outside)
    else:
        target.symlink_to(outside / "file")
    source = outside.parent / "hosts"
    source.write_text("127.0.0.1 localhost\n")
    box.mounts += bind(source, "/etc/hosts", file=True)
    box.values["user"] = "0"
    assert box.shell("cat /etc/hosts") == "127.0.0.1 localhost\n"
    assert below(outside) == ["file"] and (outside / "file").read_text() == "untouched\n"


@pytest.mark.parametrize("place", ["proc", "sys"])
def test_procfs_and_sysfs_are_not_mounted_behind_a_link(box: Box, place: str) -> None:
    (box.rootfs / place).symlink_to("tmp")
    answer = box.start()
    assert answer.startswith("error mount") and "ordinary directory" in answer


def test_a_linked_dev_takes_the_devices_inside(box: Box, outside: Path) -> None:
    (box.rootfs / "dev").symlink_to(outside)
    box.values["tty"] = "1"
    box.shell("true")
    assert below(outside) == ["file"]


@pytest.mark.parametrize("name", ["null", "console", "pts", "ptmx", "shm", "fd", "mqueue"])
def test_what_an_image_has_in_dev_is_hidden(box: Box, outside: Path, name: str) -> None:
    (box.rootfs / "dev").mkdir()
    (box.rootfs / "dev" / name).symlink_to(outside / "file")
    box.values["tty"] = "1"
    box.shell("echo changed > /dev/null; echo changed > /dev/console; head -c 3 /proc/keys")
    assert (outside / "file").read_text() == "untouched\n"


def test_devices_of_a_mounted_dev_are_used_and_never_replaced(box: Box, outside: Path) -> None:
    """-v /dev:/dev: the host's own nodes."""
    (outside / "dev").mkdir()
    for pair in ((1, 3, "null"), (1, 5, "zero"), (1, 7, "full"), (1, 8, "random"), (1, 9, "urandom"), (5, 0, "tty")):
        os.mknod(outside / "dev" / pair[2], 0o600 | stat.S_IFCHR, os.makedev(pair[0], pair[1]))
    box.mounts = without_dev(box) + bind(outside / "dev", "/dev")
    before = {path.name: path.lstat() for path in (outside / "dev").iterdir()}
    box.shell("true")
    after = {path.name: path.lstat() for path in (outside / "dev").iterdir()}
    assert {n: (s.st_ino, s.st_mode, s.st_ctime_ns) for n, s in after.items()} == {
        n: (s.st_ino, s.st_mode, s.st_ctime_ns) for n, s in before.items()
    }


def test_a_file_in_place_of_a_device_is_kept(box: Box, outside: Path) -> None:
    (outside / "null").write_text("precious\n")
    box.mounts = without_dev(box) + bind(outside, "/dev")
    assert box.start().startswith("error device")
    assert (outside / "null").read_text() == "precious\n"


def without_dev(box: Box) -> list[tuple[str, str]]:
    mounts: list[list[tuple[str, str]]] = []
    for pair in box.mounts:
        if pair[0] == "mount":
            mounts.append([])
        mounts[-1].append(pair)
    kept = [one for one in mounts if not dict(one)["target"].startswith("/dev")]
    return [pair for one in kept for pair in one]


def test_a_link_that_is_swapped_while_containers_start_leads_nowhere(box: Box, outside: Path) -> None:
    """The race of CVE-2021-30465: a volume whose entry is now a directory, now a link to the host."""
    volume = outside.parent / "volume"
    volume.mkdir()
    swapper = os.fork()
    if swapper == 0:
        try:
            os.chdir(volume)
            os.mkdir("inside")
            os.symlink("../" * 12 + str(outside), "link")
            while os.getppid() != 1:
                os.rename("inside", "swapped")
                os.rename("swapped", "inside")
                os.rename("link", "swapped")
                os.rename("swapped", "link")
        finally:
            os._exit(0)
    ended = os.pidfd_open(swapper)
    try:
        box.mounts += bind(volume, "/volume") + bind(outside.parent / "shared", "/volume/swapped/deep")
        box.command = ("true",)
        for _ in range(40):
            if box.start().startswith("pid"):
                box.wait()
            (box.container / "exit").unlink(missing_ok=True)
    finally:
        import signal

        signal.pidfd_send_signal(ended, signal.SIGKILL)
        os.waitpid(swapper, 0)
        os.close(ended)
    assert below(outside) == ["file"]


def test_masks_are_not_led_elsewhere_by_a_mount_over_their_parent(box: Box, outside: Path) -> None:
    """The places are found again after all mounts: what a volume puts there is masked, and nothing outside."""
    (outside / "acpi").symlink_to("../" * 12 + str(outside / "file"))
    box.mounts += bind(outside, "/firmware")
    box.extra += [("masked", "/firmware/acpi"), ("readonly-path", "/firmware/acpi")]
    assert not box.start().startswith("pid 1 ")
    assert (outside / "file").read_text() == "untouched\n"
