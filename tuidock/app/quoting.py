"""Words as a shell reads them, and what is wrong with their quotes in one sentence."""

from __future__ import annotations

import shlex


def fault(text: str) -> str:
    """ "" when the text can be read."""
    try:
        shlex.split(text)
    except ValueError as error:
        return "the quote is not closed" if "quot" in str(error) else "nothing stands behind the \\ at the end"
    return ""


def words(text: str) -> list[str]:
    """The words; while a quote is open it is taken as a letter."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
