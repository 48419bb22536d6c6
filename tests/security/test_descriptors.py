"""Nothing of the host is reachable by a descriptor, nor by the program that made the container.

CVE-2024-21626 (working directory and command by /proc/self/fd), CVE-2019-5736 (the runtime's file by /proc/PID/exe), and
what comes in as a standard stream.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.native.monitored import eventually, needs_root
from tests.native.record import Box
from tuidock import native

pytestmark = needs_root

#: More than any process of ours has open.
NUMBERS = range(3, 48)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    return directory


def host_path(path: Path | str) -> str:
    """The path from any directory below /tmp, upwards."""
    return "/".join([".."] * 12) + str(path)


def test_a_working_directory_by_a_descriptor_is_not_made_on_the_host(box: Box, outside: Path) -> None:
    for number in NUMBERS:
        box.values["cwd"] = f"/proc/self/fd/{number}/{host_path(outside)}/made"
        box.command = ("true",)
        answer = box.start()
        assert answer.startswith("error cwd"), (number, answer)
    assert not list(outside.iterdir())


def test_a_command_by_a_descriptor_is_not_found(box: Box) -> None:
    for number in NUMBERS:
        box.command = (f"/proc/self/fd/{number}/{host_path('/bin/busybox')}", "true")
        answer = box.start()
        assert answer.startswith("error exec-notfound"), (number, answer)


def test_a_path_of_descriptors_finds_nothing(box: Box) -> None:
    box.env = ["PATH=" + ":".join(f"/proc/self/fd/{number}/{host_path('/bin')}" for number in NUMBERS)]
    box.command = ("busybox", "true")
    assert box.start().startswith("error exec-notfound")


def test_exec_by_a_descriptor_finds_nothing(box: Box, outside: Path) -> None:
    box.serve()
    for number in NUMBERS:
        command = box.exec("--", f"/proc/self/fd/{number}/{host_path('/bin/busybox')}", "true")
        assert command.returncode == 127, (number, command.stderr)
    for number in (*NUMBERS, "cwd", "root"):
        where = (
            f"/proc/self/fd/{number}/{host_path(outside)}" if number in NUMBERS else f"/proc/self/{number}/etc/passwd"
        )
        command = box.exec("-w", where, "--", "pwd")
        assert command.returncode in (126, 127), (number, command.stdout, command.stderr)


def test_only_the_streams_are_open(box: Box) -> None:
    listing = "ls /proc/self/fd"  # 3 is the directory that ls reads
    box.command = ("sh", "-c", f"{listing}; while :; do sleep 1000 & wait; done")
    box.started()
    eventually(lambda: len(box.output().split()) >= 4, "the listing")
    assert box.output().split() == ["0", "1", "2", "3"]
    assert box.exec("--", "sh", "-c", listing).stdout.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("with_init", ["0", "1"])
def test_the_shim_cannot_be_changed_from_inside(box: Box, with_init: str) -> None:
    known = box.shim.stat()
    before = hashlib.sha256(box.shim.read_bytes()).hexdigest()
    box.values["init"] = with_init
    box.serve()
    found = f'for p in /proc/[0-9]*; do [ "$(stat -Lc %i $p/exe 2>/dev/null)" = {known.st_ino} ] && echo $p; done'
    # an exec of what it is itself: the shim's own program stays a process of the container
    command = ["exec", str(box.container), str(box.run), "--", "/proc/self/exe", "init", "--", "sleep", "100"]
    client = subprocess.Popen([str(box.shim), *command], stdout=subprocess.DEVNULL)
    try:
        wanted = 1 + int(with_init)
        eventually(lambda: len(box.exec("--", "sh", "-c", found).stdout.split()) >= wanted, "the shim inside")
        attack = f"for p in $({found}); do chmod 4777 $p/exe; chown 1 $p/exe; done"
        assert box.exec("--", "sh", "-c", attack).stderr.count("Read-only file system") == 2 * wanted
    finally:
        client.terminate()
        client.wait()
    after = box.shim.stat()
    assert (after.st_mode, after.st_uid) == (known.st_mode, known.st_uid)
    assert hashlib.sha256(box.shim.read_bytes()).hexdigest() == before


def test_the_shim_loads_no_libraries() -> None:
    """CVE-2019-14271: once inside, a library that is loaded is the container's. A static program can load none."""
    headers = subprocess.check_output(["readelf", "-lW", native.shim_path()], text=True)
    assert "LOAD" in headers and "INTERP" not in headers
    assert "no dynamic section" in subprocess.check_output(["readelf", "-d", native.shim_path()], text=True)


def test_a_file_that_an_exec_writes_to_is_not_the_containers(box: Box, outside: Path) -> None:
    box.serve()
    file = outside / "dump"
    file.write_text("before\n")
    file.chmod(0o600)
    attack = "chmod 4777 /proc/self/fd/1 /proc/self/fd/0; : > /proc/self/fd/0; echo after"
    with file.open("a") as out, file.open() as into:
        argv = [str(box.shim), "exec", str(box.container), str(box.run), "-i", "--", "sh", "-c", attack]
        assert subprocess.run(argv, stdin=into, stdout=out, stderr=subprocess.PIPE, env={}).returncode == 0
    assert file.read_text() == "before\nafter\n" and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_directory_as_stdin_leads_nowhere(box: Box) -> None:
    box.serve()
    here = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        argv = [str(box.shim), "exec", str(box.container), str(box.run), "-i", "--", "ls", "/proc/self/fd/0/"]
        done = subprocess.run(argv, stdin=here, capture_output=True, text=True, env={})
    finally:
        os.close(here)
    assert done.returncode and not done.stdout, done.stdout


def test_the_null_device_of_the_host_keeps_its_looks(box: Box) -> None:
    before = os.stat("/dev/null")
    attack = "chmod 600 /proc/self/fd/0; chown 1:1 /proc/self/fd/0; echo done"
    assert "done" in box.shell(attack)
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


def test_the_null_device_of_the_host_survives_an_exec(box: Box) -> None:
    before = os.stat("/dev/null")
    box.serve()
    attack = "for fd in 0 1 2; do chmod 600 /proc/self/fd/$fd; done"
    argv = [str(box.shim), "exec", str(box.container), str(box.run), "--", "sh", "-c", attack]
    null = subprocess.DEVNULL
    subprocess.run(argv, stdin=null, stdout=null, stderr=null, env={})
    assert os.stat("/dev/null").st_mode == before.st_mode


def test_the_session_keyring_is_not_the_callers(box: Box, probe: Path) -> None:
    (box.shared / "probe").write_bytes(probe.read_bytes())
    (box.shared / "probe").chmod(0o755)
    own = subprocess.check_output([str(probe), "session"], text=True).strip()
    box.serve()
    inside = box.exec("--", "/shared/probe", "session").stdout.strip()
    assert inside and inside != own
