"""The form of `tuidock update`: limits and the restart policy of a container, also while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuidock.app.screens.form import Field, Form
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Container


class UpdateForm(Form):
    """The fields say what holds now; what is left as it is does not change."""

    VERB = "update"
    FIELDS = (
        Field("memory", "Memory", "no limit", "-m", half=True),
        Field("swap", "and swap", "twice the memory", "--memory-swap", half=True),
        Field("cpus", "CPUs", "all", "--cpus", half=True),
        Field("cpuset", "On CPUs", "0-3 or 0,1", "--cpuset-cpus", half=True),
        Field("pids", "PIDs", "no limit", "--pids-limit", half=True),
        Field("shares", "Shares", "1024", "-c", half=True),
        Field("restart", "Restart", "no, always, unless-stopped, on-failure:3", "--restart"),
    )
    KEYS = (("update", "ctrl+r", mark("change")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, container: Container, host: Mapping[str, Any]) -> None:
        self._before = values_of(host)
        super().__init__(self._before)
        self._container = container

    def heading(self) -> str:
        return tr("Limits of {name}", name=self._container.name)

    def first_field(self) -> str:
        return "memory"

    def known(self, key: str) -> list[str]:
        return ["no", "always", "unless-stopped", "on-failure"] if key == "restart" else []

    def flags(self) -> list[str]:
        """Only what differs from what holds now."""
        argv: list[str] = []
        for field in self.FIELDS:
            value = self.field(field.key).value.strip()
            if value and value != self._before.get(field.key, ""):
                argv += [field.flag, value]
        return argv

    def argv(self) -> list[str]:
        return [*self.flags(), self._container.name]

    def problem(self) -> str:
        from tuidock.engine.options import flags as grammar
        from tuidock.engine.options.update import UPDATE_FLAGS

        flags = self.flags()
        labels = {field.flag: tr(field.label) for field in self.FIELDS}
        for flag, value in zip(flags[::2], flags[1::2], strict=True):
            try:
                grammar.parse(UPDATE_FLAGS, [flag, value])
            except EngineError as error:
                text = str(error)
                # The fields have names of their own; the flag is one for who types it.
                return f"{labels[flag]}: {text.partition(' flag: ')[2] or text}"
        return ""

    def go(self, what: str) -> None:
        from tuidock.engine.options import flags as grammar
        from tuidock.engine.options.update import UPDATE_FLAGS, read_update

        if problem := self.problem():
            self.complain(problem)
            return
        if not self.flags():
            self.complain(tr("Nothing is different."))
            return
        try:
            resources, policy = read_update(grammar.parse(UPDATE_FLAGS, self.flags())[0])
        except EngineError as error:
            self.complain(str(error))
            return
        container = self._container

        def done(_: object) -> None:
            self.tuidock.say(tr("{name} changed", name=clean(container.name)))

        self.ask_engine(lambda engine: engine.update(container.id, resources, policy), done, tr("changing …"))


def values_of(host: Mapping[str, Any]) -> dict[str, str]:
    """What docker's HostConfig says, as a person types it."""
    restart = host.get("RestartPolicy") or {}
    name, count = str(restart.get("Name") or "no"), int(restart.get("MaximumRetryCount") or 0)
    found = {
        "memory": exact(int(host.get("Memory") or 0)),
        "swap": exact(int(host.get("MemorySwap") or 0)),
        "cpus": f"{host['NanoCpus'] / 1e9:g}" if host.get("NanoCpus") else "",
        "cpuset": str(host.get("CpusetCpus") or ""),
        "pids": str(host.get("PidsLimit") or ""),
        "shares": str(host.get("CpuShares") or ""),
        "restart": f"{name}:{count}" if count else name,
    }
    return {key: clean(value) for key, value in found.items() if value}


def exact(count: int) -> str:
    """Bytes with the largest unit that loses nothing: 256m, 1g, 1000; "" for no limit, -1 as it is."""
    if count <= 0:
        return str(count) if count else ""
    for power, unit in ((30, "g"), (20, "m"), (10, "k")):
        if count % (1 << power) == 0:
            return f"{count >> power}{unit}"
    return str(count)
