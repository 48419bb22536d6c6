"""Debian's docker-registry: TLS, htpasswd, and skopeo at the other end."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.engine.registry.conftest import QUICK
from tests.engine.registry.test_uploading import BIG, Body
from tests.engine.store.archives import layer, oci_archive, sha256
from tests.registry import images
from tests.registry.real import PASSWORD, USER, RealRegistry
from tuidock.engine.errors import AuthFailed, InvalidArgument, RegistryRefused
from tuidock.engine.oci.descriptor import OCI_LAYER, Descriptor
from tuidock.engine.oci.manifest import parse_manifest
from tuidock.engine.registry import transport
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.logging_in import login
from tuidock.engine.registry.settings import Settings
from tuidock.engine.registry.uploading import Upload, put_manifest


def skopeo(*arguments: str) -> str:
    program = shutil.which("skopeo")
    if program is None:
        missing("skopeo is not installed")
        raise AssertionError
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pushed(host: str, name: str, tars: list[bytes], *, docker: bool = False) -> images.Made:
    made = images.image(tars, docker=docker)
    with Registry(host, QUICK, actions="pull,push") as registry:
        for raw in made.blobs.values():
            Upload(registry, name).send(Body(raw))
        put_manifest(registry, name, "latest", made.manifest, made.media_type, made.digest)
    return made


@pytest.mark.parametrize("docker", [False, True])
def test_skopeo_reads_what_was_pushed(
    docker_registry: RealRegistry, docker_config: Path, tmp_path: Path, docker: bool
) -> None:
    name = f"pushed/{'docker' if docker else 'oci'}"
    made = pushed(docker_registry.host, name, [layer({"a": b"1"}), layer({"b": BIG})], docker=docker)
    where = f"docker://{docker_registry.host}/{name}:latest"
    shown = json.loads(skopeo("inspect", "--tls-verify=false", where))
    assert shown["Digest"] == made.digest and len(shown["Layers"]) == 2
    skopeo("copy", "--src-tls-verify=false", where, f"dir:{tmp_path}/copy")
    assert (tmp_path / "copy/manifest.json").read_bytes() == made.manifest
    for digest, raw in made.blobs.items():
        assert (tmp_path / "copy" / digest[7:]).read_bytes() == raw


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_what_skopeo_pushed_is_read(
    docker_registry: RealRegistry, docker_config: Path, tmp_path: Path, form: str
) -> None:
    tars = [layer({"a": b"1"}), layer({"b": BIG})]
    (tmp_path / "image.tar").write_bytes(oci_archive(tars, "latest"))
    where = f"{docker_registry.host}/skopeo/{form}"
    skopeo("copy", "-f", form, "--dest-tls-verify=false", f"oci-archive:{tmp_path}/image.tar", f"docker://{where}:v1")
    with Registry(docker_registry.host, QUICK) as registry:
        found = registry.manifest(f"skopeo/{form}", "v1")
        parsed = parse_manifest(found.raw, found.media_type)
        assert registry.manifest(f"skopeo/{form}", found.digest) == found
        assert json.loads(registry.document(f"skopeo/{form}", parsed.config))["rootfs"]["diff_ids"] == list(
            map(sha256, tars)
        )
        for one in parsed.layers:
            assert sha256(b"".join(registry.blob(f"skopeo/{form}", one))) == one.digest
            assert len(b"".join(registry.blob(f"skopeo/{form}", one, one.size - 7))) == 7
        assert registry.tags(f"skopeo/{form}") == ["v1"]
        assert f"skopeo/{form}" in registry.catalog()


def test_uploads_of_every_kind(
    docker_registry: RealRegistry, docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuidock.engine.registry import uploading

    monkeypatch.setattr(uploading, "_PIECE", 1 << 20)
    with Registry(docker_registry.host, QUICK, actions="pull,push") as registry:
        for number, (known, pieces) in enumerate(((True, False), (False, False), (True, True), (False, True))):
            raw = BIG + bytes([number])
            upload = Upload(registry, "kinds")
            upload._pieces = pieces
            upload.send(Body(raw, known=known))
            assert upload.exists(sha256(raw))
            assert b"".join(registry.blob("kinds", Descriptor(OCI_LAYER, sha256(raw), len(raw)))) == raw
        assert Upload(registry, "borrower").mount(sha256(BIG + b"\0"), "kinds")
        assert Upload(registry, "borrower").exists(sha256(BIG + b"\0"))
        assert not Upload(registry, "borrower").exists(sha256(BIG + b"\1"))
        body = Body(BIG)
        body.digest = sha256(b"other")
        with pytest.raises(RegistryRefused, match="digest"):
            Upload(registry, "kinds").send(body)


def test_htpasswd_over_tls(locked_registry: RealRegistry, docker_config: Path) -> None:
    host = locked_registry.host
    with Registry(host, QUICK) as registry, pytest.raises(AuthFailed, match=f"needs `tuidock login {host}`"):
        registry.manifest("a/b", "latest")
    with pytest.raises(AuthFailed, match="did not accept the credentials of ada"):
        login(host, USER, "wrong", QUICK)
    assert login(host, USER, PASSWORD, QUICK).username == USER
    made = pushed(host, "private/image", [layer({"a": b"1"})])
    with Registry(host, QUICK) as registry:
        assert registry.manifest("private/image", "latest").raw == made.manifest
    shown = json.loads(
        skopeo("inspect", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}", f"docker://{host}/private/image")
    )
    assert shown["Digest"] == made.digest


@pytest.fixture
def distrusting(monkeypatch: pytest.MonkeyPatch, locked_registry: RealRegistry) -> Iterator[RealRegistry]:
    """As if the registry were not on this machine, for which any certificate will do."""
    monkeypatch.setattr(Settings, "is_insecure", lambda self, host: host in self.insecure)
    Keyring().store(locked_registry.host, Secret(USER, PASSWORD))
    yield locked_registry


def attempt(host: str, settings: Settings = QUICK) -> list[str]:
    with Registry(host, settings) as registry:
        return registry.catalog()


def test_certificates(
    docker_config: Path, distrusting: RealRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = distrusting.host
    monkeypatch.setattr(transport, "_CERTIFICATES", str(tmp_path / "certs.d"))
    with pytest.raises(RegistryRefused, match=f"certificate of {host} is not trusted .*{host}/ca.crt, or list {host}"):
        attempt(host)
    assert distrusting.authority is not None
    for base in (tmp_path / "certs.d", docker_config / "certs.d"):
        (base / host).mkdir(parents=True)
        (base / host / "ca.crt").write_bytes(distrusting.authority.read_bytes())
        assert isinstance(attempt(host), list)
        (base / host / "ca.crt").write_text("nonsense")
        with pytest.raises(InvalidArgument, match=r"ca.crt cannot be used"):
            attempt(host)
        (base / host / "ca.crt").unlink()
        (base / host / "client.cert").write_text("x")
        with pytest.raises(InvalidArgument, match=r"has no key client.key beside it"):
            attempt(host)
        (base / host / "client.cert").unlink()
    assert isinstance(attempt(host, QUICK._replace(insecure=(host,))), list)


def test_a_certificate_for_another_name(
    docker_config: Path, distrusting: RealRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_CERTIFICATES", str(tmp_path))
    host = "127.0.0.1:" + distrusting.host.rpartition(":")[2]
    (tmp_path / host).mkdir()
    assert distrusting.authority is not None
    (tmp_path / host / "ca.crt").write_bytes(distrusting.authority.read_bytes())
    with pytest.raises(RegistryRefused, match=r"is not trusted \(.*mismatch"):
        attempt(host)


def test_plain_http_has_to_be_allowed(
    docker_registry: RealRegistry, docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "is_insecure", lambda self, host: host in self.insecure)
    host = docker_registry.host
    with pytest.raises(RegistryRefused, match=r"speaks plain http; list localhost:.* under registries.insecure"):
        attempt(host)
    assert isinstance(attempt(host, QUICK._replace(insecure=(host,))), list)
