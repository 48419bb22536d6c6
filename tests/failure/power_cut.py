"""Cuts the power at random moments of operations on images and containers, and looks at what is left.

    python -m tests.failure.power_cut --cuts 200 [--only load,commit] [--seed N]

After every cut: the file system recovers, `system check` with all hashes finds nothing but leftovers, every image that is
listed runs and has all its files with their contents, what was reported as done before the cut is there, the same
operation works now, and what it left is collected with the images.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tests.conftest import request
from tests.failure.machine import argv
from tests.failure.power import PowerDisk, alone, lacking, power_disk, prove, recover
from tests.failure.power_works import BASE, VICTIM, Work, works
from tuidock.engine import Engine
from tuidock.engine.network.links import delete_link

#: Later than the end, because what is done must stay done (part of the operation's time).
_BEYOND = 1.5
#: How problems end that are no damage: what goes with the next collection, which the test then proves.
_STORE = ("image", "content", "layer")
_REMOVABLE = ("collects it", "sweeps it")
_OMIT = ("./proc", "./sys", "./dev", "./etc/hosts", "./etc/hostname", "./etc/resolv.conf")
_LIST = (
    "cd /; list() { find . -xdev "
    + "".join(f"-path {path} -prune -o " for path in _OMIT)
    + '"$@" -print0 | sort -z; }; list -type f | xargs -0 sha256sum | sha256sum; '
    "list | xargs -0 stat -c '%N %a %u %g %F' | sha256sum; "
    "list -type f | tr '\\0' '\\n' | wc -l"
)


class Moment(NamedTuple):
    """When to cut: after so many seconds, or as soon as so many sectors have been written to the disk."""

    seconds: float = 0
    sectors: int = 0

    def __str__(self) -> str:
        return f"{self.sectors} sectors" if self.sectors else f"{self.seconds:.3f} s"


class Outcome(NamedTuple):
    """One cut. done: the operation had ended before it; listed: how many of its images were there after it."""

    moment: Moment
    done: bool
    listed: int
    leftovers: int


class Trial:
    """One operation on one disk, to be cut as often as wanted."""

    def __init__(self, disk: PowerDisk, work: Work) -> None:
        self.disk, self.work = disk, work
        self._before, self._after = f"{disk.place}/before.img", f"{disk.place}/after.img"
        self.root = f"{disk.mounted}/root"
        disk.mount()
        with self._opened() as engine:
            work.prepare(engine)
        disk.unmount()
        disk.keep(self._before)
        self._expected: dict[str, str] = {}
        self.sectors = 0
        self.seconds = min(self._uncut() for _ in range(2))  # the first one reads the program from the disk

    def _uncut(self) -> float:
        """How long the operation takes, and what the images are when nothing happens."""
        self.disk.restore(self._before)
        self.disk.mount()
        began, before = time.monotonic(), self.disk.written()
        self._work()
        seconds, self.sectors = time.monotonic() - began, self.disk.written() - before
        with self._opened() as engine:
            expected = {reference: listing(engine, reference) for reference in _references(engine)}
        assert set(self.work.makes) <= set(expected), f"{self.work.name} made {sorted(expected)}"
        assert expected == (self._expected or expected), f"{self.work.name} is another thing every time"
        self._expected = expected
        self.disk.unmount()
        return seconds

    def cut(self, moment: Moment) -> Outcome:
        """The power goes at that moment of the operation. Raises AssertionError when something was lost."""
        self.disk.restore(self._before)
        self.disk.mount()
        before = self.disk.written()
        process = subprocess.Popen(
            argv(self.root, *self.work.words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._await(process, moment, before)
        done = process.poll() == 0
        self.disk.cut(self._after)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode(errors="replace")
        self.disk.unmount()
        recover(self._after)
        self.disk.mount(self._after)
        try:
            shutil.rmtree(f"{self.root}/run", ignore_errors=True)  # it lies in memory for the data root of the machine
            with self._opened() as engine:
                return self._look(engine, moment, done)
        finally:
            self.disk.unmount()

    def close(self) -> None:
        """Takes away what bears the data root's name in the kernel: all cuts of an operation share one instance."""
        self.disk.restore(self._before)
        self.disk.mount()
        engine = Engine(self.root)
        engine.reset()
        delete_link(engine.instance.bridge)  # the database from before the operation does not know of it
        self.disk.unmount()

    def _await(self, process: subprocess.Popen[bytes], moment: Moment, before: int) -> None:
        deadline = time.monotonic() + moment.seconds
        if not moment.sectors:
            while (left := deadline - time.monotonic()) > 0:
                time.sleep(min(left, 0.01))
        while moment.sectors and process.poll() is None and self.disk.written() - before < moment.sectors:
            time.sleep(0.0001)

    def _look(self, engine: Engine, moment: Moment, done: bool) -> Outcome:
        problems = list(engine.check())  # before any repair, which might pull again what was lost
        damage = [
            problem for problem in problems if problem.area in _STORE and not problem.message.endswith(_REMOVABLE)
        ]
        assert not damage, f"damaged: {damage}"
        rest = [one for one in engine.check(repair=True) if not one.repaired and not one.message.endswith(_REMOVABLE)]
        assert not rest, f"not repaired: {rest}, there was {problems}"
        found = _references(engine)
        kept = {BASE, VICTIM} - set(self.work.removes)
        assert kept <= set(found), f"lost: {kept - set(found)}"
        made = [reference for reference in self.work.makes if reference in found]
        if done:
            assert len(made) == len(self.work.makes), f"it was done, and now there is only {made}"
            assert not set(self.work.removes) & set(found), f"it was removed, and is there again: {found}"
        for image in engine.images():
            for reference in image.references or (image.id,):
                seen = listing(engine, reference)
                assert seen == self._expected.get(reference, seen), f"{reference} is not what it was"
        there = self._look_at_containers(engine, done)
        if self.work.makes or self.work.creates or set(self.work.removes) & set(found) or there:
            self._work()
        for reference in self.work.makes:
            assert listing(engine, reference) == self._expected[reference], f"{reference} is another one"
        self.work.discard(engine)
        for reference in {*_references(engine)} - {BASE}:
            engine.remove_image(reference, force=True)
        left = list(engine.check())
        assert not left, f"never collected: {left}"
        return Outcome(moment, done, len(made), len(problems))

    def _look_at_containers(self, engine: Engine, done: bool) -> set[str]:
        """Those of the operation run when they are there; answers which of them it still has to remove."""
        there = {container.name for container in engine.containers()}
        if done:
            assert set(self.work.creates) <= there and not set(self.work.ends) & there, f"now there is only {there}"
        for name in {*self.work.creates, *self.work.ends} & there:
            engine.start(name)
            assert engine.wait(name) == 0, f"container {name} does not run"
        for name in set(self.work.creates) & there:
            engine.remove(name, volumes=True)
        return set(self.work.ends) & there

    def _work(self) -> None:
        done = subprocess.run(argv(self.root, *self.work.words), capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    @contextmanager
    def _opened(self) -> Iterator[Engine]:
        engine = Engine(self.root)
        try:
            yield engine
        finally:
            engine.instance.state.close()


def _references(engine: Engine) -> list[str]:
    return sorted(reference for image in engine.images() for reference in image.references)


def listing(engine: Engine, reference: str) -> str:
    """Digests of all files, looks and links of an image, made by a container of it."""
    asked = request(["sh", "-c", _LIST], config={"Image": reference, "Entrypoint": []}, NetworkMode="none")
    container = engine.create(asked)
    try:
        engine.start(container)
        code = engine.wait(container)
        text = "".join(line.text.decode() + "\n" for batch in engine.logs(container) for line in batch)
    finally:
        engine.remove(container, force=True)
    assert code == 0 and text.count("\n") == 3 and int(text.split()[-1]) > 2, f"{reference} does not run: {code} {text}"
    return text


def moments(trial: Trial, cuts: int, seed: object) -> list[Moment]:
    """Random ones, every other by what has been written, because much is written in little time. They lie in equal parts
    of the whole, so that few of them are spread too."""
    chance = random.Random(f"{seed} {trial.work.name}")
    shares = [(number + chance.random()) / cuts for number in range(cuts)]
    return [
        Moment(sectors=1 + int(trial.sectors * share)) if number % 2 else Moment(trial.seconds * _BEYOND * share)
        for number, share in enumerate(shares)
    ]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.failure.power_cut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=200, help="for each operation (200)")
    parser.add_argument("--only", default="", help="names of operations, separated by commas")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args(words)
    failures = 0
    alone()
    with power_disk() as disk:
        prove(disk)
    print(f"seed {options.seed}; what is not synced is lost by a cut", flush=True)
    with ExitStack() as stack:
        for work in works(stack, options.only.split(",") if options.only else ()):
            with power_disk() as disk:
                trial = Trial(disk, work)
                outcomes, failed = [], []
                for moment in moments(trial, options.cuts, options.seed):
                    try:
                        outcomes.append(trial.cut(moment))
                    except AssertionError as error:
                        failed.append(f"  cut at {moment}: {error}")
                failures += len(failed)
                trial.close()
                print(summary(trial, outcomes, len(failed)), *failed, sep="\n", flush=True)
    return 1 if failures else 0


def summary(trial: Trial, outcomes: Sequence[Outcome], failed: int) -> str:
    """One line about one operation."""
    there = sum(outcome.listed == len(trial.work.makes) for outcome in outcomes)
    images = f"its images all there {there} times, " if trial.work.makes else ""
    span = f"{trial.seconds * _BEYOND:.2f} s and {trial.sectors} sectors"
    return (
        f"{trial.work.name:<8}{len(outcomes) + failed:>5} cuts over {span}: {failed} failed; "
        f"{sum(outcome.done for outcome in outcomes)} after its end, {images}"
        f"leftovers {sum(outcome.leftovers > 0 for outcome in outcomes)} times, all collected"
    )


if __name__ == "__main__":
    if os.geteuid() != 0 or lacking():
        sys.exit("needs root" if os.geteuid() else f"not installed: {lacking()}")
    sys.exit(main(sys.argv[1:]))
