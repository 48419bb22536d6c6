"""Actions that only look: panes, tabs, filter, sort, copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuidock.app import grouping, panes, program
from tuidock.app.layout import WIDE
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row, row_name
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, PortBinding

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen
    from tuidock.app.widgets.line_table import LineTable


class Views:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    # -- panes and tabs -----------------------------------------------------------------------------------------

    def pane_containers(self) -> None:
        self.screen.go(CONTAINERS)

    def pane_images(self) -> None:
        self.screen.go(IMAGES)

    def pane_volumes(self) -> None:
        self.screen.go(VOLUMES)

    def pane_networks(self) -> None:
        self.screen.go(NETWORKS)

    def _step(self, step: int) -> None:
        self.screen.go(KINDS[(KINDS.index(self.screen.kind) + step) % len(KINDS)])

    def pane_next(self) -> None:
        self._step(1)

    def pane_previous(self) -> None:
        self._step(-1)

    def tab_next(self) -> None:
        self._turn(1)

    def tab_previous(self) -> None:
        self._turn(-1)

    def _turn(self, step: int) -> None:
        if self.screen.narrow and self.screen.page == "list":
            self.screen.show_page("detail")
        else:
            self.screen.detail.step_tab(step)

    def nav_back(self) -> None:
        """Out of the details, then out of full, then the filter, then the marks; never out of the program."""
        screen, pane = self.screen, self.screen.pane()
        if screen.page == "detail":
            screen.show_page("list")
        elif screen.full:
            self.view_full()
        elif pane.filter_text:
            pane.set_filter_text("")
        elif pane.range_active or pane.marks:
            pane.clear_marks()

    def view_full(self) -> None:
        if self.screen.narrow:
            self._say_narrow()
            return
        self.screen.full = not self.screen.full
        self.screen._arrange()

    def view_grow(self) -> None:
        self._share(1)

    def view_shrink(self) -> None:
        self._share(-1)

    def _say_narrow(self) -> None:
        other = "esc goes back to the list" if self.screen.page == "detail" else "enter goes to the details"
        self.app.say(
            tr("Below {wide} columns one list or the details have the whole screen; {other}.", wide=WIDE, other=other)
        )

    def _share(self, step: int) -> None:
        from tuidock.app.layout import SHARES

        if self.screen.narrow:
            self._say_narrow()
            return
        if self.screen.page == "detail":
            step = -step
        self.screen.share = max(0, min(len(SHARES) - 1, self.screen.share + step))
        self.screen._arrange()

    # -- lists ----------------------------------------------------------------------------------------------------

    def list_filter(self) -> None:
        from tuidock.app.screens.prompt import PromptLine

        screen, pane = self.screen, self.screen.pane()
        if screen.page == "detail":
            screen.show_page("list")
        before = pane.filter_text
        names = " ".join(f"{name}:" for name in sorted(panes.FIELD_NAMES[pane.kind]))

        def cancelled() -> None:
            pane.set_filter_text(before)

        screen.open_prompt(
            PromptLine(
                "/",
                lambda text: self.set_filter(text),
                value=before,
                cancelled=cancelled,
                changed=pane.set_filter_text,
                past=self.app.filters,
                note=tr("re !re -f fuzzy -l label=v {names}", names=names),
            )
        )

    def set_filter(self, text: str) -> None:
        note = self.screen.pane().set_filter_text(text)
        if note:
            self.app.say(note, "warning")

    def list_next(self) -> None:
        self.screen.pane().action_cursor_down()

    def list_previous(self) -> None:
        self.screen.pane().action_cursor_up()

    def sort_by(self, column: str) -> None:
        """`:sort mem`: by the start of a column's name."""
        pane = self.screen.pane()
        known = [each.key for each in pane.columns if each.sortable]
        fitting = [key for key in known if key.startswith(column.lower())]
        if not fitting:
            self.app.say(
                tr("There is no column {column}; there are {known}.", column=column, known=", ".join(known)), "warning"
            )
            return
        again = pane.sort == (fitting[0], False)
        pane.sort_by(fitting[0], again)

    def list_columns(self) -> None:
        """Hides, shows and moves columns of the pane."""
        from tuidock.app import lists
        from tuidock.app.screens.columns import ColumnsScreen

        pane = self.screen.pane()
        base = self.app.config.lists.get(pane.kind) or lists.defaults()[pane.kind]
        listing = pane.listing
        self.app.push_screen(
            ColumnsScreen(
                lists.COLUMNS[pane.kind], listing.order, listing.hidden, (base.order, base.hidden), pane.arrange_columns
            )
        )

    def list_group(self) -> None:
        """By the next word of the pane, then not at all; `:group LABEL` groups by any label."""
        pane = self.screen.pane()
        steps = ["", *grouping.WORDS[pane.kind]]
        now = pane.listing.group
        self.group_by(steps[(steps.index(now) + 1) % len(steps)] if now in steps else "")

    def group_by(self, by: str) -> None:
        pane = self.screen.pane()
        pane.group_by(by)
        self.screen._arrange()
        self.app.say(tr("Grouped by {by}.", by=grouping.words(by)) if by else tr("Not grouped."))

    def list_fold(self) -> None:
        """All groups at once: folds them, or unfolds them when all are folded."""
        pane = self.screen.pane()
        if not pane.grouped:
            self.app.say(tr("The list is not grouped: z groups it."), "warning")
            return
        pane.fold_all(len(pane.folded) < pane.line_count - pane.row_count)

    def container_all(self) -> None:
        pane = self.screen.pane(CONTAINERS)
        pane.set_running(not pane.only_running)
        self.app.say(tr("Only containers that run.") if pane.only_running else tr("All containers."))

    # -- looking closely ------------------------------------------------------------------------------------------

    def row_inspect(self, rows: list[Row]) -> None:
        self._look("inspect")

    def _look(self, tab: str) -> None:
        screen = self.screen
        screen.detail.follow(screen.kind, screen.pane().cursor_key, at_once=True)
        screen.detail.show_tab(tab)
        screen.show_page("detail")

    def detail_selected(self, table: LineTable, key: str) -> None:
        """Enter on a line of a table in the details."""
        detail = self.screen.detail
        row, line = detail.row, table.row(key)
        if row is None or line is None:
            return
        if detail.tab == "ports" and isinstance(row, Container):
            port = next((each for each in row.ports if str(each) == key), None)
            if port is not None:
                self.open_port(port)
        elif detail.tab == "users":
            found = self.app.model.find(CONTAINERS, key)
            if isinstance(found, Container):
                self.screen.go(CONTAINERS)
                self.screen.pane(CONTAINERS).move_cursor(found.id)
        elif detail.tab == "layers" and isinstance(row, Image):
            self.screen.actions.layers(row, int(key))
        elif detail.tab == "health":
            from tuidock.app.health import output_of

            self.app.copy(output_of(detail.value, key), "what it printed" if key.startswith("probe") else "the check")
        elif detail.tab in ("env", "history"):
            self.app.copy(line.cell(len(table.columns) - 1).text, "the value")

    # -- everything together --------------------------------------------------------------------------------------

    def app_overview(self) -> None:
        from tuidock.app.screens.overview import OverviewScreen

        self.app.push_screen(OverviewScreen())

    def app_events(self, text: str = "") -> None:
        from tuidock.app.screens.events import EventsScreen

        self.app.push_screen(EventsScreen(text))

    def app_log(self) -> None:
        from tuidock.app.screens.command_log import CommandLogScreen

        self.app.push_screen(CommandLogScreen())

    # -- copying and opening --------------------------------------------------------------------------------------

    def row_copy(self, rows: list[Row]) -> None:
        from tuidock.app.screens.picker import Choice, PickerScreen

        if len(rows) > 1:
            choices = [
                Choice(tr("names"), " ".join(row_name(row) for row in rows), tr("{count} marked", count=len(rows)))
            ]
        else:
            choices = [
                Choice(what, text, text if len(text) < 60 else text[:59] + "…") for what, text in panes.copies(rows[0])
            ]
            choices = [choice._replace(value=program.runnable(choice.value, self.app.data_root)) for choice in choices]

        def chosen(text: Any) -> None:
            if text is not None:
                self.app.copy(clean(text))

        self.app.push_screen(PickerScreen(tr("Copy"), choices), chosen)

    def row_copy_line(self, rows: list[Row]) -> None:
        pane = self.screen.pane()
        lines = []
        for row in rows:
            line = panes.line(row, self.app.model, False)
            lines.append("  ".join(clean(line.cell(at).text) for at in range(len(pane.columns))).rstrip())
        self.app.copy("\n".join(lines), "the row" if len(lines) == 1 else f"{len(lines)} rows")

    def container_open(self, rows: list[Row]) -> None:
        from tuidock.app.screens.picker import Choice, PickerScreen

        row = rows[0]
        ports = [port for port in getattr(row, "ports", ()) if port.host_port and port.protocol == "tcp"]
        if not ports:
            self.app.say(tr("{row} publishes no TCP port now.", row=clean(row_name(row))), "warning")
        elif len(ports) == 1:
            self.open_port(ports[0])
        else:
            choices = [
                Choice(panes.url(port.host_ip, port.host_port), port, f"→ {port.container_port}") for port in ports
            ]
            self.app.push_screen(
                PickerScreen(tr("Which port?"), choices),
                lambda port: self.open_port(port) if port is not None else None,
            )

    def open_port(self, port: PortBinding) -> None:
        """Opens the address where there is a browser; over SSH copies the line that brings the port to one."""
        import os

        address = panes.url(port.host_ip, port.host_port)
        if os.environ.get("SSH_CONNECTION"):
            host = os.environ["SSH_CONNECTION"].split(" ")[2]
            target = port.host_ip if port.host_ip not in ("", "0.0.0.0", "::") else "localhost"
            line = f"ssh -L {port.host_port}:{target}:{port.host_port} {self.app.model.user or 'user'}@{host}"
            self.app.copy(line, quiet=True)
            self.app.say(tr("Copied: {line}  Then open {value}", line=line, value=panes.url("", port.host_port)))
        elif os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            self.app.open_url(address)
            self.app.say(tr("Opened {address}", address=address))
        else:
            self.app.copy(address, quiet=True)
            self.app.say(tr("Copied {address}", address=address))

    # -- the program ----------------------------------------------------------------------------------------------

    def app_command(self) -> None:
        from tuidock.app.commands import execute
        from tuidock.app.screens.command_line import command_line

        self.screen.open_prompt(command_line(self.screen, lambda text: execute(self.screen, text)))

    def app_palette(self) -> None:
        self.app.action_command_palette()

    def app_help(self) -> None:
        from tuidock.app.screens.help import show_help

        show_help(self.app)

    def app_theme(self) -> None:
        from tuidock.app.screens.picker import Choice, PickerScreen
        from tuidock.app.theme import theme_names

        names, before = theme_names(self.app.available_themes), self.app.theme

        def chosen(name: str | None) -> None:
            if name:
                self.app.choose_theme(name)
            else:
                self.app.theme = before

        def worn(name: str) -> None:
            self.app.theme = name

        choices = [Choice(name, name, tr("now") if name == before else "") for name in names]
        self.app.push_screen(PickerScreen(tr("Theme"), choices, narrow=True, preview=worn, start=before), chosen)

    def app_keys(self) -> None:
        from tuidock.app.bindings import PRESETS
        from tuidock.app.screens.picker import Choice, PickerScreen

        now = self.app.config.preset or "tuidock"
        choices = [Choice(name, name, tr("now") if name == now else "") for name in PRESETS]
        self.app.push_screen(
            PickerScreen(tr("Keymap"), choices), lambda name: self.app.use_keymap(name) if name else None
        )

    def app_plugins(self) -> None:
        from tuidock.app.actions import plugins

        plugins.choose(self.screen)

    def app_tour(self) -> None:
        from tuidock.app.screens.tour import begin

        begin(self.app)

    def app_mouse(self) -> None:
        self.app.toggle_mouse()

    def app_refresh(self) -> None:
        self.app.engine_workers.refresh()
        self.screen.detail.reload()

    def app_quit(self) -> None:
        self.app.ask_quit()
