"""login, logout and push beside a real docker's, each with a registry of its own at the same address.

What may differ is masked: digests and sizes, since docker compresses layers in its own way, and sentences on stderr.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import argv, environment
from tests.cli.test_differential import Peer, answer, docker  # noqa: F401
from tests.registry.real import PASSWORD, USER, free_port, running
from tuidock.engine import Engine

CASES = {
    "push": """
        d push $H/team/app; d tag busybox $H/team/app; d tag busybox $H/team/app:v2
        d push $H/team/app; d push $H/team/app:v2; d push -q $H/team/app:v2; d push -a $H/team/app
        d push -a $H/team/app:v2; d push -a $H/team/none; d push; d push $H/Team; d push a b; d push --nope x
        d image push $H/team/app:v2; d tag busybox $H/other:v1; d push $H/other:v1
        q rmi $H/team/app $H/team/app:v2 $H/other:v1
        """,
    "login": """
        d login $S </dev/null; d login -u x $S </dev/null; echo | d login --password-stdin $S
        d login -u x -p y --password-stdin $S </dev/null; d login a b; d login --nope
        d login -u $U -p wrong $S; echo "$P" | d login -u $U --password-stdin $S
        cat $DOCKER_CONFIG/config.json | tr -d '[:space:]'
        d tag busybox $S/app; d push -q $S/app; d logout $S; cat $DOCKER_CONFIG/config.json | tr -d '[:space:]'
        d push -q $S/app; d logout $S; d logout; d logout a b; q rmi $S/app
        """,
}


def pid_of(peer: Peer) -> int:
    """Of the dockerd that listens on the peer's socket, as seen from here."""
    address = peer.cli.split()[-1].encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"dockerd") and address in words:
                return int(name)
    raise AssertionError(f"no dockerd at {address!r}")


class Registries(NamedTuple):
    """hosts by the name of a variable; storage of the open ones by whose it is."""

    hosts: dict[str, str]
    storage: dict[str, Path]


@pytest.fixture(scope="module")
def registries(docker: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:  # noqa: F811
    """An open and a locked one for each, at the same addresses in their network namespaces."""
    inside = ["nsenter", f"--net=/proc/{pid_of(docker)}/ns/net"]
    base = tmp_path_factory.mktemp("registries")
    with ExitStack() as stack:
        found = Registries({}, {})
        for name, password in (("S", True), ("H", False)):
            port = free_port()
            for where, command in (("ours", []), ("theirs", inside)):
                started = running(base / f"{where}-{name}", password=password, port=port, inside=command)
                registry = stack.enter_context(started)
                found.hosts[name], found.storage[where] = registry.host, registry.storage
        yield found


def masked(text: str) -> list[str]:
    text = re.sub(r"digest: \S+ size: \d+", "DIGEST", text)
    return text.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_docker_says_the_same(
    docker: Peer, engine: Engine, registries: Registries, name: str  # noqa: F811
) -> None:  # fmt: skip
    def told(cli: str, environ: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="diff-") as directory:
            own = {**environ, **registries.hosts, "U": USER, "P": PASSWORD, "DOCKER_CONFIG": directory}
            return masked(answer(Peer(cli, own), CASES[name]))

    ours, theirs = told(" ".join(argv(engine)), environment()), told(docker.cli, docker.environ)
    assert ours == theirs


@pytest.fixture
def fresh(archive: bytes) -> Iterator[Engine]:
    """An engine of its own, whose busybox comes back as docker's."""
    root = tempfile.mkdtemp(prefix="tuidock-test-")
    made = Engine(root)
    for _ in made.load(io.BytesIO(archive)):
        pass
    yield made
    made.reset()
    shutil.rmtree(root, ignore_errors=True)


def test_docker_runs_what_was_pushed_and_its_pushes_run_here(
    docker: Peer, fresh: Engine, registries: Registries  # noqa: F811
) -> None:  # fmt: skip
    """The two registries cannot reach each other; their files can."""
    host = registries.hosts["H"]

    def run(peer: Peer, *words: str) -> str:
        done = subprocess.run(
            [*peer.cli.split(), *words], capture_output=True, text=True, check=False, env=peer.environ
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def copy(source: str, target: str) -> None:
        shutil.copytree(registries.storage[source], registries.storage[target], dirs_exist_ok=True)

    ours = Peer(" ".join(argv(fresh)), environment())
    for one in (ours, docker):
        run(one, "tag", "busybox", f"{host}/from:{'ours' if one is ours else 'docker'}")
    run(ours, "push", f"{host}/from:ours")
    copy("ours", "theirs")
    run(docker, "rmi", "-f", "busybox", f"{host}/from:docker")
    run(docker, "pull", f"{host}/from:ours")
    assert run(docker, "run", "--rm", "--network", "none", f"{host}/from:ours", "echo", "whole") == "whole\n"
    run(docker, "tag", f"{host}/from:ours", f"{host}/back:docker")
    run(docker, "push", f"{host}/back:docker")
    copy("theirs", "ours")
    run(ours, "pull", f"{host}/back:docker")
    assert run(ours, "run", "--rm", f"{host}/back:docker", "echo", "whole") == "whole\n"
    identities = [run(one, "inspect", "-f", "{{.Id}}", f"{host}/back:docker") for one in (ours, docker)]
    assert identities[0] == identities[1]
    run(docker, "tag", f"{host}/from:ours", "busybox")
    run(docker, "rmi", "-f", f"{host}/back:docker", f"{host}/from:ours")
