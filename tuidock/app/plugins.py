"""Commands of one's own from the configuration file: what the file says, and what comes of it for a row. Pure.

A command is a list of words, each with fields such as {name} in it. It is run as these words and never read by a shell,
so that what an image or a label is called cannot become a command. Only with `shell: true` it is one text for /bin/sh;
then the fields come as environment variables, and the text only names them: whatever their values are, the shell does not
parse them again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tuidock.app.keys import textual_key
from tuidock.app.model import KINDS, Row, row_id, row_name
from tuidock.app.words import tr
from tuidock.engine.types import Container, Image, Network, Volume

RUNS = ("background", "output", "terminal")
FIELDS = ("name", "id", "image", "state", "ip", "port", "mountpoint", "subnet", "names", "ids", "root")
_SETTINGS = ("name", "id", "key", "panes", "command", "prompts", "confirm", "run", "shell", "reads", "help")
_PROMPT = ("name", "label", "value", "choices", "secret", "required")
_FIELD = re.compile(r"(?<!\{)\{((?:label\.)?[A-Za-z][\w./-]*)\}(?!\})")
_ID = re.compile(r"[a-z][a-z0-9_-]{0,30}")


class Prompt(NamedTuple):
    """Something to ask before the command runs."""

    name: str
    label: str
    value: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    required: bool = True


class Plugin(NamedTuple):
    """A command of one's own. reads: it changes nothing, so that it is there in a read-only session, too."""

    id: str
    name: str
    command: tuple[str, ...]
    key: str = ""
    panes: tuple[str, ...] = KINDS
    prompts: tuple[Prompt, ...] = ()
    confirm: str = ""
    run: str = "background"
    shell: bool = False
    reads: bool = False
    help: str = ""


class Call(NamedTuple):
    """One run: its words, what the environment gets, and what it is called."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    title: str


# -- reading the file -------------------------------------------------------------------------------------------------


def check(
    data: list[Any], where: Callable[..., str] = lambda *keys: "config.yaml"
) -> tuple[tuple[Plugin, ...], list[str]]:
    """The commands that are sound, and a sentence for each that is not."""
    found: dict[str, Plugin] = {}
    problems: list[str] = []
    for at, entry in enumerate(data, 1):
        plugin, problem = _plugin(entry)
        name = str(entry.get("name") or entry.get("id") or at) if isinstance(entry, dict) else str(at)
        if plugin is not None and plugin.id in found:
            problem = f"there are two with the id {plugin.id!r}"
        if problem:
            problems.append(f"{where('plugins', str(at))}: plugin {name}: {problem}")
        elif plugin is not None:
            found[plugin.id] = plugin
    return tuple(found.values()), problems


def _plugin(entry: object) -> tuple[Plugin | None, str]:
    if not isinstance(entry, dict):
        return None, "it must consist of `name: value` lines"
    for key in entry:
        if key not in _SETTINGS:
            return None, f"there is no setting {key!r}; there are {', '.join(_SETTINGS)}"
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        return None, "name is missing"
    identity = entry.get("id") or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:31]
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None, f"id must be small letters, digits and dashes, not {identity!r}"
    for setting in ("shell", "reads"):
        if not isinstance(entry.get(setting, False), bool):
            return None, f"{setting} must be true or false"
    for setting in ("confirm", "help"):
        if not isinstance(entry.get(setting, ""), str):
            return None, f"{setting} must be a text"
    shell = entry.get("shell", False)
    command, problem = _command(entry.get("command"), shell)
    if problem:
        return None, problem
    panes = entry.get("panes", list(KINDS))
    panes = [panes] if isinstance(panes, str) else panes
    if not (isinstance(panes, list) and panes and all(each in KINDS for each in panes)):
        return None, f"panes must be some of {', '.join(KINDS)}, not {entry['panes']!r}"
    run = entry.get("run", "background")
    if run not in RUNS:
        return None, f"run must be one of {', '.join(RUNS)}, not {run!r}"
    prompts, problem = _prompts(entry.get("prompts", []))
    if problem:
        return None, problem
    key = textual_key(str(entry["key"])) if entry.get("key") else ""
    if entry.get("key") and not key:
        return None, f"there is no key {entry['key']!r}"
    if problem := _unknown_field((*command, entry.get("confirm", "")), prompts):
        return None, problem
    return Plugin(
        identity, name.strip(), command, key, tuple(panes), tuple(prompts), entry.get("confirm", ""), run,
        shell, entry.get("reads", False), entry.get("help", ""),
    ), ""  # fmt: skip


def _command(value: object, shell: bool) -> tuple[tuple[str, ...], str]:
    if isinstance(value, str) and value.strip():
        if shell:
            return (value,), ""
        try:
            return tuple(shlex.split(value)), ""
        except ValueError:
            return (), "command has a quote that is not closed"
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return ((), "command must be one text with shell: true") if shell else (tuple(map(str, value)), "")
    return (), "command must be a text or a list of words"


def _prompts(data: object) -> tuple[list[Prompt], str]:
    if not isinstance(data, list):
        return [], "prompts must be a list"
    found: list[Prompt] = []
    for entry in data:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or set(entry) - {*_PROMPT}:
            return [], f"a prompt has name: and perhaps {', '.join(_PROMPT[1:])}"
        name, choices = entry["name"], entry.get("choices", [])
        if not _ID.fullmatch(name) or name in FIELDS or name in (each.name for each in found):
            return [], f"a prompt cannot be called {name!r}"
        if not isinstance(choices, list) or not all(isinstance(each, str | int | float) for each in choices):
            return [], f"choices of the prompt {name} must be a list"
        found.append(
            Prompt(
                name, str(entry.get("label", name)), str(entry.get("value", "")), tuple(map(str, choices)),
                entry.get("secret") is True, entry.get("required") is not False,
            )
        )  # fmt: skip
    return found, ""


def _unknown_field(texts: Sequence[str], prompts: Sequence[Prompt]) -> str:
    known = {*FIELDS, *(each.name for each in prompts)}
    secret = {each.name for each in prompts if each.secret}
    for text in texts:
        for field in _FIELD.findall(text):
            if field in secret:
                return f"{{{field}}} is secret: everybody could read it in the command line; use ${variable(field)}"
            if field not in known and not field.startswith("label."):
                import difflib

                near = difflib.get_close_matches(field, known, 1)
                hint = f"did you mean {{{near[0]}}}?" if near else f"write {{{{{field}}}}} when it is none"
                return f"there is no field {{{field}}}; {hint}"
    return ""


# -- running ----------------------------------------------------------------------------------------------------------


def variable(prompt: str) -> str:
    """The environment variable that has the answer."""
    return "TUIDOCK_" + prompt.upper().replace("-", "_")


def fits(plugin: Plugin, kind: str, read_only: bool) -> bool:
    return kind in plugin.panes and (plugin.reads or not read_only)


def wants_rows(plugin: Plugin) -> bool:
    return any(field in _FIELDS_OF_ROWS or field.startswith("label.") for field in _fields(plugin))


_FIELDS_OF_ROWS = frozenset(FIELDS) - {"root"}


def _fields(plugin: Plugin) -> list[str]:
    return [field for text in (*plugin.command, plugin.confirm) for field in _FIELD.findall(text)]


def calls(plugin: Plugin, rows: Sequence[Row], answers: Mapping[str, str], root: str = "") -> list[Call]:
    """One run for each row, or one for all with {names} or {ids}, or without any field of a row. Raises ValueError with a
    sentence when a row has no such value."""
    environment = {variable(name): value for name, value in answers.items()}
    if root:
        environment["TUIDOCK_ROOT"] = root
    secret = {each.name for each in plugin.prompts if each.secret}
    given = {name: value for name, value in answers.items() if name not in secret} | {"root": root}
    together = {"names", "ids"} & set(_fields(plugin)) or not wants_rows(plugin)
    groups = [list(rows)] if together else [[row] for row in rows]
    return [_call(plugin, group, given, environment) for group in groups]


def question(plugin: Plugin, rows: Sequence[Row], answers: Mapping[str, str], root: str = "") -> str:
    """What is asked before it runs, with the fields in it; several rows are told by their names."""
    given = {**answers, "root": root}

    def put(match: re.Match[str]) -> str:
        if match[1] in given:
            return given[match[1]]
        return " ".join(_values(row, match[1]) for row in rows)

    return _FIELD.sub(put, plugin.confirm)


def _call(plugin: Plugin, rows: list[Row], given: Mapping[str, str], environment: Mapping[str, str]) -> Call:
    title = plugin.name if not rows or not wants_rows(plugin) else f"{plugin.name} {row_name(rows[0])}"
    if len(rows) > 1:
        title = f"{plugin.name} ({len(rows)})"

    def value(field: str) -> list[str]:
        if field in given:
            return [given[field]]
        if field in ("names", "ids"):
            return [_values(row, field.removesuffix("s")) for row in rows]
        return [_values(row, field) for row in rows[:1]]

    if plugin.shell:
        text, more = _shell_text(plugin.command[0], lambda field: " ".join(value(field)))
        argv: tuple[str, ...] = ("/bin/sh", "-c", text)
        environment = {**environment, **more}
    else:
        words: list[str] = []
        for word in plugin.command:
            whole = _FIELD.fullmatch(word)
            if whole is not None:
                words += value(whole[1])  # {names} as a word of its own is a word for each
            else:
                words.append(_FIELD.sub(lambda match: " ".join(value(match[1])), word))
        argv = tuple(words)
    if any("\0" in each for each in (*argv, *environment.values())):
        raise ValueError(tr("{name} has a value with a zero byte, which no program can be given.", name=title))
    return Call(argv, environment, title)


def _shell_text(text: str, value: Callable[[str], str]) -> tuple[str, dict[str, str]]:
    """The text with variables in the place of fields, quoted by where in the text they stand."""
    made: list[str] = []
    variables: dict[str, str] = {}
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        match = _FIELD.match(text, at)
        if match is not None:
            name = f"tuidock_{len(variables) + 1}"
            variables[name] = value(match[1])
            reference = f"${{{name}}}"
            made.append({"": f'"{reference}"', '"': reference, "'": f"'\"{reference}\"'"}[quote])
            at = match.end()
            continue
        if char == "\\" and quote != "'":
            made.append(text[at : at + 2])
            at += 2
            continue
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        made.append(char)
        at += 1
    return "".join(made), variables


def _values(row: Row, field: str) -> str:
    """A field of a row; ValueError with a sentence when it has none."""
    if field in ("name", "names"):
        return row_name(row)
    if field in ("id", "ids"):
        return row_id(row)
    if field.startswith("label."):
        label = field.removeprefix("label.")
        if label in row.labels:
            return str(row.labels[label])
        raise ValueError(tr("{name} has no label {label}.", name=row_name(row), label=label))
    found = ""
    if isinstance(row, Container):
        found = {
            "image": row.image,
            "state": row.status,
            "ip": next((each.address for each in row.networks if each.address), ""),
            "port": next((str(each.host_port) for each in row.ports if each.host_port), ""),
        }.get(field, "")
    elif isinstance(row, Image) and field == "image":
        found = row_name(row)
    elif isinstance(row, Volume) and field == "mountpoint":
        found = row.mountpoint
    elif isinstance(row, Network) and field == "subnet":
        found = row.subnet
    if not found:
        raise ValueError(tr("{name} has no {field}.", name=row_name(row), field=field))
    return found
