"""Controls and sequences, and what each does to the screen. What is not here is dropped.

A terminal that answers can be made to type: there are answers to the two questions that programs cannot do without,
which terminal this is and where its cursor stands, and to no other. Window operations, titles, palettes and clipboards
are not understood at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pyte import modes as mo
from pyte.screens import Screen

from tuidock.app.terminal.cells import apply_sgr
from tuidock.app.terminal.emulator import Emulator


class Interpreter:
    """Between the parser and the emulator."""

    def __init__(self, screen: Emulator) -> None:
        self._screen = screen
        self.draw, self.put_rows = screen.draw, screen.put_rows

    def control(self, char: str) -> None:
        if (deed := _CONTROLS.get(char)) is not None:
            deed(self._screen)

    def escape(self, between: str, final: str) -> None:
        if between in ("(", ")"):
            self._screen.define_charset(final, between)
        elif between == "#" and final == "8":
            self._screen.fill("E")
        elif not between and (deed := _ESCAPES.get(final)) is not None:
            deed(self._screen)

    def csi(self, private: str, groups: list[list[int]], between: str, final: str) -> None:
        screen = self._screen
        if final == "m":
            if not private and not between:
                screen.cursor.attrs = apply_sgr(screen.cursor.attrs, groups or [[0]])
            return
        numbers = [group[0] for group in groups]
        first = numbers[0] if numbers else 0
        if between:
            if between == " " and final == "q":
                screen.cursor_shape = first
            elif between == "!" and final == "p":
                screen.soft_reset()
        elif private == "?" and final in "hl":
            screen.switch(True, numbers, final == "h")
        elif private == "?" and final in "JK":
            _CODED[final](screen, first)
        elif private == ">" and final == "c" and not any(numbers):
            screen.answer(b"\x1b[>1;277;0c")  # an xterm that knows the mouse's better reports
        elif private:
            return
        elif (move := _COUNTED.get(final)) is not None:
            move(screen, first or 1)
        elif (deed := _CODED.get(final)) is not None:
            deed(screen, first)
        elif (act := _SEQUENCES.get(final)) is not None:
            act(screen, numbers)


def _to_line(screen: Emulator, line: int) -> None:
    top = screen.margins.top if screen.margins and mo.DECOM in screen.mode else 0
    screen.cursor.y = top + line - 1
    screen.ensure_vbounds()


def _position(screen: Emulator, numbers: Sequence[int]) -> None:
    screen.cursor_position(*(numbers[:2] or [1]))


def _next_line(screen: Emulator) -> None:
    screen.carriage_return()
    screen.index()


def _tabs(screen: Emulator, count: int) -> None:
    for _ in range(min(count, screen.columns)):
        screen.tab()


_CONTROLS: Final[dict[str, Callable[[Emulator], None]]] = {
    "\b": Screen.backspace, "\t": Screen.tab, "\n": Screen.linefeed, "\v": Screen.linefeed, "\f": Screen.linefeed,
    "\r": Screen.carriage_return, "\x0e": Screen.shift_out, "\x0f": Screen.shift_in,
}  # fmt: skip
_ESCAPES: Final[dict[str, Callable[[Emulator], None]]] = {
    "D": Emulator.index, "M": Emulator.reverse_index, "E": _next_line,
    "7": Emulator.save_cursor, "8": Emulator.restore_cursor, "c": Emulator.reset, "H": Screen.set_tab_stop,
}  # fmt: skip
#: By the first number, where 0 and none are 1.
_COUNTED: Final[dict[str, Callable[[Emulator, int], None]]] = {
    "@": Emulator.insert_characters, "A": Screen.cursor_up, "B": Screen.cursor_down, "C": Screen.cursor_forward,
    "D": Screen.cursor_back, "E": Screen.cursor_down1, "F": Screen.cursor_up1, "G": Screen.cursor_to_column,
    "I": _tabs, "L": Emulator.insert_lines, "M": Emulator.delete_lines, "P": Emulator.delete_characters,
    "S": Emulator.scroll, "T": lambda screen, count: screen.scroll(-count), "X": Emulator.erase_characters,
    "Z": Emulator.back_tab, "`": Screen.cursor_to_column, "a": Screen.cursor_forward, "b": Emulator.repeat,
    "d": _to_line, "e": Screen.cursor_down,
}  # fmt: skip
#: By the first number, where none is 0.
_CODED: Final[dict[str, Callable[[Emulator, int], None]]] = {
    "J": Emulator.erase_in_display, "K": Emulator.erase_in_line, "g": Screen.clear_tab_stop, "n": Emulator.tell,
}  # fmt: skip
#: By all numbers.
_SEQUENCES: Final[dict[str, Callable[[Emulator, list[int]], None]]] = {
    "H": _position, "f": _position,
    "c": lambda screen, numbers: None if any(numbers) else screen.answer(b"\x1b[?62;22c"),
    "h": lambda screen, numbers: screen.switch(False, numbers, True),
    "l": lambda screen, numbers: screen.switch(False, numbers, False),
    "r": lambda screen, numbers: screen.set_margins(*numbers[:2]),
    "s": lambda screen, _: screen.save_cursor(),
    "u": lambda screen, _: screen.restore_cursor(),
}  # fmt: skip
