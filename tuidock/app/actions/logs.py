"""Actions that open logs: of one container, of several merged by time, and the search over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuidock.app.format import PROJECT
from tuidock.app.model import CONTAINERS, Row
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.logs.grep import Place
    from tuidock.app.screens.main import MainScreen


class Logs:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def container_logs(self, rows: list[Row]) -> None:
        self.show_logs(rows[:1])

    def container_merged(self, rows: list[Row]) -> None:
        """The marked containers; of one that belongs to a project all of it, as compose has them in one log."""
        project = rows[0].labels.get(PROJECT, "") if len(rows) == 1 and isinstance(rows[0], Container) else ""
        members = self._labelled(PROJECT, project) if project else []
        if len(members) > 1:
            self.show_logs(members, f"project {project}")
        else:
            self.show_logs(rows)

    def merged_of(self, words: list[str]) -> None:
        """`:merged -l app=shop`, `:merged PROJECT`, `:merged web db`."""
        if words[0] in ("-l", "--label") and len(words) == 2:
            name, _, value = words[1].partition("=")
            rows = self._labelled(name, value)
            self.show_logs(rows, words[1]) if rows else self.app.say(
                tr("No container has {words}.", words=clean(words[1])), "warning"
            )
            return
        members = self._labelled(PROJECT, words[0]) if len(words) == 1 else []
        named = [(word, self.app.model.find(CONTAINERS, word)) for word in words]
        missing = [word for word, row in named if row is None]
        if members and missing:
            self.show_logs(members, f"project {words[0]}")
        elif missing:
            self.app.say(tr("No such container: {missing}", missing=clean(", ".join(missing))), "error")
        else:
            self.show_logs([row for _, row in named if row is not None])

    def _labelled(self, name: str, value: str) -> list[Row]:
        """Containers with this label; any value will do when none is given."""
        rows = self.app.model.containers().values()
        return [row for row in rows if name in row.labels and value in ("", row.labels[name])]

    def log_grep(self, pattern: str = "") -> None:
        """Over the marked containers, or over all."""
        from tuidock.app.screens.grep import GrepScreen

        pane = self.screen.pane(CONTAINERS)
        marked = [row for row in pane.acted_rows() if isinstance(row, Container)] if pane.marks else []
        self.app.push_screen(GrepScreen(pattern, marked))

    def show_logs(self, rows: list[Row], title: str = "", place: Place | None = None) -> None:
        chosen = [row for row in rows if isinstance(row, Container)]

        def ask(engine: Any) -> Any:
            from tuidock.app.log_sources import open_logs

            return open_logs(engine, chosen)

        def show(opened: Any) -> None:
            from tuidock.app.screens.logs import LogsScreen

            self.app.push_screen(LogsScreen(opened, title, place))
            if len(opened.rows) < len(chosen):
                some, every = len(opened.rows), len(chosen)
                self.app.say(
                    tr("The first {some} of {every} logs; more cannot be open at once.", some=some, every=every)
                )

        self.app.engine_workers.ask("logs", ask, show, lambda text: self.app.say(text, "error"))
