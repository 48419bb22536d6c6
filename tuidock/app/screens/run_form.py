"""The form of `tuidock run`.

The form only writes the command line. What it means, and whether it is right, is said by the same parser that the
command line has, so the two cannot differ.
"""

from __future__ import annotations

from itertools import pairwise

from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES, ViewModel, row_name
from tuidock.app.quoting import words
from tuidock.app.screens.form import Field, Form, Tick, flag_words
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Container

FIELDS = (
    Field("image", "Image", "host/base", half=True),
    Field("name", "Name", "a random one", "--name", half=True),
    Field("command", "Command", "the image's own", words=True),
    Field("ports", "Ports", "8080:80 127.0.0.1:5432:5432", "-p", many=True),
    Field("volumes", "Volumes", "data:/data /host/path:/path:ro", "-v", many=True),
    Field("env", "Env", "KEY=value OTHER='two words'", "-e", many=True),
    Field("memory", "Memory", "256m", "-m", half=True),
    Field("cpus", "CPUs", "1.5", "--cpus", half=True),
    Field("network", "Network", "bridge", "--network", half=True),
    Field("restart", "Restart", "no", "--restart", half=True),
    Field("more", "More", "any other option: --read-only --cap-add NET_ADMIN", words=True),
)


def command_line(values: dict[str, str], ticks: dict[str, bool]) -> list[str]:
    """The words behind `tuidock run` that the form means."""
    argv = ["-d"]
    if ticks.get("terminal"):
        argv.append("-it")
    if ticks.get("remove"):
        argv.append("--rm")
    argv += flag_words(FIELDS, values)
    argv += words(values.get("more", ""))
    image = values.get("image", "").strip()
    if image:
        argv += [image, *words(values.get("command", ""))]
    return argv


def port_conflict(argv: list[str], model: ViewModel) -> str:
    """A sentence when a published port is taken by a container that runs, and the next free one."""
    taken = {
        port.host_port: row.name
        for row in model.containers().values()
        for port in row.ports
        if port.host_port and row.status in ("running", "paused", "restarting")
    }
    for flag, spec in pairwise(argv):
        if flag != "-p":
            continue
        parts = spec.split("/")[0].rsplit(":", 2)
        host = parts[-2] if len(parts) > 1 else ""
        if host.isdigit() and int(host) in taken:
            free = next((each for each in range(int(host) + 1, 65536) if each not in taken), 0)
            return tr(
                "{host} is taken by container {taken}. Next free: {free}.",
                host=host,
                taken=clean(taken[int(host)]),
                free=free,
            )
    return ""


class RunForm(Form):
    """ctrl+r runs, ctrl+n only creates, ctrl+c copies the command, esc goes back."""

    TITLE_TEXT, VERB, FIELDS = mark("Run a container"), "run", FIELDS
    TICKS = (Tick("terminal", "terminal (-it)"), Tick("remove", "remove at exit (--rm)"))
    KEYS = (
        ("run", "ctrl+r", mark("run")),
        ("create", "ctrl+n", mark("only create")),
        ("copy", "ctrl+c", mark("copy the command")),
    )

    def __init__(self, model: ViewModel, image: str = "") -> None:
        super().__init__({"image": image} if image else {})
        self._model = model

    def known(self, key: str) -> list[str]:
        kind = {"image": IMAGES, "network": NETWORKS, "volumes": VOLUMES}.get(key)
        if key == "restart":
            return ["no", "always", "unless-stopped", "on-failure"]
        if kind is None:
            return []
        suffix = ":/" if kind == VOLUMES else ""
        names = [clean(row_name(row)) + suffix for row in self._model.rows[kind].values()]
        return names + (["host/base"] if kind == IMAGES else [])

    def first_field(self) -> str:
        return "command" if self._given.get("image") else "image"

    def argv(self) -> list[str]:
        return command_line(self.values(), self.ticks())

    def problem(self) -> str:
        return port_conflict(self.argv(), self._model)

    def go(self, what: str) -> None:
        from tuidock.engine.options.run import parse_run

        start = what == "run"
        if self.missing(
            "image", tr("Which image? Type a name, or host/base for one made from this machine's programs.")
        ):
            return
        try:
            request = parse_run(self.argv(), verb="run").request
        except EngineError as error:
            self.complain(str(error))
            return
        self.busy(tr("starting …") if start else tr("creating …"))

        def ended(row: Container | None) -> None:
            self.tuidock.said("started" if start else "created", row)
            if self.is_current:
                self.dismiss(None)
            main = self.tuidock.main
            if main is not None and row is not None:
                main.go(CONTAINERS)
                main.pane(CONTAINERS).seek(row.id)

        self.tuidock.engine_workers.run(request, start, ended, self.failed, self.argv())
