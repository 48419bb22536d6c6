"""The power is cut during operations on images; `python -m tests.failure.power_cut --cuts 200` does it more often."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.failure.power import PowerDisk, lacking, power_disk, recover
from tests.failure.power_cut import Trial, moments
from tests.failure.power_works import NAMES, works

CUTS = 3


@pytest.fixture
def disk() -> Iterator[PowerDisk]:
    if os.geteuid() != 0:
        missing("needs root, for mounts")
    if lacking():
        missing(f"not installed: {lacking()} (packages e2fsprogs and mount)")
    with power_disk() as made:
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_no_image_is_lost_or_damaged_by_a_cut_of_the_power(disk: PowerDisk, name: str) -> None:
    seed = int(os.environ.get("POWER_SEED", "4"))
    print(f"POWER_SEED={seed}")
    with ExitStack() as stack:
        (work,) = works(stack, [name])
        trial = Trial(disk, work, measured=1)
        for moment in moments(trial, CUTS, seed):
            trial.cut(moment)


def test_a_cut_takes_what_was_not_synced_and_nothing_else(disk: PowerDisk) -> None:
    """Else the other tests would prove nothing."""
    disk.mount()
    place = Path(disk.mounted)
    for name in ("synced", "unsynced"):
        descriptor = os.open(place / name, os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x" * 100_000)
        if name == "synced":
            os.fsync(descriptor)
        os.close(descriptor)
    after = f"{disk.place}/after.img"
    disk.cut(after)
    disk.unmount()
    recover(after)
    disk.mount(after)
    assert (place / "synced").read_bytes() == b"x" * 100_000
    assert not (place / "unsynced").exists() or (place / "unsynced").stat().st_size == 0
    disk.unmount()
