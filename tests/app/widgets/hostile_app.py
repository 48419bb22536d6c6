"""Every widget full of strings that try to take the terminal over; run in a pty by test_hostile_output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from textual.app import App, ComposeResult

from tuidock.app.log_sources import Rule
from tuidock.app.widgets.chart import Chart
from tuidock.app.widgets.json_tree import JsonTree
from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.widgets.log_view import LogSource, LogView
from tuidock.app.widgets.status import Meter, StatusLine
from tuidock.app.widgets.timeline import Timeline

EVIL = "\x1b]0;OWNED\x07\x1b]52;c;T1dORUQ=\x07\x1b[2J\x9b31m\x1bP1$r\x1b\\\u202eEVIL\u2066\x00\x08\x7f\n\r\x0e[red]x[/]"


class HostileApp(App[None]):
    CSS = "LogView, JsonTree, LineTable { height: 7; } Chart { height: 4; }"

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield Meter(EVIL)
        yield LineTable([Column("a", EVIL, 60), Column("b", EVIL, 40)], empty=EVIL)
        yield LogView()
        yield LogView(id="columns")
        yield LogView(id="folded")
        yield JsonTree()
        yield Chart(EVIL, unit=lambda value: f"{value}", names=[EVIL])
        yield Timeline()

    def on_mount(self) -> None:
        self.query_one(StatusLine).set([EVIL], [Cell(EVIL, "bad")])
        self.query_one(Meter).set(0.5, EVIL)
        table = self.query_one(LineTable)
        table.set_rows([Row(EVIL, (EVIL, Cell(EVIL, "good")))])
        table.set_filter("x")
        view = self.query_one(LogView)
        view.show([LogSource("k", EVIL, sys.argv[1], "red"), LogSource("l", EVIL, sys.argv[1])])
        view.add_rules([Rule(EVIL, 0, "", "")])
        view.timestamps = "utc"
        view.wrap = True
        view.search("x")
        columns = self.query_one("#columns", LogView)
        columns.show([LogSource("k", EVIL, sys.argv[1])])
        columns.set_fields(["a", EVIL])
        columns.set_level("info")
        columns.set_around(2, 2)
        columns.action_toggle_numbers()
        columns.add_rules([Rule(EVIL, 5, "k", "start")])
        columns.add_mark()
        folded = self.query_one("#folded", LogView)
        folded.show([LogSource("k", EVIL, sys.argv[1])])
        folded.toggle_fold()
        tree = self.query_one(JsonTree)
        tree.show({EVIL: EVIL, "list": [{EVIL: EVIL}]})
        tree.search("EVIL")
        tree.action_unfold_all()
        self.query_one(Chart).push(3)
        self.query_one(Timeline).show([(EVIL, 10), (EVIL, 20)], EVIL)
        self.set_timer(0.5, lambda: table.update_cells(EVIL, {"b": EVIL + "2"}))
        self.set_timer(1.0, self.exit)


if __name__ == "__main__":
    record = b"2026-11-24T08:00:00.000000000Z stdout F "
    bare = EVIL.replace("\n", "")
    with open(Path(sys.argv[1]) / "0000000001.log", "wb") as file:
        for raw in (
            bare.encode(),
            bare.encode("utf-8") + b"\x9b2J\xff",
            b'{"a":"' + bare.encode() + b'"}',
            b'{"level":"error","a":"' + json.dumps(EVIL).encode()[1:-1] + b'"}',
            b"level=info a=" + bare.encode() + b' b="' + bare.encode() + b'"',
        ):
            file.write(record + raw + b"\n")
    HostileApp().run()
