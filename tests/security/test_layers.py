"""Containers that fight against being read, and layers whose names and nodes do things to whoever looks."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, request
from tests.native.monitored import needs_root
from tests.security.conftest import busybox_layer, image, layer_of, unopened
from tuidock.engine import Engine
from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.store.levels import Seen

pytestmark = needs_root
Load = Callable[[bytes], None]
FILE, SYMLINK, FIFO, DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE
WITNESS = b"nothing of the host may be in there"
#: Retitles a terminal, clears it, writes right to left, and goes on in a new line.
EVIL = "x\x1b]0;title\x07\n\x1b[2J\u202e"
HARM = (b"\x1b]", b"\x1b[2J", b"\x07", "\u202e".encode())


def test_a_container_that_exchanges_what_is_being_read(engine: Engine, run: Run, tmp_path: Path) -> None:
    """Directories become links to the host and back while they are walked; files shrink while they are copied."""
    (tmp_path / "witness").write_bytes(WITNESS)
    up = "../" * 12
    script = f"""
        mkdir -p /a/b/c; echo x > /a/b/c/f
        while :; do
            mv /a /a2; ln -s {tmp_path} /a; rm /a; mv /a2 /a
            rm -rf /a/b/c; ln -s {up}{str(tmp_path)[1:]} /a/b/c; rm /a/b/c; mkdir /a/b/c; mkfifo /a/b/c/p
            dd if=/dev/zero of=/a/b/c/g bs=64k count=1 2>/dev/null; : > /a/b/c/g
        done
    """
    container = run.start(["sh", "-c", script])
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        engine.diff(container)
        engine.diff_images(container, "busybox")
        archive = io.BytesIO()
        engine.export(container, archive)
        assert WITNESS not in archive.getvalue()
        with tarfile.open(fileobj=io.BytesIO(archive.getvalue())) as tar:
            tar.getnames()
        for pause in (True, False):
            (*_, done) = engine.commit(container, "raced", pause=pause)
            assert done.action == "committed"
    engine.remove_image("raced", force=True)
    blobs, layers = engine.instance.paths.blobs, engine.instance.paths.snapshots
    assert subprocess.run(["grep", "-rqs", WITNESS.decode(), blobs, layers], check=False).returncode == 1


@pytest.fixture
def odd(load: Load) -> None:
    nodes = layer_of(
        (EVIL, FILE, {}), (EVIL + "link", SYMLINK, {"linkname": EVIL}), ("fifo", FIFO, {}),
        ("multiplexer", DEVICE, {"devmajor": 5, "devminor": 2}), ("magic", SYMLINK, {"linkname": "/proc/self/fd/0"}),
        ("out", SYMLINK, {"linkname": "../../../../etc/hostname"}), content=b"content",
    )  # fmt: skip
    config: dict[str, Any] = {"Labels": {EVIL: EVIL}, "Cmd": [EVIL], "User": EVIL, "OnBuild": ["RUN " + EVIL]}
    more: dict[str, Any] = {"author": EVIL, "history": [{"created_by": EVIL, "comment": EVIL}] * 2}
    load(image(config, busybox_layer(), nodes, **more))


@pytest.mark.parametrize("index", [None, 1])
def test_a_look_into_a_layer_opens_only_its_files(engine: Engine, odd: None, index: int | None) -> None:
    layer = Path(engine.instance.paths.snapshots, engine.layers("hostile")[1].chain_id[7:], "fs")
    for name in ("fifo", "multiplexer"):
        with unopened(str(layer / name)), pytest.raises(InvalidArgument, match="no regular file"):
            engine.read_image_file("hostile", name, index=index)
    for name in ("magic", "out", "proc/self/environ", "../../../../etc/hostname"):
        with pytest.raises((NotFound, InvalidArgument)):
            engine.read_image_file("hostile", name, index=index)
    assert engine.read_image_file("hostile", EVIL, index=index) == b"content"


def test_a_comparison_opens_only_files(engine: Engine, odd: None) -> None:
    """What was a file when it was looked at can be a device when it is read: the container runs."""
    layer = Path(engine.instance.paths.snapshots, engine.layers("hostile")[1].chain_id[7:], "fs")
    root = os.open(layer, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in ("fifo", "multiplexer", "magic"):
            with unopened(str(layer / name)) if name != "magic" else nullcontext(), pytest.raises(OSError):
                os.close(Seen(root, name, False).open())
        with open(Seen(root, EVIL, False).open(), "rb") as file:
            assert file.read() == b"content"
    finally:
        os.close(root)


def on_a_terminal(root: str, *words: str) -> bytes:
    """What a command writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tuidock", "--root", root, *words]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs):
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 65536):
                parts.append(part)
        except OSError:
            pass  # nobody has the other side any more
    os.close(ours)
    return b"".join(parts)


@pytest.mark.parametrize(
    "words",
    [
        ("image", "layers", "hostile"), ("image", "layers", "--no-trunc", "hostile"), ("image", "layers", "hostile", "1"),
        ("image", "layers", "--format", "{{.Path}} {{.Target}}", "hostile", "1"), ("image", "diff", "busybox", "hostile"),
        ("history", "--no-trunc", "hostile"), ("image", "inspect", "hostile"), ("pull", EVIL), ("build", "-"),
    ],
)  # fmt: skip
def test_names_do_nothing_to_a_terminal(engine: Engine, odd: None, words: tuple[str, ...]) -> None:
    shown = on_a_terminal(engine.root, *words)
    assert shown and not any(harm in shown for harm in HARM)


@pytest.mark.parametrize("progress", ["plain", "tty", "rawjson"])
def test_a_build_does_nothing_to_a_terminal(engine: Engine, odd: None, tmp_path: Path, progress: str) -> None:
    plain = EVIL.replace("\n", "")
    lines = ("FROM busybox", f'LABEL a="{plain}"', f"RUN printf '{plain}\\n'; printf '\\033]0;x\\007\\n'; false")
    for number, text in enumerate(("\n".join(lines), f"FROM busybox\n{plain}\n", f"FROM {plain}\n", "FROM hostile\n")):
        (tmp_path / f"{number}").write_text(text)
        shown = on_a_terminal(
            engine.root, "build", f"--progress={progress}", "-f", str(tmp_path / f"{number}"), str(tmp_path)
        )
        assert shown and not any(harm in shown for harm in HARM)


def test_what_a_container_named_does_nothing_to_a_terminal(engine: Engine, run: Run) -> None:
    container = engine.create(request(["sh", "-c", "touch \"$(printf '/a\\033]0;x\\007')\""]))
    run.made.append(container)
    engine.start(container)
    engine.wait(container)
    shown = on_a_terminal(engine.root, "diff", container)
    assert b"A /a" in shown and not any(harm in shown for harm in HARM)
