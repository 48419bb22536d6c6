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
        if between:
            if between == " " and final == "q":
                screen.cursor_shape = numbers[0] if numbers else 0
            elif between == "!" and final == "p":
                screen.soft_reset()
        elif private == "?" and final in "hl":
            screen.switch(True, numbers, final == "h")
        elif private == "?" and final in "JK":
            _SEQUENCES[final](screen, numbers)
        elif private == ">" and final == "c" and not any(numbers):
            screen.answer(b"\x1b[>1;277;0c")  # an xterm that knows the mouse's better reports
        elif not private and (act := _SEQUENCES.get(final)) is not None:
            act(screen, numbers)


def _first(numbers: Sequence[int], default: int = 1) -> int:
    return numbers[0] or default if numbers else default


def _code(numbers: Sequence[int]) -> int:
    return numbers[0] if numbers else 0


def _to_line(screen: Emulator, numbers: Sequence[int]) -> None:
    top = screen.margins.top if screen.margins and mo.DECOM in screen.mode else 0
    screen.cursor.y = top + _first(numbers) - 1
    screen.ensure_vbounds()


def _position(screen: Emulator, numbers: Sequence[int]) -> None:
    screen.cursor_position(*(numbers[:2] or [1]))


def _margins(screen: Emulator, numbers: Sequence[int]) -> None:
    screen.set_margins(*numbers[:2])


def _next_line(screen: Emulator) -> None:
    screen.carriage_return()
    screen.index()


def _tabs(screen: Emulator, numbers: Sequence[int]) -> None:
    for _ in range(min(_first(numbers), screen.columns)):
        screen.tab()


_CONTROLS: Final[dict[str, Callable[[Emulator], None]]] = {
    "\b": Screen.backspace, "\t": Screen.tab, "\n": Screen.linefeed, "\v": Screen.linefeed, "\f": Screen.linefeed,
    "\r": Screen.carriage_return, "\x0e": Screen.shift_out, "\x0f": Screen.shift_in,
}  # fmt: skip
_ESCAPES: Final[dict[str, Callable[[Emulator], None]]] = {
    "D": Emulator.index, "M": Emulator.reverse_index, "E": _next_line,
    "7": Emulator.save_cursor, "8": Emulator.restore_cursor, "c": Emulator.reset, "H": Screen.set_tab_stop,
}  # fmt: skip
_SEQUENCES: Final[dict[str, Callable[[Emulator, list[int]], None]]] = {
    "@": lambda screen, numbers: screen.insert_characters(_first(numbers)),
    "A": lambda screen, numbers: screen.cursor_up(_first(numbers)),
    "B": lambda screen, numbers: screen.cursor_down(_first(numbers)),
    "C": lambda screen, numbers: screen.cursor_forward(_first(numbers)),
    "D": lambda screen, numbers: screen.cursor_back(_first(numbers)),
    "E": lambda screen, numbers: screen.cursor_down1(_first(numbers)),
    "F": lambda screen, numbers: screen.cursor_up1(_first(numbers)),
    "G": lambda screen, numbers: screen.cursor_to_column(_first(numbers)),
    "H": _position,
    "I": _tabs,
    "J": lambda screen, numbers: screen.erase_in_display(_code(numbers)),
    "K": lambda screen, numbers: screen.erase_in_line(_code(numbers)),
    "L": lambda screen, numbers: screen.insert_lines(_first(numbers)),
    "M": lambda screen, numbers: screen.delete_lines(_first(numbers)),
    "P": lambda screen, numbers: screen.delete_characters(_first(numbers)),
    "S": lambda screen, numbers: screen.scroll(_first(numbers)),
    "T": lambda screen, numbers: screen.scroll(-_first(numbers)),
    "X": lambda screen, numbers: screen.erase_characters(_first(numbers)),
    "Z": lambda screen, numbers: screen.back_tab(_first(numbers)),
    "`": lambda screen, numbers: screen.cursor_to_column(_first(numbers)),
    "a": lambda screen, numbers: screen.cursor_forward(_first(numbers)),
    "b": lambda screen, numbers: screen.repeat(_first(numbers)),
    "c": lambda screen, numbers: None if any(numbers) else screen.answer(b"\x1b[?62;22c"),
    "d": _to_line,
    "e": lambda screen, numbers: screen.cursor_down(_first(numbers)),
    "f": _position,
    "g": lambda screen, numbers: screen.clear_tab_stop(_code(numbers)),
    "h": lambda screen, numbers: screen.switch(False, numbers, True),
    "l": lambda screen, numbers: screen.switch(False, numbers, False),
    "n": lambda screen, numbers: screen.tell(_code(numbers)),
    "r": _margins,
    "s": lambda screen, numbers: screen.save_cursor(),
    "u": lambda screen, numbers: screen.restore_cursor(),
}
