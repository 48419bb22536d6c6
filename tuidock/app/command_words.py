"""What may be typed after `:`: other words for a command, how a line is taken apart, and what tab makes of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from tuidock.app import paths
from tuidock.app.bindings import BY_COMMAND, PRESETS
from tuidock.app.grouping import WORDS
from tuidock.app.model import CONTAINERS, IMAGES, ViewModel, row_name
from tuidock.engine.clean import clean

#: Other words for the same command.
SYNONYMS = {
    "ps": "containers",
    "c": "containers",
    "container": "containers",
    "i": "images",
    "image": "images",
    "v": "volumes",
    "volume": "volumes",
    "net": "networks",
    "network": "networks",
    "q": "quit",
    "q!": "quit",
    "exit": "quit",
    "rmi": "rm",
    "remove": "rm",
    "delete": "rm",
    "sh": "exec",
    "shell": "exec",
    "log": "logs",
    "?": "help",
    "h": "help",
    "keymap": "keys",
    "r": "refresh",
    "f": "filter",
    "layers": "files",
    "changes": "files",
    "compare": "diff",
    "transfers": "jobs",
    "copy-files": "cp",
    "limits": "update",
    "pulse": "overview",
    "history": "commands",
    "cmdlog": "commands",
}
#: Words that are followed by a regular expression, in which quotes and backslashes stand for themselves.
RAW = ("grep",)
#: Words that are followed by the name of a file or directory.
PATH_COMMANDS = ("build", "load", "save", "import")


def split(text: str) -> tuple[str, list[str]]:
    """The word of the command and its arguments; raises ValueError for open quotes."""
    word, _, rest = text.strip().partition(" ")
    if word in RAW:
        return word, [rest.strip()] if rest.strip() else []
    words = shlex.split(text)
    if not words:
        return "", []
    return SYNONYMS.get(words[0], words[0]), words[1:]


def complete(model: ViewModel, text: str, more: Mapping[str, Sequence[str]] = {}) -> list[str]:
    """What the text may become: commands, then names of rows, or what `more` knows for a command."""
    head, _, rest = text.lstrip().rpartition(" ")
    if not head:
        found = sorted(word for word in BY_COMMAND if word.startswith(text))
        own = [word for word in more.get("plugins", ()) if word.startswith(text) and word not in BY_COMMAND]
        return [*(f"{word} " if BY_COMMAND[word].arguments else word for word in found), *own]
    command = SYNONYMS.get(head.split(" ", 1)[0], head.split(" ", 1)[0])
    if command in more:
        names = list(more[command])
    elif command == "group":
        names = ["none", *WORDS[CONTAINERS], *{label for row in model.containers().values() for label in row.labels}]
    elif command == "keys":
        names = list(PRESETS)
    elif command == "migrate":
        names = ["docker", "podman"]
    elif command in ("run", "create"):
        names = [row_name(row) for row in model.rows[IMAGES].values()]
    elif command == "pull":
        names = ["host/base", *(row_name(row) for row in model.rows[IMAGES].values())]
    elif command in PATH_COMMANDS:
        return [f"{head} {path}" for path in paths.completions(rest, command == "build") if rest]
    elif command in ("search", "login", "logout"):
        names = []
    elif command in BY_COMMAND:
        names = [row_name(row) for kind in BY_COMMAND[command].kinds for row in model.rows[kind].values()]
    else:
        names = []
    return [f"{head} {name}" for name in sorted({clean(name) for name in names}) if name.startswith(rest)]
