"""Commands that are typed on another screen than the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tuidock.app.bindings import BY_COMMAND, Action
from tuidock.app.command_arguments import nouns_of
from tuidock.app.command_words import split
from tuidock.app.commands import execute
from tuidock.app.model import row_id
from tuidock.app.words import tr

if TYPE_CHECKING:
    from textual.screen import Screen

    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.command_line import CommandLine
    from tuidock.app.screens.main import MainScreen

#: What these do can be seen on the main screen only.
_HOME_GROUPS = ("Panes", "Lists", "Marks")
_HOME = ("row.inspect", "container.all")
_HERE = ("app.prune",)


def execute_on(screen: CommandLine, text: str) -> None:
    """Does what was typed over this screen, or says in one sentence why not."""
    app = cast("TuidockApp", cast("Screen[None]", screen).app)
    main = app.main
    if main is None:
        return
    try:
        word, arguments = split(text)
    except ValueError:
        execute(main, text)  # which says why
        return
    own = screen.command_words().get(word)
    action = BY_COMMAND.get(word)
    if own is not None:
        own(arguments)
    elif action is None:
        execute(main, text)
    elif word == cast("Screen[None]", screen).name and not arguments:
        return  # it is here already
    elif action.when is not None and not arguments:
        _without_names(screen, main, action)
    else:
        if is_at_home(action):
            go_home(app, main)
        execute(main, text)


def _without_names(screen: CommandLine, main: MainScreen, action: Action) -> None:
    """About what this screen shows."""
    kind, rows = screen.command_rows()
    if not rows or kind not in action.kinds:
        words = tr("Which {nouns}? {command} NAME says it.", nouns=nouns_of(action), command=action.command)
        main.tuidock.say(words, "warning")
        return
    if is_at_home(action):
        go_home(main.tuidock, main)
        main.go(kind)
        main.pane(kind).move_cursor(row_id(rows[0]))
    main.actions.do(action.id, rows, kind)


def is_at_home(action: Action) -> bool:
    return (action.group in _HOME_GROUPS or action.id in _HOME) and action.id not in _HERE


def go_home(app: TuidockApp, main: MainScreen) -> None:
    """Closes every screen above the main one."""
    while len(app.screen_stack) > 1 and app.screen is not main:
        app.pop_screen()
