"""What all tests share: data roots of their own with a real engine, a real busybox image, and a check for leaks.

Nothing here mocks the kernel. What a test needs and this machine lacks fails under CI and is skipped by hand.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.leftovers import Leftovers
from tuidock.engine import Engine
from tuidock.engine.types import CreateRequest

CI = os.environ.get("CI") == "true"
# A shell that starts the tests in the background, or nohup, makes them ignore these, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Processes that share the tests have to agree on their names: none from the bytes of an archive with times in it."""
    return argname if isinstance(val, bytes) and len(val) > 100 else None


@pytest.fixture(scope="session", autouse=True)
def _leftovers() -> Iterator[Leftovers]:
    """The tests leave no temporary directory behind."""
    leftovers = Leftovers()
    yield leftovers
    left = leftovers.directories()
    assert not left, f"temporary directories are left: {left}"


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_left_in_the_kernel(_leftovers: Leftovers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module takes its data roots away by `system reset` or what does the same, whoever opened them."""
    yield
    left = _leftovers.in_kernel(tmp_path_factory.getbasetemp())
    assert not left, f"data roots went away and left their names in the kernel: {left}"


def missing(reason: str) -> None:
    """Fails under CI, where everything must be there; skips elsewhere."""
    if CI:
        pytest.fail(reason)
    pytest.skip(reason)


def busybox_archive() -> bytes:
    """A docker archive with one layer: the machine's static busybox and its applets."""
    program = shutil.which("busybox")
    if program is None:
        missing("busybox is not installed (package busybox-static)")
        raise AssertionError
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "root", "var", "usr"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        files = {
            "bin/busybox": Path(program).read_bytes(),
            "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n",
            "etc/group": b"root:x:0:\nuser:x:1000:\nstaff:x:50:user\n",
        }
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if name.startswith("bin") else 0o644
            tar.addfile(entry, io.BytesIO(content))
        for applet in subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                entry = tarfile.TarInfo("bin/" + applet)
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
    diff_id = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]}, "history": [{"created_by": "tests"}],
        }
    ).encode()  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": ["busybox:latest"], "Layers": ["layer.tar"]}]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in (
            ("config.json", config), ("layer.tar", layer.getvalue()), ("manifest.json", json.dumps(manifest).encode())
        ):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture(scope="session")
def archive() -> bytes:
    return busybox_archive()


def leaks(engine: Engine) -> list[str]:
    """What of an instance is left in the kernel; links that go with a dying namespace are waited for."""
    deadline = time.monotonic() + 10
    while any(leak.startswith("link ") for leak in present(engine)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return present(engine)


def present(engine: Engine) -> list[str]:
    """What of an instance is in the kernel now."""
    identity = engine.instance.id
    found = [f"link {name}" for name in os.listdir("/sys/class/net") if name.startswith(f"t{identity[:4]}")]
    found = [leak for leak in found if _exists(leak.removeprefix("link "))]
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        found += [f"mount {line.split()[1]}" for line in mounts if engine.root in line]
    for base, directories, _ in os.walk("/sys/fs/cgroup"):
        if base.endswith(f"tuidock-{identity}"):
            found += [f"cgroup {base}/{name}" for name in directories]
        if base.count("/") > 4:
            directories.clear()
    return found


def _exists(link: str) -> bool:
    """sysfs shows a link for some time after the kernel has removed it."""
    try:
        return socket.if_nametoindex(link) > 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def engine(archive: bytes) -> Iterator[Engine]:
    """An engine with a data root of its own and the image busybox; at the end nothing may be left of it."""
    if os.geteuid() != 0:
        missing("needs root")
    root = tempfile.mkdtemp(prefix="tuidock-test-")
    made = Engine(root)
    for _ in made.load(io.BytesIO(archive)):
        pass
    yield made
    problems = [problem for problem in made.check(fast=True) if not problem.repaired]
    made.remove_many([container.id for container in made.containers()], force=True, volumes=True)
    left = leaks(made)
    made.reset()
    shutil.rmtree(root, ignore_errors=True)
    assert not problems, problems
    assert not left, left


def request(
    command: list[str] | None, *, name: str = "", config: dict[str, Any] | None = None, **host: Any
) -> CreateRequest:
    """A create request for busybox with docker's HostConfig keys as keywords."""
    base = {"Image": "busybox", "Cmd": command, "AttachStdout": True, "AttachStderr": True}
    return CreateRequest(name, {**base, **(config or {})}, host, {})


class Run:
    """Runs containers in an engine and removes them at the end of the test."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.made: list[str] = []

    def start(
        self, command: list[str] | None, *, name: str = "", config: dict[str, Any] | None = None, **host: Any
    ) -> str:
        """Starts one in the background, returns its id."""
        container_id = self.engine.create(request(command, name=name, config=config, **host))
        self.made.append(container_id)
        self.engine.start(container_id)
        return container_id

    def output(self, command: list[str], **options: Any) -> str:
        """What a container wrote to both streams until it ended."""
        container_id = self.start(command, **options)
        self.code = self.engine.wait(container_id)
        return self.text(container_id)

    def text(self, container_id: str) -> str:
        """The log up to now."""
        return "".join(line.text.decode() + "\n" for batch in self.engine.logs(container_id) for line in batch)


@pytest.fixture
def run(engine: Engine) -> Iterator[Run]:
    helper = Run(engine)
    yield helper
    known = {container.id for container in engine.containers()}
    engine.remove_many([made for made in helper.made if made in known], force=True, volumes=True)
