"""Everything that a person can do, as one table.

The footer, the help, the command palette, the keymap of the configuration file and the words after `:` are all read
from ACTIONS (`action_table.py`), so that they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.app.action_table import ACTIONS, ALIVE, Action, Situation
from tuidock.app.spans import Item
from tuidock.engine.types import Container

__all__ = ["ACTIONS", "Action", "Situation"]

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
            return "stop" if row.status in ALIVE else "start"
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
RANKS = {
    "image.build": 6,
    "row.files": 5,
    "table.mark": 4,
    "container.restart": 3,
    "image.tag": 2,
    "container.run": 1,
}


def list_items(situation: Situation, keymap: Mapping[str, str]) -> list[Item]:
    """The keys at the foot while a list has the focus, by the state of the row under the cursor."""
    items = []
    for action in ACTIONS:
        shown = action.footer if isinstance(action.footer, bool) else situation.kind in action.footer
        if not shown or (can := possible(action, situation)) is False:
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
        if wanted and not free and action.id not in keymap and any(owners[key] in own for key in wanted):
            taker = owners[wanted[0]]
            problems.append(f"keymap: {show_keys(wanted[0])} is {taker} now, and {action.id} has no key any more")
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
    "layers": (("table.select", "enter", "files"),),
    "history": (("table.select", "enter", "copy"),),
    "top": (),
    "users": (("table.select", "enter", "go to"),),
}
