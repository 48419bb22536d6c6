"""The competitors: each engine with a data root of its own, driven through docker's verbs.

A peer that is not installed or does not start keeps the reason, which then stands in its column. Nothing here is
stopped or cleaned up: all of it lives in the namespaces and the directory of isolate.py and goes with them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.measure import BenchFailure, captured, elapsed

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_INSTALLED = "not installed"


class Peer:
    """One engine. `base` are the words before the verb, `run_words` follow the verbs run, create and build."""

    name = ""
    log_words: Sequence[str] = ()  # for run: keep everything that the container writes
    force_words: Sequence[str] = ("-f",)  # for rm: kill what is running
    forget_words: Sequence[str] = ("-f",)  # for rmi: so that nothing of the image is left
    plain_words: Sequence[str] = ()  # for pull and push: the registry speaks no TLS

    def __init__(self, directory: str, environ: dict[str, str]) -> None:
        self.directory = directory
        self.environ = environ
        self.base: list[str] = []
        self.run_words: list[str] = []
        self.reason = ""

    def open(self) -> None:
        """Starts what has to run. Raises BenchFailure when this peer cannot be used."""

    def argv(self, verb: str, *words: str) -> list[str]:
        extra = self.run_words if verb in ("run", "create", "build") else ()
        return [*self.base, verb, *extra, *words]

    def timed(self, verb: str, *words: str) -> float:
        return elapsed(self.argv(verb, *words), self.environ)

    def output(self, verb: str, *words: str) -> str:
        return captured(self.argv(verb, *words), self.environ)

    def remove(self, names: Sequence[str]) -> None:
        """Removes containers, whether they are there or not."""
        with contextlib.suppress(BenchFailure):
            self.output("rm", *self.force_words, *names)


class Tuidock(Peer):
    name = "tuidock"
    log_words = ("--log-opt", "max-size=-1")
    forget_words = ("-f", "--now")

    def open(self) -> None:
        self.root = f"{self.directory}/tuidock"
        self.environ["TUIDOCK_ROOT"] = self.root
        # run/ of the default root and of the peers lies in memory, below /run
        os.makedirs(f"{self.root}/run")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=710", "tmpfs", f"{self.root}/run"], check=True)
        # the tour of the first start lies over the screen, which would be measured instead of it
        kept = f"{self.environ['HOME']}/.local/state/tuidock"
        os.makedirs(kept, exist_ok=True)
        with open(f"{kept}/tour", "w", encoding="utf-8") as file:
            file.write("seen\n")
        script = f"{os.path.dirname(sys.executable)}/tuidock"
        self.base = [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "tuidock"]


class Docker(Peer):
    name = "docker"
    log_words = ("--log-driver", "json-file")
    _daemon: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        daemon, client = shutil.which("dockerd"), shutil.which("docker")
        if daemon is None or client is None:
            raise BenchFailure(NOT_INSTALLED)
        home = f"{self.directory}/docker"
        os.makedirs(home)
        socket = "unix:///run/docker-bench.sock"
        self.base = [client, "--host", socket]
        with open(f"{home}/log", "wb") as log:
            self._daemon = subprocess.Popen(
                [
                    daemon, "--host", socket, "--data-root", f"{home}/data", "--exec-root", "/run/docker-bench",
                    "--pidfile", "/run/docker-bench.pid",
                ],
                env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while True:
            try:
                self.output("version")
                return
            except BenchFailure as failure:
                if self._daemon.poll() is not None or time.monotonic() > deadline:
                    raise BenchFailure(f"dockerd does not start: {_last_line(f'{home}/log')}") from failure
            time.sleep(0.1)


class Podman(Peer):
    name = "podman"
    log_words = ("--log-driver", "k8s-file")
    force_words = ("-f", "-t", "0")  # else it waits ten seconds before it kills
    plain_words = ("--tls-verify=false",)  # the others allow loopback by themselves

    def open(self) -> None:
        program = shutil.which("podman")
        if program is None:
            raise BenchFailure(NOT_INSTALLED)
        home = f"{self.directory}/podman"
        os.makedirs(home)
        self.base = [
            program, "--root", f"{home}/data", "--runroot", "/run/podman-bench", "--tmpdir", "/run/podman-bench/tmp",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file",
        ]  # fmt: skip
        # podman asks for more than the hard limits of this process, which root without CAP_SYS_RESOURCE cannot have
        for word, which in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            hard = resource.getrlimit(which)[1]
            if hard != resource.RLIM_INFINITY:
                self.run_words += ["--ulimit", f"{word}={hard}:{hard}"]
        self.output("version")


class Crun(Peer):
    """A bare runtime: it only gets a bundle, without image, network or log."""

    name = "crun"

    def open(self) -> None:
        program = shutil.which("crun")
        if program is None:
            raise BenchFailure(NOT_INSTALLED)
        self.base = [program, "--root", "/run/crun-bench"]
        self.bundle = f"{self.directory}/crun"
        os.makedirs(f"{self.bundle}/rootfs")

    def run(self, name: str) -> float:
        return elapsed([*self.base, "run", "--bundle", self.bundle, name], self.environ)


def _last_line(path: str) -> str:
    with open(path, errors="replace") as stream:
        lines = stream.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing"
