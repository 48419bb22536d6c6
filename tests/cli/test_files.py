"""commit, export, diff, layers, import from the web, rmi and prune of images: as a person types them."""

from __future__ import annotations

import http.server
import io
import json
import os
import pty
import re
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Result, argv, environment
from tests.native.monitored import needs_root
from tuidock.engine import Engine

pytestmark = needs_root
Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def tidy(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_many([container.id for container in engine.containers()], force=True, volumes=True)
    for image in engine.images():
        for reference in image.references or (image.id,):
            if reference != "busybox:latest":
                engine.remove_image(reference, force=True, now=True)


@pytest.fixture
def changed(tuidock: Call) -> str:
    assert tuidock("run", "--name", "changed", "busybox", "sh", "-c", "echo hi >/etc/motd; rm /etc/group").code == 0
    return "changed"


def test_commit(tuidock: Call, changed: str) -> None:
    done = tuidock(
        "commit", "-a", "Jane", "-m", "a message", "-c", 'CMD ["cat", "/etc/motd"]', "--pause=false", changed, "made:1"
    )
    assert done.code == 0 and re.fullmatch(r"sha256:[0-9a-f]{64}\n", done.out)
    assert tuidock("run", "--rm", "made:1") == (0, "hi\n", "")
    assert tuidock("image", "inspect", "-f", "{{.Author}} {{.Comment}}", "made:1").out == "Jane a message\n"
    assert tuidock("history", "--format", "{{.Comment}}", "made:1").out.splitlines()[0] == "a message"
    unnamed = tuidock("container", "commit", changed)
    assert unnamed.out.strip() in tuidock("images", "--no-trunc", "-q", "--filter", "dangling=true").out
    for wrong in (["nobody"], [changed, "Wrong Name"], ["-c", "RUN x", changed]):
        done = tuidock("commit", *wrong)
        assert done.code and done.err.startswith("tuidock: ") and not done.out
    actions = tuidock("events", "--since", "1m", "--until", "0s", "--filter", "event=commit", "--format", "{{json .}}")
    assert json.loads(actions.out.splitlines()[-1])["Actor"]["Attributes"]["name"] == changed


def test_diff(tuidock: Call, changed: str) -> None:
    assert tuidock("diff", changed).out == "C /etc\nD /etc/group\nA /etc/motd\n"
    assert (
        tuidock("container", "diff", "--format", "{{.Type}}{{.Path}}", changed).out
        == "C/etc\nD/etc/group\nA/etc/motd\n"
    )
    tuidock("commit", changed, "made:1")
    assert tuidock("image", "diff", "busybox", "made:1").out == "C /etc\nD /etc/group\nA /etc/motd\n"
    assert tuidock("image", "diff", "made:1", changed).out == ""
    assert tuidock("image", "diff", "made:1", "nothing").code == 1


def test_export(tuidock: Call, changed: str, engine: Engine, tmp_path: Path) -> None:
    done = subprocess.run(argv(engine, "export", changed), capture_output=True, env=environment(), check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        names = tar.getnames()
    assert "etc/motd" in names and "etc/group" not in names
    assert tuidock("export", "-o", str(tmp_path / "out.tar"), changed).code == 0
    assert (tmp_path / "out.tar").read_bytes() == done.stdout
    assert os.listdir(tmp_path) == ["out.tar"]
    assert tuidock("export", "-o", str(tmp_path / "none/out.tar"), changed).code
    assert tuidock("import", str(tmp_path / "out.tar"), "again:1").code == 0
    assert tuidock("run", "--rm", "again:1", "/bin/cat", "/etc/motd").out == "hi\n"


def test_export_refuses_a_terminal(engine: Engine, changed: str) -> None:
    far, near = pty.openpty()
    done = subprocess.run(
        argv(engine, "export", changed), stdout=near, stderr=subprocess.PIPE, env=environment(), check=False
    )
    os.close(near)
    os.close(far)
    assert done.returncode and b"cowardly refusing to save to a terminal" in done.stderr


def test_layers(tuidock: Call, changed: str) -> None:
    tuidock("commit", "-m", "why", changed, "made:1")
    lines = tuidock("image", "layers", "made:1").out.splitlines()
    assert lines[0].split() == ["LAYER", "DIFF", "ID", "CREATED", "SIZE", "BLOB", "WASTED", "CREATED", "BY"]
    assert len(lines) == 3 and lines[2].startswith("2 ") and "sh -c echo hi" in lines[2]
    wasted = tuidock("image", "layers", "--format", "{{.Wasted}}", "made:1").out.split()
    assert wasted[0] != "0B" and wasted[1] == "0B"
    tree = tuidock("image", "layers", "made:1", "2").out.splitlines()
    assert [line.split()[-1] for line in tree] == ["NAME", "etc/", "group", "motd"]
    assert [line[:1] for line in tree] == [" ", " ", "D", "A"]
    found = tuidock("image", "layers", "--format", "{{.Mark}}{{.Path}}:{{.Size}}", "made:1", "2").out.splitlines()
    assert "A/etc/motd:3" in found
    for wrong in ("0", "3", "x"):
        assert tuidock("image", "layers", "made:1", wrong).code


def test_rmi_tells_of_layers(tuidock: Call, changed: str) -> None:
    made = tuidock("commit", changed, "made:1").out.strip()
    tuidock("tag", "made:1", "other:1")
    refused = tuidock("rmi", made)
    assert refused.code == 1 and "multiple repositories: made:1, other:1" in refused.err
    assert tuidock("rmi", "other:1").out == "Untagged: other:1\n"
    lines = tuidock("rmi", "made:1").out.splitlines()
    assert lines[:2] == ["Untagged: made:1", f"Deleted: {made}"]
    assert len(lines) == 3 and re.fullmatch(r"Deleted: sha256:[0-9a-f]{64}", lines[2])
    assert tuidock("undo").out == "image made:1\n"
    assert tuidock("rmi", "--now", "made:1").out.splitlines() == lines
    assert tuidock("trash", "empty", "-f", "other:1").code == 0


def test_image_prune(tuidock: Call, changed: str) -> None:
    first = tuidock("commit", "-c", "LABEL a=b", changed).out.strip()
    second = tuidock("commit", changed, "named:1").out.strip()
    assert tuidock("image", "prune", "-f", "--filter", "label=c").out == "Total reclaimed space: 0B\n"
    assert tuidock("image", "prune", "-f", "--filter", "label!=a").out == "Total reclaimed space: 0B\n"
    assert tuidock("image", "prune", "-f", "--filter", "until=1h").out == "Total reclaimed space: 0B\n"
    assert tuidock("image", "prune", "-f", "--filter", "colour=red").code == 1
    done = tuidock("image", "prune", "-f").out.splitlines()
    assert done[:2] == ["Deleted Images:", f"deleted: {first}"]
    assert done[-1] == "Total reclaimed space: 0B", "the layer is the other image's too"
    done = tuidock("image", "prune", "-af").out.splitlines()
    assert done[1:3] == ["untagged: named:1", f"deleted: {second}"] and done[-1] == "Total reclaimed space: 3B"
    assert "busybox" in tuidock("images").out, "a container stands on it"


def test_disk_usage_counts_shared_layers_once(tuidock: Call, changed: str) -> None:
    before = tuidock("system", "df", "--format", "{{.Size}}").out.split()[0]
    tuidock("commit", "-c", "LABEL a=b", changed, "one:1")
    tuidock("commit", "-c", "LABEL a=c", changed, "two:1")
    row = tuidock("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}").out.splitlines()[0]
    assert row == f"Images 3 1 {before}"
    lines = tuidock("system", "df", "-v").out.splitlines()
    head = next(line for line in lines if line.startswith("REPOSITORY"))
    assert head.split() == [
        "REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE", "SHARED", "SIZE", "UNIQUE", "SIZE", "CONTAINERS",
    ]  # fmt: skip
    one = next(line for line in lines if line.startswith("one "))
    assert one.split()[-2:] == ["0B", "0"]
    titles = [" ".join(line.split()) for line in lines if line.startswith(("CONTAINER ID", "VOLUME NAME", "CACHE ID"))]
    assert titles == [
        "CONTAINER ID IMAGE COMMAND LOCAL VOLUMES SIZE CREATED STATUS NAMES",
        "VOLUME NAME LINKS SIZE",
        "CACHE ID CACHE TYPE SIZE CREATED LAST USED SHARED",
    ]


def test_what_only_a_failed_build_keeps_is_counted(tuidock: Call) -> None:
    """The base of its last good state stays although nobody can name it any more."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        entry = tarfile.TarInfo("big")
        entry.size = 5_000_000
        tar.addfile(entry, io.BytesIO(bytes(entry.size)))
    tuidock("import", "-", "base:1", stdin=raw.getvalue())
    assert tuidock("build", "-q", "-", stdin=b"FROM base:1\nCOPY --from=nosuch.invalid/x a /\n").code == 1
    before = tuidock("builder", "du").out
    assert before.endswith("Total:\t\t0B\n") and "false" in before
    assert tuidock("rmi", "--now", "base:1").code == 0
    after = tuidock("buildx", "du").out
    assert after.endswith("Reclaimable:\t5MB\nTotal:\t\t5MB\n"), after
    assert tuidock("builder", "prune", "-af").out.endswith("Total:\t5MB\n")


# --- import from the web


class Web(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/root.tar")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.body) + 1000))
            self.end_headers()
            self.wfile.write(self.body)
        elif self.path == "/root.tar":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.body)))
            self.end_headers()
            self.wfile.write(self.body)
        else:
            self.send_error(404, "no\x1bsuch")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        entry = tarfile.TarInfo("etc/motd")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"web"))
    Web.body = raw.getvalue()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["root.tar", "moved"])
def test_import_from_the_web(tuidock: Call, engine: Engine, web: str, path: str) -> None:
    url = f"{web}/{path}".replace("http://", "http://user:secret@")
    done = tuidock("import", "-c", "CMD true", "--platform", "linux/arm64", url, "web:1")
    assert done.code == 0 and done.out.startswith("sha256:")
    assert engine.read_image_file("web:1", "etc/motd") == b"web"
    inspected = engine.inspect_image("web:1")
    assert (inspected["Architecture"], inspected["Comment"]) == ("arm64", f"Imported from {web}/{path}")
    assert tuidock("import", "-m", "mine", f"{web}/{path}").code == 0


def test_import_from_the_web_fails_in_sentences(tuidock: Call, engine: Engine, web: str) -> None:
    before = len(engine.images())
    for url, words in (
        (web + "/nothing", "the server answers 404"),
        (web + "/cut", "broke off"),
        ("http://127.0.0.1:1/x", "cannot fetch"),
        ("ftp://127.0.0.1/x", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
    ):
        done = tuidock("import", url, "none:1")
        assert done.code and words in done.err and "\x1b" not in done.err and "Traceback" not in done.err, done
    done = tuidock("import", "--platform", "windows/amd64", web + "/root.tar")
    assert done.code and "Linux" in done.err
    assert len(engine.images()) == before
