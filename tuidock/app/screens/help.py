"""The keys, those of the moment first, with a line to search in them."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tuidock.app.bindings import ACTIONS, Situation, keys_of, possible, show_keys
from tuidock.app.panes import TITLES
from tuidock.app.screen_keys import SCREENS, help_lines
from tuidock.app.screens.closing import ClosesOnce
from tuidock.app.screens.still_input import StillInput
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.rows import Cell, Column
from tuidock.app.widgets.rows import Row as Line

COLUMNS = (
    Column("keys", "", 11, "right", sortable=False),
    Column("help", "", 44, grow=3, want=84, sortable=False),
    Column("command", "", 20, priority=1, grow=1, sortable=False),
    Column("id", "", 20, priority=2, sortable=False),
)

LOG_KEYS = (
    ("s", "Follow on or off; End follows again"),
    ("w", "Wrap long lines"),
    ("t", "Time stamps: off, local, UTC, relative"),
    ("0-6", "Since: everything, head, 1 m, 5 m, 15 m, 30 m, 1 h"),
    ("/ n N", "Search the whole log; next and previous hit"),
    ("&", "Keep only the lines that fit; !re drops them"),
    ("m", "Draw a mark under the last line"),
    ("C", "Clear: hide what is before now"),
    ("v", "Select lines"),
    ("c", "Copy"),
    ("ctrl+s", "Save to a file"),
    ("enter", "Unfold JSON: of the line that was found, else of all lines"),
    ("← →", "Scroll sideways"),
    ("g G", "To the beginning, to the end"),
    ("esc", "Back"),
)


class HelpScreen(ClosesOnce, ModalScreen[None]):
    """Type to search, esc to go."""

    def __init__(self, keymap: Mapping[str, str], situation: Situation, first: str = "") -> None:
        super().__init__()
        self._keymap, self._situation, self._first = keymap, situation, first

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall wide"):
            yield Static("Keys and commands", classes="dialog-title", markup=False)
            yield StillInput(placeholder="type to search")
            yield LineTable(COLUMNS, header=False, empty="Nothing fits.")
            yield Static(
                "esc closes · ids are for keymap: in ~/.config/tuidock/config.yaml", classes="dialog-text", markup=False
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
            entry = (keys, action.help, command, action.id)
            if can and keys and action.screen and action.group in ("Containers", "Rows", "Images"):
                here.append(entry)
            else:
                groups.setdefault(action.group, []).append(entry)
        sections = [(f"Now, in {TITLES[self._situation.kind].lower()}", here), *groups.items()]
        logs = ("Logs", [(keys, text, "", "") for keys, text in LOG_KEYS])
        filters = (
            "Filter",
            [
                ("re", "rows whose text fits the regular expression", "", ""),
                ("!re", "rows whose text does not fit", "", ""),
                ("-f abc", "fuzzy: these letters in this order", "", ""),
                ("-l app=shop", "rows with this label", "", ""),
                ("state:running", "a field: name, image, state, port, network, volume ...", "", ""),
            ],
        )
        others = [logs]
        for title, table in SCREENS.items():
            others.append((title, [(shown, text, "", "") for shown, text in help_lines(table)]))
        first = [each for each in others if each[0] == self._first]
        return [*first, *sections, *(each for each in others if each[0] != self._first), filters]

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
