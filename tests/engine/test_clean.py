"""Words of the system and of libraries, as people get to read them."""

from __future__ import annotations

import ssl

import pytest

from tuidock.engine.clean import words_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (OSError(-2, "Name or service not known"), "Name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "wrong version number"),
        (ValueError("a\x1b[2Jb."), "a\u241b[2Jb"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_words_without_numbers(error: Exception, words: str) -> None:
    assert words_of(error) == words
