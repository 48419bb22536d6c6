"""Dockerfiles, contexts and base images made to hurt whoever builds with them."""

from __future__ import annotations

import io
import mmap
import os
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.engine.build.helpers import build, build_text, read, root_of, write
from tests.native.monitored import eventually, needs_root
from tests.registry.misbehaving import misbehaving, redirect
from tests.security.conftest import busybox_layer, image, layer_of, unopened
from tuidock.engine import Engine
from tuidock.engine.build import cache, inline
from tuidock.engine.errors import BuildFailed, InvalidArgument
from tuidock.engine.files import is_alive
from tuidock.engine.image_types import BuildRequest
from tuidock.engine.oci.digest import chain_ids, of_bytes
from tuidock.engine.runtime.status import read_pid

pytestmark = needs_root
Load = Callable[[bytes], None]
DIRECTORY, FILE, SYMLINK = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE


def parents(path: str) -> list[tuple[str, bytes, dict[str, object]]]:
    """The directories on the way to a path, as entries of a layer."""
    parts = path.strip("/").split("/")[:-1]
    return [("/".join(parts[: number + 1]), DIRECTORY, {}) for number in range(len(parts))]


def test_a_path_in_an_image_that_looks_like_a_layer_of_the_host_is_none(
    engine: Engine, load: Load, tmp_path: Path
) -> None:
    """A bind's source is named by its descriptor; in a merged tree that name is the image's to choose."""
    (tmp_path / "ctx").mkdir()
    (tmp_path / "secret").write_text("of the host\n")
    first = layer_of(("escape", SYMLINK, {"linkname": "/"}))
    layers = [busybox_layer(), first]
    chain = chain_ids([of_bytes(layer) for layer in layers])[-1]
    place = engine.instance.paths.snapshots + f"/{chain[7:]}/fs/escape{tmp_path}/secret"
    second = layer_of(*parents(place), (place.lstrip("/"), FILE, {}), content=b"of the image\n")
    load(image({}, *layers, second))
    dockerfile = f"FROM hostile\nRUN --mount=type=bind,from=hostile,source={place},target=/m cat /m\n"
    built = build_text(engine, tmp_path / "ctx", dockerfile)
    assert built.output == "of the image\n"


def changing(engine: Engine, context: Path, dockerfile: str, change: Callable[[], object]) -> None:
    """A build in whose last step something happens between looking at the sources and taking them."""
    write(context, {"Dockerfile": dockerfile})
    last = 0
    for event in engine.build(BuildRequest(str(context))):
        if event.kind == "plan":
            last = event.steps[-1].number
        elif event.kind == "state" and event.state == "running" and event.step == last:
            change()


@pytest.mark.parametrize(
    ("dockerfile", "packed"),
    [
        ("FROM busybox\nCOPY app /app/\n", False),
        ("FROM busybox\nCOPY . /app/\n", False),
        ("FROM busybox\nADD app /app/\n", True),
        ("FROM busybox\nRUN --mount=type=bind,source=app,target=/in mkdir app && cp /in app/app\n", False),
        ("FROM busybox\nRUN --mount=type=bind,target=/in mkdir app && cp /in/app app/app\n", False),
    ],
)
def test_other_content_is_never_kept_under_the_key_of_what_was_there_before(
    engine: Engine, tmp_path: Path, dockerfile: str, packed: bool
) -> None:
    """Else the next who builds the good files gets the bad ones, out of the cache that all builds share."""

    def content(text: bytes) -> bytes:
        return layer_of(("app", FILE, {}), content=text) if packed else text

    mine = write(tmp_path / "mine", {"app": content(b"bad!")})
    (mine / "app").write_bytes(content(b"good"))
    with pytest.raises(BuildFailed, match="changed while it was copied"):
        changing(engine, mine, dockerfile, lambda: (mine / "app").write_bytes(content(b"bad!")))
    yours = write(tmp_path / "yours", {"app": content(b"good")})
    built = build_text(engine, yours, dockerfile)
    assert read(engine, built.id, "app/app") == "good"


def test_a_file_whose_times_tell_nothing_is_noticed(engine: Engine) -> None:
    """On a tmpfs stores through a mapping change neither mtime nor ctime."""
    dockerfile = "FROM busybox\nLABEL mapped=1\nCOPY app /app\n"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        context = write(Path(directory), {"app": "good"})
        with open(context / "app", "r+b") as file, mmap.mmap(file.fileno(), 4) as mapped:
            mapped[:4] = b"good"
            time.sleep(2.1)  # the age at which digests are remembered
            status = os.stat(context / "app")
            build_text(engine, context, dockerfile)
            mapped[:4] = b"bad!"
            assert os.stat(context / "app").st_ctime_ns == status.st_ctime_ns
        with pytest.raises(BuildFailed, match="changed while it was copied"):
            build_text(engine, context, dockerfile, no_cache=True)
        built = build_text(engine, context, dockerfile)
        assert read(engine, built.id, "app") == "bad!"


@pytest.mark.parametrize(
    "dockerfile",
    [
        'FROM scratch\nCOPY <<".." /\nx\n..\n',
        'FROM scratch\nCOPY kept /kept\nCOPY <<"a/.." /\nx\na/..\n',
        "FROM busybox\nRUN ln -s missing/.. /link\nCOPY kept /link\n",
    ],
)
def test_no_name_replaces_the_directory_above(engine: Engine, tmp_path: Path, dockerfile: str) -> None:
    """What is in the way of a file goes; `..` would be all the files of the stage, or its layer's own directory."""
    write(tmp_path, {"kept": "kept"})
    with pytest.raises(BuildFailed, match="Invalid argument"):
        build_text(engine, tmp_path, dockerfile)


class Server(BaseHTTPRequestHandler):
    """Answers by the last word of the path."""

    def do_GET(self) -> None:
        body, headers = b"content", {}
        if self.path.endswith("zstd"):
            import zstandard

            body, headers = zstandard.ZstdCompressor().compress(bytes(1 << 26)), {"Content-Encoding": "zstd"}
        elif self.path.endswith("file"):
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quietly."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["%2e%2e", "..%2f..", "a%2f.."])
def test_the_name_in_a_url_is_no_path(engine: Engine, server: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildFailed, match="cannot tell a file name"):
        build_text(engine, tmp_path, f"FROM scratch\nADD {server}/{name} /d/\n")


def test_a_download_is_kept_as_it_came(engine: Engine, server: str, tmp_path: Path) -> None:
    """A few kilobytes of zstd that nobody asked for are gigabytes in memory."""
    built = build_text(engine, tmp_path, f"FROM scratch\nADD {server}/zstd /zstd\n")
    with root_of(engine, built.id) as root:
        assert os.stat("zstd", dir_fd=root).st_size < 1 << 16


def test_a_redirect_leads_to_no_file(engine: Engine, server: str, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="unsupported protocol"):
        build_text(engine, tmp_path, f"FROM scratch\nADD {server}/file /x\n")


def test_only_the_caller_gives_away_the_hosts_network(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="only when the build itself"):
        build_text(engine, tmp_path, "FROM busybox\nRUN --network=host true\n")
    assert build_text(engine, tmp_path, "FROM busybox\nRUN --network=host echo on\n", network="host").output == "on\n"


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/proc/self/attr", "/x/../proc/self", "/"])
def test_nothing_is_mounted_inside_proc(engine: Engine, tmp_path: Path, target: str) -> None:
    for mount in ("type=tmpfs", "type=bind,source=.", "type=cache"):
        with pytest.raises(BuildFailed, match=r"proc|destination can't be '/'"):
            build_text(engine, tmp_path, f"FROM busybox\nRUN --mount={mount},target={target} true\n")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_users_are_not_looked_up_in_a_device(engine: Engine, load: Load, tmp_path: Path, kind: bytes) -> None:
    """Opening one does something: a watchdog's restarts the machine."""
    device = layer_of(("etc", DIRECTORY, {}), ("etc/passwd", kind, {"devmajor": 5, "devminor": 2}))
    load(image({}, device))
    place = f"{engine.instance.paths.snapshots}/{of_bytes(device)[7:]}/fs/etc/passwd"
    write(tmp_path, {"file": ""})
    with unopened(place), pytest.raises(BuildFailed, match="no user"):
        build_text(engine, tmp_path, "FROM hostile\nCOPY --chown=user file /\n")


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_context_that_comes_as_an_archive_is_not_read_from_devices(engine: Engine, name: str, kind: bytes) -> None:
    entries = {"Dockerfile": (FILE, {}), name: (kind, {"devmajor": 1, "devminor": 5})}
    archive = layer_of(*((path, *entry) for path, entry in entries.items()), content=b"FROM scratch\n")
    with pytest.raises(InvalidArgument, match="cannot read"):
        build(engine, "-", io.BytesIO(archive))


def test_a_lying_cache_does_not_give_its_layers_the_place_of_others(
    engine: Engine, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2024-24557: what comes by --cache-from says which layer a step makes. One that lies on other layers than the
    stage has would let the next steps be kept under the name of those: a good one that others build on."""
    target = layer_of(("usr/tool", FILE, {}), content=b"good")
    good = image({}, busybox_layer(), target)
    load(good)
    own = build_text(engine, tmp_path / "own", "FROM busybox\nRUN echo bad > /usr/base\n")
    keys: list[str] = []
    real = cache.key_of

    def noted(*arguments: Any) -> str:
        keys.append(real(*arguments))
        return keys[-1]

    monkeypatch.setattr(cache, "key_of", noted)
    engine.tag(own.id, "attacker")
    dockerfile = "FROM attacker\nRUN true\nRUN cat /usr/base > /usr/result || echo none > /usr/result\n"
    stepped = engine.build(BuildRequest(str(write(tmp_path / "a", {"Dockerfile": dockerfile}))))
    while not keys:
        next(stepped)
    stepped.close()
    carried: dict[str, Any] = {inline.MEMBER: {"1": keys[0]}}
    lying = image({}, busybox_layer(), target, **carried)
    load(lying)
    build(engine, tmp_path / "a", cache_from=("hostile",))
    load(good)
    honest = "FROM hostile\nRUN cat /usr/base > /usr/result || echo none > /usr/result\n"
    assert read(engine, build_text(engine, tmp_path / "b", honest).id, "usr/result") == "none\n"
    assert [problem for problem in engine.check(fast=True) if problem.area == "image"] == []
    engine.remove_image("attacker", force=True)


def test_a_step_does_not_outlive_its_build(engine: Engine, tmp_path: Path) -> None:
    """Nobody would see it, and it has the build's secrets; what it leaves goes with the next build."""
    write(tmp_path, {"secret": "of-the-build"})
    dockerfile = (
        "FROM busybox\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S sh -c 'echo up; exec sleep 1000'\n"
    )
    command = [sys.executable, "-m", "tuidock", "--root", engine.root, "build", "--progress=plain"]
    write(tmp_path / "context", {"Dockerfile": dockerfile})
    with subprocess.Popen(
        [*command, f"--secret=id=s,src={tmp_path}/secret", str(tmp_path / "context")], stderr=subprocess.PIPE
    ) as builder:
        assert builder.stderr is not None
        assert any(line.endswith(b" up\n") for line in builder.stderr)
        (name,) = os.listdir(engine.instance.paths.containers)
        record = read_pid(engine.instance.paths, name)
        assert record is not None
        builder.kill()
    eventually(lambda: not is_alive(*record.init), "the end of the step")
    eventually(lambda: not os.path.exists(engine.instance.paths.container_run(name) + "/pid"), "the end of its monitor")
    build_text(engine, tmp_path / "next", "FROM busybox\nRUN true > /next\n")
    assert list(engine.check(fast=True)) == []
    assert os.listdir(engine.instance.paths.containers) == []
    paths = (engine.root, engine.instance.paths.run)
    assert subprocess.run(["grep", "-rqs", "of-the-build", *paths], check=False).returncode == 1


@pytest.mark.parametrize("pattern", ["a*" * 30 + "b", "*a" * 30 + "b", "[a]*" * 30 + "b"])
def test_a_pattern_takes_no_years(engine: Engine, tmp_path: Path, pattern: str) -> None:
    """Nothing could interrupt it, and the app would stand still as long."""
    write(tmp_path, {"a" * 200: "x"})
    began = time.monotonic()
    build_text(engine, tmp_path, f"FROM scratch\nCOPY {pattern} /x/\n")
    assert time.monotonic() - began < 5


def test_a_result_brings_no_devices_to_the_host(engine: Engine, load: Load, tmp_path: Path) -> None:
    """And neither its root's looks nor a link that lies there already changes what is beside it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "beside").mkdir()
    (tmp_path / "out" / "etc").symlink_to(tmp_path / "beside")
    hostile = layer_of(
        ("./", DIRECTORY, {"mode": 0o777, "uid": 1000}),
        ("disk", tarfile.BLKTYPE, {"devmajor": 254, "devminor": 0, "mode": 0o666}),
        ("memory", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 1, "mode": 0o666}),
        ("link", SYMLINK, {"linkname": str(tmp_path / "beside")}),
    )
    load(image({}, busybox_layer(), hostile))
    context = write(tmp_path / "context", {"Dockerfile": "FROM hostile\n"})
    mode = (tmp_path / "out").stat().st_mode
    for _ in engine.build(BuildRequest(str(context)), None, str(tmp_path / "out")):
        pass
    found = os.listdir(tmp_path / "out")
    assert "link" in found and "etc" in found and "disk" not in found and "memory" not in found
    assert (tmp_path / "out").stat().st_mode == mode and (tmp_path / "out").stat().st_uid == os.getuid()
    assert os.listdir(tmp_path / "beside") == []


def test_a_hole_stays_a_hole(engine: Engine, tmp_path: Path) -> None:
    """A few bytes of a Dockerfile make a file that, filled, is larger than the disk."""
    seek = "conv=notrunc bs=1M seek=300"
    dockerfile = (
        f"FROM busybox AS made\nRUN echo begin > /big && echo end | dd of=/big {seek} 2>&1\n"
        "FROM busybox\nCOPY --from=made /big /copy\nRUN --mount=type=bind,from=made,rw,target=/m ls -ls /copy /m/big\n"
    )
    began = time.monotonic()
    built = build_text(engine, tmp_path, dockerfile)
    assert time.monotonic() - began < 60
    for line in built.output.splitlines():
        if "/copy" in line or "/m/big" in line:
            assert int(line.split()[0]) < 100 and int(line.split()[5]) == (300 << 20) + 4
    with root_of(engine, built.id) as root:
        fd = os.open("copy", os.O_RDONLY, dir_fd=root)
        assert os.read(fd, 10) == b"begin\n\0\0\0\0"
        assert os.pread(fd, 10, 300 << 20) == b"end\n"
        os.close(fd)


def test_https_is_not_sent_on_to_http(
    engine: Engine, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with misbehaving(context) as secure:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        secure.fault("GET", "/file", redirect(f"{server}/plain"))
        text = f"FROM scratch\nADD {{}} https://me:token@{secure.host}/file /x\n"
        with pytest.raises(BuildFailed, match="sent on to plain http") as refused:
            build_text(engine, tmp_path / "context", text.format(""))
        assert "token" not in str(refused.value).partition("\n")[0]
        digest = of_bytes(b"content")
        assert (
            read(engine, build_text(engine, tmp_path / "b", text.format(f"--checksum={digest}")).id, "x") == "content"
        )
