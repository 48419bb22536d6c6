"""What the rows share: the peers, opened when a row first asks for them, the images, and a process inside the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from bench import images
from bench.measure import BenchFailure, Cell, Missing, Verdict, elapsed
from bench.peers import REPOSITORY, Crun, Docker, Peer, Podman, Tuidock
from bench.registry import Registry


class Line(NamedTuple):
    """One line of the table. `cells` are by column: tuidock, docker, podman; `beside` is any other competitor."""

    work: str
    cells: dict[str, Cell]
    beside: str = ""
    verdict: Verdict | None = None
    note: str = ""  # below the table


class Row(NamedTuple):
    """A piece of work that can be asked for by name."""

    name: str
    title: str
    run: Callable[[Bench], list[Line]]


class Bench:
    """One run inside the house. Files and data roots lie in `directory`."""

    def __init__(self, directory: str, *, quick: bool, debian: str = "") -> None:
        self.directory, self.quick, self._debian = directory, quick, debian
        self.python = sys.executable
        home = f"{directory}/home"
        os.makedirs(f"{home}/tmp")
        # the app as somebody sees it who knows it: without the tour of the first start
        os.makedirs(f"{home}/.local/state/tuidock")
        with open(f"{home}/.local/state/tuidock/tour", "w", encoding="utf-8") as file:
            file.write("seen\n")
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "PYTHONPATH")}
        self.environ = {**kept, "HOME": home, "TMPDIR": f"{home}/tmp", "TERM": "xterm-256color"}
        # a checkout that is not installed is imported from where it lies; byte code is written as for any user
        self.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (REPOSITORY, kept.get("PYTHONPATH"))))
        self._peers: dict[str, Peer] = {}
        self._archive = ""
        self._registries: dict[str, Registry] = {}
        self._worker: EngineWorker | None = None

    def rounds(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def archive(self) -> str:
        if not self._archive:
            path = f"{self.directory}/small.tar"
            images.small(path)
            self._archive = path
        return self._archive

    def debian_archive(self) -> str:
        """An image of a Debian root file system. Raises BenchFailure when there is none and none can be made."""
        path = f"{self.directory}/debian-image.tar"
        if not os.path.exists(path):
            if not self._debian and self.quick:
                raise BenchFailure("no --debian TAR was given (without --quick debootstrap makes one)")
            images.debian(self._debian or images.bootstrap(self.directory), path)
        return path

    def layered_archive(self) -> str:
        """An image of twenty layers."""
        path = f"{self.directory}/layered-image.tar"
        if not os.path.exists(path):
            images.layered(path)
        return path

    def registry(self, name: str) -> Registry:
        """A registry for one purpose, started when it is first asked for. Raises BenchFailure."""
        if name not in self._registries:
            directory = f"{self.directory}/registry-{name}"
            os.makedirs(directory)
            self._registries[name] = Registry(directory, 5000 + len(self._registries), self.environ)
        return self._registries[name]

    def peer(self, name: str) -> Peer:
        """An engine with the small image loaded; when it cannot be used its `reason` says why."""
        if name not in self._peers:
            kinds: dict[str, type[Peer]] = {"tuidock": Tuidock, "docker": Docker, "podman": Podman, "crun": Crun}
            peer = self._peers[name] = kinds[name](self.directory, dict(self.environ))
            try:
                peer.open()
                if isinstance(peer, Crun):
                    self._fill_bundle(peer)
                else:
                    peer.output("load", "-i", self.archive())
            except BenchFailure as failure:
                peer.reason = str(failure)
        return self._peers[name]

    def tuidock(self) -> Peer:
        """Ours. Raises BenchFailure when it does not work, for nothing is left to measure then."""
        peer = self.peer("tuidock")
        if peer.reason:
            raise BenchFailure(peer.reason)
        return peer

    def usable(self, *names: str) -> tuple[list[Peer], dict[str, Cell]]:
        """The peers of these names that work, and cells with the reason for the others."""
        peers = [self.peer(name) for name in names]
        return [peer for peer in peers if not peer.reason], {
            peer.name: Missing(peer.reason) for peer in peers if peer.reason
        }

    def python_pass(self) -> float:
        return elapsed([self.python, "-c", "pass"], {k: v for k, v in self.environ.items() if k != "PYTHONPATH"})

    def worker(self) -> EngineWorker:
        if self._worker is None or self._worker.ended:
            self._worker = EngineWorker(self.tuidock())
        return self._worker

    def _fill_bundle(self, crun: Crun) -> None:
        """The same programs as a bundle, with crun's own default configuration."""
        import shutil

        root = f"{crun.bundle}/rootfs"
        for name in ("bin", "proc", "sys", "dev"):
            os.makedirs(f"{root}/{name}")
        busybox = shutil.which("busybox")
        if busybox is None:
            raise BenchFailure("busybox is not installed")
        shutil.copy(busybox, f"{root}/bin/busybox")
        os.symlink("busybox", f"{root}/bin/true")
        subprocess.run([*crun.base, "spec"], cwd=crun.bundle, check=True)
        path = f"{crun.bundle}/config.json"
        with open(path) as stream:
            config = json.load(stream)
        config["process"].update(terminal=False, args=["true"], env=["PATH=/bin"])
        config["process"].pop("rlimits", None)
        with open(path, "w") as stream:
            json.dump(config, stream)


class EngineWorker:
    """A Python process that uses tuidock.engine as the app does, asked by lines of JSON (engine_worker.py)."""

    def __init__(self, tuidock: Peer) -> None:
        self._process = subprocess.Popen(
            [sys.executable, f"{REPOSITORY}/bench/engine_worker.py"],
            env=tuidock.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, verb: str, *words: str) -> Any:
        """The answer of one verb. Raises BenchFailure with the engine's sentence."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([verb, *words]).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise BenchFailure(f"the engine's process ended during {verb}")
        value = json.loads(answer)
        if "error" in value:
            raise BenchFailure(f"Engine.{verb}: {value['error']}")
        return value["value"]
