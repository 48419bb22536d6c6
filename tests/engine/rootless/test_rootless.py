"""Everything as an ordinary user: what works, what it may not reach, and what says why it does not work."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.engine.rootless.conftest import FIRST, UID, User, page
from tests.engine.store.archives import tar_of
from tests.native.monitored import eventually
from tests.native.test_monitor_relay import echo_server

CGROUPS = Path("/sys/fs/cgroup")
SERVE = ("sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 1000 & wait; done")


@pytest.fixture(autouse=True)
def tidy(user: User) -> None:
    """Each test finds no containers."""
    known = user.output("ps", "-aq").split()
    if known:
        user.output("rm", "-f", *known)


def test_root_inside_is_nobody_outside(user: User) -> None:
    shared = user.home.parent / "shared"
    shared.mkdir()
    secret = shared / "secret"
    secret.write_text("of the host\n")
    secret.chmod(0o600)
    script = (
        "id -u; grep CapEff /proc/self/status; cat /proc/self/uid_map; cat /host/secret; echo x > /host/new; "
        "mknod /disk b 254 0; mount -t tmpfs x /mnt; touch /mine /others; chown 1000:1000 /others"
    )
    done = user.run("run", "--name", "box", "--network", "none", "-v", f"{shared}:/host", "busybox", "sh", "-c", script)
    said = done.stdout.split()
    assert (
        said[0] == "0" and said[2] == "00000000a80425fb" and said[3:] == ["0", str(UID), "1", "1", str(FIRST), "65536"]
    )
    assert done.stderr.count("enied") + done.stderr.count("not permitted") == 4, done.stderr
    upper = user.root / "containers" / user.output("ps", "-aq", "--no-trunc").strip() / "upper"
    assert (upper / "mine").stat().st_uid == UID
    assert (upper / "others").stat().st_uid == FIRST + 999


def test_a_life(user: User) -> None:
    container = user.output("run", "-d", "--name", "web", "--network", "none", "busybox", *SERVE).strip()
    eventually(lambda: user.output("logs", "web") == "up\n", "the output")
    assert user.output("exec", "web", "id", "-u").strip() == "0"
    assert user.output("exec", "-u", "user", "web", "id", "-u").strip() == "1000"
    assert "sleep 1000" in user.output("top", "web")
    assert user.output("ps", "-q", "--no-trunc").strip() == container
    assert user.output("exec", "web", "sh", "-c", "ip -o link | cut -d: -f2").split() == ["lo"]
    script = "id -u; ls -d /container/bin/busybox; cat /proc/1/comm; touch /mine /tmp/mine && echo written"
    assert user.output("debug", "--image", "busybox", "web", "sh", "-c", script).split("\n")[:4] == [
        "0", "/container/bin/busybox", "sh", "written",
    ]  # fmt: skip
    assert user.output("stop", "web") == "web\n"
    assert user.output("inspect", "-f", "{{.State.ExitCode}}", "web") == "3\n"
    user.output("start", "web")
    user.output("restart", "-t", "0", "web")
    user.output("rm", "-f", "web")
    assert user.output("system", "check") == "Nothing is wrong.\n"


def test_the_hosts_network(user: User) -> None:
    inside = user.output("run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net").strip()
    assert inside == os.readlink("/proc/self/ns/net")


def test_a_network_of_its_own_and_published_ports(user: User) -> None:
    if shutil.which("slirp4netns") is None:
        missing("slirp4netns is not installed")
    program = echo_server(user.home.parent)
    serve = "echo pong > /page; /echo udp 81 & exec httpd -f -p 80"
    user.output(
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "127.0.0.1::80",
        "-p",
        "127.0.0.1::81/udp",
        "-v",
        f"{program}:/echo:ro",
        "busybox",
        "sh",
        "-c",
        serve,
    )
    assert "inet 10.0.2.100/24" in user.output("exec", "web", "ip", "addr", "show", "tap0")
    assert user.output("exec", "web", "ping", "-c", "1", "-W", "5", "10.0.2.2")  # the way out
    for start in range(2):  # the relay and the network come again with each start
        tcp, udp = (int(line.rpartition(":")[2]) for line in user.output("port", "web").splitlines())
        eventually(lambda tcp=tcp: page(tcp) == b"pong\n", "the page")
        eventually(lambda udp=udp: echoed(udp), "the echo")
        if start == 0:
            user.output("restart", "-t", "0", "web")
    container = user.output("ps", "-q", "--no-trunc").strip()
    words = (user.root / "run/c" / container / "pid").read_text().split()
    os.kill(int(words[words.index("shim") + 1]), signal.SIGKILL)  # the next one relays
    eventually(lambda: page(tcp) == b"pong\n", "the page again")
    # nothing of the host's loopback can be reached from inside
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        assert user.run("exec", "web", "nc", "-w", "2", "10.0.2.2", port).returncode != 0
    user.output("rm", "-f", "web")
    eventually(
        lambda: not [pid for pid in user.processes() if name_of(pid) in ("slirp4netns", "tuidock-net")], "its end"
    )
    with pytest.raises(OSError):
        page(tcp)


def echoed(port: int) -> bool:
    """Whether a datagram comes back; the first ones are lost when nobody listens yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(0.2)
        try:
            peer.sendto(b"echo", ("127.0.0.1", port))
            return peer.recv(16) == b"echo"
        except OSError:
            return False


def name_of(pid: int) -> str:
    """What runs; a zombie runs no more."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    return "" if "State:\tZ" in text else text.split()[1]


def test_images_are_made_and_kept(user: User) -> None:
    dockerfile = (
        b"FROM busybox\nCOPY --chown=1000 data /data\nRUN --network=none rm -rf /var && mkdir /var && id -u > /var/who\n"
        b'RUN --network=none rm /data\nUSER user\nCMD ["cat", "/var/who"]\n'
    )
    user.output("build", "-q", "-t", "built", "-", stdin=tar_of({"Dockerfile": dockerfile, "data": b"data\n"}))
    assert user.output("run", "--rm", "--network", "none", "built") == "0\n"
    # a directory that was made anew hides what lies below it, for those too who read the layers elsewhere
    user.output("run", "--name", "box", "--network", "none", "built", "sh", "-c", "echo x > /tmp/new")
    assert user.output("diff", "box") == "C /tmp\nA /tmp/new\n"
    user.output("commit", "box", "kept")
    listing = "ls /tmp /var /data; id -u"
    found = user.run("run", "--rm", "--network", "none", "kept", "sh", "-c", listing)
    assert found.stdout == "/tmp:\nnew\n\n/var:\nwho\n1000\n" and "/data: No such file" in found.stderr


def test_volumes(user: User) -> None:
    write = "echo kept > /data/file; chown 7:8 /data/file"
    user.output("run", "--rm", "--network", "none", "-v", "keep:/data", "busybox", "sh", "-c", write)
    script = "cat /data/file; stat -c '%u %g' /data/file"
    said = user.output(
        "run", "--rm", "--network", "none", "-v", "keep:/data:ro", "-u", "7", "busybox", "sh", "-c", script
    )
    assert said == "kept\n7 8\n"
    user.output("volume", "rm", "keep")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (
            ("run", "--rm", "--network", "none", "-m", "64m", "busybox", "true"),
            "that systemd delegates",
        ),
        (("run", "--rm", "--network", "shared", "busybox", "true"), "no bridges"),
        (("run", "--rm", "--userns", "auto", "busybox", "true"), "this user's namespace already"),
        (("run", "--rm", "--network", "none", "--pids-limit", "9", "busybox"), "--pids-limit"),
    ],
)
def test_what_cannot_work_says_why(user: User, words: tuple[str, ...], reason: str) -> None:
    done = user.run(*words)
    assert done.returncode == 125 and reason in done.stderr, done


def test_a_pause_says_why_not_and_a_commit_goes_on(user: User) -> None:
    user.output("run", "-d", "--name", "box", "--network", "none", "busybox", *SERVE)
    assert "no control group" in user.run("pause", "box").stderr
    done = user.run("commit", "box", "moving")
    assert done.returncode == 0 and "went on while its files were read" in done.stderr


@pytest.fixture
def delegated(user: User) -> Iterator[None]:
    """What systemd gives to a user's own service manager, with the commands of the test in a group below it."""
    slices = [CGROUPS, CGROUPS / "user.slice", CGROUPS / f"user.slice/user-{UID}.slice"]
    base = slices[-1] / f"user@{UID}.service"
    (base / "app").mkdir(parents=True)
    for directory in (*slices, base):
        (directory / "cgroup.subtree_control").write_text("+memory +pids")
    for place in (
        base,
        base / "cgroup.procs",
        base / "cgroup.subtree_control",
        base / "app",
        base / "app/cgroup.procs",
    ):
        os.chown(place, UID, UID)
    user.group = str(base / "app")
    yield
    user.group = ""
    user.output("rm", "-f", *user.output("ps", "-aq").split())
    eventually(lambda: not (base / "app/cgroup.procs").read_text(), "the commands to end")
    for directory in (*base.glob("tuidock-*"), base / "app", base, slices[-1]):
        directory.rmdir()


@pytest.mark.skipif(not (CGROUPS / "cgroup.controllers").exists(), reason="only cgroup v2 is given to users")
def test_limits_where_control_groups_are_delegated(user: User, delegated: None) -> None:
    user.output("run", "-d", "--name", "box", "--network", "none", "-m", "64m", "--pids-limit", "50", "busybox", *SERVE)
    shown = user.output("exec", "box", "sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max").split()
    assert shown == [str(64 << 20), "50"]
    user.output("pause", "box")
    assert "(Paused)" in user.output("ps")
    user.output("unpause", "box")
    assert user.run("commit", "box", "still").stderr == ""
    done = user.run("run", "--rm", "--network", "none", "-m", "20m", "busybox", "tail", "/dev/zero")
    assert done.returncode == 137


def test_a_killed_keeper_loses_no_container(user: User) -> None:
    user.output("run", "-d", "--name", "box", "--network", "none", "busybox", *SERVE)
    before = user.keeper()
    os.kill(before, signal.SIGKILL)
    assert user.output("exec", "box", "id", "-u").strip() == "0"
    assert user.keeper() != before
    os.kill(user.keeper(), 0)
    user.output("rm", "-f", "box")


def test_no_process_of_a_container_stands_for_the_keeper(user: User) -> None:
    """It calls itself a shim, and the only true one that is left has gone too."""
    script = "echo -n tuidock-shim > /proc/self/comm && touch /tmp/called && exec 3<>/tmp/f && read -r line <&3"
    user.output("run", "-d", "--name", "liar", "--network", "none", "busybox", "sh", "-c", "mkfifo /tmp/f; " + script)
    assert user.output("exec", "liar", "cat", "/proc/1/comm").strip()
    liar = int(user.output("inspect", "-f", "{{.State.Pid}}", "liar"))
    eventually(lambda: Path(f"/proc/{liar}/comm").read_text() == "tuidock-shim\n", "the process to lie")
    others = [pid for pid in user.processes() if pid != liar and not _is_in_container(pid, liar)]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)  # nobody puts another in the place of one
    for pid in others:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: set(user.processes()) <= {liar}, "the others to end")
    user.run("ps")
    assert os.readlink(f"/proc/{user.keeper()}/ns/mnt") != os.readlink(f"/proc/{liar}/ns/mnt")


def _is_in_container(pid: int, init: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{init}/ns/pid")
    except OSError:
        return False


def test_one_id_is_enough(alone: User, archive: bytes) -> None:
    done = alone.run("load", stdin=archive)
    assert done.returncode == 0 and "one id only, root" in done.stderr
    done = alone.run(
        "run", "--rm", "--network", "none", "busybox", "sh", "-c", "cat /proc/self/uid_map; tty; ls -ln /bin/busybox"
    )
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.split()[:3] == ["0", str(alone.uid), "1"]
    done = alone.run("run", "--rm", "-t", "--network", "none", "busybox", "true")
    assert done.returncode == 0, done.stderr
    done = alone.run("run", "--rm", "--network", "none", "-u", "1000", "busybox", "true")
    assert done.returncode == 125 and "does not map" in done.stderr
    dockerfile = b"FROM busybox\nCOPY --chown=7:8 <<EOF /file\ntext\nEOF\n"
    alone.output("build", "-q", "-t", "owned", "-", stdin=tar_of({"Dockerfile": dockerfile}))
    assert alone.output("run", "--rm", "--network", "none", "owned", "stat", "-c", "%u", "/file") == "0\n"


def test_reset_leaves_the_links_of_the_machine_alone(alone: User) -> None:
    """sysfs shows them to every user, and one may have the name that the user's own bridge would have."""
    alone.output("network", "ls")
    keeper = os.pidfd_open(alone.keeper())
    bridge = "tdk" + (alone.root / "instance").read_text().split()[1]
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    try:
        alone.output("system", "reset", "-f")
        assert os.path.exists(f"/sys/class/net/{bridge}")
    finally:
        subprocess.run(["ip", "link", "del", bridge], check=False)
    assert not (alone.root / "instance").exists()
    ended = select.select([keeper], [], [], 20)[0]
    os.close(keeper)
    assert ended, "the keeper ends with its data root"


def test_a_reset_leaves_the_keeper_to_other_data_roots(alone: User, archive: bytes, tmp_path: Path) -> None:
    alone.output("load", stdin=archive)
    alone.output("run", "-d", "--name", "stays", "--network", "none", "busybox", "sleep", "99")
    keeper = alone.keeper()
    other = f"{alone.root.parent}/other"
    alone.output("--root", other, "ps")
    alone.output("--root", other, "system", "reset", "-f")
    assert os.path.exists(f"/proc/{keeper}/ns/user"), "it lives, and is no zombie"
    alone.output("rm", "-f", "stays")


def test_a_place_that_cannot_be_had_is_a_sentence(user: User) -> None:
    done = user.run("--root", "/proc/tuidock", "ps")
    assert done.returncode == 1 and "/proc/tuidock" in done.stderr and "Traceback" not in done.stderr
    argv = user.command("env", "HOME=/proc", sys.executable, "-m", "tuidock", "ps")
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 1 and "cannot prepare /proc/.local" in done.stderr and "Traceback" not in done.stderr
