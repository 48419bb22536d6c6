"""What a container finds as its root: mounts and their options, devices, what is hidden, and that nothing leads out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import needs_root, shim
from tests.native.record import MS_NOEXEC, MS_RDONLY, ONLY_V2, Box, bind, make_base, mount, opened

pytestmark = needs_root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


def mounts(text: str) -> dict[str, tuple[set[str], str]]:
    """Options and file system of every mount point in a mountinfo."""
    found = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        found[left.split()[4]] = (set(left.split()[5].split(",")), right.split()[0])
    return found


def test_mounts_have_the_options_of_docker(box: Box) -> None:
    found = mounts(box.shell("cat /proc/self/mountinfo"))
    strict = {"nosuid", "nodev", "noexec"}
    assert found["/"][1] == "overlay" and "rw" in found["/"][0]
    assert found["/proc"][1] == "proc" and strict <= found["/proc"][0]
    assert found["/dev"][1] == "tmpfs" and "nosuid" in found["/dev"][0] and "noexec" not in found["/dev"][0]
    assert found["/dev/pts"][1] == "devpts" and {"nosuid", "noexec"} <= found["/dev/pts"][0]
    assert found["/sys"][1] == "sysfs" and strict | {"ro"} <= found["/sys"][0]
    assert found["/dev/shm"][1] == "tmpfs" and strict <= found["/dev/shm"][0]
    assert found["/dev/mqueue"][1] == "mqueue"
    for path in ("/proc/sys", "/proc/irq", "/proc/bus"):
        assert {"ro", "nosuid", "nodev", "noexec"} <= found[path][0], path
    assert not [path for path in found if "tuidock" in path], "a mount of the host is left"


def test_no_mount_of_the_container_reaches_the_host(box: Box) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    box.serve()
    assert Path("/proc/self/mountinfo").read_text() == before


def test_masked_files_are_empty_and_masked_directories_too(box: Box) -> None:
    files = "cat /proc/keys /proc/timer_list /proc/interrupts | wc -c"
    script = f"{files}; ls -A /sys/firmware /proc/acpi 2>/dev/null | grep -v : | wc -w"
    assert box.shell(script).split() == ["0", "0"]


def test_the_null_device_that_masks_cannot_be_changed(box: Box) -> None:
    before = os.stat("/dev/null").st_mode
    assert "failed" in box.shell("chmod 600 /proc/keys 2>/dev/null || echo failed")
    assert os.stat("/dev/null").st_mode == before


def test_read_only_paths_refuse_writes(box: Box) -> None:
    script = "echo 1 > /proc/sys/kernel/panic; echo 1 > /proc/sys/vm/swappiness; echo done"
    assert box.shell(script).endswith("done\n")
    assert box.output("stderr").count("Read-only file system") == 2


def test_devices_and_links_of_dev(box: Box) -> None:
    nodes = "for n in null zero full random urandom tty; do stat -c '%n %F %a %t:%T' $n; done"
    box.shell(f"cd /dev; {nodes}; for n in fd ptmx stdin core; do readlink $n; done")
    lines = box.output().splitlines()
    assert lines[0] == "null character special file 666 1:3"
    assert [line.split()[-1] for line in lines[:6]] == ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"]
    assert lines[6:] == ["/proc/self/fd", "pts/ptmx", "/proc/self/fd/0", "/proc/kcore"]


def test_a_device_of_the_user_has_its_mode_and_owner(box: Box) -> None:
    box.extra.append(("device", "c 1 3 640 1000 1001 /dev/deep/er/nothing"))
    assert box.shell("stat -c '%F %a %u %g %t:%T' /dev/deep/er/nothing") == "character special file 640 1000 1001 1:3\n"


def test_a_read_only_bind_is_read_only_all_the_way_down(box: Box, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    os.system(f"mount -t tmpfs tmpfs {source}/below")
    try:
        box.mounts += bind(source, "/data", MS_RDONLY)
        script = "touch /data/x 2>/dev/null || echo top; touch /data/below/x 2>/dev/null || echo below"
        assert box.shell(script) == "top\nbelow\n"
    finally:
        os.system(f"umount {source}/below")


def test_a_bind_shows_the_hosts_file_and_its_mountpoint_is_made(box: Box, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    box.mounts += bind(tmp_path / "file", "/new/place/file", MS_NOEXEC, file=True)
    assert box.shell("cat /new/place/file") == "from the host\n"
    assert (box.upper / "new/place/file").read_text() == ""


def test_a_directory_on_a_file_is_told_in_dockers_words(box: Box) -> None:
    box.mounts += bind(box.shared, "/etc/passwd")
    answer = box.start()
    assert answer.startswith("error mount-notdir 20 ")
    assert "Are you trying to mount a directory onto a file (or vice-versa)?" in answer


def test_a_missing_bind_source_is_named(box: Box) -> None:
    box.mounts += bind("/does/not/exist", "/data")
    answer = box.start()
    assert answer.startswith("error mount 2 ") and "/does/not/exist" in answer and "no such file or directory" in answer


@pytest.mark.parametrize("target", ["/link/inside", "/dangling/inside", "/up/inside"])
def test_symlinks_of_the_image_never_lead_a_mount_out(box: Box, tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.rootfs / "link").symlink_to(outside)
    (box.rootfs / "dangling").symlink_to("/not/there")
    (box.rootfs / "up").symlink_to("../" * 30 + str(outside).lstrip("/"))
    box.mounts += mount("tmpfs", "tmpfs", target, 0)
    found = mounts(box.shell("cat /proc/self/mountinfo"))
    inside = {
        "/link/inside": f"{outside}/inside",
        "/dangling/inside": "/not/there/inside",
        "/up/inside": f"{outside}/inside",
    }
    assert inside[target] in found, "it was resolved inside the root"
    assert not list(outside.iterdir())


def test_a_dev_that_is_a_symlink_stays_inside(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.rootfs / "dev").symlink_to(outside)
    assert "null" in box.shell("ls /dev/")
    assert not list(outside.iterdir())


def test_a_symlink_as_mountpoint_of_a_file_is_followed_inside(box: Box, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (box.rootfs / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    box.mounts += bind(tmp_path / "resolv.conf", "/etc/resolv.conf", file=True)
    assert box.shell("cat /etc/resolv.conf; readlink /etc/resolv.conf").split("\n")[0] == "nameserver 192.0.2.1"


def test_a_read_only_root_refuses_writes_but_has_its_mountpoints(box: Box) -> None:
    box.values |= {"readonly": "1", "cwd": "/made/for/me"}
    assert box.shell("touch /x 2>/dev/null || echo refused; pwd; touch /shared/x") == "refused\n/made/for/me\n"


def test_layers_lie_on_each_other_topmost_first(box: Box, tmp_path: Path) -> None:
    for name in ("low", "high"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "which").write_text(name + "\n")
    (tmp_path / "low/only").write_text("low only\n")
    box.lowers = [tmp_path / "high", tmp_path / "low", *box.lowers]
    assert box.shell("cat /which /only") == "high\nlow only\n"


def test_many_layers_with_long_and_odd_names(box: Box, tmp_path: Path) -> None:
    for number in range(120):
        layer = tmp_path / ("x" * 200) / f"layer:{number}"
        layer.mkdir(parents=True)
        (layer / f"file{number}").write_text("")
        box.lowers.insert(0, layer)
    assert box.shell("ls / | grep -c file") == "120\n"


def test_a_plain_root_is_a_bind_of_its_directory(box: Box, tmp_path: Path) -> None:
    plain = make_base(tmp_path / "plain")
    box.values |= {"rootfs": "plain", "plain": str(plain)}
    assert box.shell("echo here > /written; cat /written") == "here\n"
    assert (plain / "written").read_text() == "here\n"


def test_sysctls_are_written_and_a_wrong_one_is_named(box: Box) -> None:
    box.extra.append(("sysctl", "net.ipv4.ip_unprivileged_port_start=0"))
    assert box.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "0\n"


def test_a_sysctl_cannot_leave_the_sysctls(box: Box) -> None:
    box.extra.append(("sysctl", "../self/attr/exec=x"))
    assert box.start().startswith("error sysctl ")


@pytest.mark.skipif(ONLY_V2, reason="there is no cgroup v1 here")
def test_the_hierarchies_of_cgroup_v1_are_shown_read_only(box: Box) -> None:
    box.add_cgroup_mount()
    refused = "mkdir /sys/fs/cgroup/pids/x 2>/dev/null || echo refused"
    script = f"ls /sys/fs/cgroup; head -n 1 /sys/fs/cgroup/pids/tasks; {refused}"
    lines = box.shell(script).splitlines()
    assert {"memory", "pids", "devices"} <= set(lines)
    assert lines[-2:] == ["1", "refused"]


def test_a_failed_start_leaves_no_mount_and_no_cgroup(box: Box) -> None:
    box.mounts += mount("nonsense", "none", "/nowhere", 0)
    before = Path("/proc/self/mountinfo").read_text()
    assert box.start().startswith("error mount ")
    assert Path("/proc/self/mountinfo").read_text() == before
    assert not [path for path in box.cgroups if path.exists()]


def test_standard_streams_can_be_opened_again_by_any_user(box: Box) -> None:
    box.values["user"] = "worker"
    assert box.shell("echo one > /dev/stdout; echo two > /proc/self/fd/1") == "one\ntwo\n"


def test_the_binary_of_the_shim_is_out_of_reach(box: Box) -> None:
    box.values["init"] = "1"
    mode = stat.S_IMODE(os.stat(shim()).st_mode)
    script = "readlink /proc/1/exe | wc -l; echo x 2>/dev/null >> /proc/1/exe || echo refused"
    assert box.shell(script).endswith("refused\n")
    assert stat.S_IMODE(os.stat(shim()).st_mode) == mode
