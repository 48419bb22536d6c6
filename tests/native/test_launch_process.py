"""What a container's process is and may do: namespaces, identity, capabilities, seccomp, limits, and how a start fails."""

from __future__ import annotations

import os
import resource
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.monitored import eventually, needs_root, shim
from tests.native.record import DEFAULT_CAPS, Box, opened
from tuidock.engine.runtime import seccomp

pytestmark = needs_root


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with opened(Box(shim(), tmp_path)) as made:
        yield made


def status(box: Box) -> dict[str, str]:
    """/proc/self/status of a process in the box."""
    lines = (line.partition(":") for line in box.shell("cat /proc/self/status").splitlines())
    return {key: value.strip() for key, _, value in lines}


def own_capabilities(name: str) -> int:
    """A capability set of this process."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(int(words[1], 16) for words in lines if words[0] == f"{name}:")


def namespaces(pid: int | str) -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "pid", "uts", "ipc", "net", "cgroup")}


def test_every_namespace_is_its_own(box: Box) -> None:
    own = namespaces("self")
    theirs = namespaces(box.serve())
    assert not [kind for kind in own if own[kind] == theirs[kind]]


@pytest.mark.parametrize("kind", ["pid", "uts", "ipc", "net", "cgroup"])
def test_a_namespace_can_be_the_hosts(box: Box, kind: str) -> None:
    box.values[f"ns-{kind}"] = "host"
    if kind == "uts":
        box.values["hostname"] = ""
    own, theirs = namespaces("self"), namespaces(box.serve())
    assert [name for name in own if own[name] == theirs[name]] == [kind]


def test_namespaces_of_another_container_are_joined(box: Box, tmp_path: Path) -> None:
    first = box.serve()
    with opened(Box(shim(), tmp_path / "second")) as second:
        second.values |= {f"ns-{kind}": f"/proc/{first}/ns/{kind}" for kind in ("pid", "ipc", "net", "uts")}
        second.values["hostname"] = ""
        theirs = namespaces(second.serve())
    for kind, link in namespaces(first).items():
        assert (theirs[kind] == link) == (kind not in ("mnt", "cgroup")), kind


def test_it_is_pid_1_with_its_hostname(box: Box) -> None:
    box.values["domainname"] = "example.test"
    assert box.shell("echo $$; hostname; cat /proc/sys/kernel/domainname") == "1\nbox\nexample.test\n"


def test_capabilities_are_dockers_fourteen_and_none_is_inheritable(box: Box) -> None:
    found = status(box)
    assert {int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {DEFAULT_CAPS}
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0


def test_a_user_who_is_not_root_has_no_capability_but_the_bounding_set(box: Box) -> None:
    box.values["user"] = "worker"
    found = status(box)
    assert {int(found[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    assert int(found["CapBnd"], 16) == DEFAULT_CAPS


def test_more_capabilities_than_the_engine_has_are_not_an_error(box: Box) -> None:
    box.values["caps"] = "ffffffffffffffff"
    assert int(status(box)["CapEff"], 16) == own_capabilities("CapPrm")


@pytest.mark.parametrize("no_new_privs", ["0", "1"])
@pytest.mark.parametrize("user", ["", "worker"])
def test_seccomp_denies_mount_even_with_the_capability(box: Box, tmp_path: Path, no_new_privs: str, user: str) -> None:
    box.values |= {
        "seccomp": seccomp.filter_path(str(tmp_path / "cache"), DEFAULT_CAPS),
        "caps": f"{DEFAULT_CAPS | 1 << 21:x}",
        "no-new-privs": no_new_privs,
        "user": user,
    }
    script = "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; mount -t tmpfs x /tmp 2>/dev/null || echo denied"
    assert box.shell(script).split() == ["NoNewPrivs:", no_new_privs, "Seccomp:", "2", "denied"]


def test_a_filter_that_denies_everything_is_no_obstacle_to_being_loaded(box: Box, tmp_path: Path) -> None:
    allow_execve_only = b"".join(
        struct.pack("HBBI", *line)
        for line in (
            (0x20, 0, 0, 0),
            (0x15, 0, 3, 59),
            (0x06, 0, 0, 0x7FFF0000),
            (0x06, 0, 0, 0x80000000),
            (0x06, 0, 0, 0x80000000),
            (0x15, 0, 1, 126),
            (0x06, 0, 0, 0x7FFF0000),
            (0x06, 0, 0, 0x80000000),
        )
    )
    (tmp_path / "filter").write_bytes(allow_execve_only)
    box.values |= {"seccomp": str(tmp_path / "filter"), "no-new-privs": "1"}
    box.started()
    assert box.wait() == 128 + 31, "the program itself is killed by SIGSYS, after it was executed"


def test_a_filter_of_a_wrong_size_is_refused(box: Box, tmp_path: Path) -> None:
    (tmp_path / "filter").write_bytes(b"12345")
    box.values["seccomp"] = str(tmp_path / "filter")
    assert box.start().startswith("error seccomp 22 ")


@pytest.mark.parametrize(
    ("user", "groups", "expected"),
    [
        ("", [], "0:0:0"),
        ("root", [], "0:0:0"),
        ("worker", [], "1000:1001:1001 10"),
        ("1000", [], "1000:1001:1001 10"),
        ("worker:audio", [], "1000:29:29"),
        ("1234", [], "1234:0:0"),
        ("1234:5678", [], "1234:5678:5678"),
        ("worker", ["audio", "4711"], "1000:1001:1001 10 29 4711"),
    ],
)
def test_users_and_groups(box: Box, user: str, groups: list[str], expected: str) -> None:
    box.values["user"] = user
    box.extra += [("group-add", group) for group in groups]
    uid, gid, rest = box.shell("grep -E '^(Uid|Gid|Groups)' /proc/self/status").splitlines()
    wanted_uid, wanted_gid, wanted_groups = expected.split(":")
    assert uid.split()[1:] == [wanted_uid] * 4 and gid.split()[1:] == [wanted_gid] * 4
    assert sorted(rest.split()[1:]) == sorted(wanted_groups.split())


@pytest.mark.parametrize(
    ("user", "text"),
    [
        ("foo", "unable to find user foo: no matching entries in passwd file"),
        ("root:foo", "unable to find group foo: no matching entries in group file"),
        ("4294967296", "uids and gids must be in range 0-2147483647"),
        ("-1", "unable to find user -1: no matching entries in passwd file"),
    ],
)
def test_users_that_are_not_there(box: Box, user: str, text: str) -> None:
    box.values["user"] = user
    answer = box.start()
    assert answer.startswith("error user ") and answer.endswith(text)


def test_home_comes_from_passwd_unless_it_is_set(box: Box) -> None:
    box.values["user"] = "worker"
    box.env.append("HOME=/elsewhere")
    assert box.shell("echo $HOME") == "/elsewhere\n"


@pytest.mark.parametrize("kind", ["fifo", "symlink", "directory", "huge"])
def test_a_hostile_passwd_neither_hangs_nor_leads_out(box: Box, kind: str) -> None:
    passwd = box.rootfs / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "symlink":
        passwd.symlink_to("/etc/group")
    elif kind == "directory":
        passwd.mkdir()
    else:
        passwd.write_text("root:x:0:0::/root:/bin/sh\n" * 100_000)
    box.values["user"] = "root"
    assert box.start().endswith("unable to find user root: no matching entries in passwd file")


def test_the_environment_is_the_records_and_nothing_else(box: Box) -> None:
    box.env.append("GREETING=hello world")
    assert set(box.shell("/bin/env").splitlines()) >= {"GREETING=hello world", "HOSTNAME=box", "HOME=/root"}
    assert not [line for line in box.output().splitlines() if line.startswith(("USER=", "LANG=", "VIRTUAL_ENV="))]


def test_a_missing_working_directory_is_made(box: Box) -> None:
    box.values["cwd"] = "/srv/app/data"
    assert box.shell("pwd; stat -c %u:%a .") == "/srv/app/data\n0:755\n"


@pytest.mark.parametrize("number", range(3, 12))
def test_no_descriptor_of_the_host_can_become_the_working_directory(box: Box, number: int) -> None:
    box.values["cwd"] = f"/proc/self/fd/{number}"
    box.command = ("cat", "/etc/hostname")
    answer = box.start()
    if answer.startswith("pid"):
        assert box.shell("pwd").startswith("/proc"), "only a directory of the container itself"
    else:
        assert answer.startswith("error cwd ")


def test_only_three_descriptors_are_open(box: Box) -> None:
    pid = box.serve()
    assert sorted(os.listdir(f"/proc/{pid}/fd"), key=int)[:3] == ["0", "1", "2"]
    assert not [link for link in os.listdir(f"/proc/{pid}/fd") if 3 <= int(link) < 10]


def test_limits_are_set_and_defaults_are_clamped(box: Box) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    box.extra += [("rlimit", "nofile 1024 4194304 default"), ("rlimit", "core 0 0 user")]
    lines = box.shell("ulimit -n; ulimit -Hn; ulimit -c").split()
    assert lines == ["1024", str(min(hard, 4194304)), "0"]


def test_a_limit_of_the_user_that_cannot_be_set_fails(box: Box) -> None:
    if own_capabilities("CapEff") >> 24 & 1:
        pytest.skip("with CAP_SYS_RESOURCE every limit can be set")
    box.extra.append(("rlimit", "nofile 1048576 1048576 user"))
    assert box.start() == "error rlimit 1 error setting rlimit type 7: operation not permitted"


def test_umask_and_oom_score(box: Box) -> None:
    box.values |= {"umask": "27", "oom-score-adj": "321"}
    assert box.shell("umask; cat /proc/self/oom_score_adj") == "0027\n321\n"


def test_signals_are_as_at_birth(box: Box) -> None:
    box.command = ("cat", "/proc/self/status")
    box.started()
    assert box.wait() == 0
    found = [line.split() for line in box.output().splitlines() if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
    assert [int(mask, 16) for _, mask in found] == [0, 0, 0]


def test_the_init_process_outlives_its_parent(box: Box) -> None:
    pid = box.serve()
    recorder = int(box.facts(box.run / "pid")["recorder"].split()[0])
    os.kill(recorder, 9)
    parent = f"PPid:\t{recorder}\n"
    eventually(lambda: parent not in Path(f"/proc/{pid}/status").read_text(), "it has a new parent")
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "SR"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (["nosuch"], 'error exec-notfound 2 exec: "nosuch": executable file not found in $PATH'),
        (["/no/such"], 'error exec-notfound 2 exec: "/no/such": stat /no/such: no such file or directory'),
        (["/etc/passwd"], 'error exec-permission 13 exec: "/etc/passwd": permission denied'),
        (["/etc"], 'error exec-permission 21 exec: "/etc": is a directory'),
        (["etc/passwd"], 'error exec-permission 13 exec: "etc/passwd": permission denied'),
        (["/script"], "error exec-notfound 2 exec /script: no such file or directory"),
        (["/garbage"], "error exec 8 exec /garbage: exec format error"),
    ],
)
def test_a_command_that_cannot_be_executed(box: Box, command: list[str], answer: str) -> None:
    for name, text in (("script", "#!/no/interpreter\n"), ("garbage", "\1\2\3")):
        (box.rootfs / name).write_text(text)
        (box.rootfs / name).chmod(0o755)
    box.command = command
    assert box.start() == answer
    assert not (box.run / "pid").exists()
    assert not [path for path in box.cgroups if path.exists()]


def test_a_command_that_only_root_may_execute_is_refused_to_others(box: Box) -> None:
    (box.rootfs / "secret").write_text("#!/bin/sh\necho hi\n")
    (box.rootfs / "secret").chmod(0o700)
    box.command, box.values["user"] = ("/secret",), "worker"
    assert box.start() == 'error exec-permission 13 exec: "/secret": permission denied'


def test_the_path_of_the_container_is_searched(box: Box) -> None:
    (box.rootfs / "opt").mkdir()
    (box.rootfs / "opt/mine").write_text("#!/bin/sh\necho found\n")
    (box.rootfs / "opt/mine").chmod(0o755)
    box.env[0] = "PATH=/nowhere:/opt:/bin"
    box.command = ("mine",)
    box.started()
    assert box.wait() == 0 and box.output() == "found\n"


def test_init_reaps_forwards_signals_and_returns_the_code(box: Box) -> None:
    box.values["init"] = "1"
    orphans = "(sleep 0 & exec sleep 1000 &)"
    script = f"trap 'exit 42' TERM; {orphans}; echo > /shared/ready; while :; do sleep 1000 & wait; done"
    box.command = ("sh", "-c", script)
    pid = box.started()
    eventually((box.shared / "ready").exists, "the command runs")
    assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"init\0--\0sh\0")
    os.kill(pid, 15)
    assert box.wait() == 42


def test_init_still_tells_that_the_command_is_missing(box: Box) -> None:
    box.values["init"] = "1"
    box.command = ("nosuch",)
    assert box.start().startswith("error exec-notfound 2 ")


def test_a_terminal_is_standard_input_output_and_console(box: Box) -> None:
    box.values |= {"tty": "1", "rows": "33", "cols": "111", "user": "worker"}
    streams = "test -t 0 && test -t 1 && test -t 2 && echo all"
    box.shell(f"tty; stty size; ls -l /dev/console | cut -c1; {streams}; stat -c %u $(tty)")
    lines = [line.rstrip("\r") for line in box.output().splitlines()]
    assert lines == ["/dev/pts/0", "33 111", "c", "all", "1000"]


def test_a_record_with_an_unknown_key_or_version_is_refused(box: Box) -> None:
    box.extra.append(("surprise", "1"))
    assert box.start().startswith("error record ") and not (box.run / "pid").exists()
    raw = (box.container / "record").read_bytes()
    assert stat.S_IMODE((box.container / "record").stat().st_mode) == 0o600
    assert raw.startswith(b"tuidock-record\0001\0")
