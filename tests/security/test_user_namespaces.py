"""--userns: root of a container is nobody on the host, and files keep the ids that they have without it."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.engine.containers.test_copying import Slow
from tests.engine.rootless.conftest import page
from tests.engine.store.archives import tar_of
from tests.native.monitored import eventually, needs_root
from tests.security.test_confinement import SERVE, execute
from tuidock.engine import Engine
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.run import parse_run

pytestmark = needs_root


def host(*flags: str) -> dict[str, object]:
    return parse_run([*flags, "busybox"]).request.host_config


def test_root_is_nobody_on_the_host_and_its_files_are_roots_on_the_disk(
    engine: Engine, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of the host\n")
    (tmp_path / "secret").chmod(0o600)
    tmp_path.chmod(0o755)
    script = (
        "id -u; cat /proc/self/uid_map; cat /host/secret; echo x > /host/new; mknod /disk b 254 0; "
        "stat -c '%u %g' /bin/busybox /etc/hosts /dev/shm; mkdir /made; touch /made/mine /made/user; "
        "chown 1000:1000 /made/user; echo data > /data/file; chown 7:8 /data/file; rm /etc/group; echo up; "
        "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
    )
    options = {**host("--userns", "auto"), "Binds": ["kept:/data", f"{tmp_path}:/host"]}
    container = run.start(["sh", "-c", script], **options)
    shown = engine.inspect_container(container)["HostConfig"]
    first = int(shown["IDMappings"]["UIDMap"][0].split(":")[1])
    assert shown["UsernsMode"] == "auto" and first >= 0x70000000
    assert execute(engine, container, "sh", "-c", "until [ -e /data/file ]; do :; done; id -u") == "0\n"
    said = [line for line in run.text(container).splitlines()]
    assert said[0] == "0" and said[1].split() == ["0", str(first), "65536"]
    assert sum("denied" in line or "not permitted" in line for line in said) == 3
    assert [line for line in said if line == "0 0"] == ["0 0"] * 3
    # outside: processes are nobody's, files are the container's own
    init = engine.container(container).pid
    assert os.stat(f"/proc/{init}").st_uid == first
    upper = Path(engine.instance.paths.container(container)) / "upper/made"
    assert (upper / "mine").stat().st_uid == 0 and (upper / "user").stat().st_uid == 1000
    kept = Path(engine.instance.paths.volumes) / "kept/_data/file"
    assert (kept.stat().st_uid, kept.stat().st_gid) == (7, 8)
    # exec, another container without it, and what is made of it
    assert execute(engine, container, "stat", "-c", "%u", "/made/user", user="1000").strip() == "1000"
    assert run.output(["stat", "-c", "%u %g", "/data/file"], Binds=["kept:/data"]) == "7 8\n"
    copied = io.BytesIO()
    for _ in engine.copy_out(container, "/made", copied):
        pass
    copied.seek(0)
    with tarfile.open(fileobj=copied) as tar:
        assert {name: tar.getmember(name).uid for name in ("made/mine", "made/user")} == {
            "made/mine": 0,
            "made/user": 1000,
        }
    engine.stop(container, timeout=0)
    copied.seek(0)
    list(engine.copy_in(container, copied, "/data"))
    assert (kept.parent / "made/user").stat().st_uid == 1000
    assert {change.path for change in engine.diff(container)} >= {"/made/mine", "/made/user", "/etc/group"}
    assert [step.action for step in engine.commit(container, "hostile")][-1] == "committed"
    assert run.output(["stat", "-c", "%u", "/made/user"], config={"Image": "hostile"}) == "1000\n"


def test_files_are_copied_into_it_while_it_runs(engine: Engine, run: Run, tmp_path: Path) -> None:
    container = run.start(SERVE, **host("--userns", "auto", "-v", "kept:/data", "--tmpfs", "/tmpfs"))
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/file").write_text("x")
    os.chown(tmp_path / "tree/deep/file", 1000, 50)
    os.chmod(tmp_path / "tree/deep/file", 0o4751)
    os.link(tmp_path / "tree/deep/file", tmp_path / "tree/twin")
    (tmp_path / "tree/link").symlink_to("../../../etc/passwd")
    raw = tar_of({"packed": b"y" * 3_000_000})
    for place in ("/tmp", "/data", "/tmpfs"):
        list(engine.copy_in(container, str(tmp_path / "tree"), place))
        list(engine.copy_in(container, io.BytesIO(raw), place))
        names = [f"{place}/{name}" for name in ("tree", "tree/deep/file", "tree/twin", "tree/link", "packed")]
        shown = execute(engine, container, "stat", "-c", "%u:%g %a %h", *names).splitlines()
        assert shown == ["0:0 755 3", "1000:50 4751 2", "1000:50 4751 2", "0:0 777 1", "0:0 644 1"]
    kept = Path(engine.instance.paths.volumes) / "kept/_data/tree/deep/file"
    assert (kept.stat().st_uid, kept.stat().st_gid) == (1000, 50)
    # given up half-way: nothing is left of the file, and this thread is itself again
    steps = engine.copy_in(container, io.BufferedReader(Slow()), "/tmp")
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert "big" not in execute(engine, container, "ls", "/tmp")
    os.chown(tmp_path / "tree/twin", 100_000, 0)
    with pytest.raises(InvalidArgument, match="the user 100000, who has no place"):
        list(engine.copy_in(container, str(tmp_path / "tree"), "/tmp/other"))
    (tmp_path / "own").touch()
    assert (tmp_path / "own").stat().st_uid == 0


@pytest.fixture(autouse=True)
def tidy(engine: Engine, run: Run) -> Iterator[None]:
    yield
    engine.remove_many(
        [made for made in run.made if made in {one.id for one in engine.containers()}], force=True, volumes=True
    )
    if any("hostile:latest" in found.references for found in engine.images()):
        engine.remove_image("hostile", force=True)


def test_two_containers_have_nothing_in_common(engine: Engine, run: Run) -> None:
    first, second = (run.start(SERVE, **host("--userns=auto:size=2000")) for _ in range(2))
    maps = [execute(engine, one, "cat", "/proc/self/uid_map").split() for one in (first, second)]
    assert maps[0] != maps[1] and maps[0][2] == maps[1][2] == "2000"
    engine.stop(first, timeout=0)
    engine.start(first)
    assert execute(engine, first, "cat", "/proc/self/uid_map").split() == maps[0]


def test_a_restart_by_policy_comes_up_with_network_and_ports(engine: Engine, run: Run) -> None:
    serve = ["sh", "-c", "echo pong > /page; exec httpd -f -p 80"]
    container = run.start(serve, **host("--userns", "auto", "--restart", "always", "--init", "-p", "127.0.0.1::80"))
    port = engine.ports(container)[0].host_port
    for again in (True, False):
        eventually(lambda: page(port) == b"pong\n", "the page")
        if again:
            first = engine.container(container).pid
            os.kill(first, signal.SIGKILL)
            eventually(lambda first=first: engine.container(container).pid not in (0, first), "the restart")
    assert "inet " in execute(engine, container, "ip", "addr", "show", "eth0")


def test_maps_that_are_written_out(engine: Engine, run: Run) -> None:
    container = run.start(
        SERVE, **host("--uidmap", "0:300000:10", "--uidmap", "1000:400000:1", "--gidmap", "0:300000:5000")
    )
    inside = execute(engine, container, "sh", "-c", "cat /proc/self/uid_map; cat /proc/self/gid_map").split()
    assert inside == ["0", "300000", "10", "1000", "400000", "1", "0", "300000", "5000"]
    assert execute(engine, container, "id", "-u", user="1000").strip() == "1000"
    assert "does not map" in execute(engine, container, "id", user="500")


def test_networks_terminals_and_limits_go_with_it(engine: Engine, run: Run) -> None:
    options = {
        **host("--userns", "auto", "-m", "64m", "--cap-add", "NET_ADMIN"),
        "Sysctls": {"net.ipv4.ip_forward": "0"},
    }
    script = "tty; ip addr show eth0 | grep -c 'inet '; ip link set lo down && echo down; ls -l $(tty) | cut -c1"
    assert run.output(["sh", "-c", script], config={"Tty": True}, **options).split() == ["/dev/pts/0", "1", "down", "c"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--userns", "sideways"], "invalid USER mode"),
        (["--userns", "auto:size=0"], "auto:size=N"),
        (["--userns", "auto", "--privileged"], "privileged mode is incompatible"),
        (["--userns", "auto", "--network", "host"], "cannot share the host's network namespace"),
        (["--uidmap", "1:100000:5"], "no id 0"),
        (["--uidmap", "0:100000:5", "--uidmap", "4:200000:5"], "maps an id twice"),
    ],
)
def test_what_makes_no_sense_is_refused(flags: list[str], reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        parse_run([*flags, "busybox"])
