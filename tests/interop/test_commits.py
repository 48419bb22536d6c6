"""Images that `commit` makes are taken by docker, podman and skopeo, and look there as they do here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_differential import Peer
from tests.cli.test_differential import docker as dockerd  # noqa: F401  (a fixture: a dockerd with a root of its own)
from tests.conftest import Run
from tests.interop.peers import Counterpart, Docker
from tests.interop.test_engines import other  # noqa: F401  (a fixture: docker and podman in turn)
from tests.native.monitored import needs_root
from tuidock.engine import Engine

pytestmark = needs_root
NAME = "example.org/team/committed:1"
_MAKE = (
    "mkdir -p /srv/deep && cp /bin/busybox /srv/deep/tool && chown 12:34 /srv/deep/tool && chmod 4755 /srv/deep/tool"
    " && ln /srv/deep/tool /srv/deep/other && ln -s /etc/passwd /srv/link && rm /etc/group && rm -r /var && mkdir /var"
    " && touch /var/new && mkfifo /srv/pipe && touch -d @1000000000 /srv/old && head -c 1000000 /dev/zero >/srv/zeros"
    " && echo x >/srv/$(printf 'n%.0s' $(seq 200))"
)
_LOOK = (
    "exec 2>&1; stat -c '%a %u:%g %h' /srv/deep/tool /srv/deep/other; readlink /srv/link; ls /etc/group; ls /var;"
    " stat -c '%Y' /srv/old; stat -c '%F' /srv/pipe; md5sum </srv/zeros; ls /srv | wc -l; cat /srv/nnn*"
)


@pytest.fixture
def committed(engine: Engine, run: Run) -> Iterator[str]:
    container = run.start(["sh", "-c", _MAKE])
    assert engine.wait(container) == 0, run.text(container)
    for step in engine.commit(container, NAME, author="me", message="why", changes=['CMD ["sh"]', "LABEL a=b"]):
        image = step.subject
    yield image
    engine.remove_many(run.made, force=True, volumes=True)
    engine.remove_image(NAME, force=True, now=True)


def test_others_load_it_and_see_the_same(
    engine: Engine,
    run: Run,
    committed: str,
    other: Counterpart,  # noqa: F811
    tmp_path: Path,
) -> None:
    with (tmp_path / "image.tar").open("wb") as out:
        engine.save([NAME], out)
    ours = run.output(["sh", "-c", _LOOK], config={"Image": NAME})
    assert ours.startswith("4755 12:34 2\n4755 12:34 2\n/etc/passwd\n")
    other("load", "-i", tmp_path / "image.tar")
    try:
        assert other("run", "--rm", NAME, "sh", "-c", _LOOK) == ours
        told = other("image", "inspect", "--format", '{{.Id}} {{.Author}} {{index .Config.Labels "a"}}', NAME)
        assert told.strip().removeprefix("sha256:") == f"{committed[7:]} me b"
        assert "why" in other("history", "--no-trunc", NAME)
    finally:
        other("rmi", "-f", NAME)


def test_skopeo_takes_its_manifest_and_layers(engine: Engine, committed: str, tmp_path: Path) -> None:
    with (tmp_path / "image.tar").open("wb") as out:
        engine.save([NAME], out)
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "-q", f"oci-archive:{tmp_path}/image.tar", f"dir:{tmp_path}/dir"],
        check=True,
    )
    manifest = json.loads((tmp_path / "dir/manifest.json").read_text())
    inspected = engine.inspect_image(NAME)
    assert manifest["config"]["digest"] == committed
    assert [layer["digest"] for layer in manifest["layers"]] == inspected["RootFS"]["Layers"]


_CHANGE = (
    "echo x >>/etc/passwd; rm /etc/group; mkdir -p /new/deep; echo 1 >/new/deep/file; rm -r /root; mkdir /root;"
    " touch /root/f; chmod 700 /tmp; mkdir /tmp/sub; ln -s x /var/link; mkfifo /var/pipe; rm /bin/zcat; touch /bin/yes"
)


def test_diff_says_what_docker_says(
    engine: Engine,
    run: Run,
    dockerd: Peer,  # noqa: F811
    archive: bytes,
    tmp_path: Path,
) -> None:
    docker = Docker(dockerd.cli, dockerd.environ)
    (tmp_path / "busybox.tar").write_bytes(archive)
    docker("load", "-i", tmp_path / "busybox.tar")
    name = docker("run", "-d", "busybox", "sh", "-c", _CHANGE).strip()
    docker("wait", name)
    container = run.start(["sh", "-c", _CHANGE])
    engine.wait(container)
    theirs = sorted(docker("diff", name).splitlines())
    docker("rm", name)
    assert sorted(f"{change.kind} {change.path}" for change in engine.diff(container)) == theirs
