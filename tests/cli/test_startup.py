"""Short commands stay short: what they may not import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import environment
from tests.conftest import Run
from tuidock.cli import verbs
from tuidock.cli.command import Command
from tuidock.engine import Engine

_WORDS = (
    "argparse dataclasses asyncio yaml pyroute2 textual rich httpx watchfiles json inspect ssl subprocess logging "
    "multiprocessing concurrent urllib tempfile shutil textwrap typing re enum socket"
)
HEAVY = set(_WORDS.split())


def loaded(engine: Engine, *arguments: str) -> set[str]:
    """The packages that a command imports until it ends, or becomes another program."""
    program = (
        "import os, sys\nfrom tuidock.cli.main import main\nos.execv = lambda *_: sys.exit(0)\n"
        "try: code = main(sys.argv[1:])\nfinally: sys.stderr.write(' '.join(sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--root", engine.root, *arguments],
        capture_output=True, text=True, env=environment(), check=True,
    )  # fmt: skip
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize("arguments", [["ps"], ["ps", "-aq"]])
def test_what_a_listing_does_not_import(engine: Engine, arguments: list[str]) -> None:
    assert not HEAVY & loaded(engine, *arguments)


def test_what_exec_does_not_import(run: Run) -> None:
    assert not HEAVY & loaded(run.engine, "exec", run.start(["sleep", "100"]), "true")


def test_every_entry_of_the_table_is_a_command() -> None:
    targets = set(verbs.VERBS.values()) | {t for _, table in verbs.GROUPS.values() for t in table.values()}
    for target in targets:
        command = verbs.load(target)
        assert isinstance(command, Command) and command.summary and callable(command.run)
        names = [name for flag in command.flags for name in (flag.name, *flag.aliases)]
        shorts = [flag.short for flag in command.flags if flag.short]
        assert len(names) == len(set(names)) and len(shorts) == len(set(shorts)), target
    for (group, alias), name in verbs.ALIASES.items():
        assert name in verbs.GROUPS[group][1] and alias not in verbs.GROUPS[group][1]
