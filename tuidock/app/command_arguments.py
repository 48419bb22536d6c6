"""Commands whose words are more than the names of rows: what each makes of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuidock.app import paths
from tuidock.app.bindings import BY_COMMAND, PRESET_NAMES, PRESETS, Action
from tuidock.app.grouping import meant
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row, row_id, row_name
from tuidock.app.panes import NOUNS
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Image

if TYPE_CHECKING:
    from tuidock.app.screens.main import MainScreen


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


def nouns_of(action: Action) -> str:
    """What the action is about, in words."""
    return tr(" or ").join(tr(NOUNS[each]) for each in action.kinds)


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


def file_last(words: list[str]) -> list[str]:
    """`-o FILE NAME`, as the shell has it, in the order of the app: NAME FILE."""
    return [*words[2:], words[1]] if words[:1] == ["-o"] and len(words) > 2 else words


def _export(screen: MainScreen, arguments: list[str]) -> None:
    from tuidock.app import tasks

    arguments = file_last(arguments)
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
