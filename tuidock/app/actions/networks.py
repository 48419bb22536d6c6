"""Actions about networks and what crosses them: the map, ports, new networks, places in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuidock.app.model import Row, row_id, row_name
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Network

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen


class Networks:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def network_map(self) -> None:
        from tuidock.app.screens.network_map import NetworkMapScreen

        self.app.push_screen(NetworkMapScreen())

    def network_ports(self) -> None:
        from tuidock.app.screens.ports import PortsScreen

        self.app.push_screen(PortsScreen())

    def create_network(self, name: str = "") -> None:
        from tuidock.app.screens.network_forms import NetworkForm

        self.app.push_screen(NetworkForm({"name": name} if name else {}))

    def network_connect(self, rows: list[Row]) -> None:
        from tuidock.app.screens.network_forms import ConnectForm

        row = rows[0]
        # A name that is not shown as it is cannot be typed either; the id can.
        name = row_name(row) if clean(row_name(row)) == row_name(row) else row_id(row)
        network = name if isinstance(row, Network) else ""
        container = name if isinstance(row, Container) else ""
        self.app.push_screen(ConnectForm(self.app.model, network, container))

    def connect(self, network: str, container: str) -> None:
        self._place("connected", network, container, lambda engine: engine.connect_network(network, container))

    def network_disconnect(self, rows: list[Row]) -> None:
        """Which of its networks a container leaves, or which container leaves the network."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        row = rows[0]
        if isinstance(row, Network):
            pairs = [(row.name, name) for name, _ in row.members]
            choices = [Choice(clean(name), pair) for pair in pairs for name in pair[1:]]
            title = tr("Who leaves {name}?", name=clean(row.name))
        else:
            assert isinstance(row, Container)
            pairs = [(each.network, row.name) for each in row.networks]
            choices = [Choice(clean(pair[0]), pair) for pair in pairs]
            title = tr("Which network does {name} leave?", name=clean(row.name))
        if not choices:
            self.app.say(
                tr("{row} has no container.", row=clean(row_name(row)))
                if isinstance(row, Network)
                else tr("{row} is in no network.", row=clean(row_name(row))),
                "warning",
            )
            return

        def chosen(pair: Any) -> None:
            if pair is not None:
                self.disconnect(*pair)

        self.app.push_screen(PickerScreen(title, choices), chosen)

    def disconnect(self, network: str, container: str) -> None:
        """Asks, because connections that are open break."""
        self.app.confirm(
            tr("Disconnect {container} from {network}?", container=clean(container), network=clean(network)),
            [tr("Connections that are open there break.")], tr("disconnect"),
            lambda: self._place(
                "disconnected", network, container, lambda engine: engine.disconnect_network(network, container)
            ),
        )  # fmt: skip

    def _place(self, verb: str, network: str, container: str, call: Any) -> None:
        self.app.engine_workers.move(
            verb, [(container, f"{clean(container)} · {clean(network)}")], lambda engine, ref: call(engine)
        )
