"""`system doctor` tells the truth about this machine, leaves nothing behind, and knows what would be missing elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tuidock.engine import examine
from tuidock.engine.system import doctor, doctor_users, kernel_options, remedies
from tuidock.engine.types import Finding

AREAS = {
    "kernel", "processor", "kernel options", "program", "storage", "disk", "cgroups", "seccomp", "apparmor", "nftables",
    "forwarding", "firewall", "user namespaces", "slirp4netns", "inotify", "open files", "git", "busybox", "boot",
}  # fmt: skip


def of(findings: list[Finding], area: str) -> Finding:
    return next(finding for finding in findings if finding.area == area)


def test_where_containers_run_nothing_fails(tmp_path: Path) -> None:
    found = list(examine(str(tmp_path / "root")))
    assert {finding.area for finding in found} >= AREAS
    assert [finding for finding in found if finding.state == "fail"] == []
    assert all("\n" not in finding.message and finding.message for finding in found)
    boot = of(found, "boot")
    assert boot.state == "ok" or boot.command.startswith("tuidock boot --")
    assert os.listdir(tmp_path) == [], "the overlay that was tried is gone, and no data root was made"


def test_a_place_where_nothing_can_be_written() -> None:
    storage = of(list(examine("/proc/tuidock")), "storage")
    assert storage.state == "fail" and "/proc cannot be written" in storage.message


def test_a_data_root_in_memory() -> None:
    storage = of(list(examine("/dev/shm/tuidock")), "storage")
    assert storage.state == "warn" and "after a reboot" in storage.message


def test_an_ordinary_user_is_told_what_is_his(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    list(examine(str(tmp_path)))  # imports what the other user may not read
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(writer, json.dumps([list(finding) for finding in examine(str(tmp_path))]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        found = [Finding(*finding) for finding in json.loads(pipe.read())]
    os.waitpid(child, 0)
    subuid = of(found, "subuid")
    assert subuid.state == "warn" and "--add-subuids" in subuid.message
    assert subuid.command.startswith("usermod --add-subuids ") and subuid.command.endswith(" nobody")
    assert "without root" in of(found, "limits").message
    assert "only root can try" in of(found, "storage").message


def test_a_tun_device_that_is_roots_alone_is_no_network_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slirp4netns").touch(0o755)
    monkeypatch.setattr(doctor_users, "PATH", str(tmp_path))
    tun = tmp_path / "tun"
    assert doctor_users._usermode(str(tun)).command == "modprobe tun"
    for mode, command in ((0o600, f"chmod 666 {tun}"), (0o660, f"chmod 666 {tun}"), (0o666, "")):
        tun.touch()
        tun.chmod(mode)
        found = doctor_users._usermode(str(tun))
        assert (found.state, found.command) == ("warn" if command else "ok", command)


def test_a_package_by_the_manager_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remedies, "PATH", str(tmp_path))
    assert remedies.install("nftables") == ""
    for manager, words in (("apk", "apk add shadow-uidmap"), ("dnf", "dnf install shadow-utils")):
        (tmp_path / manager).touch(0o755)
        assert remedies.install("uidmap") == words
    assert remedies.install("nftables") == "dnf install nftables"
    assert {finding.command for finding in doctor._helpers() if finding.area == "git"} <= {"", "dnf install git"}


def test_options_of_a_kernel() -> None:
    text = Path(__file__).with_name("kernel.config").read_text()
    assert [finding.state for finding in kernel_options.judge(text)] == ["ok"]
    without = text.replace("CONFIG_VETH=m", "# CONFIG_VETH is not set").replace("CONFIG_MACVLAN=m\n", "")
    found = [(finding.state, finding.message.split()[0]) for finding in kernel_options.judge(without)]
    assert found == [("fail", "CONFIG_VETH"), ("warn", "CONFIG_MACVLAN")]


@pytest.mark.parametrize(
    ("entries", "state", "words"),
    [
        ({"cgroup.controllers": "cpuset cpu io memory pids rdma"}, "ok", "version 2"),
        ({"cgroup.controllers": "cpu pids"}, "warn", "without cpuset, io, memory: --cpuset-cpus"),
        ({"cgroup.controllers": ""}, "warn", "without cpu"),
        ({}, "fail", "mount -t cgroup2"),
        (dict.fromkeys(("cpu/x", "cpuset/x", "blkio/x", "memory/memory.memsw.limit_in_bytes", "pids/x", "freezer/x",
                        "devices/x"), ""), "ok", "version 1"),
        (dict.fromkeys(("cpu/x", "freezer/x", "devices/x"), ""), "warn", "version 1 without cpuset"),
    ],
)  # fmt: skip
def test_control_groups(tmp_path: Path, entries: dict[str, str], state: str, words: str) -> None:
    for name, text in entries.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = list(doctor._groups(str(tmp_path)))
    assert [(finding.state, words in finding.message) for finding in found] == [(state, True)]


def test_the_file_system_of_a_place(tmp_path: Path) -> None:
    assert doctor.filesystem_of("/proc") == "proc"
    assert doctor.filesystem_of("/dev/shm") == "tmpfs"
    table = tmp_path / "mountinfo"
    device = os.stat(tmp_path).st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    table.write_text(f"1 0 0:1 / / rw - rootfs none rw\n2 1 {numbers} / {tmp_path} rw shared:1 - strange /dev/x rw\n")
    assert doctor.filesystem_of(str(tmp_path), str(table)) == "strange"
