"""Keys, mouse and colours of the log view; what they do is in `log_view`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual import events
from textual.binding import Binding, BindingType

from tuidock.app.logs import levels
from tuidock.app.widgets.log_rows import TIMESTAMPS
from tuidock.app.words import tr

if TYPE_CHECKING:
    from tuidock.app.logs.records import Line
    from tuidock.app.logs.session import Session
    from tuidock.app.widgets.log_view import LogView

#: Ranges by key, k9s' digits: 0 all from the end, 1 all from the start, the others the last seconds.
SINCE: Final[dict[str, float | None]] = {"0": None, "1": None, "2": 60, "3": 300, "4": 900, "5": 1800, "6": 3600}
#: Lines above and below that a filter shows at most.
MOST_AROUND: Final = 50
COMPONENTS: Final = (
    "muted", "time", "good", "warn", "bad", "accent", "note", "hit", "current", "selected", "bar",
    *(f"source-{i}" for i in range(6)),
)  # fmt: skip

LOG_CSS: Final = """
LogView {
    height: 1fr;
    width: 1fr;
    & > .log-view--muted { color: $text-muted; }
    & > .log-view--time { color: $text-muted; }
    & > .log-view--good { color: $success; }
    & > .log-view--warn { color: $warning; text-style: bold; }
    & > .log-view--bad { color: $error; text-style: bold; }
    & > .log-view--accent { color: $accent; }
    & > .log-view--note { color: $secondary; }
    & > .log-view--hit { color: $warning; text-style: reverse; }
    & > .log-view--current { color: $accent; text-style: reverse bold; }
    & > .log-view--selected { background: $block-cursor-background; color: $block-cursor-foreground; }
    & > .log-view--bar { color: $text-muted; }
    & > .log-view--source-0 { color: $primary; }
    & > .log-view--source-1 { color: $success; }
    & > .log-view--source-2 { color: $warning; }
    & > .log-view--source-3 { color: $accent; }
    & > .log-view--source-4 { color: $secondary; }
    & > .log-view--source-5 { color: $error; }
    &:nocolor > .log-view--selected { text-style: reverse; }
}
"""


def _key(keys: str, action: str, text: str, name: str) -> Binding:
    return Binding(keys, action, text, show=False, id=f"log.{name}")


LOG_BINDINGS: Final[list[BindingType]] = [
    _key("up,k", "rows(-1)", "up", "up"),
    _key("down,j", "rows(1)", "down", "down"),
    _key("pageup,ctrl+b", "page(-1)", "page up", "page_up"),
    _key("pagedown,ctrl+f", "page(1)", "page down", "page_down"),
    _key("ctrl+u", "half_page(-1)", "half page up", "half_up"),
    _key("ctrl+d", "half_page(1)", "half page down", "half_down"),
    _key("home,g", "top", "top", "top"),
    _key("end,G", "bottom", "end, follow", "bottom"),
    _key("left", "sideways(-1)", "left", "left"),
    _key("right", "sideways(1)", "right", "right"),
    _key("s", "toggle_follow", "follow", "follow"),
    _key("w", "toggle_wrap", "wrap", "wrap"),
    _key("t", "next_timestamps", "time", "timestamps"),
    _key("slash", "ask('/')", "search", "search"),
    _key("ampersand", "ask('&')", "filter", "filter"),
    _key("n", "next_hit", "next hit", "next_hit"),
    _key("N", "previous_hit", "previous hit", "previous_hit"),
    *(_key(digit, f"range('{digit}')", "range", f"since_{digit}") for digit in SINCE),
    _key("m", "mark", "mark", "mark"),
    _key("C", "clear_screen", "clear", "clear"),
    _key("greater_than_sign", "level(1)", "only more severe", "level_up"),
    _key("less_than_sign", "level(-1)", "less severe, too", "level_down"),
    _key("plus", "around(1)", "more around it", "around_more"),
    _key("minus", "around(-1)", "less around it", "around_less"),
    _key("F", "ask('F')", "fields", "fields"),
    _key("at", "ask('@')", "go to a time", "go"),
    _key("apostrophe", "previous_mark", "to a mark", "previous_mark"),
    _key("quotation_mark", "list_marks", "marks", "marks"),
    _key("number_sign", "toggle_numbers", "line numbers", "numbers"),
    _key("P", "next_run", "next run", "next_run"),
    _key("Y", "copy_line", "copy line", "copy_line"),
    _key("v", "select_lines", "select lines", "select"),
    _key("c", "copy", "copy", "copy"),
    _key("ctrl+s", "save", "save", "save"),
    _key("p", "previous_run", "previous run", "previous_run"),
    _key("enter", "fold", "unfold JSON", "fold"),
]


class LogActions:
    """What the keys call. Mixed into LogView, whose state it uses."""

    _session: Session | None
    _current: Line | None
    _select_from: int | None
    _select_to: int
    _shift: int

    def action_rows(self: LogView, rows: int) -> None:  # type: ignore[misc]
        if self._select_from is None:
            self.scroll_rows(rows)
            return
        view = self._session.view if self._session is not None else None
        if view is None or not view.rows:
            return
        self._select_to += rows
        if self._select_to < view.rows[0].number:
            self.scroll_rows(self._select_to - view.rows[0].number)
        elif self._select_to > view.rows[-1].number:
            view.scroll(self._select_to - view.rows[-1].number)
        self._select_to = max(view.rows[0].number, min(self._select_to, view.rows[-1].number))
        self.refresh()
        self._changed()

    def action_page(self: LogView, direction: int) -> None:  # type: ignore[misc]
        self.action_rows(direction * max(1, self.size.height - 1))

    def action_half_page(self: LogView, direction: int) -> None:  # type: ignore[misc]
        self.action_rows(direction * max(1, self.size.height // 2))

    def action_top(self: LogView) -> None:  # type: ignore[misc]
        if self._session is not None:
            self._go(self._session.merged.start())

    def action_bottom(self: LogView) -> None:  # type: ignore[misc]
        self._select_from = None
        if self.follow:
            self._moved()
        self.follow = True

    def action_sideways(self: LogView, direction: int) -> None:  # type: ignore[misc]
        if not self.wrap:
            self._shift = max(0, self._shift + direction * max(8, self.size.width // 3))
            self.refresh()
            self._changed()

    def action_toggle_follow(self: LogView) -> None:  # type: ignore[misc]
        self.follow = not self.follow
        self._changed()

    def action_toggle_wrap(self: LogView) -> None:  # type: ignore[misc]
        self.wrap = not self.wrap

    def action_next_timestamps(self: LogView) -> None:  # type: ignore[misc]
        self.timestamps = TIMESTAMPS[(TIMESTAMPS.index(self.timestamps) + 1) % len(TIMESTAMPS)]

    def action_ask(self: LogView, mode: str) -> None:  # type: ignore[misc]
        request = self.SearchRequested(self, mode)
        # At once where the screen can: what is typed behind this key is on its way and must find the line open.
        opened = getattr(self.screen, "on_log_view_search_requested", None)
        if opened is not None:
            opened(request)
        else:
            self.post_message(request)

    def action_next_hit(self: LogView) -> None:  # type: ignore[misc]
        self.next_hit()

    def action_previous_hit(self: LogView) -> None:  # type: ignore[misc]
        self.previous_hit()

    def action_range(self: LogView, digit: str) -> None:  # type: ignore[misc]
        self.since(SINCE[digit])
        if digit == "1":
            self.action_top()

    def action_mark(self: LogView) -> None:  # type: ignore[misc]
        self.add_mark()

    def action_clear_screen(self: LogView) -> None:  # type: ignore[misc]
        self.clear_screen()

    def action_select_lines(self: LogView) -> None:  # type: ignore[misc]
        """Begin to select by lines at the line one stands on, or at the last on screen; again ends it."""
        rows = self._session.view.rows if self._session is not None else []
        if self._select_from is not None or not rows:
            self._select_from = None
        else:
            self.follow = False
            current = [r.number for r in rows if self._current and r.line.start == self._current.start]
            self._select_from = self._select_to = current[0] if current else rows[-1].number
        self.refresh()
        self._changed()

    def action_copy(self: LogView) -> None:  # type: ignore[misc]
        text = self.selected_text()
        if not text and self._session is not None and self._session.view.rows:
            rows = self._session.view.rows
            text = self._text_between(rows[0].number, rows[-1].number, 0, None)
        self._select_from = None
        self.refresh()
        self._changed()
        if text:
            self.post_message(self.CopyRequested(self, text))

    def action_save(self: LogView) -> None:  # type: ignore[misc]
        self.post_message(self.SaveRequested(self))

    def action_copy_line(self: LogView) -> None:  # type: ignore[misc]
        if text := self.current_text():
            self.post_message(self.CopyRequested(self, text))

    def action_level(self: LogView, step: int) -> None:  # type: ignore[misc]
        steps = ("", *levels.NAMES[1:])
        at = steps.index(self.least_level) + step if self.least_level in steps else 1
        if 0 <= at < len(steps):
            self.set_level(steps[at])

    def action_around(self: LogView, step: int) -> None:  # type: ignore[misc]
        if self._session is not None:
            above, below = (max(0, min(MOST_AROUND, each + step)) for each in self._session.around)
            self.set_around(above, below)

    def check_action(self: LogView, action: str, parameters: tuple[object, ...]) -> bool | None:  # type: ignore[misc]
        """Without a filter nothing is around anything, and the key may be another one's."""
        if action == "around":
            return self._session is not None and bool(self._session.keep)
        return True

    def action_previous_mark(self: LogView) -> None:  # type: ignore[misc]
        if not self.previous_mark():
            self.post_message(self.Told(self, tr("There is no mark; m sets one.")))

    def action_list_marks(self: LogView) -> None:  # type: ignore[misc]
        self.post_message(self.MarksRequested(self))

    def action_toggle_numbers(self: LogView) -> None:  # type: ignore[misc]
        self._maker.numbers = not self._maker.numbers
        self._relayout()

    def action_previous_run(self: LogView) -> None:  # type: ignore[misc]
        if not self.previous_run():
            self.post_message(self.Told(self, tr("Nothing is known of a run before this one.")))

    def action_next_run(self: LogView) -> None:  # type: ignore[misc]
        self.next_run()

    def action_fold(self: LogView) -> None:  # type: ignore[misc]
        self.toggle_fold()

    def on_mouse_scroll_up(self: LogView, event: events.MouseScrollUp) -> None:  # type: ignore[misc]
        event.stop()
        self.scroll_rows(-3)

    def on_mouse_scroll_down(self: LogView, event: events.MouseScrollDown) -> None:  # type: ignore[misc]
        event.stop()
        self.scroll_rows(3)

    def on_click(self: LogView, event: events.Click) -> None:  # type: ignore[misc]
        """The scroll bar jumps; a double click on a line unfolds it."""
        offset, session = event.get_content_offset(self), self._session
        if offset is None or session is None:
            return
        if offset.x >= self.size.width - 1:
            self._go(session.at_share(offset.y / max(1, self.size.height - 1)))
        elif event.chain == 2 and offset.y < len(session.view.rows):
            self._current = session.view.rows[offset.y].line
            self.toggle_fold()
