"""From another screen to a row of the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.model import CONTAINERS
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.screens.guarded import GuardedScreen
    from tuidock.app.screens.pane import Pane


def to_row(screen: GuardedScreen, kind: str, identity: str, name: str = "", tab: str = "") -> None:
    """Closes the screen and puts the cursor on the row, whatever filter hides it; with tab the details are opened there."""
    app = screen.tuidock
    main = app.main
    if main is None:
        return
    if app.model.get(kind, identity) is None:
        app.say(tr("{name} is not there any more.", name=clean(name) or identity[:12]), "warning")
        return
    screen.dismiss()
    main.go(kind)
    reveal(main.pane(kind), identity)
    if tab:
        main.detail.follow(kind, identity, at_once=True)
        main.detail.show_tab(tab)
        main.show_page("detail")


def to_list(screen: GuardedScreen, kind: str, filtered: str = "", sort: str = "") -> None:
    """Closes the screen and shows a list, filtered, or with the greatest of a column first."""
    main = screen.tuidock.main
    if main is None:
        return
    screen.dismiss()
    main.go(kind)
    pane = main.pane(kind)
    if kind == CONTAINERS and pane.only_running:
        pane.set_running(False)
    pane.set_filter_text(filtered)
    if sort:
        pane.sort_by(sort, reverse=True)
        pane.action_cursor_top()


def reveal(pane: Pane, identity: str) -> None:
    pane.seek(identity)
    if pane.cursor_key != identity:
        if pane.filter_text:
            pane.set_filter_text("")
        if pane.only_running:
            pane.set_running(False)
        pane.seek(identity)
