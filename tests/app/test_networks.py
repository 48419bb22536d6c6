"""Networks in the app: the map, ports and whether they answer, new networks, places in them."""

from __future__ import annotations

import socket

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine, container
from tuidock.app import network_rows, reach
from tuidock.engine.types import Member, Network, NetworkMap, PortBinding


async def fill(ui: Driver, **values: str) -> None:
    for key, value in values.items():
        ui.app.screen.query_one(f"#field-{key}").value = value
    await ui.pilot.pause()


def one(received: int, sent: int, running: bool = True) -> list[NetworkMap]:
    member = Member("c1", "web", running, "eth0", "10.88.0.7", "", "", rx_bytes=received, tx_bytes=sent)
    return [NetworkMap(Network("n1", "bridge", "bridge", "10.88.0.0/16", "10.88.0.1", "br0", 0), True, (member,))]


def test_rates_are_the_difference_of_two_looks() -> None:
    before = network_rows.counters(one(1_000, 100), 10.0)
    rates = network_rows.rates(one(5_000, 300), before, 12.0)
    assert rates["n1 c1"] == rates["n1 "] == network_rows.Rate(2_000.0, 100.0)
    assert network_rows.rates(one(10, 0), before, 12.0) == {}, "a counter that went back belongs to another start"
    assert network_rows.counters(one(1, 1, running=False), 1.0) == {}


def test_the_bar_goes_by_powers_of_ten() -> None:
    assert [len(network_rows.bar(each)) for each in (0, 1, 10, 1_000_000, 10_000_000, 1e12)] == [0, 1, 2, 7, 8, 8]


def test_ports_are_asked_by_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        here = PortBinding(80, "tcp", "127.0.0.1", server.getsockname()[1])
        number = other.getsockname()[1]
        other.close()
        gone = PortBinding(80, "tcp", "127.0.0.1", number)
        assert reach.ask_all([here, gone, here._replace(protocol="udp"), PortBinding(80, "tcp", "", 0)]) == [
            reach.LISTENING, reach.REFUSED, reach.UNASKED, reach.UNASKED,
        ]  # fmt: skip


def test_a_relay_that_hangs_up_is_a_refusal() -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = PortBinding(80, "tcp", "", server.getsockname()[1])
        hang_up = threading.Thread(target=lambda: server.accept()[0].close())
        hang_up.start()
        assert reach.ask(port) == reach.REFUSED
        hang_up.join()


async def test_the_map_lives_and_leads_to_the_rows() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.press("m")
        await ui.until(lambda: "├─● web" in ui.screen_text() and "└─● db" in ui.screen_text())
        text = ui.screen_text()
        assert "▣ bridge" in text and "10.88.0.7" in text and "8080→80" in text and "▢ host" in text
        assert "3 networks, 1 in use · 2 containers connected" in text
        await ui.until(lambda: "M/s" in ui.screen_text() and "▬" in ui.screen_text())
        await ui.press("j", "c")
        assert ui.copied == ["10.88.0.7"]
        await ui.press("I")
        assert ui.app.screen.values()["network"] == "" and ui.app.screen.values()["container"] == "web"
        await ui.press("escape")
        ui.engine.emit("container", "die", ui.row("web").id, "web")
        await ui.press("enter")
        assert ui.app.screen is ui.main and ui.main.pane("containers").cursor_key == ui.row("web").id


async def test_a_map_on_a_terminal_without_the_focus_asks_nothing() -> None:
    async with running() as ui:
        await ui.press("m")
        await ui.until(lambda: "▣ bridge" in ui.screen_text())
        asked: list[str] = []
        ui.app.engine_workers.ask = lambda topic, *rest: asked.append(topic)
        ui.app.app_focus = False
        ui.app.screen._tick()
        assert asked == []
        ui.app.app_focus = True
        ui.app.screen._tick()
        assert asked == ["map"]


async def test_ports_with_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {8080: reach.LISTENING, 5432: reach.REFUSED, 5433: reach.SILENT, 6379: reach.UNASKED}
    monkeypatch.setattr(reach, "ask", lambda port: answers[port.host_port])
    engine = Engine()
    stopped = container(9, "old", "nginx:1.27", "exited", ports=(PortBinding(80, "tcp", "", 9090),))
    engine.rows[stopped.id] = stopped
    async with running(engine) as ui:
        await ui.press("W")
        await ui.until(lambda: "5 ports, 1 listening, 1 not asked (udp)" in ui.screen_text())
        text = ui.screen_text()
        assert "● listening" in text and "○ refused" in text and "○ no answer" in text and "○ not published" in text
        assert "? not asked" in text
        await ui.press("g", "enter")
        assert ui.copied == ["http://127.0.0.1:5432"], "no browser here"
        await ui.press("G", "enter")
        assert any("publishes nothing" in toast for toast in ui.toasts)
        answers[5432] = reach.LISTENING
        await ui.press("r")
        await ui.until(lambda: "2 listening" in ui.screen_text())


async def test_a_network_is_made_joined_left_and_removed() -> None:
    async with running() as ui:
        await ui.press("4", "ctrl+n")
        await fill(ui, name="shop", subnet="10.5.0.0")
        assert "10.5.0.0 is no subnet" in ui.screen_text()
        await fill(ui, subnet="10.5.0.0/24", options="com.docker.network.driver.mtu=1400")
        assert "tuidock network create --subnet 10.5.0.0/24 -o com.docker" in ui.screen_text()
        await ui.press("ctrl+r")
        await ui.until(lambda: ui.app.model.find("networks", "shop") is not None)
        name, options = ui.engine.called("create_network")[0]
        assert name == "shop" and options["subnets"] == ["10.5.0.0/24"]
        assert options["options"] == {"com.docker.network.driver.mtu": "1400"}
        ui.main.pane("networks").move_cursor(ui.app.model.find("networks", "shop").id)
        await ui.press("I")
        await fill(ui, container="worker-1", alias="w one")
        await ui.press("ctrl+r")
        await ui.until(lambda: ui.app.model.find("networks", "shop").members)
        assert ui.engine.called("connect_network")[0][2]["aliases"] == ["w", "one"]
        await ui.command("connect shop worker-1")
        await ui.until(lambda: any("already" in toast for toast in ui.toasts))
        await ui.press("Z", "enter")
        await ui.until(lambda: "Disconnect worker-1 from shop?" in ui.screen_text())
        await ui.press("y")
        await ui.until(lambda: not ui.app.model.find("networks", "shop").members)
        await ui.press("d", "y")
        await ui.until(lambda: ui.app.model.find("networks", "shop") is None)


async def test_a_name_that_is_taken_leaves_the_form_open() -> None:
    async with running() as ui:
        await ui.press("4", "ctrl+n")
        await fill(ui, name="bridge")
        await ui.press("ctrl+r")
        await ui.until(lambda: "exists already" in ui.screen_text())
        assert ui.app.screen.field("name").value == "bridge"
