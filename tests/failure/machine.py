"""The command line as its own process, kills that cannot hit a stranger, and the question that ends every test: is
anything wrong, is anything left?

A pid alone is never signalled: the process is pinned by a pidfd first, then its start time is compared.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from tests.conftest import present
from tuidock.engine import Engine
from tuidock.engine.files import is_locked, process_start_time
from tuidock.engine.runtime.status import PidRecord, read_pid

REPOSITORY = Path(__file__).resolve().parents[2]
LIVING = ("running", "paused", "restarting")
Result = TypeVar("Result")


def eventually(condition: Callable[[], Result], what: str, seconds: float = 30) -> Result:
    """Waits for something that another process does; fails with its name."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.005)
    return result


def argv(root: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "tuidock", "--root", root, *words]


def cli(root: str, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """One command line to its end."""
    done = subprocess.run(argv(root, *words), cwd=REPOSITORY, capture_output=True, input=stdin, timeout=120)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="surrogateescape"),
        done.stderr.decode(errors="surrogateescape"),
    )  # fmt: skip


def spawn(root: str, *words: str, **options: object) -> subprocess.Popen[bytes]:
    """One command line that somebody will kill."""
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        argv(root, *words), cwd=REPOSITORY,
        **{**dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL), **options},
    )  # fmt: skip


def send(process: tuple[int, int], number: int) -> bool:
    """Signals the process with that pid and start time; False when it has gone."""
    pid, start = process
    if pid <= 1:
        return False
    try:
        pinned = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not start or process_start_time(pid) != start:
            return False
        signal.pidfd_send_signal(pinned, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pinned)


def kill(process: tuple[int, int]) -> bool:
    """kill -9, and the wait until it is dead."""
    sent = send(process, signal.SIGKILL)
    eventually(lambda: not process[1] or process_start_time(process[0]) != process[1], f"process {process[0]} is dead")
    return sent


def monitors(engine: Engine, container_id: str) -> PidRecord:
    """Who looks after a running container."""
    record = read_pid(engine.instance.paths, container_id)
    assert record is not None, "the container has no pid record"
    return record


def known(engine: Engine, name: str) -> bool:
    """Whether there is a container of that name."""
    return any(container.name == name for container in engine.containers())


def running(engine: Engine, name: str) -> bool:
    """Whether a container of that name runs."""
    return any(container.name == name and container.status in LIVING for container in engine.containers())


def busy(engine: Engine) -> bool:
    """Whether a start or an end is still under way."""
    directory = engine.instance.paths.run + "/c"
    living = {c.id for c in engine.containers() if c.status in LIVING}
    return any(
        is_locked(f"{directory}/{name}/lock") or (name not in living and is_locked(f"{directory}/{name}/shim.lock"))
        for name in os.listdir(directory)
    )


def processes(root: str) -> list[str]:
    """Processes that bear the data root in their command line, as `pid name`; those of a killed client among them."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            name = Path(f"/proc/{entry}/comm").read_text().strip()
            if not name.startswith(("tuidock", "python", "strace")):
                continue
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word == root.encode() or word.startswith(root.encode() + b"/") for word in words):
            found.append(f"{entry} {name}")
    return found


def elements(engine: Engine) -> list[str]:
    """What lies in the maps of the instance's nftables table."""
    done = subprocess.run(
        ["nft", "-j", "list", "table", "ip", engine.instance.nft_table], capture_output=True, text=True
    )
    if done.returncode:
        return []
    maps = [item["map"] for item in json.loads(done.stdout)["nftables"] if "map" in item]
    return [json.dumps(element) for item in maps for element in item.get("elem", ())]


def left_over(engine: Engine) -> list[str]:
    """Everything of the instance in the kernel, in /proc and in the run directory that no living container explains."""
    containers = engine.containers()
    living = [c for c in containers if c.status in LIVING]
    marks = [c.id for c in living] + [engine.instance.veth(c.id)[:-1] for c in living]
    found = [leak for leak in present(engine) if not any(mark in leak for mark in marks)]
    published = sum(1 for c in living for port in c.ports if port.host_ip in ("", "0.0.0.0"))
    if len(elements(engine)) != published:
        found.append(f"{elements(engine)} in nftables, {published} published")
    known = {c.id for c in containers}
    for name in os.listdir(engine.instance.paths.run + "/c"):
        if name not in known:
            found.append(f"run directory {name}")
        elif name not in {c.id for c in living}:
            rest = set(os.listdir(f"{engine.instance.paths.run}/c/{name}")) - {"lock", "shim.lock"}
            found += [f"run directory {name}: {entry}" for entry in rest]
    alive = processes(engine.root)
    helpers = [p for p in alive if p.endswith(" tuidock-dns")]
    served = {e.network for c in living for e in c.networks} - {"bridge", "host", "none"}
    if len(helpers) > len(served):
        found.append(f"{helpers} for the names of the networks {sorted(served)}")
    own = ("tuidock-shim", "tuidock-record", "tuidock-dns")
    found += [f"process {p}" for p in alive if p.split()[1] not in own]
    for kind in ("tuidock-shim", "tuidock-record"):
        count = sum(p.endswith(kind) for p in alive)
        if count > len(living):
            found.append(f"{count} {kind} for {len(living)} containers: {alive}")
    return found


def settled(engine: Engine) -> None:
    """After what was under way has ended, one repair finds all that is wrong, a second look finds nothing."""
    eventually(lambda: not busy(engine), "what was under way has ended")
    repaired = [f"{p.area} {p.subject}: {p.message}" for p in engine.check(fast=True, repair=True)]
    problems = [f"{p.area} {p.subject}: {p.message}" for p in engine.check(fast=True)]
    assert problems == [], f"a repair did {repaired}, and there is still {problems}"
    deadline = time.monotonic() + 15
    while left := left_over(engine):  # an end in the kernel (links, control groups) takes its time
        assert time.monotonic() < deadline, f"a repair did {repaired}, and left over is {left}"
        time.sleep(0.01)


def clear(engine: Engine) -> None:
    """Removes all containers."""
    for _, error in engine.remove_many([c.id for c in engine.containers()], force=True, volumes=True):
        assert error is None, error
    assert engine.containers() == []


def empty(engine: Engine) -> None:
    """Removes all containers, and nothing may be left of them."""
    clear(engine)
    settled(engine)


def killed_at(root: str, call: str, number: int, *words: str) -> bool:
    """Runs a command line that dies by SIGKILL at its number-th call of this one; False when it made fewer."""
    inject = [
        "strace",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:signal=KILL:when={number}",
    ]
    done = subprocess.run(
        [*inject, *argv(root, *words)], cwd=REPOSITORY, capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL) or b"strace:" not in done.stderr, done.stderr
    return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def kills(root: str, calls: Sequence[str], *words: str, step: int = 1) -> Iterator[bool]:
    """Runs a command line again and again, each time killed one call later; yields whether that run was killed.

    The last run for each kind of call is not killed, since there is no such call any more.
    """
    for call in calls:
        number = 1
        while killed := killed_at(root, call, number, *words):
            yield killed
            number += step
        yield False
