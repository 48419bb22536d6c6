"""How each tab of the details is filled: what the engine is asked, and the widget that shows the answer.

Methods called `_fill_` and the name of the tab; `detail.py` calls that of the tab that is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuidock.app import tabs
from tuidock.app.model import Row, row_id
from tuidock.app.widgets.line_table import LineTable
from tuidock.app.words import tr
from tuidock.engine.types import Container

if TYPE_CHECKING:
    from tuidock.app.screens.detail import Detail


class Filling:
    """Mixed into the details."""

    def _table(self: Detail, columns: Any, rows: Any, empty: str) -> None:  # type: ignore[misc]
        view, fresh = self._present(lambda: LineTable(columns, empty=empty, ascii=self._ascii))
        assert isinstance(view, LineTable)
        if not fresh and tuple(view.columns) != tuple(columns):
            view.set_columns(columns)
        view.set_empty(empty)
        view.set_rows(rows)

    def _fill_logs(self: Detail, row: Row) -> None:  # type: ignore[misc]
        assert isinstance(row, Container)
        if self._shown == (self.kind, self.identity, "logs"):
            return

        def ask(engine: Any) -> Any:
            from tuidock.app.log_sources import open_logs

            return open_logs(engine, [row])

        def show(opened: Any) -> None:
            from tuidock.app.widgets.log_view import LogView

            view, _ = self._present(LogView)
            assert isinstance(view, LogView)
            view.show(opened.sources, note=opened.note)
            view.add_rules(opened.rules)

        self._ask(ask, show)

    def _fill_stats(self: Detail, row: Row) -> None:  # type: ignore[misc]
        from tuidock.app.screens.stats import StatsView

        view, _ = self._present(StatsView)
        assert isinstance(view, StatsView) and isinstance(row, Container)
        view.show(self.model, row)

    def _fill_ports(self: Detail, row: Row) -> None:  # type: ignore[misc]
        assert isinstance(row, Container)
        empty = tr("No published ports; `-p 8080:80` when it is created publishes one.")

        def show(listeners: Any) -> None:
            self._table(tabs.PORT_COLUMNS, tabs.port_rows(row, listeners, self._ascii), empty)

        if row.status not in ("running", "paused"):
            show(None)
            return
        self._ask(lambda engine: engine.listeners(row.id), show)

    def _fill_inspect(self: Detail, row: Row) -> None:  # type: ignore[misc]
        method = {
            "containers": "inspect_container",
            "images": "inspect_image",
            "volumes": "inspect_volume",
            "networks": "inspect_network",
        }[self.kind]
        identity = row_id(row)

        def show(value: Any) -> None:
            from tuidock.app.widgets.json_tree import JsonTree

            view, _ = self._present(JsonTree)
            assert isinstance(view, JsonTree)
            self.value = value
            view.show(value)

        self._ask(lambda engine: getattr(engine, method)(identity), show)

    def _fill_env(self: Detail, row: Row) -> None:  # type: ignore[misc]
        identity = row_id(row)
        self._ask(
            lambda engine: engine.inspect_container(identity),
            lambda value: self._table(tabs.CONFIG_COLUMNS, tabs.config_rows(value), tr("Nothing is set.")),
        )

    def _fill_top(self: Detail, row: Row) -> None:  # type: ignore[misc]
        assert isinstance(row, Container)
        if row.status not in ("running", "paused"):
            self._shown = (self.kind, self.identity, "top")
            self.say(tr("It does not run, so it has no processes."))
            return

        def show(value: Any) -> None:
            from tuidock.app.widgets.process_table import ProcessTable

            columns, rows = tabs.top_table(value)
            view, fresh = self._present(lambda: ProcessTable(columns, empty=tr("No processes."), ascii=self._ascii))
            assert isinstance(view, ProcessTable)
            if fresh and any(column.key == "cpu%" for column in columns):
                view.sort_by("cpu%", reverse=True)
            elif tuple(view.columns) != tuple(columns):
                view.set_columns(columns)
            view.set_empty(tr("No processes."))
            view.set_rows(rows)

        self._ask(lambda engine: engine.top(row.id, tabs.PS_COLUMNS), show)

    def _fill_timeline(self: Detail, row: Row) -> None:  # type: ignore[misc]
        assert isinstance(row, Container)

        def show(value: Any) -> None:
            from tuidock.app.widgets.timeline import Timeline

            view, _ = self._present(Timeline)
            assert isinstance(view, Timeline)
            steps = tabs.timeline_steps(value, row)
            view.show(steps, tabs.ended_words(row))
            if not steps:
                self.say(tr("It has not been started yet, so there is no timeline."))

        self._ask(lambda engine: engine.inspect_container(row.id), show)

    def _fill_health(self: Detail, row: Row) -> None:  # type: ignore[misc]
        identity, clock = row_id(row), self.model.clock

        def show(value: Any) -> None:
            from tuidock.app import health

            self.value = value
            self._table(health.COLUMNS, health.rows_of(value, clock(), self._ascii), tr(health.NONE))

        self._ask(lambda engine: engine.inspect_container(identity), show)

    def _fill_layers(self: Detail, row: Row) -> None:  # type: ignore[misc]
        """In a thread of its own: what is wasted is found by comparing the names of all layers."""
        from tuidock.app.screens.layers import rows_of

        identity = row_id(row)
        self._ask(
            lambda engine: engine.layers(identity),
            lambda value: self._table(tabs.LAYER_COLUMNS, rows_of(value), tr("No layers.")),
            apart=True,
        )

    def _fill_history(self: Detail, row: Row) -> None:  # type: ignore[misc]
        identity = row_id(row)
        clock = self.model.clock
        self._ask(
            lambda engine: engine.history(identity),
            lambda value: self._table(tabs.HISTORY_COLUMNS, tabs.history_rows(value, clock()), tr("No steps.")),
        )

    def _fill_users(self: Detail, row: Row) -> None:  # type: ignore[misc]
        columns, rows = tabs.user_table(row, self.model)
        self._table(columns, rows, tr("Nobody uses it."))
