"""Textual's driver for Linux, over a terminal that may show the first frame already."""

from __future__ import annotations

from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver

from tuidock.app.first.terminal import Terminal

_OTHER_SCREEN = "\x1b[?1049h"
CLEAR = "\x1b[0m\x1b[2J"


class Output:
    """The terminal for Textual's writer. When it has gone, what is written is dropped: the writer would end with the first
    error, and the app would wait for ever for room in a queue that nobody empties."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self.gone = file, False

    def write(self, text: str) -> int:
        if not self.gone:
            try:
                return self._file.write(text)
            except OSError:
                self.gone = True
        return len(text)

    def flush(self) -> None:
        if not self.gone:
            try:
                self._file.flush()
            except OSError:
                self.gone = True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()


def driver_over(terminal: Terminal) -> type[LinuxDriver]:
    """A driver that takes over from that terminal once; later, after a shell for example, it is Textual's own."""

    class Driver(LinuxDriver):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._file = cast("Any", Output(cast("IO[str]", self._file)))

        def write(self, data: str) -> None:
            # A terminal that is told twice clears the screen in between.
            if not (data == _OTHER_SCREEN and terminal.taken):
                super().write(data)

        def start_application_mode(self) -> None:
            super().start_application_mode()  # type: ignore[no-untyped-call]
            if terminal.taken:
                self.attrs_before = terminal.attributes
            if self.attrs_before is not None:
                terminal.guarded(self.fileno, self.attrs_before)

        def stop_application_mode(self) -> None:
            # tmux 3.3 leaves rows of the other screen on the ordinary one when its size has changed meanwhile.
            self.write(CLEAR)
            super().stop_application_mode()
            terminal.taken = False
            terminal.given_back()

    return Driver
