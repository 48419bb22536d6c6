"""The main screen: four panes on the left, what is under the cursor on the right, the keys at the foot.

Below 100 columns there is one page at a time: a list with the names of the panes as a line of tabs, or the details.
The screen shows the view model and hands every wish to `actions.py`; it never changes a row itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container as Box
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from tuidock.app import panes
from tuidock.app.actions import Actions
from tuidock.app.bindings import ACTIONS, BY_ID, Situation, keys_of, list_items, show_keys
from tuidock.app.layout import SHARE, SHARES, WIDE, pane_heights
from tuidock.app.model import CONTAINERS, IMAGES, KINDS, VOLUMES, Row
from tuidock.app.screens.detail import Detail
from tuidock.app.screens.header import Header
from tuidock.app.screens.lines import Item, KeyLine, PressableLine, TabLine
from tuidock.app.screens.log_keys import LogKeys
from tuidock.app.screens.pane import Pane
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.words import mark, tr
from tuidock.engine.types import Container, Volume

if TYPE_CHECKING:
    from tuidock.app.widgets.log_view import LogView
    from tuidock.app.widgets.process_table import ProcessTable

#: Samples after which texts such as "up 3m" are drawn anew.
AGES_EVERY = 5


def screen_bindings() -> list[Binding]:
    """The table of actions as Textual's bindings; keys of the focused widget are that widget's own."""
    return [
        Binding(action.keys, f"do('{action.id}')", action.label, show=False, id=action.id)
        for action in ACTIONS
        if action.screen and action.keys
    ]


class MainScreen(LogKeys):
    """Lists, details, keys."""

    BINDINGS = screen_bindings()  # type: ignore[assignment]
    AUTO_FOCUS = f"#{CONTAINERS}"

    actions: Actions

    def __init__(self) -> None:
        super().__init__(id="main")
        self.kind = CONTAINERS
        self.page = "list"
        self.share = SHARE
        self.full = False
        self._situation_seen: object = None
        self._ticks = 0
        self.actions = Actions(self)
        app = self.tuidock
        model, ascii, read_only = app.model, app.config.ascii, app.read_only
        self.header = Header(model, read_only=read_only, ascii=ascii)
        self._tabs = TabLine(id="pane-tabs")
        self._lists = Vertical(id="lists")
        self._panes = {kind: Pane(kind, model, app.listings[kind], ascii=ascii, read_only=read_only) for kind in KINDS}
        self.detail = Detail(model, app.engine_workers, ascii=ascii)
        self.detail.about = lambda: self.pane().group_words()
        self._keys = KeyLine(id="keys")

    # -- parts ------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        # Rows and places before the first layout: whatever changed them later would be a second picture of everything.
        for pane in self._panes.values():
            pane.show_rows()
        self._arrange()
        self._keys.set_items(list_items(self.situation, self.tuidock.keymap))
        yield self.header
        yield self._tabs
        with Horizontal(id="body"):
            with self._lists:
                yield from self._panes.values()
            yield self.detail
        yield self._keys

    def on_mount(self) -> None:
        self.detail.follow(CONTAINERS, self.pane(CONTAINERS).cursor_key)
        self._measure_images()
        self._tell_what_runs()

    def pane(self, kind: str = "") -> Pane:
        return self._panes[kind or self.kind]

    @property
    def log_view(self) -> LogView | None:
        view = self.detail.view
        return cast("LogView", view) if view is not None and self.detail.tab == "logs" else None

    def log_name(self) -> str:
        row = self.detail.row
        return row.name if isinstance(row, Container) else ""

    @property
    def in_detail(self) -> bool:
        focused = self.focused
        return focused is not None and self.detail in focused.ancestors_with_self

    @property
    def situation(self) -> Situation:
        pane = self.pane()
        return Situation(
            self.kind,
            pane.row_at_cursor,
            len(pane.marks) or (len(pane.members(pane.cursor_key)) if pane.on_header else 0),
            self.tuidock.read_only,
            self.in_detail,
            bool(pane.filter_text),
        )

    def acted_rows(self) -> list[Row]:
        return self.pane().acted_rows()

    # -- what the model was told --------------------------------------------------------------------------------

    def rows_changed(self, kind: str, changed: list[Row] | None = None) -> None:
        """Rows of this kind are different now; changed names them when no row came or went."""
        pane = self.pane(kind)
        if (
            changed is not None
            and all(pane.row(getattr(row, "id", "")) is not None for row in changed)
            and not pane.only_running
        ):
            pane.show_changed(changed)
        else:
            pane.show_rows()
        if kind == self.detail.kind:
            self.detail.row_changed()
        if kind == IMAGES:
            self._measure_images()
        elif kind == CONTAINERS:
            self._tell_what_runs()
        self.header.show()
        self._draw_pane_tabs()
        if kind != self.kind:
            self._arrange()
        self.refresh_keys()
        self.sample_what_is_seen()

    def _tell_what_runs(self) -> None:
        running = sorted(row.id for row in self.tuidock.model.containers().values() if row.status == "running")
        self.tuidock.engine_workers.set_running(running)

    def samples_changed(self, ids: set[str]) -> None:
        self.pane(CONTAINERS).show_samples(ids)
        self.detail.tick()
        self.header.show()
        self._ticks += 1
        if self._ticks % AGES_EVERY == 0:
            self.ages_changed()

    def ages_changed(self) -> None:
        """Time has passed: what is told as an age may read differently."""
        for kind in KINDS:
            pane = self.pane(kind)
            if pane.display:
                pane.show_changed([row for key in pane.visible_keys if (row := pane.model.get(kind, key))])

    def sample_what_is_seen(self) -> None:
        """Asks for samples of the running containers on screen, and of the one in the details."""
        app = self.tuidock
        containers = app.model.containers()
        pane = self.pane(CONTAINERS)
        seen: list[str] = []
        if app.screen is self and pane.display and pane.size.height > 0:
            seen = list(pane.visible_keys)
        if self.detail.wants_samples and self.detail.identity is not None:
            seen.append(self.detail.identity)
        app.engine_workers.charts = self.detail.wants_samples
        app.engine_workers.want_samples(
            sorted({each for each in seen if each in containers and containers[each].status == "running"})
        )

    @on(LineTable.VisibleChanged)
    def _other_rows_seen(self) -> None:
        self.sample_what_is_seen()
        self.ages_changed()  # nobody has kept those that were not seen

    @on(Detail.TabChanged)
    def _other_tab(self) -> None:
        self.sample_what_is_seen()
        self.refresh_keys()

    def on_screen_resume(self) -> None:
        self.sample_what_is_seen()

    # -- layout -------------------------------------------------------------------------------------------------

    @property
    def narrow(self) -> bool:
        # Of the app, not of the screen: that is known before the first layout, so nothing is laid out twice.
        return self.app.size.width < WIDE

    def on_resize(self, event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Heights of the lists and which page is seen: the list in use has what the others do not need."""
        lists, detail = self._lists, self.detail
        one_page = self.narrow or self.full
        lists.display = not one_page or self.page == "list"
        detail.display = not one_page or self.page == "detail"
        lists.styles.width = "100%" if one_page else f"{SHARES[self.share]}%"
        detail.set_class(not one_page, "-beside")
        self._tabs.display = self.narrow and self.page == "list"
        for kind in KINDS:
            pane = self.pane(kind)
            pane.display = not one_page or kind == self.kind
            pane.set_class(self.narrow, "-alone")
            pane.set_current(kind == self.kind)
            pane.show_header(kind == CONTAINERS or one_page or kind == self.kind)
        if not one_page:
            room = self.app.size.height - 2
            heights = pane_heights(room, {kind: self.pane(kind).line_count for kind in KINDS}, self.kind)
            for kind, height in heights.items():
                self.pane(kind).styles.height = height
        else:
            self.pane().styles.height = "1fr"
        self._draw_pane_tabs()

    def _draw_pane_tabs(self) -> None:
        line = self._tabs
        if line.display:
            model = self.tuidock.model
            line.set_items([Item(kind, panes.counted(kind, model)) for kind in KINDS])
            line.set_active(self.kind)

    def go(self, kind: str) -> None:
        """To another pane."""
        self.page = "list"
        self.kind = kind
        self._arrange()
        self.pane(kind).focus()
        self.detail.follow(kind, self.pane(kind).cursor_key, at_once=False)
        self._measure_volumes()
        self.refresh_keys()

    def _measure_volumes(self) -> None:
        """Sizes of volumes are measured when somebody looks at them, because that reads whole directories."""
        if self.kind != VOLUMES:
            return
        app = self.tuidock
        names = [row.name for row in app.model.rows[VOLUMES].values() if isinstance(row, Volume) and row.size < 0]

        def measured(sizes: dict[str, int]) -> None:
            if sizes != app.model.volume_sizes:
                app.model.volume_sizes = sizes
                self.pane(VOLUMES).show_rows()

        if names:
            app.engine_workers.ask(
                "sizes",
                lambda engine: {name: engine.volume_size(name) for name in names},
                measured,
                lambda text: app.say(text, "error"),
            )

    def _measure_images(self) -> None:
        """What all images take together is less than the sum of their sizes, because they share layers."""
        app = self.tuidock

        def measured(size: int) -> None:
            if size != app.model.images_size:
                app.model.images_size = size
                self.pane(IMAGES).show_title()

        app.engine_workers.ask(
            "size of images", lambda engine: engine.images_size(), measured, lambda text: app.say(text, "error")
        )

    def show_page(self, page: str) -> None:
        """To the list or to the details; on a narrow screen the other one leaves."""
        self.page = page
        self._arrange()
        if page == "list":
            self.pane().focus()
        else:
            self.detail.follow(self.kind, self.pane().cursor_key, at_once=True)
            self.call_after_refresh(self._focus_detail)
        self.refresh_keys()

    @on(Detail.ViewShown)
    def _focus_detail(self) -> None:
        """On the page of the details the keys belong to the view, as soon as it is there."""
        view = self.detail.view
        if view is not None and self.page == "detail" and not self.in_detail and not self.query(PromptLine):
            self._focus_view(view)

    def _focus_view(self, view: Widget) -> None:
        target = view if view.can_focus else next((each for each in view.query("*") if each.can_focus), None)
        if target is not None:
            target.focus()

    # -- focus, cursor, mouse -----------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        widget = event.widget
        if isinstance(widget, Pane) and (widget.kind != self.kind or self.page != "list"):
            self.kind, self.page = widget.kind, "list"
            self._arrange()
            self._measure_volumes()
            self.detail.follow(widget.kind, widget.cursor_key)
        elif self.detail in widget.ancestors_with_self and self.page != "detail":
            self.page = "detail"
            self._arrange()
        self.refresh_keys()

    @on(LineTable.CursorMoved)
    def _cursor_moved(self, event: LineTable.CursorMoved) -> None:
        if isinstance(event.table, Pane) and event.table.kind == self.kind:
            self.detail.follow(self.kind, event.key)
            self.refresh_keys()

    @on(LineTable.RowSelected)
    def _row_selected(self, event: LineTable.RowSelected) -> None:
        if isinstance(event.table, Pane) and event.table.is_header(event.key):
            event.table.toggle_fold(event.key)
        elif isinstance(event.table, Pane):
            self.show_page("detail")
        else:
            self.actions.detail_selected(event.table, event.key)

    @on(LineTable.MarksChanged)
    def _marks_changed(self, event: LineTable.MarksChanged) -> None:
        if isinstance(event.table, Pane):
            event.table.show_title()
            self.refresh_keys()

    @on(Pane.ListingChanged)
    def _listing_changed(self, event: Pane.ListingChanged) -> None:
        self.tuidock.keep_listing(event.pane.kind, event.pane.listing)

    def on_process_table_kill(self, event: ProcessTable.Kill) -> None:
        event.stop()
        row = self.detail.row
        if isinstance(row, Container):
            self.actions.kill_process(row, event.pid, event.command)

    @on(PressableLine.Pressed, "#pane-tabs")
    def _pane_pressed(self, event: PressableLine.Pressed) -> None:
        self.go(event.key)

    @on(PressableLine.Pressed, "#keys")
    async def _key_pressed(self, event: PressableLine.Pressed) -> None:
        if event.key in BY_ID and BY_ID[event.key].screen:
            self.action_do(event.key)
        elif self.in_detail and (terminal := self.detail.terminal) is not None:
            terminal.do(event.key)
        elif self.focused is not None:
            for binding in self.focused._bindings:
                if binding[1].id == event.key:
                    await self.app.run_action(binding[1].action, self.focused)
                    return

    # -- keys ---------------------------------------------------------------------------------------------------

    def refresh_keys(self) -> None:
        """The keys at the foot: those of the focused pane, by the state of the row."""
        if not self.is_mounted:
            return
        situation = self.situation
        row = situation.row
        seen = (situation, row.status if isinstance(row, Container) else None, self.focused, self.detail.tab)
        if seen == self._situation_seen:
            return
        self._situation_seen = seen
        items = self._detail_items() if situation.in_detail else list_items(situation, self.tuidock.keymap)
        self._keys.set_items(items)

    def _detail_items(self) -> list[Item]:
        from tuidock.app.bindings import DETAIL_KEYS, hint

        if (terminal := self.detail.terminal) is not None:
            return terminal.items()
        keymap = self.tuidock.keymap
        items = [
            Item(key, tr(text), hint(key, written, keymap))
            for key, written, text in DETAIL_KEYS.get(self.detail.tab, ())
        ]
        for identity, label in (("tab.next", mark("tab")), ("nav.back", mark("list")), ("app.help", mark("help"))):
            items.append(Item(identity, tr(label), show_keys(keys_of(BY_ID[identity], keymap)).split(" ")[0]))
        return items

    def on_terminal_view_keys_changed(self) -> None:
        self._situation_seen = None
        self.refresh_keys()

    def on_terminal_view_wanted(self, event: Any) -> None:
        self.tuidock.terminals.wanted_beside(event.what, event.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "do" or not parameters or not self.is_mounted:
            return True
        known = BY_ID.get(str(parameters[0]))
        return known is not None  # what is impossible may be pressed, to be told why

    def action_do(self, identity: str) -> None:
        if self.query(PromptLine):
            return
        self.actions.do(identity)
        self.refresh_keys()

    def body(self) -> Box:
        return cast(Box, self.query_one("#body"))
