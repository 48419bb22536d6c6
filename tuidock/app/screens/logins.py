"""The registries that one is logged in to. Secrets are not here: they stay in docker's file or its helper."""

from __future__ import annotations

import os

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from tuidock.app import registry_names, screen_keys
from tuidock.app.screens.dialog import Dialog, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.image_types import Login

COLUMNS = (
    Column("server", "REGISTRY", 22, grow=2),
    Column("user", "USER", 14, grow=1),
    Column("where", "KEPT IN", 18, priority=1, grow=1),
)


def rows_of(logins: list[Login]) -> list[Row]:
    return [
        Row(
            each.server or "docker.io",
            (
                registry_names.shown(each.server),
                each.username,
                Cell(tr("helper {helper}", helper=each.helper) if each.helper else shortened(each.path), "muted"),
            ),
        )
        for each in logins
    ]


def shortened(path: str) -> str:
    """The file in which credentials are kept, as people write it."""
    home = os.path.expanduser("~")
    return "~" + path.removeprefix(home) if path.startswith(home + "/") else path or "docker's config.json"


class LoginsScreen(Dialog):
    """A table of logins; d forgets one, n asks for another."""

    BINDINGS = bindings(screen_keys.LOGINS)
    KEYS = screen_keys.LOGINS

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog listing"):
            yield Static(tr("Logged in to"), classes="dialog-title", markup=False)
            yield LineTable(COLUMNS, empty=tr("asking …"), ascii=self.tuidock.config.ascii)
            yield KeyLine(id="dialog-keys")

    def on_mount(self) -> None:
        self.query_one(LineTable).focus()
        self.draw_keys()
        self._read()

    def on_screen_resume(self) -> None:
        self._read()

    def _read(self) -> None:
        def shown(logins: list[Login]) -> None:
            if self.is_attached:
                table = self.query_one(LineTable)
                table.set_empty(tr("To none; n logs in."))
                table.set_rows(rows_of(logins))

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self.query_one(LineTable).set_empty(text)

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.logins(), shown, failed)

    @on(LineTable.RowSelected)
    def action_login(self) -> None:
        from tuidock.app.screens.registry_forms import LoginForm

        if self.tuidock.read_only:
            return
        server = self.query_one(LineTable).cursor_key or ""
        self.app.push_screen(LoginForm("" if server == "docker.io" else server))

    def action_logout(self) -> None:
        server = self.query_one(LineTable).cursor_key
        if server:
            logout(self.tuidock, "" if server == "docker.io" else server, self._read)

    def action_back(self) -> None:
        self.dismiss(None)


def logout(app: object, server: str, then: object = None) -> None:
    """Forgets the credentials, and says so."""
    from tuidock.app.app import TuidockApp

    assert isinstance(app, TuidockApp)
    name = clean(registry_names.shown(server))

    def done(was: bool) -> None:
        app.say(tr("Logged out of {name}.", name=name) if was else tr("There was no login for {name}.", name=name))
        if callable(then):
            then()

    app.engine_workers.ask_apart(lambda engine: engine.logout(server), done, lambda error, text: app.say(text, "error"))
