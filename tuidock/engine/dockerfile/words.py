"""Dockerfile words: quotes, escapes and $variables, as a shell would read them, with docker's deviations.

  $v ${v}                      the value; nothing when there is none
  ${v:-w} ${v-w}               w instead of a missing value, with the colon also of an empty one
  ${v:+w} ${v+w}               w where there is a value
  ${v:?w} ${v?w}               an error with the text w where there is none
  ${v#p} ${v##p} ${v%p} ${v%%p}   without the shortest, the longest match at the start, at the end
  ${v/p/w} ${v//p/w}           the first match, every match replaced; an empty w needs its slash too

One pass over the text, so its time is linear; nesting is limited, because it costs stack.
"""

from __future__ import annotations

from tuidock.engine.dockerfile import patterns
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.spaces import is_space
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Lookup = Callable[[str], str | None]

_DEPTH = 50
#: No variable may grow a word without end: ten lines that double a value ten times would fill the memory.
_LIMIT = 16 << 20
_PARAMETERS = frozenset("@*#?-$!")
_END = ""


class Processed(Named):
    """A word and the words it falls into; which variables were found and which were not."""

    text: str
    words: list[str]
    matched: frozenset[str]
    unmatched: frozenset[str]


class _Splitter:
    """Collects words: what was quoted or escaped holds together."""

    __slots__ = ("_word", "words")

    def __init__(self) -> None:
        self._word: list[str] = []
        self.words: list[str] = []

    def plain(self, text: str) -> None:
        for char in text:
            if not is_space(char):
                self._word.append(char)
            else:
                self.end()

    def raw(self, text: str) -> None:
        if text:
            self._word.append(text)

    def end(self) -> None:
        if self._word:
            self.words.append("".join(self._word))
            self._word = []


class Lexer:
    """Reads one text. raw_quotes and raw_escapes leave those in; skip_quotes takes them as plain characters; keep_unset
    leaves variables without a value as they are."""

    def __init__(
        self,
        text: str,
        lookup: Lookup,
        escape: str = "\\",
        *,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        skip_quotes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self._text, self._at, self._depth, self._grown = text, 0, 0, 0
        self._lookup, self._escape = lookup, escape
        self._raw_quotes, self._raw_escapes = raw_quotes, raw_escapes
        self._skip_quotes, self._keep_unset = skip_quotes, keep_unset
        self._matched: set[str] = set()
        self._unmatched: set[str] = set()

    def process(self) -> Processed:
        """Raises DockerfileError without a place."""
        try:
            text, words = self._until(_END, self._raw_escapes)
        except DockerfileError as error:
            raise DockerfileError(f"cannot expand {self._text!r:.300}: {error.reason}") from None
        return Processed(text, words, frozenset(self._matched), frozenset(self._unmatched))

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else _END

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        """All up to the stop character, which is taken too, or to the end."""
        self._depth += 1
        if self._depth > _DEPTH:
            raise DockerfileError(f"more than {_DEPTH} ${{...}} inside each other")
        outer, self._raw_escapes = self._raw_escapes, raw_escapes
        try:
            return self._read(stop)
        finally:
            self._depth -= 1
            self._raw_escapes = outer

    def _read(self, stop: str) -> tuple[str, list[str]]:
        result: list[str] = []
        words = _Splitter()
        while char := self._peek():
            if char == stop:
                self._at += 1
                break
            if char == "$":
                value = self._dollar()
                words.plain(value)
                result.append(value)
            elif char in "'\"" and not self._skip_quotes:
                value = self._single() if char == "'" else self._double()
                words.raw(value)
                result.append(value)
            elif char == "<" and not self._skip_quotes:
                value = self._heredoc()
                words.raw(value)
                result.append(value)
            else:
                self._at += 1
                if char != self._escape:
                    words.plain(char)
                    result.append(char)
                    continue
                if self._raw_escapes:
                    words.raw(char)
                    result.append(char)
                escaped = self._next()
                words.raw(escaped)
                result.append(escaped)
        else:
            if stop:
                raise DockerfileError(f"syntax error: missing {stop!r}" + (" in ${}" if stop == "/" else ""))
        words.end()
        return "".join(result), words.words

    def _heredoc(self) -> str:
        """`<<` and the blanks after it hold together with the name that follows."""
        start = self._at
        self._at += 1
        if self._peek() == "<":
            self._at += 1
            while (char := self._peek()) and char in " \t\r\v\f":
                self._at += 1
        return self._text[start : self._at]

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise DockerfileError("unexpected end of statement while looking for matching single-quote")
        start, self._at = self._at, end + 1
        return self._text[start : end + 1] if self._raw_quotes else self._text[start + 1 : end]

    def _double(self) -> str:
        self._at += 1
        result = ['"'] if self._raw_quotes else []
        while char := self._peek():
            if char == '"':
                self._at += 1
                if self._raw_quotes:
                    result.append(char)
                return "".join(result)
            if char == "$":
                result.append(self._dollar())
                continue
            self._at += 1
            if char == self._escape:
                if self._raw_escapes:
                    result.append(char)
                following = self._peek()
                if not following:
                    break
                if following in ('"', "$", self._escape):
                    self._at += 1
                    char = following
            result.append(char)
        raise DockerfileError("unexpected end of statement while looking for matching double-quote")

    def _value(self, name: str) -> str | None:
        value = self._lookup(name)
        (self._unmatched if value is None else self._matched).add(name)
        if value is not None:
            self._grown += len(value)
            if self._grown > _LIMIT:
                raise DockerfileError(f"the values are longer than {_LIMIT >> 20} MiB")
        return value

    def _name(self) -> str:
        first = self._peek()
        start = self._at
        if first and first in _PARAMETERS:
            self._at += 1
        elif first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        else:
            while (char := self._peek()) and (char == "_" or char.isalpha() or char.isdecimal()):
                self._at += 1
        return self._text[start : self._at]

    def _dollar(self) -> str:
        start = self._at
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            return self._text[start : self._at] if value is None and self._keep_unset else value or ""
        self._at += 1
        first = self._peek()
        if not first:
            raise DockerfileError("syntax error: missing '}'")
        if first in "{}:":
            raise DockerfileError("syntax error: bad substitution")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            value = self._value(name)
            return self._text[start : self._at] if value is None and self._keep_unset else value or ""
        if modifier == "/":
            return self._replaced(name)
        empty_counts = modifier == ":"
        if empty_counts:
            modifier = self._next()
        if not modifier or modifier not in ("+-?" if empty_counts else "+-?#%"):
            shown = ":" * empty_counts + modifier
            raise DockerfileError(
                f"unsupported modifier ({shown}) in substitution" if modifier else "syntax error: missing '}'"
            )
        return self._modified(name, modifier, empty_counts)

    def _modified(self, name: str, modifier: str, empty_counts: bool) -> str:
        word, _ = self._until("}", modifier in "#%")
        value = self._value(name)
        if value is None and self._keep_unset:
            return f"${{{name}{':' * empty_counts}{modifier}{word}}}"
        missing = value is None or (empty_counts and not value)
        if modifier == "-":
            return word if missing else value or ""
        if modifier == "+":
            return "" if missing else word
        if modifier == "?":
            if missing:
                raise DockerfileError(f"{name}: {word or 'is not allowed to be ' + _state(value)}")
            return value or ""
        longest = word.startswith(modifier)
        return patterns.trim(word[longest:], value or "", at_end=modifier == "%", longest=longest)

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._at += 1
        pattern, _ = self._until("/", True)
        word, _ = self._until("}", True)
        value = self._value(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{'/' * every}{pattern}/{word}}}"
        made = patterns.replace(pattern, word, value or "", every=every, limit=_LIMIT)
        self._grown += len(made)
        return made


def _state(value: str | None) -> str:
    return "unset" if value is None else "empty"


def expand(word: str, lookup: Lookup, escape: str = "\\") -> str:
    """The word with its variables replaced and its quotes taken away. Raises DockerfileError."""
    return Lexer(word, lookup, escape).process().text


def split(word: str, lookup: Lookup, escape: str = "\\") -> list[str]:
    """The words that it becomes, cut at blanks after the variables were replaced. Raises DockerfileError."""
    return Lexer(word, lookup, escape).process().words


def variables(word: str, lookup: Lookup, escape: str = "\\") -> tuple[frozenset[str], frozenset[str]]:
    """The names in a word that have a value, and those that have none. Raises DockerfileError."""
    done = Lexer(word, lookup, escape).process()
    return done.matched, done.unmatched


def expand_text(text: str, lookup: Lookup) -> str:
    """A heredoc with its variables replaced; quotes in it are its own. Raises DockerfileError."""
    return Lexer(text, lookup, skip_quotes=True).process().text
