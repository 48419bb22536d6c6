"""The bundle of bytecode: used when fresh and safe, never when stale or writable by others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tuidock"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package without any cache."""
    shutil.copytree(PACKAGE, tmp_path / "tuidock", ignore=shutil.ignore_patterns("__pycache__", "src", "CMakeFiles"))
    return tmp_path


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    program = "import sys; from tuidock.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *words], cwd=copy, capture_output=True, text=True, env=environment, check=False
    )


def bundle(copy: Path) -> Path:
    (found,) = (copy / "tuidock/__pycache__").glob("quick.*.bin")
    return found


def test_a_second_command_takes_its_modules_from_the_bundle(copy: Path) -> None:
    assert run(copy, "--version").returncode == 0
    made = bundle(copy)
    assert made.stat().st_mode & 0o777 == 0o644
    shutil.rmtree(copy / "tuidock/cli/__pycache__")
    assert run(copy, "--version").stdout.startswith("tuidock version")
    assert not (copy / "tuidock/cli/__pycache__").exists(), "Python had to look for a module itself"


def test_a_changed_source_counts_and_not_the_bundle(copy: Path) -> None:
    run(copy, "--version")
    source = copy / "tuidock/__init__.py"
    main = copy / "tuidock/cli/main.py"
    main.write_text(main.read_text().replace("tuidock version", "changed version"))
    assert run(copy, "--version").stdout.startswith("changed version")
    assert source.exists() and run(copy, "--version").stdout.startswith("changed version")


@pytest.mark.parametrize("damage", [b"", b"x" * 100, b"\xff" * 8])
def test_a_damaged_bundle_is_replaced(copy: Path, damage: bytes) -> None:
    run(copy, "--version")
    bundle(copy).write_bytes(damage)
    assert run(copy, "--version").stdout.startswith("tuidock version")
    assert bundle(copy).stat().st_size > 1000


def test_holes_that_a_power_cut_left_are_stepped_around(copy: Path) -> None:
    run(copy, "--version")
    whole = bundle(copy).read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    bundle(copy).write_bytes(whole[:start] + bytes(len(whole) - start))
    assert run(copy, "--version").stdout.startswith("tuidock version")


def test_a_bundle_that_others_can_write_is_not_used(copy: Path) -> None:
    run(copy, "--version")
    bundle(copy).chmod(0o666)
    shutil.rmtree(copy / "tuidock/cli/__pycache__")
    assert run(copy, "--version").stdout.startswith("tuidock version")
    assert (copy / "tuidock/cli/__pycache__").exists()


def test_it_works_where_nothing_can_be_written(copy: Path) -> None:
    (copy / "tuidock/__pycache__").write_text("not a directory")
    done = run(copy, "--version")
    assert (done.returncode, done.stderr) == (0, "")
