"""podman and docker as counterparts: each with storage of its own, and no network but loopback."""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Podman:
    """One data root of podman; each command in a mount namespace of its own."""

    def __init__(self, place: str) -> None:
        program = shutil.which("podman")
        if program is None:
            pytest.skip("podman is not installed")
        self._base = [
            program, "--root", f"{place}/data", "--runroot", f"{place}/run", "--tmpdir", f"{place}/tmp",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", shutil.which("runc") or "crun",
        ]  # fmt: skip
        # podman asks for more than root without CAP_SYS_RESOURCE can have
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self._limits = [f"--ulimit=nofile={hard}:{hard}", "--ulimit=nproc=1000:1000"]
        version = subprocess.run([*self._base, "version"], capture_output=True, text=True, check=False)
        if version.returncode:
            pytest.skip(f"podman does not work here: {version.stderr.strip()}")

    @property
    def command(self) -> str:
        """It as a shell calls it."""
        return shlex.join(self._base)

    def __call__(self, verb: str, *words: str | Path) -> str:
        """Standard output of a command that must succeed."""
        more = ["--net=none", *self._limits] if verb == "run" else []
        argv = [*self._base, verb, *more, *map(str, words)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"podman {verb} {words}: {done.stderr}"
        return done.stdout

    def service(self, address: str) -> subprocess.Popen[bytes]:
        """Its API, listening at that address as long as the process lives."""
        argv = [*self._base, "system", "service", "--time", "0", address]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def podman() -> Iterator[Podman]:
    if os.geteuid() != 0:
        pytest.skip("podman's data root of its own needs root here")
    place = tempfile.mkdtemp(prefix="tuidock-podman-")
    try:
        yield Podman(place)
    finally:
        for name in ("data/overlay", "data", "run"):
            subprocess.run(["umount", "-l", f"{place}/{name}"], capture_output=True, check=False)
        shutil.rmtree(place, ignore_errors=True)


class Docker:
    """The client of a dockerd (see tests/cli/test_differential.py)."""

    def __init__(self, command: str, environ: dict[str, str]) -> None:
        self._base, self._environ = command.split(), environ

    def __call__(self, verb: str, *words: str | Path) -> str:
        """Standard output of a command that must succeed."""
        more = ["--network=none"] if verb == "run" else []
        argv = [*self._base, verb, *more, *map(str, words)]
        done = subprocess.run(argv, env=self._environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"docker {verb} {words}: {done.stderr}"
        return done.stdout


Counterpart = Podman | Docker
