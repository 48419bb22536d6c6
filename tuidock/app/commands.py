"""Does what was typed after `:`, by the table of actions.

`:stop web db` does to named rows what a key does to the row under the cursor; `:run -d nginx` takes the words of the
command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.bindings import BY_COMMAND, Action
from tuidock.app.command_arguments import SPECIAL, file_last, find_rows, nouns_of
from tuidock.app.command_words import SYNONYMS, split
from tuidock.app.model import CONTAINERS, KINDS, VOLUMES, row_id
from tuidock.app.quoting import fault
from tuidock.app.screen_keys import READ_ONLY
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError

if TYPE_CHECKING:
    from tuidock.app.screens.main import MainScreen


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
        app.say(tr(READ_ONLY), "warning")
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
    if word == "export":
        names = file_last(names)
    option = next((each for each in names if each.startswith("-")), "")
    if option and word not in ("run", "build", "pull", "exec", "save") and (word, kind) != ("create", CONTAINERS):
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
    screen.tuidock.say(
        tr("No such {nouns}: {missing}", nouns=nouns_of(action), missing=clean(", ".join(names))), "error"
    )
