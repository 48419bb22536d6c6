"""Actions that change something: the life of containers, running new ones, volumes, many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES, Row, row_id, row_name
from tuidock.app.screen_keys import READ_ONLY
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, Network, Volume

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen

ALIVE = ("running", "paused", "restarting")
#: Signals for a process, with what programs usually do when they come.
SIGNALS = (
    ("TERM", "end in good order"),
    ("INT", "end, as by ctrl+c"),
    ("HUP", "read the configuration again, or end"),
    ("USR1", "what the program wants"),
    ("USR2", "what the program wants"),
    ("QUIT", "end and leave a core"),
    ("STOP", "stand still"),
    ("CONT", "go on"),
    ("KILL", "end at once; nothing can be written any more"),
)
#: Networks that always exist.
PREDEFINED = ("bridge", "host", "none")


def targets(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row_id(row), clean(row_name(row))) for row in rows]


def named(rows: list[Row], kind: str) -> str:
    """The rows in words: a name, or how many."""
    if len(rows) == 1:
        return clean(row_name(rows[0]))
    return f"{len(rows)} {kind}"


def listed(rows: list[Row], limit: int = 8) -> list[str]:
    names = [clean(row_name(row)) for row in rows]
    return names[:limit] + ([f"and {len(names) - limit} more"] if len(names) > limit else [])


def with_status(rows: list[Row], *statuses: str) -> list[Row]:
    return [row for row in rows if isinstance(row, Container) and row.status in statuses]


class Changes:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp
    row_remove: Callable[[list[Row]], None]  # in `removing.py`
    create_network: Callable[..., None]  # in `networks.py`

    def _move(self, verb: str, rows: list[Row], call: Callable[[Any, str], Any]) -> None:
        self.app.engine_workers.move(verb, targets(rows), call)

    def _ask_then(self, key: str, title: str, rows: list[Row], yes: str, call: Callable[[], None]) -> None:
        """Asks unless the policy or an earlier answer says that this need not be asked."""
        if self.app.config.confirm != "always" or key in self.app.not_asked:
            call()
            return
        self.app.confirm(title, listed(rows) if len(rows) > 1 else [], yes, call, remember=key)

    # -- life of containers -------------------------------------------------------------------------------------

    def container_toggle(self, rows: list[Row]) -> None:
        alive = with_status(rows, *ALIVE)
        if alive:
            self.container_stop(alive)
        else:
            self.container_start(rows)

    def container_start(self, rows: list[Row]) -> None:
        idle = with_status(rows, "created", "exited", "dead")
        self._ask_for_many(
            "start", "Start", idle, lambda: self._move("started", idle, lambda engine, ref: engine.start(ref))
        )

    def _ask_for_many(self, key: str, verb: str, rows: list[Row], call: Callable[[], None]) -> None:
        """What is harmless is asked for many only: a group, or marks that are out of sight, may hold more than one thinks."""
        if len(rows) > 1:
            self._ask_then(f"{key} many", f"{verb} {named(rows, CONTAINERS)}?", rows, key, call)
        else:
            call()

    def container_stop(self, rows: list[Row]) -> None:
        alive = with_status(rows, *ALIVE)
        self._ask_then(
            "stop",
            tr("Stop {alive}?", alive=named(alive, CONTAINERS)),
            alive,
            "stop",
            lambda: self._move("stopped", alive, lambda engine, ref: engine.stop(ref)),
        )

    def container_restart(self, rows: list[Row]) -> None:
        self._ask_then(
            "restart",
            tr("Restart {rows}?", rows=named(rows, CONTAINERS)),
            rows,
            "restart",
            lambda: self._move("restarted", rows, lambda engine, ref: engine.restart(ref)),
        )

    def container_pause(self, rows: list[Row]) -> None:
        running = with_status(rows, "running")
        if running:
            self._ask_for_many(
                "pause", "Pause", running, lambda: self._move("paused", running, lambda engine, ref: engine.pause(ref))
            )
        else:
            self.container_unpause(rows)

    def container_unpause(self, rows: list[Row]) -> None:
        paused = with_status(rows, "paused")
        self._ask_for_many(
            "unpause", "Unpause", paused,
            lambda: self._move("unpaused", paused, lambda engine, ref: engine.unpause(ref)),
        )  # fmt: skip

    def container_kill(self, rows: list[Row]) -> None:
        alive = with_status(rows, *ALIVE)

        def call() -> None:
            self._move("killed", alive, lambda engine, ref: engine.kill(ref))

        if self.app.config.confirm == "never":
            call()
            return
        self.app.confirm(
            tr("Kill {alive}?", alive=named(alive, CONTAINERS)),
            [*(listed(alive) if len(alive) > 1 else []), tr("SIGKILL leaves no time to write anything.")],
            tr("kill"),
            call,
        )

    def kill_process(self, container: Container, pid: int, command: str) -> None:
        """Which signal, then whether it is meant: the picker says what each is for."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        if self.app.read_only:
            self.app.say(tr(READ_ONLY), "warning")
            return
        what = f"{pid} ({clean(command)[:40]})"

        def chosen(signal: str | None) -> None:
            if signal is None:
                return
            lines = [tr("It is the container's first process: when it ends {name} ends.", name=clean(container.name))]
            self.app.confirm(
                tr(
                    "Send SIG{signal} to process {what} of {name}?",
                    signal=signal,
                    what=what,
                    name=clean(container.name),
                ),
                lines if pid == container.pid else [],
                tr("send"),
                lambda: self.app.engine_workers.move(
                    f"was sent SIG{signal}",
                    [(container.id, f"process {pid}")],
                    lambda engine, ref: engine.kill_process(ref, pid, signal),
                ),
            )

        choices = [Choice(f"SIG{name}", name, about) for name, about in SIGNALS]
        self.app.push_screen(PickerScreen(tr("Signal to process {what}", what=what), choices), chosen)

    def container_rename(self, rows: list[Row]) -> None:
        from tuidock.app.screens.ask import AskScreen, Question

        row = rows[0]

        def go(ask: AskScreen, values: list[str]) -> None:
            def done(_: object) -> None:
                self.app.say(tr("{row} renamed", row=clean(row_name(row))))

            ask.ask_engine(lambda engine: engine.rename(row_id(row), values[0]), done)

        questions = [Question(tr("New name"), clean(row_name(row)))]
        self.app.push_screen(
            AskScreen(tr("Rename {row}", row=clean(row_name(row))), questions, yes=tr("rename"), go=go)
        )

    def rename(self, row: Row, name: str) -> None:
        self._move("renamed", [row], lambda engine, ref: engine.rename(ref, name))

    def container_update(self, rows: list[Row]) -> None:
        """What holds now is asked for first, so that the form can show it."""
        from tuidock.app.screens.update_form import UpdateForm

        row = rows[0]
        assert isinstance(row, Container)

        def show(value: Any) -> None:
            self.app.push_screen(UpdateForm(row, value.get("HostConfig") or {}))

        self.app.engine_workers.ask_apart(
            lambda engine: engine.inspect_container(row.id), show, lambda error, text: self.app.say(text, "error")
        )

    def container_copy(self, rows: list[Row]) -> None:
        from tuidock.app.screens.copy_forms import of_container

        row = rows[0]
        if isinstance(row, Container):
            self.app.push_screen(of_container(row))

    # -- volumes, running ------------------------------------------------------------------------------------------

    def row_new(self) -> None:
        if self.screen.kind == VOLUMES:
            from tuidock.app.screens.volume_form import VolumeForm

            self.app.push_screen(VolumeForm())
        elif self.screen.kind == NETWORKS:
            self.create_network()
        else:
            self.container_run()

    def create_volume(self, name: str) -> None:
        self.app.engine_workers.move(
            "created", [(name, clean(name) or "a volume")], lambda engine, ref: engine.create_volume(ref)
        )

    def container_run(self, image: str = "") -> None:
        from tuidock.app.screens.run_form import RunForm

        row = self.screen.pane(IMAGES).row_at_cursor if self.screen.kind == IMAGES else None
        if not image and isinstance(row, Image):
            # A name that is not shown as it is cannot be typed either; the id can.
            image = row_name(row) if clean(row_name(row)) == row_name(row) else row.short_id
        self.app.push_screen(RunForm(self.app.model, image))

    def run(self, argv: list[str], start: bool = True) -> None:
        """`:run` and `:create`: the words of the command line."""
        from tuidock.engine.options.run import parse_run

        command = parse_run(argv, verb="run" if start else "create")
        self.app.engine_workers.run(
            command.request,
            start,
            lambda row: self.app.said("started" if start else "created", row),
            lambda text: self.app.say(text, "error"),
            argv,
        )

    # -- many at once ---------------------------------------------------------------------------------------------

    def row_bulk(self) -> None:
        """A menu of what can be done to the marked rows, and to those that nobody uses."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        kind = self.screen.kind
        pane = self.screen.pane()
        marked = list(self.screen.acted_rows()) if pane.marks or pane.on_header else []
        model = self.app.model
        choices: list[Choice] = []
        if marked and kind == CONTAINERS:
            for label, verb in (
                ("start", self.container_start),
                ("stop", self.container_stop),
                ("restart", self.container_restart),
                ("pause", self.container_pause),
                ("kill", self.container_kill),
            ):
                choices.append(Choice(tr("{label} the {count} marked", label=label, count=len(marked)), (verb, marked)))
        if marked:
            choices.append(Choice(tr("remove the {count} marked", count=len(marked)), (self.row_remove, marked)))
        rows = list(model.rows[kind].values())
        if kind == CONTAINERS:
            running, idle = with_status(rows, *ALIVE), with_status(rows, "exited", "created", "dead")
            choices.append(Choice(tr("stop all {count} that run", count=len(running)), (self.container_stop, running)))
            choices.append(Choice(tr("remove all {count} that do not run", count=len(idle)), (self.row_remove, idle)))
        elif kind == IMAGES:
            dangling = [row for row in rows if isinstance(row, Image) and not row.references and not row.containers]
            unused = [row for row in rows if isinstance(row, Image) and not row.containers]
            choices.append(
                Choice(
                    tr("remove {count} dangling", count=len(dangling)),
                    (self.row_remove, dangling),
                    tr("without a name"),
                )
            )
            choices.append(
                Choice(
                    tr("remove {count} unused", count=len(unused)),
                    (self.row_remove, unused),
                    tr("no container has them"),
                )
            )
        elif kind == VOLUMES:
            free = [row for row in rows if isinstance(row, Volume) and not row.users]
            choices.append(
                Choice(
                    tr("remove {count} without users", count=len(free)),
                    (self.row_remove, free),
                    tr("u brings them back"),
                )
            )
        else:
            empty = [row for row in rows if isinstance(row, Network) and not row.members and row.name not in PREDEFINED]
            choices.append(Choice(tr("remove {count} without containers", count=len(empty)), (self.row_remove, empty)))
        choices = [choice for choice in choices if choice.value[1]]
        if not choices:
            self.app.say(tr("There is nothing to act on: space marks rows."), "warning")
            return

        def chosen(value: Any) -> None:
            if value is not None:
                value[0](value[1])

        self.app.push_screen(PickerScreen(tr("Act on many"), choices), chosen)
