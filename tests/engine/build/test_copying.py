"""COPY and ADD: where files go, how they look there, and what they cannot reach."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.engine.build.helpers import build, build_text, read, tar_of, tree, write
from tuidock.engine import Engine
from tuidock.engine.build import globbing, permissions
from tuidock.engine.errors import BuildFailed, InvalidArgument

FILES = {"a.txt": "a", "b.txt": "b", "c.md": "c", "d/x": "x", "d/e/y": "y"}


def places(engine: Engine, tmp_path: Path, *lines: str) -> dict[str, tuple[str, int, int, int, str, str]]:
    built = build_text(engine, tmp_path, "\n".join(["FROM scratch", *lines, ""]))
    return tree(engine, built.id)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("COPY a.txt /", {"a.txt"}),
        ("COPY a.txt /to", {"to"}),
        ("COPY a.txt /to/", {"to", "to/a.txt"}),
        ("COPY a.txt b.txt /to/", {"to", "to/a.txt", "to/b.txt"}),
        ("COPY *.txt /to/", {"to", "to/a.txt", "to/b.txt"}),
        ("COPY ?.md /to/", {"to", "to/c.md"}),
        ("COPY [!x]*.nothing* /to/", set()),
        ("COPY d /to", {"to", "to/x", "to/e", "to/e/y"}),
        ("COPY d/ /to/", {"to", "to/x", "to/e", "to/e/y"}),
        ("COPY d/* /to/", {"to", "to/x", "to/y"}),
        ("COPY */e /to", {"to", "to/y"}),
        ("COPY ../../a.txt /../up", {"up"}),
        ("COPY /a.txt here/./there", {"here", "here/there"}),
        ('COPY ["a.txt", "/with blank"]', {"with blank"}),
        ("COPY --parents d/e/y a.txt /to/", {"to", "to/d", "to/d/e", "to/d/e/y", "to/a.txt"}),
        ("COPY --parents d/./e/y /to/", {"to", "to/e", "to/e/y"}),
        ("COPY --exclude=*.txt --exclude=d . /to/", {"to", "to/c.md", "to/Dockerfile"}),
        ("COPY --link d/e /x/y/", {"x", "x/y", "x/y/y"}),
        ("COPY <<one <<two /to/\n1\none\n2\ntwo", {"to", "to/one", "to/two"}),
        ("COPY <<one /file\n1\none", {"file"}),
    ],
)
def test_places(engine: Engine, tmp_path: Path, line: str, expected: set[str]) -> None:
    write(tmp_path, FILES)
    assert set(places(engine, tmp_path, line)) == expected


def test_looks(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"f": "f", "d/x": "x"})
    os.chown(tmp_path / "f", 77, 78)
    (tmp_path / "f").chmod(0o4711)
    (tmp_path / "d").chmod(0o700)
    os.symlink("x", tmp_path / "d/link")
    os.link(tmp_path / "d/x", tmp_path / "d/same")
    os.utime(tmp_path / "f", (5, 5))
    text = (
        "FROM busybox\nCOPY f /plain\nCOPY --chown=user:staff f /named\nCOPY --chown=user f /user\nCOPY --chown=9 f /nine\n"
        "COPY --chown=9:10 --chmod=0640 d /dir\nCOPY . /all\nCOPY f /made/for/f\n"
    )
    built = build_text(engine, tmp_path, text)
    found = tree(engine, built.id)
    assert found["plain"][:4] == ("0", 0o4711, 0, 0)
    assert found["named"][:4] == ("0", 0o4711, 1000, 50)
    assert found["user"][2:4] == (1000, 1000)
    assert found["nine"][2:4] == (9, 9)
    assert found["dir"][:4] == ("5", 0o755, 9, 10)  # the destination itself is made, not copied
    assert found["dir/x"][:4] == ("0", 0o640, 9, 10)
    assert found["dir/link"][:5] == ("2", 0o777, 9, 10, "x")
    assert found["all/d"][:4] == ("5", 0o700, 0, 0)
    assert found["made/for"][:4] == ("5", 0o755, 0, 0)
    times = build_text(engine, tmp_path, text + "RUN stat -c '%Y %h' /plain /all/d/x /all/d/same\n")
    assert times.output.split() == ["5", "1", times.output.split()[2], "2", times.output.split()[2], "2"]


def test_ownership_between_stages(engine: Engine, tmp_path: Path) -> None:
    text = (
        "FROM busybox AS a\nRUN touch /f; chown 5:6 /f; mkdir -m 750 /d; chown 7:8 /d; touch /d/g; chown 9:9 /d/g\n"
        "FROM busybox\nCOPY --from=a /f /f\nCOPY --from=a /d /d\nCOPY --from=a --chown=0:0 /f /root-f\n"
    )
    found = tree(engine, build_text(engine, tmp_path, text).id)
    assert found["f"][2:4] == (5, 6)
    assert found["d"][:4] == ("5", 0o755, 0, 0)
    assert found["d/g"][2:4] == (9, 9)
    assert found["root-f"][2:4] == (0, 0)


def test_destinations_lead_through_links_inside_only(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"f": "f"})
    text = (
        "FROM busybox\nRUN ln -s /real /abs; ln -s ../../../../../etc /tmp/up; ln -s /nowhere/yet /dangling; mkdir /real\n"
        "COPY f /abs/one\nCOPY f /tmp/up/two\nCOPY f /dangling/three\nCOPY f /abs\n"
    )
    found = tree(engine, build_text(engine, tmp_path, text).id)
    assert {"real/one", "etc/two", "nowhere/yet/three", "real/f"} <= set(found)
    assert found["abs"][0] == "2"
    assert not os.path.exists("/etc/two") and not os.path.exists("/real") and not os.path.exists("/nowhere")


def test_a_context_never_leaves_its_folder(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for the image")
    context = write(tmp_path / "context", {"inside": "in"})
    for name, target in (("abs", str(secret)), ("rel", "../secret"), ("etc", "/etc"), ("self", "/proc/self/root/etc")):
        os.symlink(target, context / name)
    for line in ("abs /x", "rel /x", "etc/hostname /x", "self/passwd /x", "../secret /x", "/../secret /x"):
        with pytest.raises(BuildFailed, match="is not in the build context"):
            build_text(engine, context, f"FROM scratch\nCOPY {line}\n")
    found = tree(engine, build_text(engine, context, "FROM scratch\nCOPY . /all/\n").id)
    assert found["all/abs"][:1] == ("2",) and found["all/rel"][4] == "../secret"  # links stay links
    os.symlink("inside", context / "ok")
    assert read(engine, build_text(engine, context, "FROM scratch\nCOPY ok /x\n").id, "x") == "in"


def test_a_dockerfile_that_is_a_link_out(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("FROM scratch\n")
    context = write(tmp_path / "context", {})
    os.symlink("../outside", context / "Dockerfile")
    with pytest.raises(InvalidArgument, match="Dockerfile is not there"):
        build(engine, context)


def test_odd_files(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"d/f": "f"})
    os.mkfifo(tmp_path / "d/fifo")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "d/socket"))
    with open(tmp_path / "d/sparse", "wb") as file:
        file.truncate(1 << 20)
    built = build_text(engine, tmp_path, "FROM scratch\nCOPY d /d\n")
    listener.close()
    found = tree(engine, built.id)
    assert set(found) == {"d", "d/f", "d/fifo", "d/sparse"}
    assert len(read(engine, built.id, "d/sparse")) == 1 << 20


def test_dockerignore(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {**FILES, ".dockerignore": "# no\n*.txt\n!b.txt\nd\n!d/e/y\n"})
    assert set(places(engine, tmp_path, "COPY . /")) == {
        ".dockerignore",
        "Dockerfile",
        "b.txt",
        "c.md",
        "d",
        "d/e",
        "d/e/y",
    }
    with pytest.raises(BuildFailed, match="dockerignore leaves it out"):
        places(engine, tmp_path, "COPY a.txt /")
    write(tmp_path, {"Dockerfile.dockerignore": "**\n!a.txt\n"})
    assert set(places(engine, tmp_path, "COPY . /")) == {"a.txt"}


def test_overwriting(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"f": "new", "dir/name/inner": "i", "flat/name": "file"})
    text = (
        "FROM busybox\nRUN mkdir -p /d/name && echo old > /d/name/old && echo old > /f && ln -s /f /d/l\n"
        "COPY f /f\nCOPY flat /d\nCOPY dir /e\nCOPY dir /d\n"
    )
    built = build_text(engine, tmp_path, text)
    found = tree(engine, built.id)
    assert read(engine, built.id, "f") == "new"
    assert found["d/name"][0] == "5" and "d/name/old" not in found and "d/name/inner" in found


def test_archives(engine: Engine, tmp_path: Path) -> None:
    files = {f"t{kind}.bin": tar_of({f"in/{kind or 'plain'}": b"x"}, kind) for kind in ("", "gz", "bz2", "xz")}
    write(tmp_path, {**files, "no.tar": "this is text"})
    lines = [f"ADD t{kind}.bin /d" for kind in ("", "gz", "bz2", "xz")]
    found = places(engine, tmp_path, *lines, "ADD no.tar /d/", "COPY t.bin /copied")
    assert {"d/in/plain", "d/in/gz", "d/in/bz2", "d/in/xz", "d/no.tar"} <= set(found)
    assert found["copied"][0] == "0"
    assert found["d/no.tar"][0] == "0"
    hostile = tar_of({"../../outside": b"x"})
    write(tmp_path, {"hostile": hostile})
    with pytest.raises(BuildFailed, match="leads out"):
        places(engine, tmp_path, "ADD hostile /")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = {"/f": b"fetched", "/": b"root", "/t.tar": tar_of({"x": b"x"})}.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=service.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{service.server_port}"
    service.shutdown()
    thread.join()
    service.server_close()


def test_add_from_the_web(engine: Engine, tmp_path: Path, server: str) -> None:
    from hashlib import sha256

    good = "sha256:" + sha256(b"fetched").hexdigest()
    found = places(
        engine, tmp_path, f"ADD {server}/f /to/", f"ADD --checksum={good} {server}/f /named", f"ADD {server}/t.tar /",
        f"ADD --chmod=755 --chown=3:4 {server}/f /own",
    )  # fmt: skip
    assert found["to/f"][:4] == ("0", 0o600, 0, 0)
    assert found["named"][0] == "0" and found["t.tar"][0] == "0"
    assert found["own"][:4] == ("0", 0o755, 3, 4)
    again = build_text(engine, tmp_path, f"FROM busybox\nADD {server}/f /f\nRUN stat -c %Y /f\n")
    assert again.output.strip() == "1420070400"
    for line, words in (
        (f"ADD {server}/missing /x", "404"),
        (f"ADD --checksum=sha256:{'0' * 64} {server}/f /x", "not sha256:000"),
        (f"ADD {server}/ /d/", "cannot tell a file name"),
        (f"ADD {server}/x.git /d", "cannot fetch"),
    ):
        with pytest.raises(BuildFailed, match=words):
            places(engine, tmp_path, line)


def test_workdir(engine: Engine, tmp_path: Path) -> None:
    lines = (
        "USER user",
        "WORKDIR /made/here",
        "WORKDIR below",
        "USER root",
        "WORKDIR /tmp",
        "COPY Dockerfile ./",
        "RUN pwd",
    )
    text = "\n".join(["FROM busybox", *lines, ""])
    built = build_text(engine, tmp_path, text)
    found = tree(engine, built.id)
    assert found["made/here"][:4] == ("5", 0o755, 1000, 1000)
    assert "tmp/Dockerfile" in found and built.output == "/tmp\n"
    assert found["tmp"][1] == 0o1777


def test_hostile_passwd(engine: Engine, tmp_path: Path) -> None:
    text = "FROM busybox\nRUN rm /etc/passwd && mkfifo /etc/passwd\nCOPY --chown=user Dockerfile /x\n"
    with pytest.raises(BuildFailed, match="has no user 'user'"):
        build_text(engine, tmp_path, text)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "abc", True), ("a*c", "abbc", True), ("a?c", "abc", True), ("a?c", "ac", False), ("[a-c]", "b", True),
        ("[^a-c]", "b", False), ("[^a-c]", "d", True), ("\\*", "*", True), ("\\*", "x", False), ("[[]x", "[x", True),
        ("[\\]]", "]", True), ("a.c", "abc", False), ("[b-a]", "a", False), ("[\\-x]", "-", True),
    ],
)  # fmt: skip
def test_globbing(pattern: str, name: str, fits: bool) -> None:
    assert bool(globbing.compiled(pattern).fullmatch(name)) is fits


@pytest.mark.parametrize("pattern", ["[", "[a", "[]", "[]a]", "[-]", "[x-]", "a\\", "[a-", "[\\"])
def test_malformed_globs(pattern: str) -> None:
    with pytest.raises(ValueError):
        globbing.compiled(pattern)


@pytest.mark.parametrize(
    ("text", "mode", "made"),
    [
        ("0640", 0o100755, 0o640), ("4755", 0o100600, 0o4755), ("u=rwX,go=rX", 0o100600, 0o644), ("go-r", 0o100644, 0o600),
        ("u=rwX,go=rX", 0o100700, 0o755), ("u=rwX,go=rX", 0o040700, 0o755), ("+x", 0o100644, 0o755), ("a=", 0o100777, 0),
        ("u+s,+t", 0o100755, 0o5755), ("g=u", 0o100640, None), ("u", 0o100640, None), ("0999", 0o100640, None),
    ],
)  # fmt: skip
def test_permissions(text: str, mode: int, made: int | None) -> None:
    if made is None:
        with pytest.raises(ValueError):
            permissions.parse(text)
    else:
        assert permissions.parse(text)(mode) == made


def test_chmod_by_words(engine: Engine, tmp_path: Path) -> None:
    write(tmp_path, {"d/x": "x", "d/y": "y"})
    (tmp_path / "d/x").chmod(0o700)
    (tmp_path / "d/y").chmod(0o600)
    found = places(engine, tmp_path, "COPY --chmod=u=rwX,go=rX . /to/", "COPY --chmod=go= d/x /x")
    assert [found[path][1] for path in ("to/d", "to/d/x", "to/d/y", "x")] == [0o755, 0o755, 0o644, 0o700]
    with pytest.raises(BuildFailed, match="--chmod cannot be"):
        places(engine, tmp_path, "COPY --chmod=rubbish d/x /x")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """A repository behind git's own protocol."""
    if shutil.which("git") is None or not Path("/usr/lib/git-core/git-daemon").exists():
        missing("git is not installed")
    place = write(tmp_path / "served/app.git", {"Dockerfile": "FROM scratch\nCOPY sub /s\n", "sub/f": "1"})
    git = ["git", "-C", str(place), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"], ["branch", "other"]):
        subprocess.run([*git, *words], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = str(tmp_path / "served")
    command = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={served}", "--export-all", served]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert daemon.poll() is None
    yield f"git://127.0.0.1:{port}/app.git"
    daemon.terminate()
    daemon.wait()


def test_git(engine: Engine, tmp_path: Path, repository: str) -> None:
    assert set(tree(engine, build(engine, repository).id)) == {"s", "s/f"}
    found = places(engine, tmp_path, f"ADD {repository} /all", f"ADD {repository}#other:sub /sub")
    assert set(found) == {"all", "all/Dockerfile", "all/sub", "all/sub/f", "sub", "sub/f"}
    assert any(
        path.startswith("all/.git/") for path in places(engine, tmp_path, f"ADD --keep-git-dir {repository} /all")
    )
    assert set(tree(engine, build(engine, f"{repository}#main:../..").id)) == {"s", "s/f"}  # no way out
    for wrong in (f"{repository}#missing", f"{repository}#main:none", f"{repository}#-x"):
        with pytest.raises(InvalidArgument):
            build(engine, wrong)
