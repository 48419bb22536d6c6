"""login, logout and push beside a real docker's, each with a registry of its own at the same address.

What may differ is masked: digests and sizes, since docker compresses layers in its own way, and sentences on stderr.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

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


@pytest.fixture(scope="module")
def registries(docker: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:  # noqa: F811
    """An open and a locked one for each, at the same addresses in their network namespaces."""
    inside = ["nsenter", f"--net=/proc/{pid_of(docker)}/ns/net"]
    base = tmp_path_factory.mktemp("registries")
    with ExitStack() as stack:
        found = {}
        for name, password in (("H", False), ("S", True)):
            port = free_port()
            for where, command in (("ours", []), ("theirs", inside)):
                started = running(base / f"{where}-{name}", password=password, port=port, inside=command)
                found[name] = stack.enter_context(started).host
        yield found


def masked(text: str) -> list[str]:
    text = re.sub(r"digest: \S+ size: \d+", "DIGEST", text)
    return text.splitlines()


@pytest.mark.parametrize("name", CASES)
def test_docker_says_the_same(
    docker: Peer, engine: Engine, registries: dict[str, str], name: str  # noqa: F811
) -> None:  # fmt: skip
    def told(cli: str, environ: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory(prefix="diff-") as directory:
            own = {**environ, **registries, "U": USER, "P": PASSWORD, "DOCKER_CONFIG": directory}
            return masked(answer(Peer(cli, own), CASES[name]))

    ours, theirs = told(" ".join(argv(engine)), environment()), told(docker.cli, docker.environ)
    assert ours == theirs
