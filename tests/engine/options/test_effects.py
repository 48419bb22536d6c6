"""Every flag of `run` has its effect: what a container sees of it, flag by flag, in one table.

A row is the command line as it is typed, a script for the container, and what the script has to print. What is about
networks, volumes and health checks is tested with those.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, missing
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError, InvalidArgument, Unsupported, WrongState
from tuidock.engine.options.run import parse_run
from tuidock.engine.runtime.cgroup import cgroups_of, detect

CG = "/sys/fs/cgroup"


def either(v1: str, v2: str) -> str:
    """A script that prints the file of whichever version of control groups there is."""
    return f"cat {CG}/{v1} 2>/dev/null || cat {CG}/{v2}"


FLAGS: tuple[tuple[str, str, str], ...] = (
    ("-e A=1 -e B= -e HOME=/x", 'echo "$A,$B,$HOME"', "1,,/x"),
    ("--env-file {env}", 'echo "$FROM_FILE"', "a value"),
    ("-w /made/here", "pwd", "/made/here"),
    ("-u user", "id -un; id -gn; echo $HOME", "user\nuser\n/tmp"),
    ("-u 7:8", "id -u; id -g", "7\n8"),
    ("--group-add staff --group-add 77", "id -G", "0 50 77"),
    ("--hostname box --domainname example.org", "hostname; cat /proc/sys/kernel/domainname", "box\nexample.org"),
    ("--uts host", "hostname", os.uname().nodename),
    ("--add-host db:10.1.2.3", "grep -c '^10.1.2.3.*db' /etc/hosts", "1"),
    (
        "--dns 9.9.9.9 --dns-search example.org --dns-option ndots:3", "grep -v '^#' /etc/resolv.conf",
        "nameserver 9.9.9.9\nsearch example.org\noptions ndots:3",
    ),
    ("--init", "tr '\\0' ' ' < /proc/1/cmdline | cut -c1-8", "init --"),
    ("--read-only", "touch /x 2>&1", "touch: /x: Read-only file system"),
    ("--read-only --tmpfs /run:size=64k,mode=700", "stat -f -c '%b %S' /run; stat -c %a /run", "16 4096\n700"),
    ("--shm-size 3m", "df -k /dev/shm | tail -1 | awk '{{print $2}}'", "3072"),
    ("--sysctl net.ipv4.ip_default_ttl=33", "cat /proc/sys/net/ipv4/ip_default_ttl", "33"),
    ("--sysctl kernel.msgmax=4096", "cat /proc/sys/kernel/msgmax", "4096"),
    ("--ulimit nofile=100:200 --ulimit core=0", "ulimit -Sn; ulimit -Hn; ulimit -c", "100\n200\n0"),
    ("--cap-drop ALL --cap-add CHOWN", "grep CapEff /proc/self/status | cut -c8-", "\t0000000000000001"),
    ("--cap-drop chown", "touch /x; chown 1 /x 2>&1 | tail -c 24", "Operation not permitted"),
    ("--security-opt no-new-privileges", "grep NoNewPrivs /proc/self/status | cut -c12-", "\t1"),
    ("--security-opt seccomp=unconfined", "grep '^Seccomp:' /proc/self/status", "Seccomp:\t0"),
    ("--security-opt systempaths=unconfined", "mount | grep -c 'on /proc/[a-z]'", "0"),
    ("--privileged", "grep '^Seccomp:' /proc/self/status; test -e /dev/kmsg && echo all", "Seccomp:\t0\nall"),
    ("--device /dev/zero:/dev/nothing:rwm", "head -c 1 /dev/nothing | wc -c", "1"),
    ("--device /dev/kmsg:/dev/log0:r", "echo x 2>/dev/null > /dev/log0 || echo refused", "refused"),
    ("--device-cgroup-rule 'c 233:* r'", "mknod /k c 233 0; cat /k 2>&1", "cat: can't open '/k': No such device or address"),
    ("--pid host", "test $$ != 1 && echo own pid", "own pid"),
    ("--ipc host", "readlink /proc/self/ns/ipc", os.readlink("/proc/self/ns/ipc")),
    ("--ipc none", "mount | grep -c /dev/shm", "0"),
    ("--ipc private", f"test $(readlink /proc/self/ns/ipc) != '{os.readlink('/proc/self/ns/ipc')}' && echo own", "own"),
    ("--userns host", "readlink /proc/self/ns/user", os.readlink("/proc/self/ns/user")),
    ("--cgroupns host", "readlink /proc/self/ns/cgroup", os.readlink("/proc/self/ns/cgroup")),
    ("--cgroupns private", "grep -c tuidock /proc/self/cgroup", "0"),
    ("--memory 40m", either("memory/memory.limit_in_bytes", "memory.max"), str(40 << 20)),
    ("-m 40m --memory-swap 60m", either("memory/memory.memsw.limit_in_bytes", "memory.swap.max"), "62914560|20971520"),
    ("-m 40m --memory-swap -1", either("memory/memory.limit_in_bytes", "memory.max"), str(40 << 20)),
    ("--memory-reservation 20m", either("memory/memory.soft_limit_in_bytes", "memory.low"), str(20 << 20)),
    ("--memory-swappiness 7", f"cat {CG}/memory/memory.swappiness 2>&- || cat /proc/sys/vm/swappiness", "7|60"),
    ("-m 40m --oom-kill-disable", f"cat {CG}/memory/memory.oom_control 2>&- | grep -c 'disable 1' || true", "1|0"),
    ("--oom-score-adj 321", "cat /proc/self/oom_score_adj", "321"),
    ("--cpus 1.5", either("cpu/cpu.cfs_quota_us", "cpu.max"), "150000|150000 100000"),
    ("--cpu-quota 20000 --cpu-period 50000", either("cpu/cpu.cfs_period_us", "cpu.max"), "50000|20000 50000"),
    ("--cpu-shares 512", either("cpu/cpu.shares", "cpu.weight"), "512|59"),
    ("--cpuset-cpus 0 --cpuset-mems 0", "grep Cpus_allowed_list /proc/self/status | cut -c19-", "\t0"),
    ("--pids-limit 33", either("pids/pids.max", "pids.max"), "33"),
    ("--stop-signal USR1 --stop-timeout 3 --label a=b --annotation c=d", "echo recorded", "recorded"),
    ("--label-file {labels} --log-opt max-size=1k --log-opt max-file=2", "seq 1 1; echo", "1"),
    ("-t", "test -t 0 && test -t 1 && echo $TERM", "xterm\r|xterm"),
)  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "env").write_text("# a comment\nFROM_FILE=a value\n")
    (tmp_path / "labels").write_text("one=1\ntwo=2\n")
    return {name: str(tmp_path / name) for name in ("env", "labels")}


def words(line: str, files: dict[str, str]) -> list[str]:
    return shlex.split(line.format(**files))


@pytest.fixture(autouse=True)
def tidy(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_many([container.id for container in engine.containers()], force=True, volumes=True)


def started(engine: Engine, *arguments: str) -> str:
    container_id = engine.create(parse_run(["-d", *arguments]).request)
    engine.start(container_id)
    return container_id


def test_each_flag_can_be_seen(engine: Engine, run: Run, files: dict[str, str]) -> None:
    wrong = []
    for line, script, expected in FLAGS:
        try:
            container_id = started(
                engine, *words(line, files), "busybox", "sh", "-c", script.replace("{{", "{").replace("}}", "}")
            )
            engine.wait(container_id)
            seen = run.text(container_id).strip("\n").strip(" ")
        except EngineError as error:
            seen = f"{type(error).__name__}: {error}"
        if seen not in expected.split("|"):
            wrong.append(f"{line}: {seen!r}, not {expected!r}")
    assert not wrong, "\n".join(wrong)


def test_what_is_seen_from_outside(engine: Engine, files: dict[str, str], tmp_path: Path) -> None:
    line = "--name seen --stop-signal USR1 --stop-timeout 3 --label a=b --label-file {labels} --annotation c=d --runtime runc"
    line += " --log-driver none --restart on-failure:2 --mac-address 02:42:ac:11:00:99 --isolation default"
    command = parse_run(
        [*words(line, files), "--cidfile", str(tmp_path / "cid"), "busybox", "sleep", "1000"], verb="create"
    )
    assert command.cidfile == str(tmp_path / "cid")
    engine.start(engine.create(command.request))
    found = engine.inspect_container("seen")
    assert found["Config"]["Labels"] == {"one": "1", "two": "2", "a": "b"}
    assert (found["Config"]["StopSignal"], found["Config"]["StopTimeout"]) == ("USR1", 3)
    host = found["HostConfig"]
    assert host["Annotations"] == {"c": "d"} and host["LogConfig"]["Type"] == "none"
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    with pytest.raises(Unsupported, match="configured logging driver does not support reading"):
        list(engine.logs("seen"))


def test_a_log_has_the_size_that_was_asked_for(engine: Engine) -> None:
    script = "i=0; while [ $i -lt 900 ]; do echo a line of the log; i=$((i+1)); done"
    container_id = started(
        engine, *["--log-opt", "max-size=10k", "--log-opt", "max-file=2", "busybox", "sh", "-c"], script
    )
    engine.wait(container_id)
    segments = os.listdir(engine.log_directory(container_id))
    assert len([name for name in segments if name.endswith(".log")]) == 2 and "0000000001.log" not in segments


def test_namespaces_of_another_container(engine: Engine, run: Run) -> None:
    donor = started(
        engine, *["--name", "donor", "--ipc", "shareable", "--hostname", "donor", "busybox", "sleep", "1000"]
    )
    pid = engine.container(donor).pid
    for kind in ("pid", "ipc"):
        guest = started(engine, f"--{kind}", "container:donor", "busybox", "readlink", f"/proc/self/ns/{kind}")
        engine.wait(guest)
        assert run.text(guest).strip() == os.readlink(f"/proc/{pid}/ns/{kind}")
    record = Path(engine.instance.paths.container(guest), "record").read_bytes()
    start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    assert f"/proc/{pid}/ns/ipc@{start}".encode() in record
    engine.kill(donor)
    with pytest.raises(WrongState, match="non running container"):
        started(engine, "--pid", "container:donor", "busybox", "true")
    private = started(engine, *["--name", "closed", "busybox", "sleep", "1000"])
    with pytest.raises(WrongState, match="it is private"):
        started(engine, "--ipc", f"container:{private}", "busybox", "true")


def test_a_group_of_somebody_else_s_to_lie_in(engine: Engine) -> None:
    """Limits of the outer group count, everything else works as ever, and the group stays when the container has gone."""
    above = f"tuidock-test-{os.getpid()}"
    container_id = started(engine, "--cgroup-parent", f"/{above}/inner", "-m", "50m", "busybox", "sleep", "1000")
    pid = engine.container(container_id).pid
    lies = Path(f"/proc/{pid}/cgroup").read_text()
    assert f"/{above}/inner/tuidock-{engine.instance.id}/{container_id}" in lies
    groups = cgroups_of(engine.instance)
    assert groups.pids(container_id) == [pid]
    (sample,) = engine.stats([container_id])
    assert sample.memory_limit == 50 << 20
    engine.update(container_id, {"Memory": 60 << 20})
    assert groups.sample(container_id).memory_limit == 60 << 20  # type: ignore[union-attr]
    engine.pause(container_id)
    assert groups.frozen(container_id)
    engine.unpause(container_id)
    assert groups.containers() == {container_id}
    engine.kill(container_id)
    engine.start(container_id)
    engine.remove(container_id, force=True)
    places = [Path(mount) for mount in {*groups._hierarchies.values()}]
    assert not any((place / above / "inner" / groups.parent).exists() for place in places)
    for place in places:
        (place / above / "inner").rmdir()
        (place / above).rmdir()
    with pytest.raises(InvalidArgument, match="invalid --cgroup-parent"):
        started(engine, "--cgroup-parent", "../x", "busybox", "true")


@pytest.fixture
def disk() -> Iterator[str]:
    """A node of some disk of this machine, for limits of its rate; they have to lie in /dev."""
    numbers = [entry.read_text().split(":") for entry in sorted(Path("/sys/block").glob("*/dev"))]
    if not numbers:
        missing("this machine has no disk")
    path = f"/dev/tuidock-test-{os.getpid()}"
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(int(numbers[0][0]), int(numbers[0][1])))
    yield path
    os.unlink(path)


def test_rates_of_disks(engine: Engine, run: Run, disk: str) -> None:
    status = os.stat(disk)
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    cgroups = detect(engine.instance.id)
    kinds = (
        ("--device-read-bps", "1mb", "blkio.throttle.read_bps_device", f"{number} 1048576"),
        ("--device-write-bps", "2mb", "blkio.throttle.write_bps_device", f"{number} 2097152"),
        ("--device-read-iops", "30", "blkio.throttle.read_iops_device", f"{number} 30"),
        ("--device-write-iops", "40", "blkio.throttle.write_iops_device", f"{number} 40"),
    )
    limits = [word for flag, rate, _, _ in kinds for word in (flag, f"{disk}:{rate}")]
    container_id = started(engine, *limits, "--blkio-weight", "300", "busybox", "sleep", "1000")
    directory = cgroups.directory("blkio", container_id)
    if cgroups.version == 2:
        assert f"{number} rbps=1048576 wbps=2097152 riops=30 wiops=40" in Path(directory, "io.max").read_text()
        return
    for _, _, file, expected in kinds:
        assert expected in Path(directory, file).read_text()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--gpus all", "could not select a device driver: GPUs and CDI devices are not supported; use --device"),
        ("--storage-opt size=1g", "--storage-opt size is not supported: layers have no size of their own"),
        ("--runtime kata", "unknown runtime kata"),
        ("--log-driver syslog", "log driver 'syslog' does not exist here; use file or none"),
        ("--log-opt colour=red", "unknown log opt 'colour'"),
        ("--sysctl kernel.panic=1", "sysctl 'kernel.panic' is not allowed: it belongs to the whole machine"),
        ("--cpus 9999", "Range of CPUs is from 0.01 to"),
        ("--cpuset-cpus 9999", "Requested CPUs are not available"),
        ("--device /dev/none", "/dev/none"),
        ("--volume-driver nfs2", "volume driver 'nfs2' does not exist here"),
        ("--security-opt magic=1", 'invalid --security-opt: "magic=1"'),
    ],
)
def test_what_cannot_be_had_is_said(engine: Engine, line: str, message: str) -> None:
    with pytest.raises(EngineError) as refused:
        started(engine, *line.split(), "busybox", "true")
    assert message in str(refused.value)
