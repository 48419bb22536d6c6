"""Lending the terminal to another program: a shell in a container, an attached container."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from tuidock.app.report import sentence
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


def somebody_wakes() -> bool:
    """Whether a shell is above us that brings a stopped program back: not below `ssh -t host tuidock`, for example."""
    session, group, pid = os.getsid(0), os.getpgrp(), os.getppid()
    while pid > 1:
        try:
            if os.getsid(pid) != session:
                return False
            if os.getpgid(pid) != group:
                return True
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            return False
    return False


class Lending:
    """Mixed into the app."""

    _drawn_anew = False  # once the app comes back from a stop

    def action_suspend_process(self: TuidockApp) -> None:  # type: ignore[misc]
        """ctrl+z, as in any program: the shell has the terminal until `fg`."""
        if somebody_wakes():
            if not self._drawn_anew:
                # what is on the screen then is not what Textual believes to be there
                self._drawn_anew = True
                self.app_resume_signal.subscribe(self, lambda _: self.refresh(layout=True))
            super().action_suspend_process()
        else:
            self.say(tr("There is no shell above that could bring tuidock back, so it stays."), "warning")

    def give_terminal(self: TuidockApp, argv: Sequence[str], note: str, more: Mapping[str, str] = {}) -> int:  # type: ignore[misc]
        """Runs a program on the terminal until it ends; its exit code, -1 when that is not possible. more goes into its
        environment."""
        import signal
        import subprocess

        def nothing(number: int, frame: object) -> None:
            """A handler, not SIG_IGN: the program must not inherit that it is ignored."""

        # Should this program be killed, the other must not stay on a terminal that is a shell's again.
        environment = {**os.environ, **more, "TUIDOCK_TERMINAL_OF": str(os.getpid())}
        try:
            with self.suspend():
                before = signal.signal(signal.SIGINT, nothing)
                try:
                    print(f"\r\n── {note} ──\r\n", flush=True)
                    return subprocess.call(list(argv), env=environment)
                except OSError as error:  # in here: out of an exception Textual would not take the terminal back
                    problem = sentence(error)
                finally:
                    signal.signal(signal.SIGINT, before)
        except SuspendNotSupported:
            problem = tr("This terminal cannot be given away, so no program can be run on it.")
        self.say(problem, "error")
        return -1
