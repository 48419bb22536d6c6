"""Words: what the recorded cases leave open - the other escape, whole texts, limits."""

from __future__ import annotations

import pytest

from tuidock.engine.dockerfile import words
from tuidock.engine.dockerfile.errors import DockerfileError

ENV = {"A": "one", "B": "two words", "EMPTY": "", "PATH_": "/usr/local/lib/x.tar.gz", "U": "äöäö", "L": "x\ny\nx"}


def expand(word: str, escape: str = "\\") -> str:
    return words.expand(word, ENV.get, escape)


@pytest.mark.parametrize(
    ("word", "escape", "expected"),
    [
        ("C:\\dir\\$A", "`", "C:\\dir\\one"),
        ("`$A", "`", "$A"),
        ('"`$A"', "`", "$A"),
        ('"`n"', "`", "`n"),
        ("a`", "`", "a"),
        ("${PATH_##*/}", "\\", "x.tar.gz"),
        ("${PATH_#*/}", "\\", "usr/local/lib/x.tar.gz"),
        ("${PATH_%.*}", "\\", "/usr/local/lib/x.tar"),
        ("${PATH_%%.*}", "\\", "/usr/local/lib/x"),
        ("${PATH_%%.*}${A}", "\\", "/usr/local/lib/xone"),
        ("${U#?}", "\\", "öäö"),
        ("${U%?}", "\\", "äöä"),
        ("${U//ö/o}", "\\", "äoäo"),
        ("${U//?/.}", "\\", "...."),
        ("${U/}/x}", "\\", "äöäö"),
        ("${L#*}", "\\", "x\ny\nx"),
        ("${L##*}", "\\", "\ny\nx"),
        ("${A//*/z}", "\\", "z"),
        ("${A///-}", "\\", "-o-n-e-"),
        ("${A/n\\/e/x}", "\\", "one"),
        ("${B// /_}", "\\", "two_words"),
        ("${EMPTY:-${A:+${B}}}", "\\", "two words"),
        ("${NONE-}${EMPTY-x}", "\\", ""),
        ("$A$B$NONE", "\\", "onetwo words"),
        ("${A}_$A_", "\\", "one_"),
        ("a<b <<  c", "\\", "a<b <<  c"),
        ("$", "\\", "$"),
        ("a$ b", "\\", "a$ b"),
        ("'$A'\"$A\"", "\\", "$Aone"),
    ],
)
def test_expansion(word: str, escape: str, expected: str) -> None:
    assert expand(word, escape) == expected


@pytest.mark.parametrize(
    "word",
    ["${", "${A", "${A:", "${A:-", "${A:-'x}", "${A/x}", "${A/x/", "${A#\\x}", "${A:/x/y}", "'", '"', "${A:=x}", "${A@}",
     "${A[0]}", "${NONE?}", "${EMPTY:?}"],
)  # fmt: skip
def test_what_means_nothing(word: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand(word)
    assert "cannot expand" in str(caught.value) and caught.value.line == 0


def test_splitting() -> None:
    assert words.split('a "b c" $B "$B" \\ d', ENV.get) == ["a", "b c", "two", "words", "two words", " d"]
    assert words.split("", ENV.get) == words.split("  ", ENV.get) == words.split("$NONE", ENV.get) == []
    assert words.split("''", ENV.get) == []


def test_which_variables_a_word_names() -> None:
    assert words.variables("$A${NONE:-$B}", ENV.get) == ({"A", "B"}, {"NONE"})


def test_text_keeps_its_quotes() -> None:
    assert words.expand_text("echo '$A' \"${B}\" \\$A it's\n", ENV.get) == "echo 'one' \"two words\" $A it's\n"


def test_nesting_and_growth_have_limits() -> None:
    assert expand("${NONE:-" * 40 + "x" + "}" * 40) == "x"
    with pytest.raises(DockerfileError, match="inside each other"):
        expand("${NONE:-" * 10000 + "x" + "}" * 10000)
    big = {"B": "b" * 1_000_000}
    with pytest.raises(DockerfileError, match="longer than"):
        words.expand("$B" * 100, big.get)
    with pytest.raises(DockerfileError, match="longer than"):
        words.expand("${B//?/" + "y" * 1000 + "}", big.get)
    with pytest.raises(DockerfileError, match="longer than"):
        words.expand("${B#" + "x*" * 10000 + "}", big.get)
