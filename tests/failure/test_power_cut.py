"""The power is cut during operations on images; `make powercut` does it more often."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import missing
from tests.failure.machine import REPOSITORY
from tests.failure.power import lacking
from tests.failure.power_works import NAMES


@pytest.mark.parametrize("name", NAMES)
def test_no_image_is_lost_or_damaged_by_a_cut_of_the_power(name: str) -> None:
    """By the program, since it needs a mount namespace of its own; it proves first that its cuts lose something."""
    if os.geteuid() != 0:
        missing("needs root, for mounts")
    if lacking():
        missing(f"not installed: {lacking()} (packages e2fsprogs and mount)")
    words = ["--cuts", "3", "--only", name, "--seed", os.environ.get("POWER_SEED", "4")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.failure.power_cut", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "    3 cuts over " in done.stdout and ": 0 failed" in done.stdout
