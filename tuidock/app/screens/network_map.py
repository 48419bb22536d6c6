"""Networks as a diagram that lives: bridges, the containers behind them, addresses, traffic and ports.

Looked at once a second while it is on the screen and the terminal has the focus, and when an event names a network.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult

from tuidock.app import network_rows, screen_keys
from tuidock.app.format import counted
from tuidock.app.model import CONTAINERS, NETWORKS, Row
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.rows import Cell
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, NetworkMap

if TYPE_CHECKING:
    from tuidock.engine.types import Event

#: Seconds between two looks.
LOOK_EVERY = 1.0


class NetworkMapScreen(Keyed):
    """enter goes to the container or network in its list."""

    BINDINGS = bindings(screen_keys.MAP)
    KEYS, HELP_TITLE = screen_keys.MAP, "Network map"

    def __init__(self) -> None:
        super().__init__(name="map", classes="map-screen")
        self._maps: list[NetworkMap] = []
        self._before: dict[str, network_rows.Counters] = {}
        self._rates: dict[str, network_rows.Rate] = {}

    def compose(self) -> ComposeResult:
        yield StatusLine(id="map-status")
        yield PlainTable(network_rows.COLUMNS, empty=tr("looking …"), ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(PlainTable).focus()
        self.draw_keys()
        self._draw_status()
        self.set_interval(LOOK_EVERY, self._tick)

    def _tick(self) -> None:
        if self.is_current and self.app.app_focus:
            self._look()

    def on_screen_resume(self) -> None:
        self._look()

    def events_read(self, events: list[Event]) -> None:
        if self.is_current and any(event.type in ("network", "container") for event in events):
            self._look()

    def _look(self) -> None:
        def look(engine: Any) -> tuple[float, list[NetworkMap]]:
            return monotonic(), engine.network_map()

        self.tuidock.engine_workers.ask("map", look, self._seen, self._failed)

    def _failed(self, text: str) -> None:
        if self.is_attached:
            self.query_one(PlainTable).set_empty(text)

    def _seen(self, answer: tuple[float, list[NetworkMap]]) -> None:
        if not self.is_attached:
            return
        now, self._maps = answer
        fresh = network_rows.rates(self._maps, self._before, now)
        if self._before:
            self._rates = fresh
        self._before = network_rows.counters(self._maps, now)
        rows = network_rows.rows_of(self._maps, self._rates, self.tuidock.model.containers(), self.tuidock.config.ascii)
        table = self.query_one(PlainTable)
        table.set_empty(tr("No networks."))
        table.renew(rows)
        self._draw_status()

    def _draw_status(self) -> None:
        members = {member.container_id for each in self._maps for member in each.members if member.running}
        used = sum(bool(each.members) for each in self._maps)
        words = f"{counted(len(self._maps), 'network')}, {used} in use · {counted(len(members), 'container')} connected"
        self.query_one("#map-status", StatusLine).set([tr("Network map")], [Cell(words if self._maps else "", "muted")])

    # -- keys -------------------------------------------------------------------------------------------------------

    def _under_cursor(self) -> tuple[NetworkMap | None, Container | None]:
        network, _, container = (self.query_one(PlainTable).cursor_key or "").partition(" ")
        found = next((each for each in self._maps if each.network.id == network), None)
        return found, self.tuidock.model.containers().get(container)

    def command_rows(self) -> tuple[str, list[Row]]:
        network, container = self._under_cursor()
        if container is not None:
            return CONTAINERS, [container]
        return NETWORKS, [network.network] if network is not None else []

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        network, container = self._under_cursor()
        main = self.tuidock.main
        if network is None or main is None:
            return
        kind, identity = (CONTAINERS, container.id) if container is not None else (NETWORKS, network.network.id)
        self.dismiss()
        main.go(kind)
        main.pane(kind).seek(identity)

    def action_copy(self) -> None:
        network, container = self._under_cursor()
        if network is None:
            return
        member = next(
            (each for each in network.members if container is not None and each.container_id == container.id), None
        )
        text = (member.address or member.address6) if member is not None else network.network.subnet
        if text:
            self.tuidock.copy(clean(text), "the address" if member is not None else "the subnet")

    def action_port(self) -> None:
        _, container = self._under_cursor()
        main = self.tuidock.main
        if container is not None and main is not None:
            main.actions.container_open([container])

    def action_connect(self) -> None:
        from tuidock.app.screens.network_forms import ConnectForm

        network, container = self._under_cursor()
        if network is not None:
            # The container is in the network above it already: it wants another one.
            names = (network.network.name, "") if container is None else ("", container.name)
            self.app.push_screen(ConnectForm(self.tuidock.model, *names))

    def action_disconnect(self) -> None:
        network, container = self._under_cursor()
        main = self.tuidock.main
        if network is not None and container is not None and main is not None:
            main.actions.disconnect(network.network.name, container.name)

    def action_back(self) -> None:
        self.dismiss()
