"""Sorting, columns, groups and marks of the lists, and that they are as they were after the next start."""

from __future__ import annotations

from typing import Any

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine, sample_containers
from tuidock.app import config, lists
from tuidock.app.format import PROJECT
from tuidock.app.widgets.row_set import HEADER

SHOP = HEADER + "shop"


def projects() -> Engine:
    engine = Engine()
    for row in sample_containers()[:4]:
        engine.rows[row.id] = row._replace(labels={**row.labels, PROJECT: "shop" if row.name != "worker-2" else "jobs"})
    return engine


def names(ui: Driver) -> list[str]:
    """Lines of the list as shown: names, and headers by their text."""
    pane = ui.main.pane()
    return [pane.row(key).cell(0).text for key in pane._rows.shown]


async def test_groups_have_counts_and_sums_and_fold() -> None:
    async with running(projects(), size=(160, 40)) as ui:
        await ui.until(lambda: "1.3%" in ui.screen_text())
        await ui.press("z")
        assert names(ui)[:2] == ["▾ jobs · 1", "worker-2"] and names(ui)[2] == "▾ shop · 3"
        assert names(ui)[6] == "▾ no project · 3", "those without come last"
        pane = ui.main.pane()
        header = pane.row(SHOP)
        assert header.cell(1).text == "3 ●" and header.cell(2).text == "7.8%", "1.3 + 2.6 + 3.9"
        assert "by project" in str(pane.border_title) and "Containers 7" in str(pane.border_title)
        pane.move_cursor(SHOP)
        await ui.press("enter")
        assert names(ui)[2:4] == ["▸ shop · 3", "▾ no project · 3"]
        await ui.until(lambda: "3 containers. Keys act on all of them" in ui.screen_text())
        ui.engine.stop("web")
        await ui.until(lambda: pane.row(SHOP).cell(1).text == "2 ● 1 ○")
        await ui.press("minus")
        assert names(ui) == ["▸ jobs · 1", "▸ shop · 3", "▸ no project · 3"]
        await ui.press("minus", "o", "o", "O")
        assert names(ui)[2] == "▾ shop · 3" and pane.sort == ("state", True), "sorted within the groups"
        await ui.press("minus")
        pane.seek(ui.row("db").id)
        assert pane.row_at_cursor.name == "db", "what is looked for is unfolded"


async def test_a_groups_header_stands_for_its_rows() -> None:
    async with running(projects()) as ui:
        await ui.command("group com.docker.compose.project")
        pane = ui.main.pane()
        pane.move_cursor(SHOP)
        await ui.press("s")
        assert "Stop 3 containers?" in ui.screen_text() and "worker-1" in ui.screen_text()
        assert ui.engine.called("stop") == []
        await ui.press("y")
        await ui.until(lambda: len(ui.engine.called("stop")) == 3)
        await ui.until(lambda: pane.row(SHOP).cell(1).text == "3 ○")
        await ui.press("space")
        assert {ui.app.model.get("containers", key).name for key in pane.marks} == {"web", "db", "worker-1"}
        await ui.press("slash")
        await ui.type("worker")
        await ui.press("enter")
        assert names(ui) == ["▾ jobs · 1", "worker-2", "▾ shop · 1", "worker-1"]
        pane.move_cursor(SHOP)
        await ui.press("backslash", "d")
        assert "Remove container worker-1?" in ui.screen_text(), "what the filter hides is not hit"


async def test_groups_of_the_other_lists_and_by_label() -> None:
    async with running() as ui:
        await ui.command("group tier")
        assert names(ui)[0] == "▾ back · 1" and names(ui)[-1] == "done" and "▾ without tier · 5" in names(ui)
        await ui.command("group none")
        assert len(names(ui)) == 7
        for key, kind in (("2", "images"), ("3", "volumes"), ("4", "networks")):
            await ui.press(key, "z")
            assert ui.main.pane(kind).grouped and names(ui)[0].startswith("▾ ")
        await ui.press("minus", "1", "minus")
        assert any("not grouped" in text for text in ui.toasts)


async def test_lists_are_after_the_start_as_they_were() -> None:
    async with running(projects(), size=(160, 40)) as ui:
        await ui.press("o", "O", "z", "A", "C", "J", "escape")
        ui.main.pane().move_cursor(SHOP)
        await ui.press("enter", "2", "o")
        assert ui.main.pane("images").sort == ("name", False)
    async with running(projects(), size=(160, 40)) as ui:
        pane = ui.main.pane()
        assert pane.sort == ("name", True) and pane.only_running and pane.folded == {"shop"}
        assert names(ui)[1:3] == ["worker-2", "▸ shop · 3"]
        assert pane.visible_columns[:4] == ["name", "state", "memory", "cpu"]
        assert ui.main.pane("images").sort == ("name", False) and not ui.main.pane("images").grouped
        assert "NAME▴" in ui.screen_text()
        await ui.press("C", "r", "escape")
        assert pane.visible_columns[:4] == ["name", "state", "cpu", "memory"]


def test_what_is_kept_is_what_differs_from_the_configuration() -> None:
    wanted = {"lists": {"containers": {"columns": ["name", "cpu", "state"], "sort": "cpu", "group": "state"}}}
    settings = config.check(wanted)
    assert settings.problems == ()
    listing = lists.load(settings.lists)["containers"]
    assert listing.order == ("name", "cpu", "state") and listing.sort == "cpu" and "memory" in listing.hidden
    lists.save({"containers": listing._replace(reverse=True)}, settings.lists)
    changed = config.check({"lists": {"containers": {"sort": "name"}}}).lists
    assert lists.load(changed)["containers"][2:4] == ("name", True)
    problems = config.check({"lists": {"pods": {}, "images": {"sort": "cpu", "colour": 1}}}).problems
    assert [text.split(";")[0][:45] for text in problems] == [
        "config.yaml: lists has containers, images, vo",
        "config.yaml: lists.images.sort has no 'cpu'",
        "config.yaml: lists.images.colour: 1 is not un",
    ]


def test_a_damaged_file_counts_as_none() -> None:
    lists.save(lists.defaults() | {"volumes": lists.PLAIN._replace(sort="size")})
    assert lists.load()["volumes"].sort == "size"
    for damage in ("[1]", '{"volumes": 5}', '{"volumes": {"order": 7}}', "{", ""):
        with open(lists.path(), "w", encoding="utf-8") as file:
            file.write(damage)
        assert lists.load() == lists.defaults()
    with open(lists.path(), "w", encoding="utf-8") as file:
        file.write('{"volumes": {"sort": "gone", "hidden": ["gone", "name", "size"]}}')
    assert lists.load()["volumes"] == lists.PLAIN._replace(hidden=frozenset({"size"}))


async def test_many_are_asked_for_once_and_listed() -> None:
    async with running() as ui:
        for name in ("migrate", "done"):
            await ui.go_to(name)
            await ui.press("space")
        await ui.command("start")
        text = ui.screen_text()
        assert "Start 2 containers?" in text and "migrate" in text and "do not ask again" in text
        await ui.press("ctrl+a")
        await ui.until(lambda: len(ui.engine.called("start")) == 2)


def test_a_range_and_marks_leave_headers_out() -> None:
    from tuidock.app.widgets.row_set import Grouping, RowSet
    from tuidock.app.widgets.rows import Column, Row

    rows = RowSet([Column("name", "NAME", 5)])
    rows.group_with(Grouping(lambda row: row.key[0], lambda name, found, folded: Row("", (f"{name}{len(found)}",))))
    rows.replace([Row(key, (key,)) for key in ("b2", "a1", "a2", "b1")])
    assert rows.shown == [HEADER + "a", "a1", "a2", HEADER + "b", "b2", "b1"]
    assert rows.between("a2", "b2") == ["a2", "b2"] and rows.members(HEADER + "b") == ["b2", "b1"]
    rows.fold({"b"})
    assert rows.shown[-1] == HEADER + "b" and rows.passing == ["b2", "a1", "a2", "b1"]
    moved: Any = rows.get("a1")
    rows.put(moved._replace(cells=("other",)))
    assert rows.renew_headers() == [], "the same count"
