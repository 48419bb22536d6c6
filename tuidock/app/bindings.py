"""Everything that a person can do, as one table.

The footer, the help, the command palette, the keymap of the configuration file and the words after `:` are all read
from ACTIONS, so that they cannot drift apart. An action says where it makes sense and whether it changes anything;
what it does is in `actions.py`, under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tuidock.app.model import CONTAINERS, IMAGES, KINDS, VOLUMES, Row
from tuidock.app.spans import Item
from tuidock.engine.types import Container


class Situation(NamedTuple):
    """What decides whether an action is possible: the pane in use, the row under its cursor, and so on."""

    kind: str = CONTAINERS
    row: Row | None = None
    marked: int = 0
    read_only: bool = False
    in_detail: bool = False
    filtered: bool = False


Condition = Callable[[Situation], bool]


class Action(NamedTuple):
    """Something a person can do. keys are Textual's names, separated by commas; command is the word after `:`."""

    id: str
    keys: str
    label: str
    help: str
    command: str = ""
    group: str = "Containers"
    kinds: tuple[str, ...] = KINDS
    when: Condition | None = None
    changes: bool = False
    footer: bool = False
    bulk: bool = False
    arguments: str = ""
    screen: bool = True  # False: the widget that has the focus owns the key, it is listed here for help and keymap


def _any(situation: Situation) -> bool:
    return situation.row is not None or situation.marked > 0


def _state(*statuses: str) -> Condition:
    def fits(situation: Situation) -> bool:
        if situation.marked:
            return True
        return isinstance(situation.row, Container) and situation.row.status in statuses

    return fits


def _with_ports(situation: Situation) -> bool:
    return isinstance(situation.row, Container) and bool(situation.row.ports)


_ALIVE = ("running", "paused", "restarting")
_IDLE = ("created", "exited", "dead")
_C = (CONTAINERS,)
_REMOVABLE = (CONTAINERS, IMAGES, VOLUMES)

ACTIONS: tuple[Action, ...] = (
    # containers
    Action(
        "container.toggle",
        "s",
        "start/stop",
        "Start the container, or stop it when it runs",
        "",
        "Containers",
        _C,
        _state(*_ALIVE, *_IDLE),
        True,
        True,
        True,
    ),
    Action(
        "container.start",
        "",
        "start",
        "Start the container",
        "start",
        "Containers",
        _C,
        _state(*_IDLE),
        True,
        False,
        True,
        "[NAME...]",
    ),
    Action(
        "container.stop",
        "",
        "stop",
        "Stop the container: its stop signal, then SIGKILL after 10 s",
        "stop",
        "Containers",
        _C,
        _state(*_ALIVE),
        True,
        False,
        True,
        "[NAME...]",
    ),
    Action(
        "container.restart",
        "r",
        "restart",
        "Stop and start the container again",
        "restart",
        "Containers",
        _C,
        _state(*_ALIVE, *_IDLE),
        True,
        True,
        True,
        "[NAME...]",
    ),
    Action(
        "container.pause",
        "p",
        "pause",
        "Pause the container, or let it go on",
        "pause",
        "Containers",
        _C,
        _state("running", "paused"),
        True,
        False,
        True,
        "[NAME...]",
    ),
    Action(
        "container.unpause",
        "",
        "unpause",
        "Let a paused container go on",
        "unpause",
        "Containers",
        _C,
        _state("paused"),
        True,
        False,
        True,
        "[NAME...]",
    ),
    Action(
        "container.kill",
        "ctrl+k",
        "kill",
        "Send SIGKILL to the container",
        "kill",
        "Containers",
        _C,
        _state(*_ALIVE),
        True,
        False,
        True,
        "[NAME...]",
    ),
    Action(
        "container.logs",
        "l",
        "logs",
        "Logs over the whole screen",
        "logs",
        "Containers",
        _C,
        _any,
        False,
        True,
        False,
        "[NAME]",
    ),
    Action(
        "container.merged",
        "L",
        "merged logs",
        "Logs of the marked containers, merged by time",
        "merged",
        "Containers",
        _C,
        _any,
    ),
    Action(
        "container.exec",
        "e",
        "shell",
        "A shell in the container, over the whole screen",
        "exec",
        "Containers",
        _C,
        _state("running"),
        True,
        True,
        False,
        "[NAME [COMMAND...]]",
    ),
    Action(
        "container.exec_as",
        "E",
        "shell as",
        "Choose the command, user and directory of the shell",
        "",
        "Containers",
        _C,
        _state("running"),
        True,
    ),
    Action(
        "container.attach",
        "a",
        "attach",
        "Attach to the container's own process (leave with ctrl+p ctrl+q)",
        "attach",
        "Containers",
        _C,
        _state("running"),
        True,
        False,
        False,
        "[NAME]",
    ),
    Action(
        "container.open",
        "w",
        "open port",
        "Open a published port, or copy its address",
        "open",
        "Containers",
        _C,
        _with_ports,
    ),
    Action(
        "container.rename",
        "",
        "rename",
        "Give the container another name",
        "rename",
        "Containers",
        _C,
        _any,
        True,
        False,
        False,
        "[NAME] NEW",
    ),
    Action(
        "container.run",
        "R",
        "run",
        "Run a new container from an image",
        "run",
        "Containers",
        (CONTAINERS, IMAGES),
        None,
        True,
        True,
        False,
        "[OPTIONS] IMAGE [COMMAND...]",
    ),
    Action("container.all", "A", "all/running", "Show all containers, or only those that run", "all", "Containers", _C),
    # every pane
    Action(
        "row.remove",
        "d,delete",
        "remove",
        "Remove, after asking",
        "rm",
        "Rows",
        _REMOVABLE,
        _any,
        True,
        True,
        True,
        "[NAME...]",
    ),
    Action(
        "row.force",
        "D",
        "force remove",
        "Remove even when it runs or is in use, after asking",
        "",
        "Rows",
        _REMOVABLE,
        _any,
        True,
        False,
        True,
    ),
    Action(
        "row.inspect",
        "i,y",
        "inspect",
        "Everything that is known about it",
        "inspect",
        "Rows",
        KINDS,
        _any,
        False,
        False,
        False,
        "[NAME]",
    ),
    Action(
        "row.copy", "c", "copy", "Copy a part of the row: id, name, address, command line", "copy", "Rows", KINDS, _any
    ),
    Action("row.copy_line", "Y", "copy row", "Copy the row as it is shown", "", "Rows", KINDS, _any),
    Action(
        "row.new",
        "ctrl+n",
        "new",
        "Create a container or a volume",
        "create",
        "Rows",
        (CONTAINERS, VOLUMES),
        None,
        True,
        False,
        False,
        "[NAME]",
    ),
    # images
    Action(
        "image.pull",
        "P",
        "pull",
        "Get an image (host/base is made from this machine's programs)",
        "pull",
        "Images",
        (CONTAINERS, IMAGES),
        None,
        True,
        False,
        False,
        "REFERENCE",
    ),
    Action(
        "image.tag",
        "t",
        "tag",
        "Give the image another name",
        "tag",
        "Images",
        (IMAGES,),
        _any,
        True,
        True,
        False,
        "[SOURCE] TARGET",
    ),
    # marks and bulk
    Action(
        "table.mark",
        "space",
        "mark",
        "Mark the row for an action on many",
        "",
        "Marks",
        KINDS,
        _any,
        False,
        True,
        screen=False,
    ),
    Action(
        "table.range",
        "v,ctrl+@",
        "mark range",
        "Mark from here to where it is pressed again",
        "",
        "Marks",
        screen=False,
    ),
    Action("table.mark_all", "asterisk", "mark all", "Mark all rows that are shown", "", "Marks", screen=False),
    Action(
        "table.clear_marks", "backslash,ctrl+backslash", "clear marks", "Clear the marks", "", "Marks", screen=False
    ),
    Action(
        "row.bulk",
        "b",
        "bulk",
        "Act on all marked rows, or on all that are not in use",
        "prune",
        "Marks",
        KINDS,
        None,
        True,
    ),
    # lists
    Action(
        "list.filter",
        "slash",
        "filter",
        "Filter: re, !re, -f fuzzy, -l label=v, state:running, image:x",
        "filter",
        "Lists",
        KINDS,
        None,
        False,
        True,
        False,
        "[TEXT]",
    ),
    Action(
        "list.next",
        "n",
        "next",
        "Next row that the filter lets through",
        "",
        "Lists",
        KINDS,
        lambda situation: situation.filtered,
    ),
    Action(
        "list.previous",
        "N",
        "previous",
        "Previous row that the filter lets through",
        "",
        "Lists",
        KINDS,
        lambda situation: situation.filtered,
    ),
    Action("table.sort", "o", "sort", "Sort by the next column", "sort", "Lists", arguments="[COLUMN]", screen=False),
    Action("table.reverse", "O", "reverse", "Sort the other way round", "reverse", "Lists", screen=False),
    Action("list.columns", "C", "columns", "Choose the columns", "columns", "Lists"),
    # where to be
    Action("pane.containers", "1", "containers", "Containers", "containers", "Panes"),
    Action("pane.images", "2", "images", "Images", "images", "Panes"),
    Action("pane.volumes", "3", "volumes", "Volumes", "volumes", "Panes"),
    Action("pane.networks", "4", "networks", "Networks", "networks", "Panes"),
    Action("pane.next", "tab", "next pane", "Next pane", "", "Panes"),
    Action("pane.previous", "shift+tab", "previous pane", "Previous pane", "", "Panes"),
    Action("tab.next", "right_square_bracket,right", "next tab", "Next tab of the details", "", "Panes"),
    Action("tab.previous", "left_square_bracket,left", "previous tab", "Previous tab of the details", "", "Panes"),
    Action("table.select", "enter", "details", "Into the details", "", "Panes", screen=False),
    Action("nav.back", "escape", "back", "Back to the list; clears the filter and the marks", "", "Panes"),
    Action("view.full", "f", "full", "The list or the details over the whole screen", "", "Panes"),
    Action("view.grow", "plus", "bigger", "More room for the list or the details", "", "Panes"),
    Action("view.shrink", "underscore", "smaller", "Less room for the list or the details", "", "Panes"),
    # the program
    Action(
        "app.command",
        "colon",
        "command",
        "Type a command: run, stop web, images, theme nord ...",
        "",
        "Program",
        KINDS,
        None,
        False,
        True,
    ),
    Action("app.palette", "x", "menu", "Everything that can be done, to search in (ctrl+p, too)", "", "Program"),
    Action(
        "app.help", "question_mark,f1", "help", "The keys, to search in", "help", "Program", KINDS, None, False, True
    ),
    Action("app.theme", "", "theme", "Choose a theme", "theme", "Program", arguments="[NAME]"),
    Action(
        "app.keys",
        "",
        "keys",
        "Choose a keymap: default, vim, k9s, lazydocker",
        "keys",
        "Program",
        arguments="[PRESET]",
    ),
    Action(
        "app.jobs",
        "",
        "jobs",
        "What goes on in the background, such as a pull; gives it up when asked",
        "jobs",
        "Program",
    ),
    Action("app.mouse", "M", "mouse", "Give the mouse to the terminal, or take it", "mouse", "Program"),
    Action("app.refresh", "ctrl+r", "refresh", "Read everything again", "refresh", "Program"),
    Action("app.quit", "q", "quit", "Quit; containers go on", "quit", "Program"),
    # keys of the widget that has the focus, listed for help and keymap
    Action("table.down", "down,j", "down", "Down", "", "Moving", screen=False),
    Action("table.up", "up,k", "up", "Up", "", "Moving", screen=False),
    Action("table.top", "home,g", "top", "First row", "", "Moving", screen=False),
    Action("table.bottom", "end,G", "bottom", "Last row", "", "Moving", screen=False),
    Action("table.page_down", "pagedown,ctrl+f", "page down", "Page down", "", "Moving", screen=False),
    Action("table.page_up", "pageup,ctrl+b", "page up", "Page up", "", "Moving", screen=False),
    Action("table.half_down", "ctrl+d", "half down", "Half a page down", "", "Moving", screen=False),
    Action("table.half_up", "ctrl+u", "half up", "Half a page up", "", "Moving", screen=False),
)

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}
BY_COMMAND: Mapping[str, Action] = {action.command: action for action in ACTIONS if action.command}

#: Keymaps for fingers that learnt another program; what is not named keeps its default.
PRESETS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "vim": {
        "tab.next": "right_square_bracket,right,l",
        "tab.previous": "left_square_bracket,left,h",
        "container.logs": "L",
        "container.merged": "ctrl+l",
    },
    "k9s": {
        "container.exec": "s",
        "container.toggle": "S",
        "row.inspect": "d,y",
        "row.remove": "ctrl+d,delete",
        "table.range": "ctrl+@,v",
        "table.half_down": "",
    },
    "lazydocker": {
        "container.exec": "E",
        "container.exec_as": "",
        "container.logs": "m,l",
        "container.all": "e",
        "app.palette": "x",
        "tab.next": "right_square_bracket,right",
        "tab.previous": "left_square_bracket,left",
    },
}

_KEY_NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "asterisk": "*",
    "backslash": "\\",
    "plus": "+",
    "underscore": "_",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "ctrl+@": "ctrl+space",
    "ctrl+backslash": "ctrl+\\",
    "delete": "del",
    "f1": "F1",
}


def show_keys(keys: str) -> str:
    """Keys as a person calls them."""
    return " ".join(_KEY_NAMES.get(key, key) for key in keys.split(",") if key)


def keys_of(action: Action, keymap: Mapping[str, str]) -> str:
    return keymap.get(action.id, action.keys)


def label_of(action: Action, situation: Situation) -> str:
    """The label, by the state of the row: the toggle says what it would do."""
    row = situation.row
    if isinstance(row, Container) and not situation.marked:
        if action.id == "container.toggle":
            return "stop" if row.status in _ALIVE else "start"
        if action.id == "container.pause":
            return "go on" if row.status == "paused" else "pause"
    if situation.marked and action.bulk:
        return f"{action.label} {situation.marked}"
    return action.label


def possible(action: Action, situation: Situation) -> bool | None:
    """True: yes; None: it belongs here but not now; False: not in this pane, or nothing may be changed."""
    if (action.changes and situation.read_only) or situation.kind not in action.kinds:
        return False
    if action.when is not None and not action.when(situation):
        return None
    return True


#: Keys that go first when the line at the foot is too short for all.
RANKS = {"table.mark": 4, "container.restart": 3, "image.tag": 2, "container.run": 1}


def list_items(situation: Situation, keymap: Mapping[str, str]) -> list[Item]:
    """The keys at the foot while a list has the focus, by the state of the row under the cursor."""
    items = []
    for action in ACTIONS:
        if not action.footer or (can := possible(action, situation)) is False:
            continue
        keys = show_keys(keys_of(action, keymap)).split(" ")[0]
        if keys and (can or action.id == "container.toggle"):
            items.append(Item(action.id, label_of(action, situation), keys, bool(can), RANKS.get(action.id, 0)))
    return items


def keymap_of(preset: str, own: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The complete keymap: id -> keys, and a sentence for each pair of actions that want the same key."""
    keymap = {**PRESETS.get(preset, {}), **own}
    owners: dict[str, str] = {}
    problems = []
    # Keys chosen on purpose win over defaults, so that a preset need not name every action that it pushes aside.
    ordered = sorted(ACTIONS, key=lambda action: action.id not in keymap)
    for action in ordered:
        wanted = [key.strip() for key in keys_of(action, keymap).split(",") if key.strip()]
        free = [key for key in wanted if key not in owners]
        for key in wanted:
            if key in owners and action.id in own:
                problems.append(f"keymap: {show_keys(key)} is wanted by {owners[key]} and by {action.id}")
        for key in free:
            owners[key] = action.id
        if free != wanted or action.id in keymap:
            keymap[action.id] = ",".join(free)
    return keymap, problems


#: Keys of the views in the details, for the foot of the screen: (id of the binding, key, label).
DETAIL_KEYS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "logs": (
        ("log.search", "/", "search"),
        ("log.filter", "&", "filter"),
        ("log.follow", "s", "follow"),
        ("log.wrap", "w", "wrap"),
        ("log.timestamps", "t", "time"),
        ("log.since", "0-6", "since"),
        ("log.copy", "c", "copy"),
        ("log.save", "ctrl+s", "save"),
    ),
    "ports": (("table.select", "enter", "open"), ("row.copy", "c", "copy")),
    "inspect": (("json.fold", "enter", "fold"), ("json.search", "/", "search"), ("json.copy", "c", "copy")),
    "env": (("table.select", "enter", "copy"),),
    "top": (),
    "users": (("table.select", "enter", "go to"),),
}
