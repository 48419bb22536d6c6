"""Words after `:` and the command palette, both from the table of actions.

`:stop web db` does to named rows what a key does to the row under the cursor; `:run -d nginx` takes the words of the
command line. The palette offers every action that is possible now.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tuidock.app import paths
from tuidock.app.bindings import (
    ACTIONS,
    BY_COMMAND,
    PRESET_NAMES,
    PRESETS,
    Action,
    keys_of,
    label_of,
    possible,
    show_keys,
)
from tuidock.app.grouping import WORDS
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row, ViewModel, row_id, row_name
from tuidock.app.panes import NOUNS
from tuidock.app.quoting import fault
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Image

if TYPE_CHECKING:
    from tuidock.app.screens.main import MainScreen

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


def execute(screen: MainScreen, text: str) -> None:
    """Does what was typed, or says in one sentence why not."""
    app = screen.tuidock
    try:
        word, arguments = split(text)
    except ValueError:
        app.say(tr("The command cannot be read: {text}.", text=fault(text)), "error")
        return
    if not word:
        return
    if word in KINDS and arguments:
        _of_kind(screen, word, text.split()[0], arguments)
        return
    action = BY_COMMAND.get(word)
    if action is None and (plugin := next((each for each in app.config.plugins if each.id == word), None)) is not None:
        from tuidock.app.actions import plugins

        plugins.begin(screen, plugin)
        return
    if action is None and (log_word := screen.log_words().get(word)) is not None:
        log_word(arguments)
        return
    if action is None:
        import difflib

        near = difflib.get_close_matches(word, [*BY_COMMAND, *SYNONYMS], 1)
        app.say(
            tr("There is no command {word}", word=word)
            + (tr("; did you mean {near}?", near=near[0]) if near else tr("; ? lists them.")),
            "warning",
        )
        return
    _do(screen, action, arguments)


def _do(screen: MainScreen, action: Action, arguments: list[str]) -> None:
    app = screen.tuidock
    if action.changes and app.read_only:
        app.say(tr("This session is read-only, so nothing may be changed."), "warning")
        return
    word = action.command
    try:
        special = SPECIAL.get(word)
        if special is not None and (arguments or word in ("sort", "reverse")):
            special(screen, arguments)
        elif arguments and action.arguments.startswith("[NAME"):
            _on_named(screen, action, arguments)
        elif arguments:
            app.say(
                tr("{word} takes no words: {arguments}.", word=word, arguments=clean(" ".join(arguments))), "warning"
            )
        else:
            screen.actions.do(action.id)
    except EngineError as error:
        app.say(clean(str(error)), "error")


def _of_kind(screen: MainScreen, kind: str, noun: str, words: list[str]) -> None:
    """`volume rm v1` as a shell has it: only a volume is meant, whatever else has that name."""
    app, typed = screen.tuidock, words[0]
    word = SYNONYMS.get(typed, typed)
    names = words[1:]
    if word in ("ls", "list") and not names:
        screen.go(kind)
        return
    action = BY_COMMAND.get(word)
    if action is None or kind not in action.kinds or word in KINDS:
        app.say(tr("There is no command {word}", word=clean(f"{noun} {typed}")) + tr("; ? lists them."), "warning")
        return
    if word == "export" and names[:1] == ["-o"]:
        names = [*names[2:], *names[1:2]]
    option = next((each for each in names if each.startswith("-")), "")
    if option and word not in ("run", "build", "pull", "exec") and (word, kind) != ("create", CONTAINERS):
        app.say(
            tr("{word} takes no {option} here; its form and the command line do.", word=word, option=clean(option)),
            "warning",
        )
        return
    if word == "import" and kind == VOLUMES:
        names.reverse()  # the shell has the volume first
    screen.go(kind)
    action = action._replace(kinds=(kind,))
    of_rows = action.arguments.startswith("[NAME") and word not in ("create", "undo")
    if of_rows and word in SPECIAL and names and screen.tuidock.model.find(kind, names[0]) is None:
        _missing(screen, action, names[:1])
        return
    _do(screen, action, names)


def find_rows(screen: MainScreen, action: Action, names: list[str]) -> tuple[str, list[Row], list[str]]:
    """The named rows, all of one kind: that of the focused pane when it has them."""
    model = screen.tuidock.model
    kinds = [screen.kind, *(kind for kind in KINDS if kind != screen.kind)]
    best: tuple[str, list[Row], list[str]] = (screen.kind, [], names)
    for kind in kinds:
        if kind not in action.kinds:
            continue
        found = [(name, model.find(kind, name)) for name in names]
        rows = [row for _, row in found if row is not None]
        missing = [name for name, row in found if row is None]
        if not missing:
            return kind, rows, []
        if len(missing) < len(best[2]):
            best = (kind, rows, missing)
    return best


def _on_named(screen: MainScreen, action: Action, names: list[str]) -> None:
    kind, rows, missing = find_rows(screen, action, names)
    if missing:
        _missing(screen, action, missing)
    if not rows:
        return
    if kind != screen.kind and action.id in ("row.inspect", "row.copy"):
        screen.go(kind)
    if action.id == "row.inspect":
        screen.pane(kind).move_cursor(row_id(rows[0]))
    screen.actions.do(action.id, rows, kind)


def _missing(screen: MainScreen, action: Action, names: list[str]) -> None:
    nouns = tr(" or ").join(tr(NOUNS[each]) for each in action.kinds)
    screen.tuidock.say(tr("No such {nouns}: {missing}", nouns=nouns, missing=clean(", ".join(names))), "error")


def _container(screen: MainScreen, name: str) -> Row | None:
    row = screen.tuidock.model.find(CONTAINERS, name)
    if row is None:
        screen.tuidock.say(tr("No such container: {name}", name=clean(name)), "error")
    return row


def _run(screen: MainScreen, arguments: list[str]) -> None:
    screen.actions.run(arguments)


def _create(screen: MainScreen, arguments: list[str]) -> None:
    if screen.kind == VOLUMES and len(arguments) == 1:
        screen.actions.create_volume(arguments[0])
    elif screen.kind == NETWORKS and len(arguments) == 1:
        screen.actions.create_network(arguments[0])
    else:
        screen.actions.run(arguments, start=False)


def _exec(screen: MainScreen, arguments: list[str]) -> None:
    row = _container(screen, arguments[0])
    if row is None:
        return
    if len(arguments) == 1:
        screen.actions.do("container.exec", [row], CONTAINERS)
    else:
        screen.actions.exec(row, arguments[1:])


def _debug(screen: MainScreen, arguments: list[str]) -> None:
    row = _container(screen, arguments[0])
    if row is not None and len(arguments) == 1:
        screen.actions.do("container.debug", [row], CONTAINERS)
    elif row is not None:
        screen.actions.debug(row, arguments[1])


def _rename(screen: MainScreen, arguments: list[str]) -> None:
    row = _container(screen, arguments[0]) if len(arguments) > 1 else screen.pane(CONTAINERS).row_at_cursor
    if row is not None:
        screen.actions.rename(row, arguments[-1])


def _tag(screen: MainScreen, arguments: list[str]) -> None:
    if len(arguments) > 1:
        screen.actions.tag(arguments[0], arguments[1])
    elif (row := screen.pane(IMAGES).row_at_cursor) is not None:
        screen.actions.tag(getattr(row, "id", ""), arguments[0])


def _theme(screen: MainScreen, arguments: list[str]) -> None:
    app = screen.tuidock
    if arguments[0] in app.available_themes:
        app.choose_theme(arguments[0])
    else:
        import difflib

        near = difflib.get_close_matches(arguments[0], app.available_themes, 1)
        hint = tr("did you mean {near}?", near=near[0]) if near else tr("`:theme` lists them.")
        app.say(tr("There is no theme {arguments}; {hint}", arguments=clean(arguments[0]), hint=hint), "warning")


def _keys(screen: MainScreen, arguments: list[str]) -> None:
    if (name := PRESET_NAMES.get(arguments[0], arguments[0])) in PRESETS:
        screen.tuidock.use_keymap(name)
    else:
        screen.tuidock.say(
            tr(
                "There is no keymap {arguments}; there are {presets}.",
                arguments=clean(arguments[0]),
                presets=", ".join(PRESETS),
            ),
            "warning",
        )


def _sort(screen: MainScreen, arguments: list[str]) -> None:
    if arguments:
        screen.actions.sort_by(arguments[0])
    else:
        screen.pane().action_sort_next()


def _group(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app.grouping import meant

    screen.actions.group_by(meant(screen.kind, arguments[0]))


def _pull(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.engine.options import flags as grammar

    known = (grammar.switch("all-tags", "a"), grammar.text("platform"), grammar.switch("quiet", "q"))
    values, words = grammar.parse(known, arguments)
    if len(words) != 1:
        screen.tuidock.say(tr("pull wants one name: pull nginx:1.27"), "warning")
        return
    screen.actions.pull(words[0], values["platform"] or "", bool(values["all-tags"]))


def _push(screen: MainScreen, arguments: list[str]) -> None:
    screen.actions.push(arguments[0])


def _untag(screen: MainScreen, arguments: list[str]) -> None:
    """By name, without a question: the engine refuses nothing here that could not be tagged again - but the last name."""
    row = screen.tuidock.model.find(IMAGES, arguments[0])
    if not isinstance(row, Image):
        screen.tuidock.say(tr("No such image: {arguments}", arguments=clean(arguments[0])), "error")
    elif len(row.references) > 1:
        screen.tuidock.engine_workers.move(
            "untagged", [(arguments[0], clean(arguments[0]))], lambda engine, ref: engine.remove_image(ref)
        )
    else:
        screen.actions.do("image.untag", [row], IMAGES)


def _save(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks
    from tuidock.app.actions.images import name_of

    arguments = [word for word in arguments if word not in ("-o", "--output")]
    path = paths.absolute(arguments[0]) if arguments else ""
    if not path or os.path.exists(path):
        screen.tuidock.say(
            tr("{path} exists; name another file.", path=clean(path)) if path else tr("Into which file?"), "error"
        )
        return
    rows = [found for name in arguments[1:] if (found := screen.tuidock.model.find(IMAGES, name)) is not None]
    if len(rows) < len(arguments) - 1:
        screen.tuidock.say(tr("No such image among those to be saved."), "error")
        return
    rows = rows or (screen.acted_rows() if screen.kind == IMAGES else [])
    if rows:
        screen.tuidock.show_jobs(tasks.save(screen.tuidock, [name_of(row) for row in rows], path))
    else:
        screen.tuidock.say(tr("Which images? save FILE NAME... names them."), "warning")


def _load(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks

    screen.tuidock.show_jobs(tasks.load(screen.tuidock, paths.absolute(arguments[-1])))


def _import(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks

    reference = arguments[1] if len(arguments) > 1 else ""
    if screen.kind == VOLUMES:
        screen.actions.import_volume(paths.absolute(arguments[0]), reference)
        return
    screen.tuidock.show_jobs(tasks.import_image(screen.tuidock, paths.absolute(arguments[0]), reference))


def _export(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks

    kind, rows, missing = find_rows(screen, BY_COMMAND["export"], arguments[:1])
    if missing:
        screen.tuidock.say(tr("No such container or volume: {arguments}", arguments=clean(arguments[0])), "error")
        return
    row = rows[0]
    path = paths.absolute(arguments[1]) if len(arguments) > 1 else ""
    if not path:
        screen.actions.do("container.export", [row], kind)
    elif os.path.exists(path):
        screen.tuidock.say(tr("{path} exists; name another file.", path=clean(path)), "error")
    elif kind == VOLUMES:
        screen.tuidock.show_jobs(tasks.export_volume(screen.tuidock, row_id(row), path))
    else:
        screen.tuidock.show_jobs(tasks.export(screen.tuidock, row_id(row), clean(row_name(row)), path))


def _commit(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks

    row = _container(screen, arguments[0])
    if row is None:
        return
    if len(arguments) == 1:
        screen.actions.do("container.commit", [row], CONTAINERS)
    else:
        screen.tuidock.show_jobs(tasks.commit(screen.tuidock, row_id(row), arguments[1]))


def _diff(screen: MainScreen, arguments: list[str]) -> None:
    model = screen.tuidock.model
    rows = [model.find(IMAGES, name) or model.find(CONTAINERS, name) for name in arguments[:2]]
    if any(row is None for row in rows):
        missing = [name for name, row in zip(arguments, rows, strict=False) if row is None]
        screen.tuidock.say(tr("No such image or container: {missing}", missing=clean(", ".join(missing))), "error")
        return
    found = [row for row in rows if row is not None]
    kind = IMAGES if isinstance(found[0], Image) else CONTAINERS
    screen.actions.do("image.diff", found, kind)


def _connect(screen: MainScreen, arguments: list[str], leave: bool = False) -> None:
    """`connect NETWORK CONTAINER`, in docker's order."""
    word = "disconnect" if leave else "connect"
    if len(arguments) != 2:
        screen.tuidock.say(tr("{word} wants two names: {word} NETWORK CONTAINER", word=word), "warning")
    elif leave:
        screen.actions.disconnect(arguments[0], arguments[1])
    else:
        screen.actions.connect(arguments[0], arguments[1])


SPECIAL: dict[str, Callable[[MainScreen, list[str]], None]] = {
    "run": _run,
    "create": _create,
    "debug": _debug,
    "exec": _exec,
    "rename": _rename,
    "tag": _tag,
    "theme": _theme,
    "keys": _keys,
    "sort": _sort,
    "group": _group,
    "events": lambda screen, arguments: screen.actions.app_events(" ".join(arguments)),
    "reverse": lambda screen, arguments: screen.pane().action_sort_reverse(),
    "pull": _pull,
    "push": _push,
    "untag": _untag,
    "save": _save,
    "load": _load,
    "import": _import,
    "export": _export,
    "commit": _commit,
    "diff": _diff,
    "connect": _connect,
    "disconnect": lambda screen, arguments: _connect(screen, arguments, leave=True),
    "undo": lambda screen, arguments: screen.actions.undo(arguments),
    "build": lambda screen, arguments: screen.actions.build(arguments),
    "search": lambda screen, arguments: screen.actions.image_search(" ".join(arguments)),
    "login": lambda screen, arguments: screen.actions.registry_login(arguments[0]),
    "logout": lambda screen, arguments: screen.actions.logout(arguments[0]),
    "filter": lambda screen, arguments: screen.actions.set_filter(" ".join(arguments)),
    "migrate": lambda screen, arguments: screen.actions.migrate(*arguments[:2]),
    "merged": lambda screen, arguments: screen.actions.merged_of(arguments),
    "grep": lambda screen, arguments: screen.actions.log_grep(arguments[0]),
}


class TuidockCommands(Provider):
    """Every action that is possible now, for the palette."""

    def _offers(self) -> list[tuple[str, str, Callable[[], None]]]:
        from tuidock.app.screens.main import MainScreen

        screen = self.screen
        if not isinstance(screen, MainScreen):
            return []
        situation = screen.situation
        keymap = screen.tuidock.keymap
        offers: list[tuple[str, str, Callable[[], None]]] = []
        for action in ACTIONS:
            if not action.screen or action.id == "app.palette" or not possible(action, situation):
                continue
            keys = show_keys(keys_of(action, keymap))
            label = label_of(action, situation)
            about = f"{tr(action.help)}  ({keys})" if keys else tr(action.help)
            row = situation.row
            if action.when is not None and row is not None and not situation.marked:
                label += f" {clean(row_name(row))}"
            offers.append((label, about, partial(screen.action_do, action.id)))
        from tuidock.app.actions import plugins

        for plugin in plugins.possible(screen):
            keys = f"  ({show_keys(plugin.key)})" if plugin.key else ""
            about = f"{clean(plugin.help) or tr('A command of your own')}{keys}"
            offers.append((clean(plugin.name), about, partial(plugins.begin, screen, plugin)))
        return offers

    async def discover(self) -> Hits:
        for label, about, call in self._offers():
            yield DiscoveryHit(label, call, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for label, about, call in self._offers():
            score = max(matcher.match(label), 0.6 * matcher.match(about))
            if score > 0:
                yield Hit(score, matcher.highlight(label), call, help=about)
