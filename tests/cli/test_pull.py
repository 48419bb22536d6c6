"""`pull`, and the pull that `run` and `create` do: docker's lines on the right stream."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import Result, argv, environment
from tests.engine.store.archives import sha256
from tests.registry import images as made
from tests.registry.fixtures import docker_config, registry  # noqa: F401
from tests.registry.misbehaving import Misbehaving
from tuidock.engine import Engine

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def nobody_is_logged_in(docker_config: object) -> None:  # noqa: F811
    """No test reads the credentials of whoever runs it."""


@pytest.fixture
def image(engine: Engine, registry: Misbehaving) -> Iterator[made.Made]:  # noqa: F811
    """team/demo:latest, which is busybox."""
    import io
    import tarfile

    from tests.conftest import busybox_archive

    with tarfile.open(fileobj=io.BytesIO(busybox_archive())) as archive:
        file = archive.extractfile("layer.tar")
        assert file is not None
        layer = file.read()
    demo = made.image([layer, made_layer()])
    registry.add("team/demo", "latest", demo)
    yield demo
    for container in engine.containers():
        engine.remove(container.id, force=True)
    for one in engine.images():
        for name in one.references:
            if name.startswith(registry.host):
                engine.remove_image(name, force=True, now=True)


def made_layer() -> bytes:
    from tests.engine.store.archives import layer

    return layer({"etc": None, "etc/pulled": b"yes"})


def short(raw: bytes) -> str:
    return sha256(raw)[7:19]


def test_pull_prints_docker_s_lines(tuidock: Call, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    name = f"{registry.host}/team/demo"
    done = tuidock("pull", name)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == ["Using default tag: latest", "latest: Pulling from team/demo"]
    assert lines[-3:] == [
        f"Digest: {image.digest}",
        f"Status: Downloaded newer image for {name}:latest",
        f"{name}:latest",
    ]
    for raw in image.layers:
        told = [line.partition(": ")[2] for line in lines if line.startswith(short(raw))]
        assert told in (
            ["Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"],
            ["Already exists"],  # the tests' busybox has this layer
        )
    again = tuidock("pull", name)
    assert again.out.splitlines() == [
        "Using default tag: latest",
        "latest: Pulling from team/demo",
        f"Digest: {image.digest}",
        f"Status: Image is up to date for {name}:latest",
        f"{name}:latest",
    ]


def test_quiet_pull_prints_the_name_only(tuidock: Call, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    assert tuidock("pull", "-q", f"{registry.host}/team/demo") == (0, f"{registry.host}/team/demo:latest\n", "")


def test_all_tags(tuidock: Call, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    registry.add("team/demo", "other", image)
    done = tuidock("pull", "-a", f"{registry.host}/team/demo")
    lines = done.out.splitlines()
    assert "latest: Pulling from team/demo" in lines and "other: Pulling from team/demo" in lines
    assert lines[-2:] == [f"Status: Downloaded newer image for {registry.host}/team/demo", f"{registry.host}/team/demo"]
    done = tuidock("pull", "-a", f"{registry.host}/team/demo:latest")
    assert done.code == 1 and "tag can't be used with --all-tags/-a" in done.err


def test_run_pulls_what_is_missing_and_says_so_on_stderr(
    tuidock: Call,
    registry: Misbehaving,  # noqa: F811
    image: made.Made,
) -> None:
    name = f"{registry.host}/team/demo"
    done = tuidock("run", "--rm", name, "cat", "/etc/pulled")
    assert (done.code, done.out) == (0, "yes")
    lines = done.err.splitlines()
    assert lines[:2] == [f"Unable to find image '{name}:latest' locally", "latest: Pulling from team/demo"]
    assert lines[-2:] == [f"Digest: {image.digest}", f"Status: Downloaded newer image for {name}:latest"]
    assert tuidock("run", "--rm", name, "true") == (0, "", "")
    always = tuidock("run", "--rm", "--pull", "always", name, "true")
    assert always.code == 0 and f"Status: Image is up to date for {name}:latest" in always.err


def test_quiet_run_pulls_without_a_word(tuidock: Call, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    assert tuidock("run", "--rm", "--quiet", f"{registry.host}/team/demo", "true") == (0, "", "")


def test_run_pulls_the_platform_that_was_asked_for(tuidock: Call, registry: Misbehaving) -> None:  # noqa: F811
    from tests.engine.transfer.test_pulling import for_platform

    descriptors = []
    for architecture in ("amd64", "s390x"):
        image, platform = for_platform(made_layer(), architecture)
        registry.add("several", "", image)
        descriptors.append(image.descriptor(platform=platform))
    registry.add_manifest("several", "latest", made.OCI_INDEX, made.index(descriptors))
    name = f"{registry.host}/several"
    assert tuidock("pull", "-q", name).code == 0
    assert tuidock("create", "--platform", "linux/amd64", name, "true").err == ""
    done = tuidock("create", "--platform", "linux/s390x", name, "true")
    assert done.code == 0 and "Unable to find image" in done.err and "Downloaded newer image" in done.err
    assert '"s390x"' in tuidock("image", "inspect", "--format", "{{json .Architecture}}", name).out
    tuidock("rmi", "-f", name)


def test_never_means_never(tuidock: Call, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    done = tuidock("create", "--pull", "never", f"{registry.host}/team/demo")
    assert done.code == 1 and "No such image" in done.err
    assert registry.requests == []


def test_a_refusal_is_one_line(tuidock: Call, registry: Misbehaving) -> None:  # noqa: F811
    done = tuidock("pull", f"{registry.host}/nothing:1")
    assert done.code == 1 and len(done.err.splitlines()) == 1 and "nothing:1" in done.err


def test_a_terminal_gets_a_line_for_each_layer(engine: Engine, registry: Misbehaving, image: made.Made) -> None:  # noqa: F811
    shown = on_terminal(argv(engine, "pull", f"{registry.host}/team/demo"))
    assert "\x1b[2K" in shown and "\x1b[2A" in shown
    last = shown.rpartition("\x1b[2A")[2].replace("\r\x1b[2K", "").replace("\r", "")
    lines = last.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [short(raw) for raw in image.layers]
    assert all(line.endswith(("Pull complete", "Already exists")) for line in lines[:2])
    assert lines[2] == f"Digest: {image.digest}"


def on_terminal(command: list[str]) -> str:
    """What the command writes to a terminal."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment())
    os.close(slave)
    written = b""
    while True:
        if select.select([master], [], [], 60)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            written += chunk
            if not chunk:
                break
        else:
            process.kill()
            break
    process.wait()
    os.close(master)
    return written.decode()
