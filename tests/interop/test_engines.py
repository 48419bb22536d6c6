"""docker and podman load what we save and run it, and we load what they save: no byte of configuration or layers differs."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cli.test_differential import Peer
from tests.cli.test_differential import docker as dockerd  # noqa: F401  (a fixture: a dockerd with a root of its own)
from tests.engine.store.archives import config, docker_archive, sha256
from tests.interop.peers import Counterpart, Docker, podman
from tests.interop.trees import layers
from tests.native.monitored import needs_root
from tests.registry.real import running
from tuidock.engine import Engine
from tuidock.engine.store.packing import MEMBER

pytestmark = needs_root
NAME = "example.org/team/round:1"
_COMMAND = [
    "sh", "-c",
    "cat /srv/changed /srv/opaque/above; ls /srv/opaque; ls -d /srv/gone /srv/tree 2>&1; stat -c '%a %u:%g' /srv/su",
]  # fmt: skip
_SEEN = """\
22cabove
ls: /srv/gone: No such file or directory
ls: /srv/tree: No such file or directory
4755 1000:50
"""


@pytest.fixture(scope="module", params=["docker", "podman"])
def other(request: pytest.FixtureRequest) -> Iterator[Counterpart]:
    if request.param == "docker":
        peer: Peer = request.getfixturevalue("dockerd")
        yield Docker(peer.cli, peer.environ)
    else:
        with podman() as made:
            yield made


@pytest.fixture(scope="module")
def tars() -> list[bytes]:
    return layers()


@pytest.fixture
def ours(engine: Engine) -> Iterator[Engine]:
    yield engine
    for image in engine.images():
        for reference in image.references or (image.id,):
            if "busybox" not in reference:
                engine.remove_image(reference, force=True, now=True)


def load(engine: Engine, raw: bytes) -> None:
    for _ in engine.load(io.BytesIO(raw)):
        pass


def save(engine: Engine, path: Path) -> Path:
    with path.open("wb") as out:
        engine.save([NAME], out)
    return path


def test_it_loads_what_we_save_and_we_load_what_it_saves(
    ours: Engine, other: Counterpart, tars: list[bytes], tmp_path: Path
) -> None:
    load(ours, docker_archive([(tars, [NAME])]))
    other("load", "-i", save(ours, tmp_path / "ours.tar"))
    identity = sha256(config(tars))
    assert other("image", "inspect", "--format", "{{.Id}}", NAME).strip().removeprefix("sha256:") == identity[7:]
    told = other("image", "inspect", "--format", "{{range .RootFS.Layers}}{{.}} {{end}}", NAME).split()
    assert told == [sha256(one) for one in tars]
    assert other("run", "--rm", NAME, *_COMMAND) == _SEEN
    other("save", "-o", tmp_path / "theirs.tar", NAME)
    other("rmi", "-f", NAME)
    ours.remove_image(NAME, now=True)
    load(ours, (tmp_path / "theirs.tar").read_bytes())
    assert ours.image(NAME).id == identity
    assert ours.inspect_image(NAME)["RootFS"]["Layers"] == told
    save(ours, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == (tmp_path / "ours.tar").read_bytes()


def test_oci_archives_of_podman_keep_their_manifest(
    ours: Engine, tars: list[bytes], tmp_path: Path, run_image: Callable[[Engine, str], str]
) -> None:
    load(ours, docker_archive([(tars, [NAME])]))
    with podman() as other:
        other("load", "-i", save(ours, tmp_path / "ours.tar"))
        ours.remove_image(NAME, now=True)
        other("save", "--format", "oci-archive", "-o", tmp_path / "theirs.tar", NAME)
    load(ours, (tmp_path / "theirs.tar").read_bytes())
    assert ours.image(NAME).id == sha256(config(tars))
    with tarfile.open(tmp_path / "theirs.tar") as tar:
        index = tar.extractfile("index.json")
        assert index is not None
        digest = json.load(index)["manifests"][0]["digest"]
    assert any(known.endswith("@" + digest) for known in ours.inspect_image(NAME)["RepoDigests"])
    assert run_image(ours, NAME) == _SEEN


def test_podman_and_we_exchange_images_by_a_registry(
    ours: Engine, tars: list[bytes], tmp_path: Path, run_image: Callable[[Engine, str], str]
) -> None:
    assert max(map(len, tars)) > MEMBER  # so that one of the blobs has several members
    identity = sha256(config(tars))
    load(ours, docker_archive([(tars, [NAME])]))
    with running(tmp_path) as registry, podman() as other:
        there, back = f"{registry.host}/ours:1", f"{registry.host}/theirs:1"
        ours.tag(NAME, there)
        (pushed,) = [step.message for step in ours.push(there) if step.action == "digest"]
        other("pull", "--tls-verify=false", there)
        assert other("image", "inspect", "--format", "{{.Id}}", there).strip() == identity[7:]
        assert other("image", "inspect", "--format", "{{.Digest}}", there).strip() == pushed
        assert other("run", "--rm", there, *_COMMAND) == _SEEN
        other("push", "--tls-verify=false", there, back)
        for reference in (NAME, there):
            ours.remove_image(reference, now=True)
        for _ in ours.pull(back):
            pass
        assert ours.image(back).id == identity
        assert ours.inspect_image(back)["RepoDigests"] == [
            f"{registry.host}/theirs@{digest_of(registry.host, 'theirs')}"
        ]
        assert run_image(ours, back) == _SEEN


def digest_of(host: str, repository: str) -> str:
    """What the registry itself calls the image."""
    asked = HTTPConnection(host, timeout=10)
    try:
        types = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        asked.request("HEAD", f"/v2/{repository}/manifests/1", headers={"Accept": types})
        return str(asked.getresponse().headers["Docker-Content-Digest"])
    finally:
        asked.close()


@pytest.fixture
def run_image() -> Callable[[Engine, str], str]:
    from tests.conftest import request

    def run(engine: Engine, reference: str) -> str:
        container = engine.create(request(_COMMAND, config={"Image": reference}, NetworkMode="none"))
        try:
            engine.start(container)
            engine.wait(container)
            return "".join(line.text.decode() + "\n" for batch in engine.logs(container) for line in batch)
        finally:
            engine.remove(container, force=True)

    return run
