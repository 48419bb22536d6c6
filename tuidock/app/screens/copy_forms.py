"""Forms that copy files between this machine and a container or a volume."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

from tuidock.app import paths, tasks
from tuidock.app.screen_keys import READ_ONLY
from tuidock.app.screens.form import Field, Form, Tick
from tuidock.app.words import mark, tr
from tuidock.engine.types import Container

IN, OUT = "in", "out"


class CopyForm(Form):
    """One path there and one here; the key says which way."""

    VERB = "cp"
    FIELDS = (Field("there", "There", "a path, such as /etc/nginx"), Field("here", "Here", ".", path="file"))
    TICKS = (Tick("archive", "keep owners"),)
    NOTE = mark("A directory that exists gets it inside; the last part of a path that does not exist is its new name.")
    KEYS = (
        ("out", "ctrl+o", mark("there → here")),
        ("in", "ctrl+n", mark("here → there")),
        ("copy", "ctrl+c", mark("copy the command")),
    )

    def __init__(self, name: str, reference: str, there: str = "", volume: bool = False) -> None:
        super().__init__({"there": there, "here": ""})
        self._subject, self._reference, self._volume = name, reference, volume
        self._way = OUT

    def heading(self) -> str:
        return tr("Copy files out of {subject}, or into it", subject=self._subject)

    def first_field(self) -> str:
        return "here" if self._given.get("there") else "there"

    def command_text(self) -> str:
        values = self.values()
        there, here = values["there"].strip(), values["here"].strip() or "."
        if not there and self._way == OUT and not self._volume:
            return ""
        name = f"{self._subject}:{there if there.startswith('/') else '/' + there}"
        flags = ["-a"] if self.ticks().get("archive") else []
        if self._volume:
            return f"{shlex.join([name])}  →  {shlex.join([here])}" if self._way == OUT else f"{here}  →  {name}"
        return "tuidock " + shlex.join(["cp", *flags, *((name, here) if self._way == OUT else (here, name))])

    def _press(self, what: str) -> None:
        if what == "copy" and not self.command_text():
            self.missing("there", tr("Which path there?"))
        else:
            super()._press(what)

    def go(self, what: str) -> None:
        self._way = what
        self._draw()
        if what == OUT and not self._volume and self.missing("there", tr("Which path there?")):
            return
        if what == IN and self.missing("here", tr("Which file or directory here?")):
            return
        here = paths.absolute(self.values()["here"]) or os.getcwd()
        if what == IN and not os.path.lexists(here):
            self.complain(tr("There is no {here}.", here=here))
            return
        there, archive = self.values()["there"].strip(), self.ticks().get("archive", False)
        begin: Callable[..., object]
        if self._volume:
            begin = tasks.copy_volume_out if what == OUT else tasks.copy_volume_in
        else:
            begin = tasks.copy_out if what == OUT else tasks.copy_in
        if what == IN and self.tuidock.read_only:
            self.complain(tr(READ_ONLY))
            return
        self.dismiss(None)
        begin(self.tuidock, self._reference, self._subject, there, here, archive)
        self.tuidock.show_jobs()


def of_container(row: Container) -> CopyForm:
    return CopyForm(row.name, row.id)
