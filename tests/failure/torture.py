"""Kills and faults at random places of every operation, thousands of times; the summary is a table.

    python -m tests.failure.torture --rounds 2000 [--only stop,rm] [--victims shim,both] [--seed N]

Each round makes what an operation needs, starts it as a process of its own, and lets somebody die: the client at one of
its system calls or at a random moment, the shim, the recorder or the init process at a random function (failpoint.c),
shim and client together; or a system call of the client fails with ENOSPC or EIO. Then the operation is done or not done,
one repair finds all that is wrong and a second look nothing, no output line is lost or doubled, no exit code is lost,
nothing is left in the kernel, and the same operation works. The first failure is shown with its seed; the end is 1 then.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.conftest import busybox_archive
from tests.failure import failpoint
from tests.failure.machine import REPOSITORY, argv, eventually, known, settled
from tests.failure.torture_works import ENDS, UNSEEN, VICTIM, Work, tidy, works
from tuidock import native
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError

VICTIMS = ("client", "moment", "shim", "recorder", "init", "both", "fault")
#: Calls by which a client changes something.
_CALLS = ("fdatasync", "flock", "mkdir", "openat", "pidfd_send_signal", "pwrite64", "rename", "sendto", "syncfs", "unlinkat",
          "vfork", "wait4", "write")  # fmt: skip
#: Those that a disk can refuse.
_FAULTS = ("fdatasync", "fsync", "mkdir", "pwrite64", "rename", "syncfs", "write")
#: How many functions each role calls from beginning to end, about.
_STEPS = {"shim": 400, "recorder": 150, "init": 150}
#: The command line with another shim than the installed one.
_BOOT = (
    "import sys; from tuidock import native; shim = sys.argv.pop(1); native.shim_path = lambda: shim; "
    "sys.argv[0] = 'tuidock'; from tuidock.__main__ import main; sys.exit(main())"
)


class Round(NamedTuple):
    """What happens in one: seed makes it repeatable."""

    work: Work
    victim: str
    seed: int


class Torture:
    """One data root, over which the rounds go."""

    def __init__(self, place: Path) -> None:
        self.root = str(place / "root")
        self.engine = Engine(self.root)
        for _ in self.engine.load(io.BytesIO(busybox_archive())):
            pass
        self.shim = str(failpoint.shim())
        native.shim_path = lambda: self.shim
        self.seconds: dict[str, float] = {}
        self.calls: dict[tuple[str, str], int] = {}

    def round(self, one: Round) -> bool:
        """Raises AssertionError for everything that is wrong; True when somebody died or a call failed."""
        chance, work = random.Random(one.seed), one.work
        tidy(self.engine)
        work.before(self.engine)
        told, hit = self._strike(one, chance)
        settled(self.engine)
        eventually(self._removals_are_through, "what was being removed has gone")
        if known(self.engine, VICTIM):
            self._check_ends(one)
            self._check_lines()
        work.check(self.engine, told)
        tidy(self.engine)
        work.before(self.engine)
        done = subprocess.run(self._words(work), cwd=REPOSITORY, capture_output=True, timeout=120)
        assert done.returncode == 0, f"it does not work afterwards: {done.stderr.decode()}"
        work.check(self.engine, True)
        tidy(self.engine)
        settled(self.engine)
        return hit

    def _removals_are_through(self) -> bool:
        """A container that was told to end for its removal goes with the next sweep after its end."""
        self.engine.sweep()
        return not self.engine.instance.state.read().execute("SELECT 1 FROM containers WHERE removing").fetchone()

    def _words(self, work: Work) -> list[str]:
        words = argv(self.root, *work.words)
        return [words[0], "-c", _BOOT, self.shim, *words[3:]]

    def _strike(self, one: Round, chance: random.Random) -> tuple[bool, bool]:
        """Runs it and lets somebody die. (it said that it was done, somebody has died)."""
        words, victim = self._words(one.work), one.victim
        if victim in ("client", "fault"):
            return self._inject(one.work.name, words, victim, chance)
        if victim in _STEPS:
            failpoint.arm(victim, _step(chance, victim))
        elif victim == "both":
            failpoint.arm("shim", _step(chance, "shim"))
        began = time.monotonic()
        client = subprocess.Popen(
            words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if victim in ("moment", "both"):
            try:
                client.wait(chance.random() * self.seconds.get(one.work.name, 0.3))
            except subprocess.TimeoutExpired:
                client.send_signal(signal.SIGKILL)
        errors = client.communicate(timeout=120)[1]
        if client.returncode == 0:
            self.seconds[one.work.name] = time.monotonic() - began
        self._check_words(client.returncode, errors)
        died = not failpoint.disarm() if victim in (*_STEPS, "both") else False
        return client.returncode == 0, died or client.returncode == -signal.SIGKILL

    def _inject(self, name: str, words: Sequence[str], victim: str, chance: random.Random) -> tuple[bool, bool]:
        call, number = self._call(name, _CALLS if victim == "client" else _FAULTS, chance)
        what = "signal=KILL" if victim == "client" else f"error={chance.choice(('ENOSPC', 'EIO'))}"
        log = Path(f"{self.root}.trace")
        inject = f"inject={call}:{what}:when={number}"
        trace = ["strace", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", inject]
        done = subprocess.run(
            [*trace, *words], cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, timeout=120
        )
        killed = done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        made = log.read_text(errors="replace")
        if not killed:
            # what it had to say was what could not be written
            mute = any(line.startswith("write(2,") and "(INJECTED)" in line for line in made.splitlines())
            self._check_words(done.returncode, done.stderr or (b"(not written)" if mute else b""))
            self.calls[name, call] = made.count(f"{call}(")
        return done.returncode == 0, killed or "(INJECTED)" in made

    def _call(self, name: str, calls: Sequence[str], chance: random.Random) -> tuple[str, int]:
        """Which call shall be hit, and which time: one that this operation is known to make, once that is known."""
        tried = [call for call in calls if self.calls.get((name, call), 1)]
        call = chance.choice(tried)
        return call, chance.randrange(1, self.calls.get((name, call), 3) + 1)

    @staticmethod
    def _check_words(code: int, errors: bytes) -> None:
        assert b"Traceback" not in errors, errors.decode(errors="replace")
        assert code in (0, -signal.SIGKILL) or errors.strip(), f"it ended with {code} and said nothing"

    def _check_ends(self, one: Round) -> None:
        row = self.engine.container(VICTIM)
        if row.status != "exited":
            return
        # init killed itself is 137 as well; only the death of two witnesses may lose a code
        right = (*ENDS, UNSEEN) if one.victim in ("both", "init") else ENDS
        assert row.exit_code in right, f"exit code {row.exit_code}"

    def _check_lines(self) -> None:
        """Each run of it counts from one, without a gap and without a repetition."""
        expected = 1
        for batch in self.engine.logs(VICTIM):
            for line in batch:
                number = int(line.text or b"0")
                assert number in (expected, 1), f"line {number} where {expected} should be"
                expected = number + 1

    def rest(self) -> None:
        """After a failure: the next round begins with nothing of this one."""
        failpoint.disarm()
        try:
            tidy(self.engine)
            settled(self.engine)
        except (AssertionError, EngineError) as problem:
            print(f"  and it could not be tidied: {problem}", flush=True)

    def close(self) -> None:
        tidy(self.engine)
        self.engine.reset()
        shutil.rmtree(os.path.dirname(self.root), ignore_errors=True)


def _step(chance: random.Random, role: str) -> int:
    """Early steps as often as the many late ones: what a role does first decides most."""
    return int(_STEPS[role] ** chance.random())


def _summary(rounds: Counter[tuple[str, str]], hits: Counter[tuple[str, str]], names: Sequence[str]) -> str:
    """Rounds in which somebody died, by operation and victim."""
    lines = ["operation      " + "".join(f"{victim:>12}" for victim in VICTIMS)]
    for name in names:
        cells = (f"{hits[name, victim]}/{rounds[name, victim]}" for victim in VICTIMS)
        lines.append(f"{name:<15}" + "".join(f"{cell:>12}" for cell in cells))
    return "\n".join(lines)


def main(words: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="torture", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--only", default="", help="operations, by comma")
    parser.add_argument("--victims", default=",".join(VICTIMS), help="who dies, by comma")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; 0 takes the time")
    options = parser.parse_args(words or sys.argv[1:])
    if shutil.which("strace") is None or os.geteuid() != 0:
        parser.error("it needs root and strace (Debian package strace)")
    place = Path(tempfile.mkdtemp(prefix="tuidock-torture-"))
    torture = Torture(place)
    chosen = [work for work in works(place) if not options.only or work.name in options.only.split(",")]
    victims = options.victims.split(",")
    first = options.seed or int(time.time())
    rounds: Counter[tuple[str, str]] = Counter()
    hits: Counter[tuple[str, str]] = Counter()
    failures = 0
    try:
        with suppress(KeyboardInterrupt):  # enough
            for number in range(options.rounds):
                work = chosen[number % len(chosen)]
                victim = victims[number // len(chosen) % len(victims)]
                rounds[work.name, victim] += 1
                try:
                    hits[work.name, victim] += torture.round(Round(work, victim, first + number))
                except Exception as problem:
                    failures += 1
                    print(
                        f"{work.name} against {victim}, seed {first + number}: {type(problem).__name__}: {problem}",
                        flush=True,
                    )
                    torture.rest()
        print(_summary(rounds, hits, [work.name for work in chosen]))
        print(
            f"{sum(rounds.values())} rounds, {sum(hits.values())} deaths and faults, {failures} failures, seed {first}"
        )
    finally:
        failpoint.disarm()
        torture.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
