"""The app: screens, theme, keymap, and what every screen may ask for - a toast, the clipboard, the terminal.

It knows nothing about containers beyond the view model, and nothing about threads beyond the messages of `workers.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual.app import App
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.message import Message

from tuidock.app import lists
from tuidock.app.background import Background
from tuidock.app.clipboard import hint, sequence
from tuidock.app.config import Config
from tuidock.app.lending import Lending
from tuidock.app.model import CONTAINERS, Row, ViewModel, row_name
from tuidock.app.report import record, sentence
from tuidock.app.screens.main import MainScreen
from tuidock.app.settings import Settings
from tuidock.app.terminal.hub import Terminals
from tuidock.app.widgets import told_sizes
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from textual import events
    from textual.dom import DOMNode

    from tuidock.app import messages
    from tuidock.app.first.terminal import Terminal
    from tuidock.app.workers import Workers

#: Seconds after which texts such as "up 3m" are drawn anew when nothing else happens.
AGES_EVERY = 30.0


class TuidockApp(Background, Lending, Settings, App[int]):
    """tuidock over one engine."""

    config: Config
    problems: list[str]
    engine_workers: Workers
    model: ViewModel
    read_only: bool
    listings: lists.Listings

    TITLE = "tuidock"
    CSS_PATH = "styles/app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    NOTIFICATION_TIMEOUT = 4
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "ask_quit", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "suspend", show=False, id="app.suspend"),
    ]

    def __init__(
        self, workers: Workers, model: ViewModel, config: Config | None = None, *, root: str = "", read_only: bool = False,
        terminal: Terminal | None = None,
    ) -> None:  # fmt: skip
        from tuidock.app.screens.palette import TuidockCommands

        told_sizes.install()
        self.COMMANDS = {TuidockCommands}  # type: ignore[misc]
        self.config = config or Config()
        self.problems = list(self.config.problems)
        self._choose_theme()
        driver = None
        if terminal is not None and not os.environ.get("TEXTUAL_DRIVER"):
            from tuidock.app.first.driver import driver_over

            driver = driver_over(terminal)
        super().__init__(driver_class=driver)
        dark = self.current_theme.dark
        self.update_classes({f"-theme-{self.theme}": True, "-dark-mode": dark, "-light-mode": not dark}, update=False)
        self.engine_workers, self.model = workers, model
        workers.log.name_of = model.name_of
        self.root, self.read_only = root, read_only
        self.data_root = root or os.environ.get("TUIDOCK_ROOT", "")
        self.keymap: dict[str, str] = {}
        self.not_asked: set[str] = set()
        self.listings = lists.load(self.config.lists)
        self.filters: list[str] = []
        self.commands_typed: list[str] = []
        self.log_searches: list[str] = []
        self.log_filters: list[str] = []
        self.path_filters: list[str] = []
        self.errors: list[BaseException] = []
        self._mouse_on = True
        self.terminals = Terminals(self)
        self._clipboard_explained = False
        self._terminal = terminal
        self._began = False  # the first frame of Textual is on the screen
        self.key_pressed = False  # and what it has changed is not on the screen yet

    # -- start and end ------------------------------------------------------------------------------------------

    def keep_listing(self, kind: str, listing: lists.Listing) -> None:
        """How the list of a kind is looked at from now on, also in later sessions."""
        if listing != self.listings[kind]:
            self.listings[kind] = listing
            lists.save(self.listings, self.config.lists)

    def on_load(self) -> None:
        self.problems += self._set_keymap(self.config.preset)

    def get_css_variables(self) -> dict[str, str]:
        """$text-muted as a colour: Textual's is "auto 60%", which comes out white where a widget draws its own lines."""
        variables = super().get_css_variables()
        own = self.current_theme.variables
        variables["text-muted"] = variables["tuidock-muted"] = own.get("text-muted", variables["tuidock-muted"])
        variables["text-disabled"] = own.get("text-disabled", variables["tuidock-faint"])
        return variables

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colours that the app uses beside those of Textual."""
        theme = self.current_theme
        if theme.ansi or "ansi" in f"{theme.foreground}{theme.background}":
            return {
                "tuidock-muted": "ansi_bright_black",
                "tuidock-faint": "ansi_bright_black",
                "tuidock-rule": "ansi_bright_black",
            }
        foreground = Color.parse(theme.foreground or ("#e0e0e0" if theme.dark else "#1f1f1f"))
        background = Color.parse(theme.background or ("#121212" if theme.dark else "#e0e0e0"))
        return {
            "tuidock-muted": background.blend(foreground, 0.62).hex,
            "tuidock-faint": background.blend(foreground, 0.4).hex,
            "tuidock-rule": background.blend(foreground, 0.2).hex,
        }

    def get_default_screen(self) -> MainScreen:
        return MainScreen()

    @property
    def main(self) -> MainScreen | None:
        return next((each for each in self.screen_stack if isinstance(each, MainScreen)), None)

    def on_mount(self) -> None:
        for problem in self.problems:
            self.say(clean(problem), "warning")
        self.call_after_refresh(self._first_frame_shown)
        self.set_interval(AGES_EVERY, self._ages)
        if not self.is_headless:
            self._leave_on_signals()

    def _first_frame_shown(self) -> None:
        self._began = True
        import gc

        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self.engine_workers.start(self.post_message)
        self.watch_settings()
        if not self.is_headless:
            self.set_timer(0.5, self._keep_colours)
            self.show_tour_once()

    def _keep_colours(self) -> None:
        """What the next start needs to draw before Textual is there."""
        from tuidock.app.first import styles

        styles.keep(self)

    def _leave_on_signals(self) -> None:
        """A terminated app restores the terminal, and one whose SSH session is gone does not stay behind."""
        import asyncio
        import select
        import signal

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.leave)
        # a shell that ignores hang-ups never dies, so the kernel sends none to its children: the terminal says it itself
        if os.isatty(0) or self.is_web:
            self._hang_up = select.epoll()
            self._hang_up.register(0, 0)
            loop.add_reader(self._hang_up.fileno(), self._terminal_gone)

    def _terminal_gone(self) -> None:
        import asyncio

        asyncio.get_running_loop().remove_reader(self._hang_up.fileno())
        self.leave()

    def _on_exit_app(self) -> Any:
        self.engine_workers.stop()
        self.unwatch_settings()
        self.terminals.close_all()
        self.drop_jobs()
        return super()._on_exit_app()

    def on_unmount(self) -> None:
        self.unwatch_settings()  # however it ends

    def action_ask_quit(self) -> None:
        self.ask_quit()

    def action_command_palette(self) -> None:
        from tuidock.app.screens.palette import Palette

        if not Palette.is_open(self):  # type: ignore[arg-type]
            self.push_screen(Palette(id="--command-palette"))

    async def action_quit(self) -> None:
        self.ask_quit()

    def ask_quit(self) -> None:
        """Quits; asks only when a pull or a build would be lost."""
        titles = [clean(job.title) for job in self.model.jobs.values()]
        titles += [clean(session.title) for session in self.terminals.living]
        if not titles:
            self.leave()
            return
        self.confirm(
            tr("Quit while this goes on?"),
            [*titles, tr("It would be given up. Containers go on.")],
            tr("quit"),
            self.leave,
        )

    def leave(self) -> None:
        self.engine_workers.stop()
        self.exit(0)

    async def on_event(self, event: events.Event) -> None:
        if event.__class__.__name__ in ("Key", "Click", "MouseScrollDown", "MouseScrollUp"):
            self.engine_workers.touched()
            self.key_pressed = True
        if event.__class__.__name__ == "Key" and not event.is_forwarded:
            focused = self.screen.focused
            if focused is not None and getattr(focused, "takes_every_key", False):
                focused._forward_event(event)
                return
        await super().on_event(event)

    async def _on_key(self, event: events.Key) -> None:
        """The line at the foot gets what was typed behind the key that opened it."""
        prompt = next(iter(self.screen.query("#prompt")), None)
        if prompt is not None and prompt.take(event):  # type: ignore[attr-defined]
            event.stop()
            event.prevent_default()
        elif self.screen is self.main and (plugin := self.plugin_of(event.key)) is not None:
            from tuidock.app.actions import plugins

            event.stop()
            plugins.begin(self.main, plugin)

    # -- what has happened --------------------------------------------------------------------------------------

    def on_rows_read(self, message: messages.RowsRead) -> None:
        if self.model.replace(message.kind, message.rows) and (main := self.main) is not None:
            main.rows_changed(message.kind)

    def on_containers_read(self, message: messages.ContainersRead) -> None:
        came = any(row.id not in self.model.containers() for row in message.rows)
        if not self.model.put_containers(message.rows, message.gone) or (main := self.main) is None:
            return
        main.rows_changed(CONTAINERS, None if came or message.gone else list(message.rows))

    def on_events_read(self, message: messages.EventsRead) -> None:
        if (main := self.main) is not None:
            main.detail.events_read(list(message.events))
        for screen in self.screen_stack:
            read = getattr(screen, "events_read", None)
            if read is not None:
                read(list(message.events))

    def on_stats_read(self, message: messages.StatsRead) -> None:
        self.model.host = message.host
        self.model.host_looks.append(message.host)
        changed = self.model.add_samples(message.samples)
        if (main := self.main) is not None:
            with self.batch_update():
                main.samples_changed(changed)
                if (read := getattr(self.screen, "samples_read", None)) is not None:
                    read()

    def on_host_read(self, message: messages.HostRead) -> None:
        self.model.host_name, self.model.host = message.name, message.host
        if (main := self.main) is not None:
            main.header.show()

    def on_moves_ended(self, message: messages.MovesEnded) -> None:
        for text in message.failed[:3]:
            self.say(text, "error")
        if len(message.failed) > 3:
            self.say(tr("{count} more failed.", count=len(message.failed) - 3), "error")
        if len(message.done) == 1 and not message.failed:
            self.say(f"{message.done[0]} {tr(message.verb)}")
        elif message.done:
            self.say(f"{len(message.done)} {tr(message.verb)}")

    def on_engine_failed(self, message: messages.EngineFailed) -> None:
        self.say(message.sentence, "error")

    def on_answered(self, message: messages.Answered) -> None:
        message.then(message.value)

    def on_app_blur(self, event: events.AppBlur) -> None:
        self.engine_workers.set_awake(False)

    def on_app_focus(self, event: events.AppFocus) -> None:
        self.engine_workers.set_awake(True)
        self._ages()

    def _ages(self) -> None:
        if self.app_focus and (main := self.main) is not None and main.is_current:
            main.ages_changed()

    # -- what screens ask for -----------------------------------------------------------------------------------

    def say(self, text: str, severity: Literal["information", "warning", "error"] = "information") -> None:
        """A toast; the text is cleaned and never markup."""
        self.notify(clean(text), severity=severity, markup=False, timeout=8 if severity == "error" else 4)

    def said(self, verb: str, row: Row | None) -> None:
        if row is not None:
            self.say(f"{clean(row_name(row))} {tr(verb)}")

    def confirm(self, title: str, lines: Sequence[str], yes: str, then: Callable[[], None], remember: str = "") -> None:
        from tuidock.app.screens.confirm import Answer, ConfirmScreen

        def answered(answer: Answer | None) -> None:
            if answer is None:
                return
            if answer.remember:
                self.not_asked.add(remember)
            then()

        self.push_screen(ConfirmScreen(title, lines, yes=yes, remember=bool(remember)), answered)

    def copy(self, text: str, what: str = "", quiet: bool = False) -> None:
        """To the clipboard of the terminal in front of the person, over SSH and through tmux."""
        made, problem = sequence(text, os.environ)
        if problem:
            self.say(problem, "warning")
            return
        self._clipboard = text
        if self._driver is not None:
            self._driver.write(made)
        if not quiet:
            shown = what or (text if len(text) < 50 else f"{text[:49]}…")
            note = f"Copied {shown} ({len(text.encode())} bytes)"
            if (way := hint(os.environ)) and not self._clipboard_explained:
                self._clipboard_explained = True
                note += f"; {way}"
            self.say(note)

    def copy_to_clipboard(self, text: str) -> None:
        self.copy(text, "the selection")

    def toggle_mouse(self) -> None:
        """Without the mouse the terminal's own selection works."""
        driver = self._driver
        self._mouse_on = not self._mouse_on
        switch = getattr(driver, "_enable_mouse_support" if self._mouse_on else "_disable_mouse_support", None)
        if switch is not None:
            switch()
        self.say(
            tr("The mouse belongs to tuidock.")
            if self._mouse_on
            else tr("The mouse belongs to the terminal: select as usual.")
        )

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Clashes have been settled and told by `keymap_of`."""

    # -- mistakes -------------------------------------------------------------------------------------------------

    def report(self, error: BaseException) -> None:
        """A mistake of the program: a toast and a line in the log; the app goes on."""
        self.errors.append(error)
        self.say(sentence(error), "error")

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if not self.is_running or not self._began:
                raise
            self.report(error)

    def _handle_exception(self, error: Exception) -> None:
        """What no guard caught: a widget has ended, the app has not - unless it has not even begun."""
        if not self._began or self.main is None or len(self.errors) > 50:
            record(error)
            super()._handle_exception(error)
            return
        self.report(error)

    def _print_error_renderables(self) -> None:
        """What ended the app belongs on the ordinary screen."""
        if self._terminal is not None:
            self._terminal.restore()
        super()._print_error_renderables()
