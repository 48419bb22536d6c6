"""Everything that a person can do, as one table.

The footer, the help, the command palette, the keymap of the configuration file and the words after `:` are all read
from ACTIONS (`action_table.py`), so that they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tuidock.app.action_table import ACTIONS, ALIVE, Action, Situation
from tuidock.app.spans import Item
from tuidock.app.words import mark, tr
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.screen_keys import Key

__all__ = ["ACTIONS", "Action", "Situation"]

BY_ID: Mapping[str, Action] = {action.id: action for action in ACTIONS}
BY_COMMAND: Mapping[str, Action] = {action.command: action for action in ACTIONS if action.command}

#: Keymaps for fingers that learnt another program; what is not named keeps its default. They reach into the log view
#: and the other screens, too: an id there is that of `screen_keys.py` or of the widget's own bindings.
PRESETS: Mapping[str, Mapping[str, str]] = {
    "tuidock": {},
    "lazydocker": {
        "container.exec": "E",
        "container.exec_as": "",
        "container.logs": "m,l",
        "container.all": "e",
        "app.palette": "x",
        "app.plugins": "c",
        "row.copy": "y",
        "row.inspect": "i",
        "tab.next": "right_square_bracket,right",
        "tab.previous": "left_square_bracket,left",
        "network.map": "",
        "log.copy": "y,c",
    },
    "k9s": {
        "container.exec": "s",
        "container.toggle": "S",
        "row.inspect": "d,y",
        "row.remove": "ctrl+d,delete",
        "table.range": "ctrl+@,v",
        "table.half_down": "",
        "log.filter": "slash",
        "log.search": "ampersand",
        "jobs.give_up": "ctrl+d,ctrl+k,delete",
        "logins.logout": "ctrl+d,delete",
        "trash.delete": "ctrl+d,delete",
        "map.disconnect": "Z,ctrl+d",
    },
    "vim": {
        "tab.next": "right_square_bracket,right,l",
        "tab.previous": "left_square_bracket,left,h",
        "container.logs": "L",
        "container.merged": "ctrl+l",
        "row.copy": "y,c",
        "row.inspect": "i",
        "log.left": "left,h",
        "log.right": "right,l",
        "log.copy": "y,c",
        "log.select": "V,v",
        "jobs.copy": "y,c",
        "layers.copy": "y,c",
        "file.copy": "y,c",
        "search.copy": "y,c",
        "map.copy": "y,c",
        "ports.copy": "y,c",
        "volume.copy": "y,c",
        "volume.up": "backspace,left,h,minus",
        "tree.copy": "y,c",
    },
}
#: Names that configuration files may have from earlier versions.
PRESET_NAMES = {"default": "tuidock"}

_KEY_NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "asterisk": "*",
    "backslash": "\\",
    "ampersand": "&",
    "minus": "-",
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


def hint(identity: str, written: str, keymap: Mapping[str, str]) -> str:
    """The key at the foot of the screen: the one that is written there unless the keymap has another."""
    return show_keys(keymap[identity]).split(" ")[0] if identity in keymap else written


def keys_of(action: Action | Key, keymap: Mapping[str, str]) -> str:
    return keymap.get(action.id, action.keys)


def label_of(action: Action, situation: Situation) -> str:
    """The label, by the state of the row: the toggle says what it would do."""
    row = situation.row
    if isinstance(row, Container) and not situation.marked:
        if action.id == "container.toggle":
            return tr("stop") if row.status in ALIVE else tr("start")
        if action.id == "container.pause":
            return tr("go on") if row.status == "paused" else tr("pause")
    if situation.marked and action.bulk:
        return f"{tr(action.label)} {situation.marked}"
    return tr(action.label)


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
                values = {"key": show_keys(key), "one": owners[key], "other": action.id}
                problems.append(tr("keymap: {key} is wanted by {one} and by {other}", **values))
        for key in free:
            owners[key] = action.id
        if wanted and not free and action.id not in keymap and any(owners[key] in own for key in wanted):
            taker = owners[wanted[0]]
            values = {"key": show_keys(wanted[0]), "one": taker, "other": action.id}
            problems.append(tr("keymap: {key} is {one} now, and {other} has no key any more", **values))
        if free != wanted or action.id in keymap:
            keymap[action.id] = ",".join(free)
    return keymap, problems


#: Keys of the views in the details, for the foot of the screen: (id of the binding, key, label).
DETAIL_KEYS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "logs": (
        ("log.search", "/", mark("search")),
        ("log.filter", "&", mark("filter")),
        ("log.follow", "s", mark("follow")),
        ("log.wrap", "w", mark("wrap")),
        ("log.timestamps", "t", mark("time")),
        ("log.since", "0-6", mark("since")),
        ("log.copy", "c", mark("copy")),
        ("log.save", "ctrl+s", mark("save")),
    ),
    "stats": (("stats.span", "t", mark("longer time")),),
    "ports": (("table.select", "enter", mark("open")), ("row.copy", "c", mark("copy"))),
    "inspect": (
        ("tree.toggle", "enter", mark("fold")),
        ("tree.search", "/", mark("search")),
        ("tree.copy", "c", mark("copy")),
    ),
    "env": (("table.select", "enter", mark("copy")),),
    "layers": (("table.select", "enter", mark("files")),),
    "history": (("table.select", "enter", mark("copy")),),
    "top": (
        ("top.kill", "ctrl+k", mark("signal")),
        ("table.sort", "o", mark("sort")),
        ("top.columns", "C", mark("columns")),
    ),
    "health": (("table.select", "enter", mark("copy")),),
    "users": (("table.select", "enter", mark("go to")),),
}
