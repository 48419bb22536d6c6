"""The 305 recorded words and the recorded .dockerignore patterns: BuildKit's and moby's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.options.recorded import case_parameters
from tuidock.engine.dockerfile import ignore
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.words import Lexer


@pytest.mark.parametrize("case", case_parameters("dockerfile_words_upstream.json"))
def test_word(case: dict[str, Any]) -> None:
    given = case["input"]
    lexer = Lexer(
        given["word"],
        given["env"].get,
        given["escape"],
        raw_quotes=given["raw_quotes"],
        raw_escapes=given["raw_escapes"],
        skip_quotes=given["skip_process_quotes"],
        keep_unset=given["skip_unset"],
    )
    if "error" in case:
        with pytest.raises(DockerfileError):
            lexer.process()
        return
    done = lexer.process()
    if case["kind"] == "ProcessWords":
        assert done.words == case["expected"]
        return
    assert done.text == case["expected"]["result"]
    if case["kind"] == "ProcessWordWithMatches":
        assert done.matched == set(case["expected"]["matched"] or ())
        assert done.unmatched == set(case["expected"]["unmatched"] or ())


@pytest.mark.parametrize("case", case_parameters("dockerignore_file.json"))
def test_ignore_file(case: dict[str, Any]) -> None:
    assert ignore.read_patterns(case["input"]) == case["expected"]


@pytest.mark.parametrize(
    "case", case_parameters("dockerignore_match_upstream.json") + case_parameters("dockerignore_match_single.json")
)
def test_ignored_path(case: dict[str, Any]) -> None:
    given = case["input"]
    if "error" in case:
        with pytest.raises(DockerfileError):
            ignore.Patterns(given["patterns"])
        return
    assert ignore.Patterns(given["patterns"]).excluded(given["path"]) == case["expected"]
