"""Images made to hurt: layers, archives, configurations and volumes.

CVE-2022-23648, CVE-2024-3727, CVE-2020-10696, CVE-2025-47290, CVE-2021-41190, and bombs.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, request
from tests.native.monitored import eventually, needs_root
from tests.security.conftest import HOSTILE, busybox_layer, image, layer_of, tar_of
from tuidock.engine import Engine
from tuidock.engine.errors import BadContent, EngineError, InvalidArgument

pytestmark = needs_root
Load = Callable[[bytes], None]
SYMLINK, HARDLINK, FILE, DIRECTORY = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.REGTYPE, tarfile.DIRTYPE


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "witness").write_text("untouched\n")
    return tmp_path


def untouched(outside: Path) -> bool:
    return os.listdir(outside) == ["witness"] and (outside / "witness").read_text() == "untouched\n"


# -- configurations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "\x1e"])
def test_a_volumes_name_cannot_be_a_mount_of_the_host(engine: Engine, load: Load, outside: Path, ending: str) -> None:
    """The columns of the database have separators: a name with them was once another mount."""
    smuggled = f"/x\x1frw\x1frprivate\x1f\x1ebind\x1f\x1f{outside}\x1f/host{ending}"
    load(image({"Cmd": ["sh", "-c", "echo > /host/made"], "Volumes": {smuggled: {}}}, busybox_layer()))
    with pytest.raises(InvalidArgument):
        engine.create(request(None, config=HOSTILE))
    assert untouched(outside)
    with pytest.raises(InvalidArgument):
        engine.create(request(["true"], Binds=[f"{outside}/a\x1eb:/x"]))


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/proc/../proc/self", "//proc//kcore"])
def test_nothing_is_mounted_inside_proc(engine: Engine, load: Load, target: str) -> None:
    load(image({"Cmd": ["true"], "Volumes": {target: {}}}, busybox_layer()))
    with pytest.raises(InvalidArgument, match="inside /proc"):
        engine.create(request(None, config=HOSTILE))


@pytest.mark.parametrize(
    "config",
    [
        {"Labels": {"a": "b\0c"}}, {"Labels": {"a\0": "b"}}, {"Labels": {"a": "\ud800"}}, {"Cmd": ["\0"]}, {"User": "ro\0ot"},
        {"Env": ["A=\udfff"]}, {"Volumes": {"/a\0b": {}}}, {"ExposedPorts": {"80\0": {}}}, {"WorkingDir": "/\0"},
        {"Env": ["=x"]}, {"Env": "A=b"}, {"Cmd": {"a": 1}}, {"Labels": ["a"]}, {"Labels": {"a": 1}},
    ],
)  # fmt: skip
def test_what_nothing_can_hold_is_refused_at_the_door(engine: Engine, load: Load, config: dict[str, Any]) -> None:
    with pytest.raises(BadContent):
        load(image(config, busybox_layer()))
    engine.containers()
    engine.images()


def test_a_damaged_row_hides_no_others(engine: Engine, run: Run) -> None:
    container = run.start(["true"])
    with engine.instance.state.write() as db:
        db.execute("UPDATE containers SET labels = ? WHERE id = ?", ("a\0b\0c", container))
    assert container in {known.id for known in engine.containers()}


@pytest.mark.parametrize(
    "config",
    [
        {"StopSignal": "RTMIN+" + "9" * 5000}, {"StopSignal": "²"}, {"StopSignal": "_IGN"}, {"User": "9" * 5000},
        {"WorkingDir": "/proc/self/fd/9/../../../tmp/x"}, {"Cmd": ["x" * 300000]}, {"Volumes": {"/a\nb": {}}},
        {"Volumes": {"relative": {}}},
    ],
)  # fmt: skip
def test_a_hostile_configuration_is_a_sentence(engine: Engine, run: Run, load: Load, config: dict[str, Any]) -> None:
    load(image({"Cmd": ["true"], **config}, busybox_layer()))
    with pytest.raises(EngineError):
        run.start(None, config=HOSTILE)


@pytest.mark.parametrize(
    "created", ["9999-12-31T23:59:59.999999999+14:00", "0001-01-02T00:00:00Z", "1677-01-01T00:00:00Z"]
)
def test_a_date_beyond_all_clocks_is_only_a_date(engine: Engine, load: Load, created: str) -> None:
    load(image({"Cmd": ["true"]}, busybox_layer(), created=created))
    assert engine.image("hostile").created >= 0


@pytest.mark.parametrize(
    "tag", ["../../etc:latest", "a/../../b:latest", "a\nb:latest", "/etc:x", "a:" + "b" * 200, "A:b", "a@b:c"]
)
def test_names_that_are_none(load: Load, tag: str) -> None:
    with pytest.raises(BadContent):
        load(image({"Cmd": ["true"]}, busybox_layer(), tag=tag))


def test_names_do_not_forge_events(engine: Engine, run: Run, load: Load) -> None:
    load(image({"Cmd": ["true"], "Labels": {'"},{"t":1': "x\n{}"}}, busybox_layer()))
    for name in ('evil","action":"x', "evil\n{}", "evil\x1b[2J"):
        with pytest.raises(InvalidArgument):
            engine.create(request(None, name=name, config=HOSTILE))
    run.start(None, config=HOSTILE)
    for line in Path(engine.instance.paths.journal).read_bytes().splitlines():
        assert isinstance(json.loads(line), dict)


# -- layers ----------------------------------------------------------------------------------------------------------


def up(path: Path) -> str:
    return "../" * 12 + str(path)


def test_links_of_a_layer_lead_nowhere(engine: Engine, load: Load, outside: Path) -> None:
    link = ("link", SYMLINK, {"linkname": up(outside)})
    absolute = ("absolute", SYMLINK, {"linkname": str(outside)})
    attempts = [
        layer_of(link, ("link/made", FILE, {}), ("absolute/made", FILE, {}), content=b"x"),
        layer_of(absolute, ("absolute/witness", FILE, {}), content=b"changed\n"),
        layer_of(link, ("hard", HARDLINK, {"linkname": "link"}), ("hard/witness", FILE, {}), content=b"changed\n"),
        layer_of(link, ("link", DIRECTORY, {}), ("link/witness", FILE, {}), content=b"changed\n"),
        layer_of(absolute, ("absolute/.wh.witness", FILE, {}), ("absolute/.wh..wh..opq", FILE, {})),
        layer_of(absolute, ("absolute/d", DIRECTORY, {}), ("absolute/p", tarfile.FIFOTYPE, {})),
        layer_of(("a", DIRECTORY, {}), ("a/b", SYMLINK, {"linkname": "../" * 12}), (f"a/b/{outside}/made", FILE, {})),
    ]
    for layer in attempts:
        try:
            load(image({"Cmd": ["true"]}, busybox_layer(), layer))
        except BadContent:
            pass
        assert untouched(outside)


@pytest.mark.parametrize(
    "entry",
    [
        ("../made", FILE, {}), ("a/../../made", FILE, {}), ("hard", HARDLINK, {"linkname": "../../../etc/passwd"}),
        ("hard", HARDLINK, {"linkname": "/"}), ("..", DIRECTORY, {}), (".wh...", FILE, {}), ("a/.wh..", FILE, {}),
        (".", FILE, {}),
    ],
)  # fmt: skip
def test_entries_that_lead_out_are_refused(load: Load, entry: tuple[str, bytes, dict[str, Any]]) -> None:
    with pytest.raises(BadContent):
        load(image({"Cmd": ["true"]}, busybox_layer(), layer_of(entry)))


def test_attributes_of_overlay_are_not_taken_from_a_layer(engine: Engine, run: Run, load: Load) -> None:
    smuggled = {
        "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.metacopy": "",
        "SCHILY.xattr.user.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y",
    }  # fmt: skip
    load(image({"Cmd": ["ls", "/moved"]}, busybox_layer(), layer_of(("moved", DIRECTORY, {"pax_headers": smuggled}))))
    for directory in Path(engine.instance.paths.snapshots).glob("*/fs/moved"):
        assert not [name for name in os.listxattr(directory) if "overlay" in name]
    assert run.output(["ls", "/moved"], config=HOSTILE) == ""


def test_an_owner_beyond_32_bits_is_not_root(load: Load) -> None:
    with pytest.raises(BadContent):
        load(image({"Cmd": ["true"]}, busybox_layer(), layer_of(("f", FILE, {"pax_headers": {"uid": "4294967296"}}))))


# -- archives --------------------------------------------------------------------------------------------------------


def test_a_compressed_layer_cannot_pass_for_a_known_one(engine: Engine, load: Load) -> None:
    """The layer's directory is there already, so nothing is unpacked; the blob must be checked all the same."""
    known = busybox_layer()
    digest = "sha256:" + hashlib.sha256(known).hexdigest()
    other = gzip.compress(layer_of(("evil", FILE, {}), content=b"x"))
    archive = image({"Cmd": ["true"]}, known)
    members = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            found = tar.extractfile(member)
            assert found is not None
            members.append((member.name, other if member.name == "0.tar" else found.read()))
    with pytest.raises(BadContent, match=digest[7:19]):
        load(tar_of(members))


@pytest.mark.parametrize("name", ["../config.json", "/../../x", "blobs/sha256/../../../x", "a/../../b"])
def test_members_that_lead_out_are_refused(load: Load, name: str) -> None:
    with pytest.raises(BadContent):
        load(tar_of([(name, b"{}"), ("manifest.json", b"[]")]))


def layout(index: dict[str, Any], *blobs: bytes) -> bytes:
    members = [("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), ("index.json", json.dumps(index).encode())]
    return tar_of(members + [("blobs/sha256/" + hashlib.sha256(blob).hexdigest(), blob) for blob in blobs])


def described(raw: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": "sha256:" + hashlib.sha256(raw).hexdigest(), "size": len(raw), **more}


OCI = "application/vnd.oci.image."


def test_manifests_of_two_minds_and_wrong_digests(load: Load) -> None:
    config = b"{}"
    both = {"schemaVersion": 2, "config": described(config, OCI + "config.v1+json"), "layers": [], "manifests": []}
    for digest in ("sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32):
        one = {"mediaType": OCI + "manifest.v1+json", "digest": digest, "size": 2}
        with pytest.raises(BadContent):
            load(layout({"schemaVersion": 2, "manifests": [one]}, config))
    raw = json.dumps(both).encode()
    with pytest.raises(BadContent, match="both"):
        load(layout({"schemaVersion": 2, "manifests": [described(raw, OCI + "manifest.v1+json")]}, raw, config))
    with pytest.raises(BadContent):
        load(
            layout(
                {"schemaVersion": 2, "manifests": [described(raw, OCI + "manifest.v1+json", size=len(raw) + 1)]}, raw
            )
        )


def test_a_bomb_is_refused_and_leaves_nothing(engine: Engine, load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuidock.engine.store import layers

    monkeypatch.setattr(layers, "room", lambda path: 8 << 20)
    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w:gz") as tar:
        entry = tarfile.TarInfo("zeros")
        entry.size = 64 << 20
        tar.addfile(entry, io.BytesIO(bytes(64 << 20)))
    before = set(os.listdir(engine.instance.paths.snapshots))
    with pytest.raises(BadContent, match="allowed or free"):
        load(image({"Cmd": ["true"]}, busybox_layer(), bomb.getvalue()))
    assert set(os.listdir(engine.instance.paths.snapshots)) == before


def test_endless_headers_and_numbers_of_an_archive() -> None:
    from tuidock.engine.store.tarstream import TarStream

    header = io.BytesIO()
    with tarfile.open(fileobj=header, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("f")
        entry.pax_headers = {"size": "9" * 5000}
        tar.addfile(entry)
    with pytest.raises(BadContent):
        list(TarStream(io.BytesIO(header.getvalue()).read))


# -- volumes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/link", "/link/sub", "/../../link", "/dots/../link"])
def test_copy_up_takes_nothing_of_the_host(engine: Engine, run: Run, load: Load, outside: Path, target: str) -> None:
    layer = layer_of(("link", SYMLINK, {"linkname": up(outside)}), ("dots", SYMLINK, {"linkname": str(outside)}))
    load(image({"Cmd": ["find", target, "-name", "witness"], "Volumes": {target: {}}}, busybox_layer(), layer))
    assert "witness" not in run.output(["find", target, "-name", "witness"], config=HOSTILE).replace("find: ", "")
    assert untouched(outside)


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "..", "a\0b", "a\nb", "-rf", "a" * 300, "\x1eab"])
def test_names_of_volumes(engine: Engine, name: str) -> None:
    with pytest.raises((EngineError, ValueError)):
        engine.create(request(["true"], Binds=[f"{name}:/data"]))


def test_trees_of_any_depth_go(engine: Engine, run: Run) -> None:
    container = run.start(["true"], Binds=["deepvolume:/data"])
    engine.wait(container)
    for place in (
        Path(engine.instance.paths.container(container), "upper"),
        Path(engine.volume("deepvolume").mountpoint),
    ):
        deepen(place, 3000)
    engine.disk_usage()
    assert engine.remove_many([container], force=True, volumes=True)[0][1] is None
    engine.remove_volume("deepvolume")
    assert os.listdir(engine.instance.paths.trash) == []


def deepen(place: Path, levels: int) -> None:
    """Directories in directories, deeper than a path can be long."""
    here = os.open(place, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_the_hosts_file_of_another_container_is_bounded(engine: Engine, run: Run) -> None:
    first = run.start(["sh", "-c", "printf '\\377\\n' > /etc/hosts; truncate -s 64G /etc/hosts; sleep 100"])
    path = Path(engine.instance.paths.container(first), "hosts")
    eventually(lambda: path.stat().st_size > 1 << 30, "the file to grow")
    assert run.output(["sh", "-c", "wc -c < /etc/hosts"], NetworkMode=f"container:{first}").strip().isdigit()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ExtraHosts", ["a\n1.2.3.4 bank:1.1.1.1"]), ("ExtraHosts", ["a:1.1.1.1\n6.6.6.6 bank"]),
        ("ExtraHosts", ["a b:1.1.1.1"]),
    ],
)  # fmt: skip
def test_no_line_is_smuggled_into_hosts(run: Run, key: str, value: list[str]) -> None:
    options: dict[str, Any] = {key: value}
    with pytest.raises(InvalidArgument):
        run.start(["true"], **options)


def test_log_lines_cannot_be_forged(engine: Engine, run: Run) -> None:
    forged = "2026-11-24T08:00:00.000000000Z stderr F forged"
    container = run.start(["sh", "-c", f"printf 'a\\r{forged}\\r\\n\\n{forged}\\nend'"])
    engine.wait(container)
    lines = [line for batch in engine.logs(container) for line in batch]
    assert [line.stream for line in lines] == ["stdout"] * len(lines)
    assert [line.text for line in lines] == [b"a\r" + forged.encode() + b"\r", b"", forged.encode(), b"end"]
