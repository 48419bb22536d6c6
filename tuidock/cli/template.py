"""Reading of --format templates: the part of Go's text/template that scripts use with docker.

Text and actions: pipelines, fields, variables, literals, if/else if/else, range with else/break/continue, with, and
the trim markers. Named templates (define, template, block) have no use in one line and are refused. Evaluation is in
`template_eval`; both are imported only when --format is given.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named

_BLANKS = " \t\r\n"
_KEYWORDS = ("if", "else", "end", "range", "with", "break", "continue", "define", "template", "block")


class TemplateError(InvalidArgument):
    """The template cannot be read, or does not fit what it is applied to."""

    exit_code = 1


class Literal(Named):
    value: object


class Name(Named):
    """A function."""

    name: str


class Access(Named):
    """Fields of a start: the dot (""), a variable ("$x") or a parenthesised pipeline."""

    start: str | Pipeline
    fields: tuple[str, ...]


Operand = Literal | Name | Access


class Pipeline(Named):
    """Commands whose results flow on; declares names the variables that take the result, assign that they exist."""

    commands: tuple[tuple[Operand, ...], ...]
    declares: tuple[str, ...] = ()
    assign: bool = False


class Text(Named):
    text: str


class Print(Named):
    pipeline: Pipeline


class If(Named):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class With(Named):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class Range(Named):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class Jump(Named):
    """break or continue."""

    word: str


Node = Text | Print | If | With | Range | Jump


class Token(Named):
    kind: str
    value: object
    spaced: bool


def parse_template(source: str) -> tuple[Node, ...]:
    """The nodes of a template."""
    try:
        return _Parser(_split(source)).template()
    except RecursionError:
        raise TemplateError("template parsing error: nested too deeply") from None


def _split(source: str) -> list[tuple[str, str]]:
    """("text", ...) and ("action", ...) pieces, trimmed as the markers say."""
    pieces: list[tuple[str, str]] = []
    at, trim = 0, False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        if trim:
            text = text.lstrip(_BLANKS)
        if start >= 0 and source.startswith("- ", start + 2):
            text = text.rstrip(_BLANKS)
        if text:
            pieces.append(("text", text))
        if start < 0:
            return pieces
        end = _action_end(source, start + 2)
        action = source[start + 2 : end]
        if action.startswith("- "):
            action = action[2:]
        trim = action.endswith(" -")
        if trim:
            action = action[:-2]
        if not action.strip().startswith("/*"):
            pieces.append(("action", action))
        at = end + 2


def _action_end(source: str, at: int) -> int:
    quote = ""
    while at < len(source):
        char = source[at]
        if quote:
            if char == "\\" and quote != "`":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'`":
            quote = char
        elif source.startswith("}}", at):
            return at
        at += 1
    raise TemplateError("template parsing error: unclosed action, a '{{' without its '}}'")


def _tokens(action: str) -> list[Token]:
    tokens: list[Token] = []
    at, spaced = 0, True
    while at < len(action):
        char = action[at]
        if char in _BLANKS:
            at, spaced = at + 1, True
            continue
        start = at
        if char in '"`':
            value, at = _string(action, at)
            tokens.append(Token("literal", value, spaced))
        elif char == "'":
            value, at = _string(action, at)
            if len(value) != 1:
                raise TemplateError(f"template parsing error: malformed character constant in {action.strip()}")
            tokens.append(Token("literal", ord(value), spaced))
        elif action.startswith(":=", at):
            at += 2
            tokens.append(Token(":=", "", spaced))
        elif char in "|(),=":
            at += 1
            tokens.append(Token(char, "", spaced))
        elif char.isdigit() or (char in "+-" and action[at + 1 : at + 2].isdigit()):
            at = _word_end(action, at + 1, "._+-")
            tokens.append(Token("literal", _number(action[start:at]), spaced))
        elif char == ".":
            at = _word_end(action, at + 1)
            tokens.append(Token("field", action[start + 1 : at], spaced))
        elif char == "$":
            at = _word_end(action, at + 1)
            tokens.append(Token("variable", action[start:at], spaced))
        elif char.isalpha() or char == "_":
            at = _word_end(action, at)
            tokens.append(Token("word", action[start:at], spaced))
        else:
            raise TemplateError(f"template parsing error: unexpected {char!r} in {action.strip()}")
        spaced = False
    return tokens


def _word_end(text: str, at: int, extra: str = "_") -> int:
    while at < len(text) and (text[at].isalnum() or text[at] in extra):
        at += 1
    return at


def _number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise TemplateError(f"template parsing error: bad number {text}") from None


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def _string(text: str, at: int) -> tuple[str, int]:
    quote = text[at]
    parts: list[str] = []
    at += 1
    while at < len(text):
        char = text[at]
        if char == quote:
            return "".join(parts), at + 1
        if char == "\\" and quote != "`":
            letter = text[at + 1 : at + 2]
            width = {"x": 2, "u": 4, "U": 8}.get(letter, 0)
            if width:
                try:
                    parts.append(chr(int(text[at + 2 : at + 2 + width], 16)))
                except ValueError:
                    raise TemplateError(f"template parsing error: bad escape in {text.strip()}") from None
            elif letter in _ESCAPES:
                parts.append(_ESCAPES[letter])
            else:
                raise TemplateError(f"template parsing error: unknown escape \\{letter}")
            at += 2 + width
        else:
            parts.append(char)
            at += 1
    raise TemplateError("template parsing error: unterminated quoted string")


class _Parser:
    def __init__(self, pieces: list[tuple[str, str]]) -> None:
        self._pieces = pieces
        self._at = 0

    def template(self) -> tuple[Node, ...]:
        nodes, closing = self._nodes(depth=0)
        if closing:
            raise TemplateError(f"template parsing error: unexpected {{{{{closing[0].value}}}}}")
        return nodes

    def _nodes(self, depth: int) -> tuple[tuple[Node, ...], list[Token]]:
        """Nodes until `end` or `else`, whose tokens are the second answer; none at the end of the template."""
        if depth > 100:
            raise TemplateError("template parsing error: nested too deeply")
        nodes: list[Node] = []
        while self._at < len(self._pieces):
            kind, source = self._pieces[self._at]
            self._at += 1
            if kind == "text":
                nodes.append(Text(source))
                continue
            tokens = _tokens(source)
            if not tokens:
                raise TemplateError("template parsing error: missing value for command")
            word = tokens[0].value if tokens[0].kind == "word" else ""
            if word in ("end", "else"):
                return tuple(nodes), tokens
            if word in ("if", "with", "range"):
                nodes.append(self._block(str(word), tokens[1:], depth))
            elif word in ("break", "continue"):
                nodes.append(Jump(str(word)))
            elif word in _KEYWORDS:
                raise TemplateError(f"template parsing error: {{{{{word}}}}} is not supported in --format")
            else:
                nodes.append(Print(_pipeline(tokens)))
        return tuple(nodes), []

    def _block(self, word: str, head: list[Token], depth: int) -> Node:
        pipeline = _pipeline(head)
        body, closing = self._nodes(depth + 1)
        otherwise: tuple[Node, ...] = ()
        if closing and closing[0].value == "else":
            chained = closing[1:]
            if chained:
                if chained[0].value not in ("if", "with"):
                    raise TemplateError("template parsing error: unexpected text behind {{else}}")
                otherwise = (self._block(str(chained[0].value), chained[1:], depth + 1),)
                closing = chained
            else:
                otherwise, closing = self._nodes(depth + 1)
                if closing and closing[0].value != "end":
                    raise TemplateError("template parsing error: a second {{else}}")
        if not closing:
            raise TemplateError(f"template parsing error: {{{{{word}}}}} without its {{{{end}}}}")
        if word == "if":
            return If(pipeline, body, otherwise)
        return With(pipeline, body, otherwise) if word == "with" else Range(pipeline, body, otherwise)


def _pipeline(tokens: list[Token]) -> Pipeline:
    declares, assign, at = _declarations(tokens)
    commands: list[tuple[Operand, ...]] = []
    operands: list[Operand] = []
    while at <= len(tokens):
        if at == len(tokens) or tokens[at].kind == "|":
            if not operands:
                raise TemplateError("template parsing error: missing value for command")
            commands.append(tuple(operands))
            operands = []
            at += 1
            continue
        operand, at = _operand(tokens, at)
        operands.append(operand)
    return Pipeline(tuple(commands), declares, assign)


def _declarations(tokens: list[Token]) -> tuple[tuple[str, ...], bool, int]:
    kinds = [token.kind for token in tokens[:4]]
    if kinds[:2] in (["variable", ":="], ["variable", "="]):
        return (str(tokens[0].value),), kinds[1] == "=", 2
    if kinds == ["variable", ",", "variable", ":="]:
        return (str(tokens[0].value), str(tokens[2].value)), False, 4
    return (), False, 0


def _operand(tokens: list[Token], at: int) -> tuple[Operand, int]:
    token = tokens[at]
    start: str | Pipeline
    if token.kind == "literal":
        return Literal(token.value), at + 1
    if token.kind == "word":
        constants = {"true": True, "false": False, "nil": None}
        if token.value in constants:
            return Literal(constants[str(token.value)]), at + 1
        return Name(str(token.value)), at + 1
    fields: list[str] = []
    if token.kind == "field":
        start = ""
        if token.value:
            fields.append(str(token.value))
    elif token.kind == "variable":
        start = str(token.value)
    elif token.kind == "(":
        depth, end = 1, at + 1
        while end < len(tokens) and depth:
            depth += {"(": 1, ")": -1}.get(tokens[end].kind, 0)
            end += 1
        if depth:
            raise TemplateError("template parsing error: unclosed left parenthesis")
        start = _pipeline(tokens[at + 1 : end - 1])
        at = end - 1
    else:
        raise TemplateError(f"template parsing error: unexpected '{token.kind}'")
    at += 1
    while at < len(tokens) and tokens[at].kind == "field" and not tokens[at].spaced and tokens[at].value:
        fields.append(str(tokens[at].value))
        at += 1
    return Access(start, tuple(fields)), at
