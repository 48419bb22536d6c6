"""Keys of one's own beyond the main screen: in the log view, the trees and the other screens.

The main screen's keymap is made by `bindings.keymap_of`, because the first frame needs it. What is known here costs the
widgets' modules, so it is asked only for somebody whose configuration names such a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from textual.binding import Binding, BindingType

from tuidock.app.bindings import BY_ID, show_keys
from tuidock.app.words import tr


def scopes() -> Mapping[str, Mapping[str, str]]:
    """Where keys belong together, since only one of them can have a key: title -> id -> keys."""
    from tuidock.app.screen_keys import SCREENS
    from tuidock.app.screens.logs import LogsScreen
    from tuidock.app.widgets.file_tree import FileTree
    from tuidock.app.widgets.json_tree import JsonTree
    from tuidock.app.widgets.log_bindings import LOG_BINDINGS
    from tuidock.app.widgets.text_view import TextView

    found = {title: {key.id: key.keys for key in keys} for title, keys in SCREENS.items()}
    found["Logs"] = _keys_in([*LOG_BINDINGS, *LogsScreen.BINDINGS])
    found["Inspect"] = _keys_in(JsonTree.BINDINGS)
    found["Files"] = _keys_in(FileTree.BINDINGS)
    found["Text"] = _keys_in(TextView.BINDINGS)
    return found


def _keys_in(bindings: Iterable[BindingType]) -> dict[str, str]:
    return {each.id: each.key for each in bindings if isinstance(each, Binding) and each.id}


def settle(own: Mapping[str, str], keymap: MutableMapping[str, str]) -> list[str]:
    """Gives every key of the other screens one owner, those chosen on purpose first; a sentence for each loser."""
    wanted = [each for each in own if each not in BY_ID]
    if not wanted:
        return []
    known = scopes()
    problems: list[str] = []
    for identity in wanted:
        inside = [scope for scope in known.values() if identity in scope]
        if not inside:
            problems.append(_unknown(identity, [each for scope in known.values() for each in scope]))
        for scope in inside:
            problems += settle_in(scope, identity, own, keymap)
    return problems


def settle_in(
    scope: Mapping[str, str], identity: str, own: Mapping[str, str], keymap: MutableMapping[str, str]
) -> list[str]:
    """Gives the keys of one to it alone; the others of the scope lose them."""
    problems = []
    mine = set(filter(None, keymap.get(identity, own[identity]).split(",")))
    for other, default in scope.items():
        theirs = [key for key in keymap.get(other, default).split(",") if key]
        taken = [key for key in theirs if key in mine]
        if other == identity or not taken:
            continue
        values = {"key": show_keys(taken[0]), "one": identity, "other": other}
        if other in own:
            problems.append(tr("keymap: {key} is wanted by {one} and by {other}", **values))
        elif len(taken) == len(theirs):
            problems.append(tr("keymap: {key} is {one} now, and {other} has no key any more", **values))
        keymap[other] = ",".join(key for key in theirs if key not in mine)
    return problems


def _unknown(identity: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(identity, [*BY_ID, *known], 1)
    if near:
        return tr("config.yaml: keymap has no action {name!r}; did you mean {near!r}?", name=identity, near=near[0])
    return tr("config.yaml: keymap has no action {name!r}", name=identity)
