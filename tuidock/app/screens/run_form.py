"""A form for `tuidock run` that shows the command line as it grows, so that it teaches what it does.

The form only writes the command line. What it means, and whether it is right, is said by the same parser that the
command line has, so the two cannot differ.
"""

from __future__ import annotations

import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, Static

from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES, ViewModel, row_name
from tuidock.app.screens.lines import Item, KeyLine, PressableLine
from tuidock.app.screens.prompt import CompleteFrom
from tuidock.app.screens.still_input import StillInput
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class Field(NamedTuple):
    """One input. flag is what each of its words is preceded by; "" stands for itself."""

    key: str
    label: str
    placeholder: str
    flag: str = ""
    many: bool = False
    half: bool = False


FIELDS = (
    Field("image", "Image", "host/base", half=True),
    Field("name", "Name", "a random one", "--name", half=True),
    Field("command", "Command", "the image's own"),
    Field("ports", "Ports", "8080:80 127.0.0.1:5432:5432", "-p", many=True),
    Field("volumes", "Volumes", "data:/data /host/path:/path:ro", "-v", many=True),
    Field("env", "Env", "KEY=value OTHER='two words'", "-e", many=True),
    Field("memory", "Memory", "256m", "-m", half=True),
    Field("cpus", "CPUs", "1.5", "--cpus", half=True),
    Field("network", "Network", "bridge", "--network", half=True),
    Field("restart", "Restart", "no", "--restart", half=True),
    Field("more", "More", "any other option: --read-only --cap-add NET_ADMIN"),
)


def words(text: str) -> list[str]:
    """Words as a shell reads them; an open quote is taken as a letter while it is being typed."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def command_line(values: dict[str, str], ticks: dict[str, bool]) -> list[str]:
    """The words behind `tuidock run` that the form means."""
    argv = ["-d"]
    if ticks.get("terminal"):
        argv.append("-it")
    if ticks.get("remove"):
        argv.append("--rm")
    for field in FIELDS:
        text = values.get(field.key, "").strip()
        if not field.flag or not text:
            continue
        for word in words(text) if field.many else [text]:
            argv += [field.flag, word]
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
            return f"{host} is taken by container {clean(taken[int(host)])}. Next free: {free}."
    return ""


class RunForm(ModalScreen[None]):
    """ctrl+r runs, ctrl+n only creates, ctrl+c copies the command, esc goes back."""

    def __init__(self, model: ViewModel, image: str = "") -> None:
        super().__init__()
        self._model, self._image = model, image
        self._busy = False

    @property
    def tuidock(self) -> TuidockApp:
        return cast("TuidockApp", self.app)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Static("Run a container", classes="dialog-title", markup=False)
            with VerticalScroll(id="fields", can_focus=False):
                pending: Field | None = None
                for field in FIELDS:
                    if field.half and pending is None:
                        pending = field
                        continue
                    with Horizontal(classes="field"):
                        if pending is not None:
                            yield from self._field(pending)
                            pending = None
                        yield from self._field(field)
                with Horizontal(classes="field ticks"):
                    yield Checkbox("terminal (-it)", compact=True, id="terminal")
                    yield Checkbox("remove at exit (--rm)", compact=True, id="remove")
            yield Static("", id="command-line", markup=False)
            yield Static("", id="dialog-error", markup=False)
            yield KeyLine(id="dialog-keys")

    def _field(self, field: Field) -> ComposeResult:
        yield Label(field.label, markup=False, classes="field-label")
        known = self._known(field.key)
        suggester = CompleteFrom(lambda text, known=known: known) if known else None  # type: ignore[misc]
        value = self._image if field.key == "image" else ""
        yield StillInput(
            value, placeholder=field.placeholder, id=f"field-{field.key}", suggester=suggester, select_on_focus=False
        )

    def _known(self, key: str) -> list[str]:
        kind = {"image": IMAGES, "network": NETWORKS, "volumes": VOLUMES}.get(key)
        if key == "restart":
            return ["no", "always", "unless-stopped", "on-failure"]
        if kind is None:
            return []
        suffix = ":/" if kind == VOLUMES else ""
        names = [clean(row_name(row)) + suffix for row in self._model.rows[kind].values()]
        return names + (["host/base"] if kind == IMAGES else [])

    def on_mount(self) -> None:
        self.query_one("#dialog-keys", KeyLine).set_items(
            [
                Item("run", "run", "ctrl+r"),
                Item("create", "only create", "ctrl+n"),
                Item("copy", "copy the command", "ctrl+c"),
                Item("back", "back", "esc"),
            ]
        )
        first = "command" if self._image else "image"
        self.query_one(f"#field-{first}", Input).focus()
        self._draw()

    def argv(self) -> list[str]:
        values = {field.key: self.query_one(f"#field-{field.key}", Input).value for field in FIELDS}
        ticks = {each.id or "": each.value for each in self.query(Checkbox)}
        return command_line(values, ticks)

    def _draw(self) -> None:
        argv = self.argv()
        self.query_one("#command-line", Static).update(clean("tuidock run " + shlex.join(argv)))
        self._complain(port_conflict(argv, self._model))

    @on(Input.Changed)
    @on(Checkbox.Changed)
    def _changed(self) -> None:
        self._draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.focus_next()

    @on(PressableLine.Pressed)
    def _pressed(self, event: PressableLine.Pressed) -> None:
        event.stop()
        self._do(event.key)

    def on_key(self, event: events.Key) -> None:
        key = {"ctrl+r": "run", "ctrl+n": "create", "ctrl+c": "copy", "escape": "back"}.get(event.key)
        if event.key in ("up", "down") and isinstance(self.focused, Input | Checkbox):
            (self.focus_previous if event.key == "up" else self.focus_next)()
        elif key is not None:
            self._do(key)
        else:
            return
        event.stop()
        event.prevent_default()

    def _do(self, what: str) -> None:
        if what == "back":
            self.dismiss(None)
        elif what == "copy":
            self.tuidock.copy("tuidock run " + shlex.join(self.argv()), "the command")
        else:
            self._run(start=what == "run")

    def _run(self, start: bool) -> None:
        from tuidock.engine.options.run import parse_run

        if self._busy:
            return
        argv = self.argv()
        if not self.query_one("#field-image", Input).value.strip():
            self._complain("Which image? Type a name, or host/base for one made from this machine's programs.")
            self.query_one("#field-image", Input).focus()
            return
        try:
            request = parse_run(argv, verb="run").request
        except EngineError as error:
            self._complain(clean(str(error)))
            return
        self._busy = True
        self._complain("starting …" if start else "creating …", wrong=False)

        def ended(row: Container | None) -> None:
            self.tuidock.said("started" if start else "created", row)
            if self.is_current:
                self.dismiss(None)
            main = self.tuidock.main
            if main is not None and row is not None:
                main.go(CONTAINERS)
                main.pane(CONTAINERS).seek(row.id)

        def failed(text: str) -> None:
            self._busy = False
            if self.is_attached:
                self._complain(text)
            else:
                self.tuidock.say(text, "error")

        self.tuidock.engine_workers.run(request, start, ended, failed)

    def _complain(self, text: str, wrong: bool = True) -> None:
        error = self.query_one("#dialog-error", Static)
        error.update(f"✖ {text}" if text and wrong else text)
        error.set_class(wrong, "-wrong")
        error.display = bool(text)
