"""The .dockerignore: reading it, whole directories, odd names."""

from __future__ import annotations

import pytest

from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.ignore import Patterns, read_patterns


def test_reading() -> None:
    text = "\ufeff# no\n #yes\r\n\n  /a/b/ \n! /c/\n./d\n/\n..//e\n"
    assert read_patterns(text) == ["#yes", "a/b", "!c", "d", "/", "../e"]


def test_the_last_match_decides() -> None:
    patterns = Patterns("*.md\n!README*.md\nREADME-secret.md")
    assert [patterns.excluded(path) for path in ("a.md", "README.md", "README-secret.md", "x/a.md")] == [
        True,
        False,
        True,
        False,
    ]


def test_below_an_excluded_directory() -> None:
    patterns = Patterns("node_modules\n!node_modules/keep\n**/*.log\n/build")
    excluded = ("node_modules", "node_modules/x/y", "a/b.log", "a.log/x", "build", "build/x")
    assert [path for path in excluded if not patterns.excluded(path)] == []
    kept = ("node_modules/keep", "node_modules/keep/x", "a/node_modules", "a/build", "", ".", "a")
    assert [path for path in kept if patterns.excluded(path)] == []


@pytest.mark.parametrize(
    ("text", "skipped", "entered"),
    [
        ("a\nb/*", ["a", "b/c", "b/c/d", "a/b"], ["b", "c", "."]),
        ("*\n!a/b", ["x", "a/c", "b"], ["a", "a/b"]),
        ("*\n!a*/b?/c", ["x", "a/c", "ax/bb/d"], ["a", "ax", "ax/bb", "ax/bb/c"]),
        ("*\n!**/x", [], ["a", "b/c"]),
        ("**\n!a/**/x", ["b", "c/a"], ["a", "a/b"]),
        ("!a\na", ["a"], []),
        ("a\n!a\na/b", ["a/b"], ["a"]),
        ("a/\n!a/b\na", [], ["a"]),
    ],
)
def test_which_directories_need_no_look(text: str, skipped: list[str], entered: list[str]) -> None:
    patterns = Patterns(text)
    assert [path for path in skipped if not patterns.skippable(path)] == []
    assert [path for path in entered if patterns.skippable(path)] == []


def test_no_patterns() -> None:
    for patterns in (Patterns(), Patterns("# nothing"), Patterns([])):
        assert not patterns and not patterns.excluded("a") and not patterns.skippable("a")
    assert Patterns("a") and Patterns("!a") and not Patterns("!a").excluded("a")


def test_odd_names() -> None:
    patterns = Patterns(["a\\*", "ü?", "[a-c]x", "[!x]y", "n\\\\", "*.\udcff"])
    for path in ("a*", "üö", "bx", "xy", "!y", "n\\", "a*/x\ny"):
        assert patterns.excluded(path), path
    for path in ("ab", "ü", "dx", "ay", "n"):
        assert not patterns.excluded(path), path
    assert not patterns.excluded("b\udcff") and Patterns("*").excluded("b\udcff\n")


@pytest.mark.parametrize("pattern", ["[", "a[", "[]", "[z-a]", "\\", "!", "! ", "[a", "x" * 5000])
def test_patterns_that_mean_nothing(pattern: str) -> None:
    with pytest.raises(DockerfileError, match=r"^my\.ignore: "):
        Patterns([pattern], "my.ignore")


def test_many_patterns() -> None:
    lines = [f"dir{number}/**/*.x{number}" for number in range(1000)]
    patterns = Patterns([*lines, "!dir7/keep.x7", *[f"!k{number}" for number in range(300)]])
    assert patterns.excluded("dir999/a/b.x999") and patterns.excluded("dir0/b.x0") and patterns.excluded("dir7/c.x7")
    assert not patterns.excluded("dir7/keep.x7") and not patterns.excluded("dir1/b.x2")
