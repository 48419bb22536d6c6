"""Forms about networks: a new one, and a place in one for a container."""

from __future__ import annotations

import ipaddress
from typing import Any

from tuidock.app.model import CONTAINERS, NETWORKS, ViewModel, row_name
from tuidock.app.quoting import words
from tuidock.app.screens.form import Field, Form, Tick, flag_words
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean

#: What docker calls networks that always exist and cannot be joined later.
FIXED = ("host", "none")


class NetworkForm(Form):
    """A new network."""

    TITLE_TEXT, VERB = mark("Create a network"), "network create"
    FIELDS = (
        Field("name", "Name", "backend", half=True),
        Field("driver", "Driver", "bridge, macvlan, ipvlan", "-d", half=True),
        Field("subnet", "Subnet", "the next free one", "--subnet", many=True, half=True),
        Field("gateway", "Gateway", "the first address", "--gateway", many=True, half=True),
        Field("range", "Range", "10.5.0.0/24", "--ip-range", many=True, half=True),
        Field("options", "Options", "parent=eth0", "-o", many=True, half=True),
    )
    TICKS = (Tick("internal", "internal: no way out"), Tick("ipv6", "IPv6"))
    KEYS = (("create", "ctrl+r", mark("create")), ("copy", "ctrl+c", mark("copy the command")))

    def first_field(self) -> str:
        return "name"

    def argv(self) -> list[str]:
        ticks = [f"--{key}" for key, on in self.ticks().items() if on]
        name = self.values()["name"].strip()
        return [*flag_words(self.FIELDS, self.values()), *ticks, *([name] if name else [])]

    def problem(self) -> str:
        values = self.values()
        for key, read in (("subnet", subnet), ("range", subnet), ("gateway", ipaddress.ip_address)):
            for word in values[key].split():
                try:
                    read(word)
                except ValueError:
                    return f"{word} is no {'address' if key == 'gateway' else 'subnet such as 10.5.0.0/16'}."
        if any("=" not in word for word in values["options"].split()):
            return tr("An option is NAME=VALUE.")
        return ""

    def go(self, what: str) -> None:
        if self.missing("name", tr("Which name?")):
            return
        if problem := self.problem():
            self.complain(problem)
            return
        values, ticks = self.values(), self.ticks()
        name, driver = values["name"].strip(), values["driver"].strip() or "bridge"
        options = dict(word.split("=", 1) for word in words(values["options"]))

        def create(engine: Any) -> Any:
            return engine.create_network(
                name, driver=driver, subnets=words(values["subnet"]), gateways=words(values["gateway"]),
                ranges=words(values["range"]), internal=ticks.get("internal", False), ipv6=ticks.get("ipv6", False),
                options=options,
            )  # fmt: skip

        def done(network: Any) -> None:
            self.tuidock.say(tr("network {name} created", name=clean(network.name)))

        self.ask_engine(create, done, tr("creating …"))


def subnet(word: str) -> object:
    """As it is typed: a slash is part of it, bits behind the mask are no mistake of a person's."""
    if "/" not in word:
        raise ValueError(word)
    return ipaddress.ip_network(word, strict=False)


class ConnectForm(Form):
    """A place in a network for a container, also while it runs."""

    VERB = "network connect"
    FIELDS = (
        Field("network", "Network", "backend", half=True),
        Field("container", "Who", "the name of a container", half=True),
        Field("ip", "Address", "the next free one", "--ip", half=True),
        Field("ip6", "IPv6", "the next free one", "--ip6", half=True),
        Field("alias", "Aliases", "other names in this network", "--alias", many=True),
    )
    TITLE_TEXT = mark("Connect a container to a network")
    KEYS = (("connect", "ctrl+r", mark("connect")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, model: ViewModel, network: str = "", container: str = "") -> None:
        super().__init__({"network": network, "container": container})
        self._model = model

    def known(self, key: str) -> list[str]:
        if key == "network":
            names = [row_name(row) for row in self._model.rows[NETWORKS].values()]
            return [clean(name) for name in names if name not in FIXED]
        return [clean(row_name(row)) for row in self._model.rows[CONTAINERS].values()] if key == "container" else []

    def argv(self) -> list[str]:
        values = self.values()
        named = [values[key].strip() for key in ("network", "container") if values[key].strip()]
        return [*flag_words(self.FIELDS, values), *named]

    def go(self, what: str) -> None:
        if self.missing("network", tr("Which network?")) or self.missing("container", tr("Which container?")):
            return
        values = {key: value.strip() for key, value in self.values().items()}

        def connect(engine: Any) -> None:
            engine.connect_network(
                values["network"],
                values["container"],
                ip=values["ip"],
                ip6=values["ip6"],
                aliases=words(values["alias"]),
            )

        def done(_: object) -> None:
            self.tuidock.say(
                tr("{values} is in {values2}", values=clean(values["container"]), values2=clean(values["network"]))
            )

        self.ask_engine(connect, done, tr("connecting …"))
