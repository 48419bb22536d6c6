"""The manual page is made of the tables of the command line, and man reads it without complaint."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.cli.conftest import Result
from tuidock.cli import manual, verbs


def test_it_knows_every_verb_and_flag() -> None:
    page = manual.page()
    grouped = {
        f"{group} {name}": target for group, (_, table) in verbs.GROUPS.items() for name, target in table.items()
    }
    for path, target in {**verbs.VERBS, **grouped}.items():
        if path.startswith("_"):
            continue
        assert f"\n.SS {manual.escaped(path)}" in page, path
        for flag in verbs.load(target).flags:
            assert flag.hidden or rf"\fB{manual.escaped('--' + flag.name)}\fR" in page, (path, flag.name)


@pytest.mark.parametrize(
    ("text", "roff"), [("a-b\\c", "a\\-b\\ec"), (".so /etc/passwd", "\\&.so /etc/passwd"), ("'x", "\\&'x")]
)
def test_plain_text_stays_text(text: str, roff: str) -> None:
    assert manual.escaped(text) == roff


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_say_about_it() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rF0"], input=manual.page(), capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and "TUIDOCK(1)" in done.stdout


def test_as_it_is_typed(tuidock: Callable[..., Result]) -> None:
    done = tuidock("man")
    assert (done.code, done.err) == (0, "") and done.out == manual.page()
    checked = tuidock("system", "doctor", "-q", "--format", "{{.State}}")
    assert checked.code == 0 and set(checked.out.split()) <= {"warn"}
