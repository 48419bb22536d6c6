"""All published ports of all containers, and whether they answer; asked by real connections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult

from tuidock.app import panes, reach, screen_keys
from tuidock.app.format import counted
from tuidock.app.model import CONTAINERS
from tuidock.app.model import Row as Thing
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, PortBinding

COLUMNS = (
    Column("host", "HOST", 21),
    Column("inside", "INSIDE", 9),
    Column("name", "CONTAINER", 16, grow=2),
    Column("answer", "ANSWER", 16, grow=1),
    Column("address", "ADDRESS", 26, priority=5),
)
_STYLES = {reach.LISTENING: "good", reach.REFUSED: "bad", reach.UNASKED: "muted"}
#: Statuses in which ports are published.
_PUBLISHING = ("running", "paused")
NOT_PUBLISHED = "not published"


class Published(NamedTuple):
    """A port of a container."""

    container: Container
    port: PortBinding

    @property
    def key(self) -> str:
        return f"{self.container.id} {self.port}"

    @property
    def now(self) -> bool:
        return self.container.status in _PUBLISHING and self.port.host_port > 0


def published(containers: Iterable[Container]) -> list[Published]:
    """By port of the host; those of containers that do not run are at the end."""
    found = [Published(row, port) for row in containers for port in row.ports]
    return sorted(found, key=lambda each: (not each.now, each.port.host_port, each.port.host_ip, each.container.name))


def row_of(each: Published, answer: str, ascii: bool = False) -> Row:
    port = each.port
    on, off = ("*", "o") if ascii else ("●", "○")
    if not each.now:
        answer = NOT_PUBLISHED
    sign = {reach.LISTENING: on, reach.UNASKED: "?", "": "…"}.get(answer, off)
    address = panes.url(port.host_ip, port.host_port) if each.now and port.protocol == "tcp" else ""
    host = f"{port.host_ip or '*'}:{port.host_port or '(at the start)'}"
    return Row(
        each.key,
        (
            Cell(host, "" if each.now else "muted"), Cell(f"{port.container_port}/{port.protocol}", "muted"),
            each.container.name, Cell(f"{sign} {answer or 'asking'}", _STYLES.get(answer, "warn" if each.now else "muted")),
            Cell(address, "accent"),
        ),
        (port.host_port, port.container_port, each.container.name.casefold(), answer, address),
    )  # fmt: skip


class PortsScreen(Keyed):
    """enter opens the address, or copies it where there is no browser."""

    BINDINGS = bindings(screen_keys.PORTS)
    KEYS, HELP_TITLE = screen_keys.PORTS, "Ports"

    def __init__(self) -> None:
        super().__init__(name="ports", classes="ports-screen")
        self._ports: list[Published] = []
        self._answers: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield StatusLine(id="ports-status")
        yield PlainTable(
            COLUMNS, empty=tr("No published ports; `-p 8080:80` publishes one."), ascii=self.tuidock.config.ascii
        )
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        self.action_again()

    def events_read(self, events: list[object]) -> None:
        """A container began or ended."""
        if self.is_current and [each.key for each in published(self._containers())] != [
            each.key for each in self._ports
        ]:
            self.action_again()

    def _containers(self) -> list[Container]:
        return list(self.tuidock.model.containers().values())

    def action_again(self) -> None:
        """Asks all of them anew."""
        self._ports = published(self._containers())
        self._answers = {}
        self._draw()
        asked = [each for each in self._ports if each.now]

        def answered(answers: list[str]) -> None:
            if self.is_attached:
                self._answers = {each.key: answer for each, answer in zip(asked, answers, strict=True)}
                self._draw()

        def failed(error: BaseException, text: str) -> None:
            self.tuidock.say(text, "error")

        self.tuidock.engine_workers.ask_apart(
            lambda engine: reach.ask_all([each.port for each in asked]), answered, failed
        )

    def _draw(self) -> None:
        rows = [row_of(each, self._answers.get(each.key, ""), self.tuidock.config.ascii) for each in self._ports]
        table = self.query_one(PlainTable)
        table.renew(rows)
        listening = sum(answer == reach.LISTENING for answer in self._answers.values())
        words = counted(len(self._ports), "port") + (f", {listening} listening" if self._answers else "")
        if unasked := sum(answer == reach.UNASKED for answer in self._answers.values()):
            words += f", {unasked} not asked (udp)"
        self.query_one("#ports-status", StatusLine).set([tr("Published ports")], [Cell(words, "muted")])

    def _under_cursor(self) -> Published | None:
        key = self.query_one(PlainTable).cursor_key
        return next((each for each in self._ports if each.key == key), None)

    def command_rows(self) -> tuple[str, list[Thing]]:
        each = self._under_cursor()
        return CONTAINERS, [each.container] if each is not None else []

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        each, main = self._under_cursor(), self.tuidock.main
        if each is None or main is None:
            return
        if not each.now:
            self.tuidock.say(
                tr(
                    "{name} is {status}, so it publishes nothing.",
                    name=clean(each.container.name),
                    status=each.container.status,
                ),
                "warning",
            )
        else:
            main.actions.open_port(each.port)

    def action_copy(self) -> None:
        each = self._under_cursor()
        if each is not None and each.now:
            self.tuidock.copy(panes.url(each.port.host_ip, each.port.host_port), "the address")

    def action_back(self) -> None:
        self.dismiss()
