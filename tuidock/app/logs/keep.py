"""What a filter keeps: the lines that match or do not, and of them those that are severe enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tuidock.app.logs import levels
from tuidock.app.logs.ansi import text_of, visible
from tuidock.app.logs.query import LINE_LIMIT, Query, inverted, walk
from tuidock.app.logs.runs import Found, Matcher, Runs, common, starts

#: Bytes of a line in which its level is looked for, escapes among them.
_FRONT: Final = 4 * levels.REACH


class Keep:
    """text: "re" keeps what matches, "!re" what does not, "" does not look at it. least: a name out of levels.NAMES, or
    "". Raises QueryError."""

    def __init__(self, text: str = "", least: str = "") -> None:
        self._inverse = text.startswith("!")
        wanted = text.removeprefix("!")
        self._query = Query(wanted) if wanted else None
        self.text = text if wanted else ""
        self.least = least
        self._rank = levels.NAMES.index(least) if least else -1
        self._levels = Query(levels.expression(self._rank)) if least else None

    def __bool__(self) -> bool:
        return self._query is not None or self._levels is not None

    @property
    def words(self) -> str:
        """timeout · warn and worse"""
        least = f"{self.least}{' and worse' if self._rank + 1 < len(levels.NAMES) else ''}" if self.least else ""
        return " · ".join(filter(None, (self.text, least)))

    def matcher(self) -> Matcher:
        """Looks at chunks, in any thread."""
        looks: list[Matcher] = []
        if self._query is not None:
            looks.append(inverted(self._query) if self._inverse else self._query.find)
        if self._levels is not None:
            looks.append(self._severe)
        return all_of(looks)

    def keeps(self, raw: bytes) -> bool:
        """Whether the raw text of a line is kept."""
        text = visible(raw[:LINE_LIMIT])
        if self._query is not None and self._query.matches(text) == self._inverse:
            return False
        return self._levels is None or self._is_severe(raw)

    def _is_severe(self, raw: bytes) -> bool:
        found = levels.level(text_of(visible(raw[:_FRONT])))
        return found is not None and found.rank >= self._rank

    def _severe(self, chunk: bytes) -> Found:
        assert self._levels is not None
        found = self._levels.find(chunk)
        hits: Runs = []
        numbers = [number for first, last in found.hits for number in range(first, last)]
        for number, start in zip(numbers, starts(chunk, found.hits), strict=True):
            if self._is_severe(next(walk(chunk, start, number))[2]):
                if hits and hits[-1][1] == number:
                    hits[-1] = (hits[-1][0], number + 1)
                else:
                    hits.append((number, number + 1))
        return Found(hits, found.continued)


def all_of(matchers: Sequence[Matcher]) -> Matcher:
    """The lines that all of them mean; the first should be the one that means the fewest."""
    if len(matchers) == 1:
        return matchers[0]

    def matcher(chunk: bytes) -> Found:
        found = matchers[0](chunk)
        for other in matchers[1:]:
            if not found.hits:
                break
            found = Found(common(found.hits, other(chunk).hits), found.continued)
        return found

    return matcher
