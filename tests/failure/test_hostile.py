"""What comes from outside is hostile: strings that would drive a terminal, root file systems that point out of
themselves, containers that reach for the programs that look after them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, request
from tests.failure.machine import REPOSITORY, argv, cli, eventually, settled
from tuidock import native
from tuidock.engine import Engine

#: Writes the clipboard (OSC 52), sets the title, clears the screen, C1 forms of the same, reverses text, hides text.
EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b]0;evil\x07\x1b[2J\x9b2J\x9d0;evil\x9c\u202e\u2066\u200b\r\x08\x7f"
BAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\r(?!\n)")


def on_terminal(root: str, *words: str) -> str:
    """What a person would get on the terminal: both streams."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv(root, *words), cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal has no other end any more
                break
            if not part:
                break
            parts.append(part)
        process.wait(60)
    os.close(ours)
    return b"".join(parts).decode("utf-8", "replace").replace("\r\r\n", "\r\n")


@pytest.fixture(scope="module")
def evil(engine: Engine) -> Iterator[Engine]:
    """An engine with everything named as badly as it can be."""
    labels = {"label" + EVIL: EVIL}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w"):
        pass
    list(engine.import_image(io.BytesIO(tar.getvalue()), reference="evil:1", message=EVIL))
    engine.create_volume("evil", labels=labels)
    script = "printf '%s\\n' \"$EVIL\"; printf '%s\\n' \"$EVIL\" >&2; exec sleep 100"
    config = {"Env": ["EVIL=" + EVIL], "Labels": labels, "Hostname": "evil"}
    command = ["sh", "-c", script, EVIL]
    running = engine.create(request(command, name="evil", config=config, Binds=["evil:/data"]))
    engine.start(running)
    eventually(lambda: sum(len(b) for b in engine.logs(running)) >= 2, "both lines are in the log")
    engine.create(request([EVIL], name="failing", config=config))
    yield engine
    engine.remove_many(["evil", "failing"], force=True)
    engine.remove_volume("evil")
    engine.remove_image("evil:1")


@pytest.mark.parametrize(
    "words",
    [
        ["ps", "-a", "--no-trunc"], ["ps", "-a", "--format", "{{.Names}} {{.Command}} {{.Labels}}"],
        ["ps", "-a", "--format", "json"], ["images", "-a"], ["history", "--no-trunc", "evil:1"], ["inspect", "evil"],
        ["inspect", "evil:1"], ["inspect", "-f", "{{.Config.Env}} {{.Config.Labels}}", "evil"],
        ["inspect", "-f", "json", "evil"], ["volume", "ls"], ["volume", "inspect", "evil"], ["top", "evil"],
        ["stats", "--no-stream", "evil"], ["system", "df", "-v"], ["events", "--since", "1h", "--until", "0s"],
        ["start", "failing"], ["logs", "-t", "--details", "evil"], ["run", "--rm", "busybox", EVIL],
        ["run", "--rm", "--name", EVIL, "busybox"], ["run", "--rm", "-v", EVIL + ":/data", "busybox"],
        ["run", "--rm", "-w", EVIL, "busybox", "true"], ["run", "--rm", "-u", EVIL, "busybox", "true"],
        ["run", "--rm", "-p", EVIL, "busybox"], ["pull", EVIL], ["rm", EVIL], ["rmi", EVIL], ["tag", "busybox", EVIL],
        ["inspect", EVIL], ["logs", EVIL], ["exec", "evil", EVIL], ["load", "-i", "/tmp/" + EVIL], ["ps", "--" + EVIL],
        ["ps", "--filter", EVIL], ["volume", "create", EVIL], ["exec", "-w", EVIL, "evil", "true"], [EVIL],
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)  # fmt: skip
def test_no_control_byte_reaches_the_terminal(evil: Engine, words: list[str]) -> None:
    shown = on_terminal(evil.root, *words)
    assert shown, "nothing was printed"
    found = BAD.search(shown)
    assert found is None, (found, shown)
    assert "Traceback" not in shown


def test_a_script_gets_every_string_as_it_is(evil: Engine) -> None:
    (document,) = json.loads(cli(evil.root, "inspect", "evil").stdout)
    assert document["Config"]["Env"][0] == "EVIL=" + EVIL
    assert document["Config"]["Labels"] == {"label" + EVIL: EVIL}
    assert EVIL in cli(evil.root, "logs", "evil").stdout
    assert cli(evil.root, "inspect", "-f", "{{index .Config.Env 0}}", "evil").stdout == f"EVIL={EVIL}\n"


def test_inspect_on_a_terminal_is_still_the_same_json(evil: Engine) -> None:
    (document,) = json.loads(on_terminal(evil.root, "inspect", "evil"))
    assert document["Config"]["Env"][0] == "EVIL=" + EVIL
    assert document["Config"]["Labels"] == {"label" + EVIL: EVIL}


def root_tar(entries: dict[str, tuple[bytes, str]]) -> io.BytesIO:
    """A root file system with busybox and these entries: type and link target, content or nothing."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name in ("bin", "tmp"):
            if name not in entries:
                made = tarfile.TarInfo(name)
                made.type, made.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(made)
        program = Path(shutil.which("busybox") or "/bin/busybox").read_bytes()
        busybox = tarfile.TarInfo("bin/busybox")
        busybox.size, busybox.mode = len(program), 0o755
        archive.addfile(busybox, io.BytesIO(program))
        for applet in ("sh", "cat", "true", "ls", "id", "pwd", "stat"):
            link = tarfile.TarInfo("bin/" + applet)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name, (kind, target) in entries.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = kind, target, 0o755
            archive.addfile(entry)
    tar.seek(0)
    return tar


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory of the host with a secret, that no container may see or touch."""
    made = Path(tempfile.mkdtemp(prefix="tuidock-outside-"))
    made.joinpath("secret").write_text("secret of the host\n")
    before = {path.name: path.stat().st_ino for path in made.iterdir()}
    yield made
    after = {path.name: path.stat().st_ino for path in made.iterdir()}
    assert (before, made.joinpath("secret").read_text()) == (after, "secret of the host\n"), "the host was touched"
    shutil.rmtree(made)


def evil_image(engine: Engine, entries: dict[str, tuple[bytes, str]]) -> str:
    return [
        p.subject for p in engine.import_image(root_tar(entries), reference="evil-root:1") if p.action == "imported"
    ][-1]


@pytest.fixture
def forget(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_image("evil-root:1", force=True)
    settled(engine)


@pytest.mark.usefixtures("forget")
def test_a_fifo_as_passwd_does_not_hang_a_start(engine: Engine) -> None:
    evil_image(
        engine,
        {"etc": (tarfile.DIRTYPE, ""), "etc/passwd": (tarfile.FIFOTYPE, ""), "etc/group": (tarfile.FIFOTYPE, "")},
    )
    done = cli(engine.root, "run", "--rm", "-u", "somebody", "evil-root:1", "/bin/true")
    assert done.returncode == 125 and "somebody" in done.stderr
    owner = ["/bin/stat", "-L", "-c", "%u:%g", "/proc/self"]  # not id, which would read the FIFO itself
    assert cli(engine.root, "run", "--rm", "-u", "7:8", "evil-root:1", *owner).stdout == "7:8\n"


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("name", ["proc", "dev", "sys", "etc", "dev/shm"])
@pytest.mark.parametrize("way", ["", "/../../../.."])
def test_a_mount_point_that_is_a_link_never_leads_out_of_the_root(
    engine: Engine, outside: Path, name: str, way: str
) -> None:
    above = {"dev": (tarfile.DIRTYPE, "")} if "/" in name else {}
    evil_image(engine, {**above, name: (tarfile.SYMTYPE, f"{way}{outside}")})
    done = cli(engine.root, "run", "--rm", "evil-root:1", "/bin/sh", "-c", f"cat {outside}/secret; echo ran")
    assert "secret of the host" not in done.stdout
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 125, 127), done
    assert os.listdir(outside) == ["secret"]


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("name", ["etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/passwd"])
@pytest.mark.parametrize("way", ["", "../../../../../.."])
def test_a_file_that_is_a_link_to_a_secret_of_the_host_shows_nothing(
    engine: Engine, outside: Path, name: str, way: str
) -> None:
    evil_image(engine, {"etc": (tarfile.DIRTYPE, ""), name: (tarfile.SYMTYPE, f"{way}{outside}/secret")})
    shown = cli(engine.root, "run", "--rm", "evil-root:1", "/bin/cat", f"/{name}")
    assert "secret of the host" not in shown.stdout + shown.stderr
    cli(engine.root, "run", "--rm", "-u", "secret", "evil-root:1", "/bin/sh", "-c", f"echo overwritten > /{name}")


def test_a_working_directory_cannot_be_a_descriptor_of_the_host(engine: Engine, outside: Path) -> None:
    reach = f"cat ../../../../../../../..{outside}/secret; cat ../../../..{outside}/secret; pwd"
    engine.start(engine.create(request(["sleep", "100"], name="target")))
    for number in (*range(3, 28, 2), 251):
        for place in (f"/proc/self/fd/{number}", f"/proc/1/fd/{number}", f"/proc/self/fd/{number}/../.."):
            engine_run = request(["sh", "-c", reach], config={"WorkingDir": place}, name="reaching")
            container = engine.create(engine_run)
            try:
                engine.start(container)
                engine.wait(container)
            except Exception as error:
                assert "Traceback" not in str(error)
            text = b"".join(line.text for batch in engine.logs(container) for line in batch)
            assert b"secret of the host" not in text, place
            engine.remove(container, force=True)
    for number in (*range(4, 28, 3), 251):
        done = cli(engine.root, "exec", "-w", f"/proc/self/fd/{number}", "target", "sh", "-c", reach)
        assert "secret of the host" not in done.stdout
    engine.remove("target", force=True)


def test_the_destination_of_a_volume_stays_inside(run: Run, outside: Path) -> None:
    script = f"touch /inside/{outside.name}/made; ls {outside}; cat {outside}/secret"
    for destination in (f"/a/../..{outside}", f"/../../../..{outside}", f"/tmp/../../{outside}/"):
        text = run.output(["sh", "-c", script], Binds=[f"named-{len(run.made)}:{destination}"])
        assert "secret of the host" not in text
        assert os.listdir(outside) == ["secret"]
    linked = run.engine.create(request(["sh", "-c", f"rm -rf /link; ln -s /../..{outside} /link"], name="linked"))
    run.made.append(linked)
    run.engine.start(linked)
    run.engine.wait(linked)
    for name in [volume.name for volume in run.engine.volumes()]:
        run.engine.remove_volume(name, force=True) if not run.engine.volume(name).users else None


def test_a_container_cannot_write_the_program_that_looks_after_it(run: Run) -> None:
    program = Path(native.shim_path())
    before = hashlib.sha256(program.read_bytes()).hexdigest()
    attack = (
        "exec 2>/dev/null; while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || (exec 9<$p/exe && "
        "for i in 1 2 3; do echo x > /proc/self/fd/9; echo x > $p/exe; done; echo tried); done; done"
    )
    container = run.start(["sh", "-c", attack], name="attacker")
    for _ in range(15):
        cli(run.engine.root, "exec", "attacker", "/proc/self/exe", "version")
        cli(run.engine.root, "exec", "attacker", "true")
    assert hashlib.sha256(program.read_bytes()).hexdigest() == before
    assert "tried" in run.text(container), "the attack did not even try"
    run.engine.kill(container)


def test_a_fork_bomb_with_a_limit_can_be_watched_and_stopped(run: Run) -> None:
    bomb = run.start(["awk", 'BEGIN { while (1) system("sleep 60 &") }'], PidsLimit=40, Memory=256 << 20)
    neighbour = run.start(["sleep", "100"])
    eventually(lambda: any(stats.pids >= 30 for stats in run.engine.stats([bomb])), "it forks")
    (stats,) = run.engine.stats([bomb])
    assert stats.pids <= 40
    assert cli(run.engine.root, "exec", neighbour, "echo", "fine").stdout == "fine\n"
    run.engine.stop(bomb, timeout=0)
    assert run.engine.container(bomb).exit_code == 137
    settled(run.engine)


def test_a_line_of_ten_megabytes_is_kept_and_read_whole(run: Run) -> None:
    container = run.start(["sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo next"], LogConfig={
        "Type": "json-file", "Config": {"max-size": "-1"}
    })  # fmt: skip
    run.engine.wait(container)
    done = cli(run.engine.root, "logs", container)
    assert len(done.stdout) == 10_000_000 + len("\nnext\n")
    assert done.stdout.endswith("x\nnext\n")
    assert cli(run.engine.root, "logs", "--tail", "1", container).stdout == "next\n"


def test_a_dev_null_that_was_replaced_harms_nobody(run: Run) -> None:
    container = run.start(["sh", "-c", "rm /dev/null; ln -s /written /dev/null; echo ready; sleep 100"], name="nulled")
    eventually(lambda: "ready" in run.text(container), "it is replaced")
    done = cli(run.engine.root, "exec", "-d", "nulled", "sh", "-c", "echo to-null; echo done > /done")
    assert done.returncode == 0, done.stderr
    eventually(lambda: cli(run.engine.root, "exec", "nulled", "cat", "/done").stdout == "done\n", "the command ran")
    assert cli(run.engine.root, "exec", "nulled", "cat", "/written").returncode == 1, "the link was followed"
    assert cli(run.engine.root, "exec", "nulled", "cat", "/proc/keys").stdout == "", "the masks stand"
    assert Path("/dev/null").is_char_device()
    run.engine.restart(container, timeout=0)
    assert run.engine.container(container).status == "running"
