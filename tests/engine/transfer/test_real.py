"""Debian's docker-registry, filled by skopeo, umoci and docker's way of writing: what is pulled from it really runs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, busybox_archive, missing, request
from tests.registry.real import PASSWORD, USER, RealRegistry
from tuidock.engine import Engine
from tuidock.engine.errors import AuthFailed
from tuidock.engine.types import Progress


def tool(*words: str) -> str:
    if shutil.which(words[0]) is None:
        missing(f"{words[0]} is not installed")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy(source: str, registry: RealRegistry, name: str, *options: str, login: str = "") -> str:
    """Puts an image into the registry; answers the digest that it has there."""
    target = f"docker://{registry.host}/{name}"
    known = (f"--dest-creds={login}",) if login else ()
    tool("skopeo", "copy", "-q", "--dest-tls-verify=false", *known, *options, source, target)
    known = (f"--creds={login}",) if login else ()
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", *known, target], capture_output=True, check=True
    ).stdout
    return "sha256:" + hashlib.sha256(raw).hexdigest()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "busybox.tar"
    path.write_bytes(busybox_archive())
    return path


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    if os.geteuid() != 0:
        missing("needs root")
    root = tempfile.mkdtemp(prefix="tuidock-test-")
    made = Engine(root)
    yield made
    problems = [str(one) for one in made.check()]
    made.remove_many([container.id for container in made.containers()], force=True)
    made.reset()
    shutil.rmtree(root, ignore_errors=True)
    assert not problems, problems


@pytest.fixture
def run(engine: Engine) -> Iterator[Run]:
    helper = Run(engine)
    yield helper
    engine.remove_many(helper.made, force=True, volumes=True)


def digest_of(steps: list[Progress]) -> str:
    return next(step.message for step in steps if step.action == "digest")


@pytest.mark.parametrize("options", [("--format", "oci"), ("--format", "v2s2"), ("--dest-compress-format", "zstd")])
def test_what_skopeo_pushed_is_pulled_and_runs(
    engine: Engine, run: Run, docker_registry: RealRegistry, archive: Path, options: tuple[str, ...]
) -> None:
    if "zstd" in options:
        options = (*options, "--dest-compress", "--format", "oci")
    name = f"busybox:{options[-1]}{len(options)}"
    digest = copy(f"docker-archive:{archive}", docker_registry, name, *options)
    steps = list(engine.pull(f"{docker_registry.host}/{name}"))
    assert digest_of(steps) == digest
    assert engine.image(f"{docker_registry.host}/{name}").digests[-1].endswith(digest)
    reference = f"{docker_registry.host}/{name}"
    container = engine.create(request(["echo", "it", "runs"], config={"Image": reference}))
    run.made.append(container)
    engine.start(container)
    assert engine.wait(container) == 0
    assert run.text(container) == "it runs\n"
    again = list(engine.pull(f"{docker_registry.host}/busybox@{digest}"))
    assert digest_of(again) == digest


def test_an_index_that_umoci_and_skopeo_made(
    engine: Engine, docker_registry: RealRegistry, archive: Path, tmp_path: Path
) -> None:
    layout = tmp_path / "layout"
    tool("skopeo", "copy", "-q", f"docker-archive:{archive}", f"oci:{layout}:amd64")
    for variant in ("arm64", "s390x"):
        tool("umoci", "config", "--image", f"{layout}:amd64", "--tag", variant, "--architecture", variant)
    index = json.loads((layout / "index.json").read_text())
    entries = []
    for entry in index["manifests"]:
        architecture = entry.pop("annotations")["org.opencontainers.image.ref.name"]
        entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
    inner = json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    ).encode()
    digest = "sha256:" + hashlib.sha256(inner).hexdigest()
    (layout / "blobs" / "sha256" / digest[7:]).write_bytes(inner)
    top = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(inner)}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    assert copy(f"oci:{layout}", docker_registry, "several:1", "--all") == digest
    name = f"{docker_registry.host}/several:1"
    assert digest_of(list(engine.pull(name))) == digest
    assert engine.inspect_image(name)["Architecture"] == "amd64"
    assert digest_of(list(engine.pull(name, platform="linux/s390x"))) == digest
    assert engine.inspect_image(name)["Architecture"] == "s390x"
    assert engine.inspect_image(name)["RepoDigests"] == [f"{docker_registry.host}/several@{digest}"]


def test_what_was_pulled_is_saved_and_read_by_skopeo(
    engine: Engine, docker_registry: RealRegistry, archive: Path, tmp_path: Path
) -> None:
    copy(f"docker-archive:{archive}", docker_registry, "saved:1", "--format", "oci")
    list(engine.pull(f"{docker_registry.host}/saved:1"))
    out = io.BytesIO()
    engine.save([f"{docker_registry.host}/saved:1"], out)
    (tmp_path / "saved.tar").write_bytes(out.getvalue())
    found = json.loads(tool("skopeo", "inspect", "--config", f"docker-archive:{tmp_path / 'saved.tar'}"))
    assert found["config"]["Cmd"] == ["sh"]


def test_a_private_image_over_tls_needs_a_login(engine: Engine, locked_registry: RealRegistry, archive: Path) -> None:
    digest = copy(f"docker-archive:{archive}", locked_registry, "private:1", login=f"{USER}:{PASSWORD}")
    name = f"{locked_registry.host}/private:1"
    with pytest.raises(AuthFailed, match="tuidock login"):
        list(engine.pull(name))
    engine.login(locked_registry.host, USER, PASSWORD)
    assert digest_of(list(engine.pull(name))) == digest


def test_check_repairs_from_the_registry(engine: Engine, docker_registry: RealRegistry, archive: Path) -> None:
    copy(f"docker-archive:{archive}", docker_registry, "repaired:1", "--format", "oci")
    name = f"{docker_registry.host}/repaired:1"
    list(engine.pull(name))
    layer = next(
        path
        for path in Path(engine.root, "content", "blobs", "sha256").iterdir()
        if path.read_bytes()[:2] == b"\x1f\x8b"
    )
    raw = bytearray(layer.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    layer.unlink()
    layer.write_bytes(raw)
    (problem,) = list(engine.check())
    assert not problem.repaired and "damaged" in problem.message
    (problem,) = list(engine.check(repair=True))
    assert problem.repaired and "fetched again from" in problem.message
    assert list(engine.check()) == []


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_what_was_pulled_is_pushed_with_the_same_digest(
    engine: Engine, docker_registry: RealRegistry, archive: Path, form: str
) -> None:
    digest = copy(f"docker-archive:{archive}", docker_registry, f"here:{form}", "--format", form)
    list(engine.pull(f"{docker_registry.host}/here:{form}"))
    engine.tag(f"{docker_registry.host}/here:{form}", f"{docker_registry.host}/there:{form}")
    assert digest_of(list(engine.push(f"{docker_registry.host}/there:{form}"))) == digest
    raw = tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{docker_registry.host}/there:{form}")
    assert "sha256:" + hashlib.sha256(raw.encode()).hexdigest() == digest
