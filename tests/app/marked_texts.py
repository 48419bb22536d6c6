"""Which texts of the app are seen by people, read from its source: those that are marked, and those that should be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tuidock.app.screen_keys import SCREENS

APP = Path(__file__).resolve().parents[2] / "tuidock" / "app"
MARKS = ("tr", "trn", "mark")
#: Calls whose texts are shown: the name of the function or class -> which of its positional arguments.
SHOWN_BY = {
    "say": (0,), "notify": (0,), "failed": (0,), "_complain": (0,), "note": (0,),
    "Static": (0,), "Label": (0,), "Question": (0, 2), "Choice": (0, 2), "Checkbox": (0,),
    "confirm": (0, 1, 2), "ConfirmScreen": (0, 1), "PickerScreen": (0,), "AskScreen": (0,), "PromptLine": (0,),
    "Item": (1,), "Column": (1,), "Key": (2, 3), "Action": (2, 3), "Field": (1, 2), "Tick": (1,),
    "Cell": (0,), "set": (0, 1), "Row": (1,), "Line": (1,), "_draw": (0,), "_say": (0,), "set_note": (0,), "fill_note": (0,),
}  # fmt: skip
SHOWN_NAMED = {"placeholder", "note", "yes", "title", "empty", "label", "help", "border_title", "group"}
#: Tables whose texts are translated where they are read; they need no mark() because their class says it.
TABLES = {"Key", "Action", "Column", "Field", "Tick"}
#: Functions that translate what they are given: what was done, for the toast.
TRANSLATE = {"move": 0, "said": 0, "_move": 0, "_moved": 0}
_WORD = re.compile(r"[A-Za-z]{2,}")
#: What is the same in every language: names of things, keys, units, and words that a program reads.
_NO_WORDS = re.compile(
    r"cpu|none|SIG|CPU|CPUS|MEM|IP|ID|PIDS?|UID|TCP|UDP|URL|JSON|NET|tuidock|https?|tcp|udp|ctrl\S*|[^a-zA-Z]*",
    re.ASCII,
)


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(APP.rglob("*.py")):
        if "words" not in path.relative_to(APP).parts:
            yield path, ast.parse(path.read_text("utf-8"))


def name_of(call: ast.Call) -> str:
    function = call.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def shown_arguments(call: ast.Call) -> Iterator[ast.expr]:
    """The arguments of a call that a person sees."""
    name = name_of(call)
    for at in SHOWN_BY.get(name, ()):
        if at < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args[:at]):
            yield call.args[at]
    for keyword in call.keywords:
        if keyword.arg in SHOWN_NAMED and name not in MARKS:
            yield keyword.value


def texts_in(value: ast.expr) -> Iterator[ast.expr]:
    """The literals that an expression comes to, not those of what it calls or compares."""
    if isinstance(value, ast.Constant | ast.JoinedStr):
        yield value
    elif isinstance(value, ast.IfExp):
        yield from texts_in(value.body)
        yield from texts_in(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for each in value.values:
            yield from texts_in(each)
    elif isinstance(value, ast.List | ast.Tuple):
        for each in value.elts:
            yield from texts_in(each)
    elif isinstance(value, ast.BinOp):
        yield from texts_in(value.left)
        yield from texts_in(value.right)
    elif isinstance(value, ast.Starred):
        yield from texts_in(value.value)


def words_of(text: ast.expr) -> str:
    if isinstance(text, ast.JoinedStr):
        return " ".join(str(part.value) for part in text.values if isinstance(part, ast.Constant))
    return str(text.value) if isinstance(text, ast.Constant) and isinstance(text.value, str) else ""


def has_words(text: str) -> bool:
    return any(not _NO_WORDS.fullmatch(word) for word in _WORD.findall(text))


def marked() -> dict[str, str]:
    """Every text that can be looked up -> where it stands."""
    found = {title: "screen_keys.py" for title in SCREENS}
    for path, tree in sources():
        where = str(path.relative_to(APP))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = name_of(node)
            if name in ("tr", "mark") and node.args and isinstance(node.args[0], ast.Constant):
                found[str(node.args[0].value)] = f"{where}:{node.lineno}"
            elif name in ("trn", "_counted") and len(node.args) > 2 and isinstance(node.args[1], ast.Constant):
                found[str(node.args[1].value)] = f"{where}:{node.lineno}"
            elif name in TRANSLATE and len(node.args) > TRANSLATE[name]:
                for text in texts_in(node.args[TRANSLATE[name]]):
                    if isinstance(text, ast.Constant) and has_words(str(text.value)):
                        found[str(text.value)] = f"{where}:{node.lineno}"
            elif name in TABLES:
                for argument in shown_arguments(node):
                    if isinstance(argument, ast.Constant) and has_words(str(argument.value)):
                        found[str(argument.value)] = f"{where}:{node.lineno}"
    return found


def unmarked() -> list[str]:
    """Places where a text is shown that nobody can translate."""
    found = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or name_of(node) in TABLES:
                continue
            for argument in shown_arguments(node):
                for text in texts_in(argument):
                    if has_words(words := words_of(text)):
                        found.append(f"{path.relative_to(APP)}:{text.lineno}: {words!r}")
    return found
