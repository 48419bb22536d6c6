"""Push: what goes out, what does not have to, and that others can read it."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.store.archives import docker_archive, layer, oci_archive, sha256
from tests.engine.store.conftest import Store
from tests.engine.transfer.pulls import files, noise, pull
from tests.engine.transfer.test_real import tool
from tests.registry import images as registry_images
from tests.registry.misbehaving import Fault, Misbehaving, drop_upload_after, error, misbehaving, status
from tests.registry.real import PASSWORD, USER, RealRegistry
from tuidock.engine.errors import AuthFailed, BadContent, InvalidArgument, NotFound, RegistryRefused
from tuidock.engine.oci.reference import parse
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import Keyring, Secret
from tuidock.engine.registry.settings import Settings
from tuidock.engine.store import images, operations
from tuidock.engine.store.loading import host_platform
from tuidock.engine.transfer import compressing, pushing
from tuidock.engine.transfer.compressing import Compressing
from tuidock.engine.types import Progress

BASE = layer({"bin": None, "bin/sh": b"#!" * 40000, "etc": None, "etc/conf": b"base"})
TOP = layer({"etc": None, "etc/new": b"top"})
BIG = layer({"srv": None, "srv/big": bytes(range(256)) * 10_000})


def connect(host: str) -> Registry:
    return Registry(host, Settings(attempts=3, backoff=0.01, stall=20.0), actions="pull,push")


def begin(store: Store, text: str, *, all_tags: bool = False) -> Iterator[Progress]:
    reference = parse(text)
    reference = reference if all_tags else reference.with_default_tag()
    return pushing.push(store.state, store.paths, connect, reference, all_tags=all_tags)


def push(store: Store, text: str, *, all_tags: bool = False) -> list[Progress]:
    return list(begin(store, text, all_tags=all_tags))


def tag(store: Store, source: str, *targets: str) -> None:
    for target in targets:
        operations.tag(store.state, store.paths, source, target)


def ends(steps: list[Progress]) -> dict[str, str]:
    """The last action of each layer, by the beginning of its diffID."""
    return {step.subject: step.action for step in steps if len(step.subject) == 12}


def short(tar: bytes) -> str:
    return sha256(tar)[7:19]


def digest_row(store: Store, reference: str) -> str:
    row = store.state.read().execute("SELECT digest FROM image_references WHERE reference = ?", (reference,)).fetchone()
    return str(row[0])


# --- what the registry has afterwards


def test_of_a_list_only_what_was_pulled_goes_out_and_that_is_said(store: Store, registry: Misbehaving) -> None:
    image = registry_images.image([BASE])
    registry.add("many", "mine", image)
    platform = {"os": "linux", "architecture": host_platform().architecture}
    absent = {**image.descriptor(), "digest": sha256(b"another"), "platform": {"os": "linux", "architecture": "s390x"}}
    index = registry_images.index([absent, image.descriptor(platform=platform)])
    registry.add_manifest("many", "1", registry_images.OCI_INDEX, index)
    pull(store, f"{registry.host}/many:1")
    tag(store, f"{registry.host}/many:1", f"{registry.host}/many:2")
    steps = push(store, f"{registry.host}/many:2")
    assert [step.action for step in steps[-2:]] == ["warning", "digest"]
    assert sha256(index) in steps[-2].message and steps[-1].message in steps[-2].message
    assert steps[-1].message == digest_row(store, f"{registry.host}/many:2") != sha256(index)
    assert "warning" not in [step.action for step in push(store, f"{registry.host}/many:2")]


def test_an_image_that_came_compressed_stays_as_it_is(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE, TOP], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/team/app:v1")
    steps = push(store, f"{registry.host}/team/app:v1")
    raw = registry.manifests["team/app", "v1"][1]
    record = images.resolve(store.state, store.paths, "app:v1")
    assert sha256(raw) == record.manifest_digest
    assert steps[0] == Progress(f"{registry.host}/team/app", "pushing-to")
    assert steps[-1] == Progress("v1", "digest", total=len(raw), message=sha256(raw))
    assert ends(steps) == {short(BASE): "pushed", short(TOP): "pushed"}
    assert [step.action for step in steps[1:3]] == ["preparing", "preparing"]
    assert digest_row(store, f"{registry.host}/team/app:v1") == sha256(raw)
    assert registry.requests[-1].method == "PUT" and "/manifests/" in registry.requests[-1].path
    assert not store.names("content", "leases") and not registry.uploads


def test_plain_layers_go_out_as_gzip(store: Store, registry: Misbehaving) -> None:
    store.load(docker_archive([([BASE, TOP], ["app:v1"])]))
    name = f"{registry.host}/app:v1"
    tag(store, "app:v1", name)
    steps = push(store, name)
    kind, raw = registry.manifests["app", "v1"]
    document = json.loads(raw)
    record = images.resolve(store.state, store.paths, "app:v1")
    assert document["mediaType"] == kind and document["config"]["digest"] == record.id
    for entry, tar in zip(document["layers"], (BASE, TOP), strict=True):
        assert entry["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
        blob = registry.blobs[entry["digest"]]
        assert len(blob) == entry["size"] and gzip.decompress(blob) == tar
    assert ends(steps) == {short(BASE): "pushed", short(TOP): "pushed"}
    assert sha256(raw) != record.manifest_digest
    assert digest_row(store, name) == sha256(raw) == steps[-1].message
    assert not store.problems() and not store.names("content", "ingest")


def test_the_second_push_only_asks(store: Store, registry: Misbehaving) -> None:
    for archive in (docker_archive([([BASE], ["a:1"])]), oci_archive([TOP], "b:1")):
        store.load(archive)
    for name in ("a", "b"):
        tag(store, f"{name}:1", f"{registry.host}/{name}:1")
        first = push(store, f"{registry.host}/{name}:1")
        registry.requests.clear()
        second = push(store, f"{registry.host}/{name}:1")
        assert set(ends(second).values()) == {"exists"}
        assert not registry.seen("POST", "/uploads/") and second[-1] == first[-1]


def test_what_a_note_says_wrongly_costs_an_upload(store: Store, registry: Misbehaving) -> None:
    store.load(docker_archive([([BASE], ["a:1"])]))
    tag(store, "a:1", f"{registry.host}/a:1")
    assert compressing.remembered(store.paths, sha256(BASE)) is None
    compressing.remember(store.paths, sha256(BASE), compressing.Packed("sha256:" + "0" * 64, 5))
    push(store, f"{registry.host}/a:1")
    noted = compressing.remembered(store.paths, sha256(BASE))
    assert noted is not None and gzip.decompress(registry.blobs[noted.digest]) == BASE
    Path(store.paths.cache, "gzip", sha256(BASE)[7:]).write_text("../../x 5")
    assert compressing.remembered(store.paths, sha256(BASE)) is None


def test_a_layer_twice_is_sent_once(store: Store, registry: Misbehaving) -> None:
    for compress in (True, False):
        store.load(oci_archive([TOP, BASE, TOP], f"twice:{compress}".lower(), compress=compress))
        name = f"{registry.host}/twice:{compress}".lower()
        tag(store, f"twice:{compress}".lower(), name)
        steps = push(store, name)
        assert len([step for step in steps if step.action in ("pushed", "exists")]) == 2
        assert len(json.loads(registry.manifests["twice", str(compress).lower()][1])["layers"]) == 3


def test_all_tags(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE], "app:v1"))
    store.load(oci_archive([BASE, TOP], "app:v2"))
    tag(store, "app:v1", f"{registry.host}/app:v1", f"{registry.host}/apple:v1")
    tag(store, "app:v2", f"{registry.host}/app:v2", f"{registry.host}/app:latest")
    steps = push(store, f"{registry.host}/app", all_tags=True)
    assert [step.subject for step in steps if step.action == "digest"] == ["latest", "v1", "v2"]
    assert sorted(one for name, one in registry.manifests if name == "app" and not one.startswith("sha256:")) == [
        "latest", "v1", "v2",
    ]  # fmt: skip
    assert len(registry.seen("PUT", "/uploads/")) == 4  # two layers and two configurations
    assert not any(name == "apple" for name, _ in registry.manifests)


def test_another_repository_of_the_registry_lends(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE, TOP], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/one:v1", f"{registry.host}/two:v1")
    push(store, f"{registry.host}/one:v1")
    held, registry.blobs = registry.blobs, {}
    registry.fault("HEAD", "/v2/two/blobs/", status(404), times=2)
    registry.blobs = held
    steps = push(store, f"{registry.host}/two:v1")
    mounted = [step for step in steps if step.action == "mounted"]
    assert {step.subject for step in mounted} == {short(BASE), short(TOP)}
    assert {step.message for step in mounted} == {"one"}


def test_what_was_pulled_is_pushed_with_the_same_digest(
    store: Store, new_store: Callable[[], Store], registry: Misbehaving
) -> None:
    for docker in (False, True):
        made = registry_images.image([BASE, TOP], docker=docker, annotations={"x": "y"})
        registry.add("from/app", "v1", made)
        pull(store, f"{registry.host}/from/app:v1")
        with misbehaving() as other:
            tag(store, f"{registry.host}/from/app:v1", f"{other.host}/to/app:v1")
            push(store, f"{other.host}/to/app:v1")
            assert other.manifests["to/app", "v1"] == (made.media_type, made.manifest)
            fresh = new_store()
            pull(fresh, f"{other.host}/to/app:v1")
            assert files(fresh, f"{other.host}/to/app:v1") == files(store, f"{registry.host}/from/app:v1")


# --- what goes wrong


def test_names_that_cannot_be_pushed(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE], "app:v1"))
    with pytest.raises(NotFound, match="No such image: nothing:latest"):
        push(store, "nothing")
    with pytest.raises(NotFound, match="No such image: nothing"):
        push(store, "nothing", all_tags=True)
    with pytest.raises(InvalidArgument, match="a digest cannot be chosen"):
        push(store, f"app@{'sha256:' + '0' * 64}")
    assert not registry.requests


def test_an_upload_that_drops_goes_on(store: Store, registry: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> None:
    big = noise(3_000_000)
    monkeypatch.setattr(pushing, "_SMALL", 0)
    monkeypatch.setattr(pushing, "Compressing", _Late)
    archives = (docker_archive([([big], ["a:1"])]), oci_archive([big], "b:1"))
    for name, method, archive in zip("ab", ("PATCH", "PUT"), archives, strict=True):
        store.load(archive)
        tag(store, f"{name}:1", f"{registry.host}/{name}:1")
        registry.fault(method, f"/{name}/blobs/uploads/", drop_upload_after(1_000_000), times=1)
        registry.blobs.clear()
        steps = push(store, f"{registry.host}/{name}:1")
        assert [step.action for step in steps if step.action in ("retrying", "pushed")] == ["retrying", "pushed"]
        entry = json.loads(registry.manifests[name, "1"][1])["layers"][0]
        assert gzip.decompress(registry.blobs[entry["digest"]]) == big
    assert all(one.headers.get("content-range", "").startswith("1000000-") for one in registry.seen("PATCH", "/b/"))


class _Late(Compressing):
    """Does not begin before the upload has, so that its length is not known then."""

    def __init__(self, *arguments: Any) -> None:
        self._wanted = threading.Event()
        super().__init__(*arguments)

    def chunks(self, offset: int) -> Iterator[bytes]:
        self._wanted.set()
        return super().chunks(offset)

    def _pack(self) -> None:
        self._wanted.wait(10)
        super()._pack()


def test_a_plain_layer_that_is_there_is_not_sent(
    store: Store, new_store: Callable[[], Store], registry: Misbehaving
) -> None:
    """Somebody else has pushed it, so there is no note of what it is called."""
    for one in (store, new_store()):
        registry.requests.clear()
        one.load(docker_archive([([BASE], ["a:1"])]))
        tag(one, "a:1", f"{registry.host}/a:1")
        steps = push(one, f"{registry.host}/a:1")
    assert ends(steps) == {short(BASE): "exists"} and not registry.seen("POST", "/uploads/")


def test_a_registry_that_refuses(store: Store, registry: Misbehaving) -> None:
    tars = [layer({f"f{number}": bytes([number])}) for number in range(9)]
    store.load(oci_archive(tars, "app:v1"))
    tag(store, "app:v1", f"{registry.host}/app:v1")
    registry.fault("PUT", "/uploads/", error(403, "DENIED", "quota \x1b[2J exceeded"))
    with pytest.raises(AuthFailed, match=r"quota ␛\[2J exceeded"):
        push(store, f"{registry.host}/app:v1")
    assert not registry.manifests and not store.names("content", "leases")
    registry.auth = "basic"
    with pytest.raises(AuthFailed, match=f"tuidock login {registry.host}"):
        push(store, f"{registry.host}/app:v1")


def test_credentials_of_the_keyring(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/app:v1")
    Keyring().store(registry.host, Secret(USER, PASSWORD))
    for auth in ("basic", "bearer"):
        registry.auth = auth
        registry.blobs.clear()
        assert push(store, f"{registry.host}/app:v1")[-1].action == "digest"


def test_a_damaged_layer_is_not_sent(store: Store, registry: Misbehaving) -> None:
    store.load(docker_archive([([BASE], ["a:1"])]))
    store.load(oci_archive([TOP], "b:1"))
    for name in ("a", "b"):
        tag(store, f"{name}:1", f"{registry.host}/{name}:1")
        blob = Path(store.paths.blobs, images.resolve(store.state, store.paths, f"{name}:1").layers[0].digest[7:])
        raw = bytearray(blob.read_bytes())
        raw[len(raw) // 2] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(raw)
    with pytest.raises(BadContent, match=r"is damaged .*load or pull it again"):
        push(store, f"{registry.host}/a:1")
    with pytest.raises(RegistryRefused, match="`tuidock system check` finds the blob damaged"):
        push(store, f"{registry.host}/b:1")
    assert not registry.manifests and not store.names("content", "ingest")


def test_closing_ends_it_at_once(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([noise(500_000, f"f{number}") for number in range(8)], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/app:v1")
    waiting = threading.Event()
    registry.fault("PUT", "/uploads/", _held(waiting))
    steps = begin(store, f"{registry.host}/app:v1")
    next(step for step in steps if step.action == "pushing")
    began = time.monotonic()
    steps.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 5
    waiting.set()
    assert not [one for one in threading.enumerate() if one.name.startswith(("tuidock-push", "tuidock-gzip"))]
    assert not store.names("content", "leases") and not registry.manifests


def test_five_layers_go_at_a_time(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([noise(5000, f"f{number}") for number in range(8)], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/app:v1")
    gathered = threading.Barrier(5)

    def change(answer: Any, _: object) -> Any:
        gathered.wait(20)  # nobody goes on before there are five
        return answer

    registry.fault("PUT", "/uploads/", Fault(change), times=5)
    steps = push(store, f"{registry.host}/app:v1")
    assert [step.action for step in steps if step.action in ("waiting", "pushed")].count("waiting") == 3
    assert steps[-1].action == "digest" and not gathered.broken


def test_silence_is_broken_for_whoever_wants_to_give_up(store: Store, registry: Misbehaving) -> None:
    store.load(oci_archive([BASE], "app:v1"))
    tag(store, "app:v1", f"{registry.host}/app:v1")
    waiting = threading.Event()
    registry.fault("HEAD", "/blobs/", _held(waiting))
    steps = begin(store, f"{registry.host}/app:v1")
    assert next(step for step in steps if step.action == "pushing").subject == short(BASE)
    steps.close()  # type: ignore[attr-defined]
    waiting.set()


def _held(waiting: threading.Event) -> Fault:
    from tests.registry.honest import Answer, Seen

    def change(answer: Answer, _: Seen) -> Answer:
        waiting.wait(20)
        return answer

    return Fault(change)


# --- real counterparts


def test_skopeo_and_umoci_read_it(store: Store, docker_registry: RealRegistry, tmp_path: Path) -> None:
    for name, archive in (
        ("plain", docker_archive([([BASE, TOP, BIG], ["x:1"])])),
        ("gzip", oci_archive([BASE, TOP, BIG], "x:1")),
    ):
        store.load(archive)
        target = f"{docker_registry.host}/read/{name}:v1"
        tag(store, "x:1", target)
        digest = push(store, target)[-1].message
        shown = json.loads(tool("skopeo", "inspect", "--tls-verify=false", f"docker://{target}"))
        assert shown["Digest"] == digest and len(shown["Layers"]) == 3
        layout = tmp_path / name
        tool("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{target}", f"oci:{layout}:v1")
        tool("umoci", "unpack", "--image", f"{layout}:v1", str(tmp_path / f"bundle-{name}"))
        root = tmp_path / f"bundle-{name}/rootfs"
        assert (root / "etc/new").read_bytes() == b"top" and (root / "bin/sh").read_bytes() == b"#!" * 40000
        assert (root / "srv/big").read_bytes() == bytes(range(256)) * 10_000


def test_skopeo_s_image_goes_through_unchanged(
    store: Store, new_store: Callable[[], Store], docker_registry: RealRegistry, tmp_path: Path
) -> None:
    (tmp_path / "image.tar").write_bytes(oci_archive([BASE, TOP], "latest"))
    for form in ("oci", "v2s2"):
        source, target = (f"{docker_registry.host}/{name}/{form}:v1" for name in ("source", "target"))
        where = f"docker://{source}"
        tool("skopeo", "copy", "-q", "-f", form, "--dest-tls-verify=false", f"oci-archive:{tmp_path}/image.tar", where)
        fresh = new_store()
        pull(fresh, source)
        tag(fresh, source, target)
        steps = push(fresh, target)
        assert set(ends(steps).values()) == {"mounted"}
        raws = [
            subprocess.run(
                ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{one}"], capture_output=True, check=True
            ).stdout
            for one in (source, target)
        ]
        assert raws[0] == raws[1] and "sha256:" + hashlib.sha256(raws[1]).hexdigest() == steps[-1].message
