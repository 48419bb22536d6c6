"""The keys, those of the moment first, with a line to search in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tuidock.app.bindings import ACTIONS, Situation, keys_of, possible, show_keys
from tuidock.app.panes import TITLES
from tuidock.app.plugins import fits
from tuidock.app.screen_keys import SCREENS, help_lines
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.still_input import StillInput
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.rows import Cell, Column
from tuidock.app.widgets.rows import Row as Line
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.options.detach_keys import parse_detach_keys, shown

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.config import Config

COLUMNS = (
    Column("keys", "", 11, "right", sortable=False),
    Column("help", "", 44, grow=3, want=84, sortable=False),
    Column("command", "", 20, priority=1, grow=1, sortable=False),
    Column("id", "", 20, priority=2, sortable=False),
)

#: Keys of the log view: as they are by default, what they do, and the ids of their bindings, for a keymap that has others.
LOG_KEYS = (
    ("s", mark("Follow on or off; End follows again"), "log.follow"),
    ("w", mark("Wrap long lines"), "log.wrap"),
    ("t", mark("Time stamps: off, local, UTC, relative"), "log.timestamps"),
    ("0-6", mark("Since: everything, head, 1 m, 5 m, 15 m, 30 m, 1 h"), ""),
    ("/ n N", mark("Search the whole log; next and previous hit"), "log.search log.next_hit log.previous_hit"),
    ("&", mark("Keep only the lines that fit; !re drops them"), "log.filter"),
    ("+ -", mark("More or fewer lines around those that the filter keeps"), "log.around_more log.around_less"),
    ("> <", mark("Only lines that are more severe; the less severe, too"), "log.level_up log.level_down"),
    ("F", mark("Fields of JSON and logfmt lines as columns"), "log.fields"),
    ("@", mark("Go to a time"), "log.go"),
    ("p P", mark("The run before; the run behind"), "log.previous_run log.next_run"),
    ("m", mark("Set a mark: at the end while one follows, else where one reads"), "log.mark"),
    ("' \"", mark("To the mark above; the list of marks"), "log.previous_mark log.marks"),
    ("#", mark("Line numbers"), "log.numbers"),
    ("C", mark("Clear: hide what is before now"), "log.clear"),
    ("v", mark("Select lines"), "log.select"),
    ("c Y", mark("Copy what is selected or on screen; the whole line"), "log.copy log.copy_line"),
    ("ctrl+s", mark("Save to a file: everything, what the filter keeps, or what is selected"), "log.save"),
    ("enter", mark("Unfold JSON and logfmt: of the line that was found, else of all lines"), "log.fold"),
    (":", mark(":since 10m, :goto 12:04, :level warn, :fields level,msg, :around 3, :marks clear"), ""),
    ("← →", mark("Scroll sideways"), "log.left log.right"),
    ("g G", mark("To the beginning, to the end"), "log.top log.bottom"),
    ("esc", mark("Back"), "logs.back"),
)
#: Keys of a terminal, as its leader and detach keys are by default.
TERMINAL_KEYS = (
    ("ctrl+]", mark("What is behind it is the app's; twice, and the program gets it")),
    ("ctrl+]_f", mark("Over the whole screen, or beside the list")),
    ("ctrl+p_ctrl+q ctrl+]_d", mark("Leave: a shell goes on, a container is detached from")),
    ("ctrl+]_c", mark("Another shell")),
    ("ctrl+]_n ctrl+]_p", mark("The next terminal, the one before")),
    ("shift+pgup shift+pgdn", mark("Scroll; shift+home and shift+end to both ends")),
    ("ctrl+]_[", mark("Mark by keys: space begins, enter copies; the mouse marks, too")),
    ("ctrl+]_x", mark("End its program, after asking")),
)
FILTERS = (
    ("re", mark("rows whose text fits the regular expression")),
    ("!re", mark("rows whose text does not fit")),
    ("-f abc", mark("fuzzy: these letters in this order")),
    ("-l app=shop", mark("rows with this label")),
    ("state:running", mark("a field: name, image, state, port, network, volume ...")),
)


def log_lines(keymap: Mapping[str, str]) -> list[tuple[str, str]]:
    """The keys of the log view as they are now."""
    lines = []
    for keys, text, identities in LOG_KEYS:
        ids = identities.split()
        if any(each in keymap for each in ids):
            defaults = dict(zip(ids, keys.split(), strict=False))
            keys = " ".join(show_keys(keymap[each]) if each in keymap else defaults.get(each, "") for each in ids)
        lines.append((keys, text))
    return lines


def terminal_lines(config: Config) -> list[tuple[str, str]]:
    """The keys of a terminal as they are now."""
    *modifiers, key = config.leader.split("+")
    leader, detach = "+".join([*modifiers, show_keys(key)]), shown(parse_detach_keys(config.detach_keys))
    return [
        (keys.replace("_", " ").replace("ctrl+]", leader).replace("ctrl+p ctrl+q", detach), text)
        for keys, text in TERMINAL_KEYS
    ]


def show_help(app: TuidockApp, first: str = "") -> None:
    """The help, beginning with the section of that title."""
    if (main := app.main) is not None:
        app.push_screen(HelpScreen(app.keymap, main.situation, app.config, first))


class HelpScreen(ClosesOnce, ModalScreen[None]):
    """Type to search, esc to go."""

    def __init__(self, keymap: Mapping[str, str], situation: Situation, config: Config, first: str = "") -> None:
        super().__init__()
        self._keymap, self._situation, self._config, self._first = keymap, situation, config, first

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall wide"):
            yield Static(tr("Keys and commands"), classes="dialog-title", markup=False)
            yield StillInput(placeholder=tr("type to search"))
            yield LineTable(COLUMNS, header=False, empty=tr("Nothing fits."))
            yield Static(
                tr("esc closes · ids are for keymap: in ~/.config/tuidock/config.yaml"),
                classes="dialog-text",
                markup=False,
            )

    def on_mount(self) -> None:
        self._show("")
        self.query_one(Input).focus()

    def _sections(self) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
        here: list[tuple[str, str, str, str]] = []
        groups: dict[str, list[tuple[str, str, str, str]]] = {}
        for action in ACTIONS:
            can = possible(action, self._situation)
            if action.changes and self._situation.read_only:
                continue
            keys = show_keys(keys_of(action, self._keymap))
            command = f":{action.command} {action.arguments}".rstrip() if action.command else ""
            entry = (keys, tr(action.help), command, action.id)
            if can and keys and action.screen and action.group in ("Containers", "Rows", "Images"):
                here.append(entry)
            else:
                groups.setdefault(tr(action.group), []).append(entry)
        now = tr("Now, in {pane}", pane=tr(TITLES[self._situation.kind]).lower())
        own = [
            (show_keys(each.key), clean(each.help or each.name), f":{each.id}", f"plugin {each.id}")
            for each in self._config.plugins
            if fits(each, self._situation.kind, self._situation.read_only)
        ]
        sections = [(now, here), (tr("Commands of your own"), own), *groups.items()]
        filters = (tr("Filter"), [(written, tr(text), "", "") for written, text in FILTERS])
        tables = {
            "Logs": log_lines(self._keymap),
            "Terminals": terminal_lines(self._config),
            **{title: help_lines(table, self._keymap) for title, table in SCREENS.items()},
        }
        others = [(title, [(keys, tr(text), "", "") for keys, text in lines]) for title, lines in tables.items()]
        first = [each for each in others if each[0] == self._first]
        rest = [each for each in others if each[0] != self._first]
        return [
            *((tr(title), lines) for title, lines in first),
            *sections,
            *((tr(title), lines) for title, lines in rest),
            filters,
        ]

    def _show(self, text: str) -> None:
        words = text.lower().split()
        lines: list[Line] = []
        for title, entries in self._sections():
            fitting = [each for each in entries if all(word in f"{title} {' '.join(each)}".lower() for word in words)]
            if not fitting:
                continue
            if lines:
                lines.append(Line(f"blank {title}", ()))
            lines.append(Line(f"title {title}", ("", Cell(title.upper(), "muted"))))
            lines += [
                Line(
                    f"{title} {at} {each[3]}",
                    (Cell(each[0], "accent"), each[1], Cell(each[2], "muted"), Cell(each[3], "muted")),
                )
                for at, each in enumerate(fitting)
            ]
        self.query_one(LineTable).set_rows(lines)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_key(self, event: events.Key) -> None:
        table, field = self.query_one(LineTable), self.query_one(Input)
        if event.key in ("escape", "f1") or (event.key in ("question_mark", "q") and not field.value):
            self.dismiss(None)
        elif event.key in ("down", "up"):
            (table.action_cursor_down if event.key == "down" else table.action_cursor_up)()
        elif event.key in ("pagedown", "pageup"):
            table.action_page(1 if event.key == "pagedown" else -1)
        else:
            return
        event.stop()
        event.prevent_default()
