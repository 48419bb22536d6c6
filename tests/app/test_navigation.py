"""Panes, tabs, pages, filter, marks, commands, help."""

from __future__ import annotations

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import Engine


async def test_panes_by_digit_tab_and_command() -> None:
    async with running() as ui:
        for key, kind in (("2", "images"), ("3", "volumes"), ("4", "networks"), ("1", "containers")):
            await ui.press(key)
            assert ui.main.kind == kind and ui.main.focused.id == kind
        await ui.press("tab")
        assert ui.main.kind == "images"
        await ui.press("shift+tab", "shift+tab")
        assert ui.main.kind == "networks"
        await ui.command("volumes")
        assert ui.main.kind == "volumes"
        await ui.command("ps")
        assert ui.main.kind == "containers"


async def test_the_list_in_use_grows() -> None:
    async with running(size=(120, 32)) as ui:
        heights = {kind: ui.main.pane(kind).size.height for kind in ("containers", "images")}
        await ui.press("2")
        await ui.until(lambda: ui.main.pane("images").size.height > heights["images"])
        assert ui.main.pane("containers").size.height < heights["containers"]


async def test_tabs_turn_and_are_remembered_per_kind() -> None:
    async with running() as ui:
        await ui.press("right_square_bracket", "right")
        assert ui.main.detail.tab == "ports"
        await ui.press("2", "right")
        assert ui.main.detail.tab == "history"
        await ui.press("1")
        assert ui.main.detail.tab == "ports"
        await ui.press("left", "left_square_bracket", "left")
        assert ui.main.detail.tab == "timeline"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [(2, "8080"), (4, "MODE"), (5, "nginx: master")],
)
async def test_tabs_show(turns: int, expected: str) -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press(*["right"] * turns)
        await ui.until(lambda: expected in ui.screen_text())


async def test_image_layers_and_network_members() -> None:
    async with running() as ui:
        await ui.press("2")
        await ui.until(lambda: "RUN apt-get update" in ui.screen_text())
        await ui.press("right")
        await ui.until(lambda: "ADD rootfs.tar /" in ui.screen_text())
        await ui.press("4")
        await ui.until(lambda: "10.88.0.7" in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: ui.main.in_detail)
        await ui.press("enter")
        assert ui.main.kind == "containers" and ui.main.pane().row_at_cursor.name == "web"


async def test_the_cursor_flies_and_only_the_last_row_is_asked_for() -> None:
    async with running() as ui:
        await ui.press("right", "right", "right", "right")
        await ui.until(lambda: ui.engine.called("inspect_container"))
        before = len(ui.engine.called("inspect_container"))
        for _ in range(4):
            ui.main.pane().action_cursor_down()
        last = ui.main.pane().cursor_key
        await ui.until(lambda: ui.engine.called("inspect_container")[-1] == (last,))
        assert len(ui.engine.called("inspect_container")) - before <= 2


async def test_enter_and_escape() -> None:
    async with running() as ui:
        await ui.press("right", "right", "enter")
        await ui.until(lambda: ui.main.in_detail)
        await ui.press("escape")
        assert ui.main.focused.id == "containers"
        await ui.press("escape", "escape")
        assert ui.app.is_running and not ui.app._exit


async def test_narrow_has_one_page_at_a_time() -> None:
    async with running(size=(80, 24)) as ui:
        lists = ui.main.query_one("#lists")
        assert lists.display and not ui.main.detail.display
        text = ui.screen_text()
        assert "1 Containers 7" in text and "4 Networks 3" in text and "? help" in text
        await ui.press("right", "right", "right")
        assert ui.main.detail.display and not lists.display
        await ui.press("escape")
        assert lists.display and not ui.main.detail.display
        await ui.press("3")
        assert ui.main.pane("volumes").display and not ui.main.pane("containers").display


async def test_resize_back_and_forth() -> None:
    async with running(size=(120, 32)) as ui:
        for width, height in ((80, 24), (160, 48), (40, 10), (20, 5), (99, 30), (100, 30), (200, 60)):
            await ui.pilot.resize_terminal(width, height)
            await ui.pilot.pause()
            assert ui.main.narrow is (width < 100)
            assert ui.main.pane("containers").display
        assert ui.main.detail.display


async def test_full_and_share() -> None:
    async with running() as ui:
        wide = ui.main.pane().size.width
        await ui.press("plus")
        await ui.until(lambda: ui.main.pane().size.width > wide)
        await ui.press("underscore", "underscore")
        await ui.until(lambda: ui.main.pane().size.width < wide)
        await ui.press("f")
        assert not ui.main.detail.display
        await ui.press("escape")
        assert ui.main.detail.display


async def test_filter_as_it_is_typed_and_escape() -> None:
    async with running() as ui:
        await ui.press("slash")
        await ui.type("worker")
        assert len(ui.main.pane().keys) == 2
        await ui.press("enter")
        assert "/worker" in str(ui.main.pane().border_title) and "2 of 7" in str(ui.main.pane().border_title)
        await ui.press("n")
        assert ui.main.pane().row_at_cursor.name == "worker-2"
        await ui.press("N")
        assert ui.main.pane().row_at_cursor.name == "worker-1"
        await ui.press("slash")
        await ui.type("zzz")
        await ui.press("escape")
        assert len(ui.main.pane().keys) == 2, "escape takes back what was typed"
        await ui.press("escape")
        assert len(ui.main.pane().keys) == 7


async def test_a_filter_with_brackets_is_no_markup() -> None:
    async with running() as ui:
        await ui.command("filter [b]web[/b")
        assert "[b]web[/b" in ui.screen_text()
        assert any("searched literally" in text for text in ui.toasts)


async def test_marks() -> None:
    async with running() as ui:
        pane = ui.main.pane()
        await ui.press("g", "space", "space")
        assert len(pane.marks) == 2 and "2 marked" in str(pane.border_title)
        await ui.press("backslash")
        assert not pane.marks
        await ui.press("g", "v", "j", "j", "v")
        assert len(pane.marks) == 3
        await ui.press("asterisk")
        assert len(pane.marks) == 7
        await ui.press("escape")
        assert not pane.marks


async def test_command_on_names() -> None:
    async with running() as ui:
        await ui.command("stop web db")
        assert "Stop 2 containers?" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: ui.row("web").status == ui.row("db").status == "exited")


async def test_a_name_that_is_not_there_does_not_keep_the_others_from_it() -> None:
    async with running() as ui:
        await ui.command("stop web nope")
        assert "No such container: nope" in ui.toasts
        await ui.press("y")
        await ui.until(lambda: ui.row("web").status == "exited")


async def test_the_kind_before_the_command_as_in_a_shell() -> None:
    async with running() as ui:
        await ui.command("volume rm shared")
        assert "Remove volume shared?" in ui.screen_text()
        await ui.press("escape")
        await ui.command("volume export pgdata")
        assert "Export the volume pgdata" in ui.screen_text()
        await ui.press("escape")
        await ui.command("network ls")
        assert ui.main.kind == "networks"
        await ui.command("container stop web")
        await ui.press("y")
        await ui.until(lambda: ui.row("web").status == "exited")


@pytest.mark.parametrize(
    ("text", "toast"),
    [
        ("stpo web", "did you mean stop?"),
        ("stop nobody", "No such container: nobody"),
        ("theme nope", "There is no theme nope"),
        ("keys emacs", "There is no keymap emacs"),
        ("sort nope", "There is no column nope"),
        ("start web", "web is running: start is not possible."),
        ("volume rm web", "No such volume: web"),
        ("volume export nope", "No such volume: nope"),
        ("volume stop web", "There is no command volume stop"),
        ("network create --internal shop", "create takes no --internal here"),
        ("refresh all", "refresh takes no words: all."),
    ],
)
async def test_commands_that_cannot_be_done_say_why(text: str, toast: str) -> None:
    async with running() as ui:
        await ui.press("colon")
        ui.main.query_one("PromptLine Input").value = text
        await ui.press("enter")
        assert any(toast in each for each in ui.toasts), ui.toasts


async def test_command_completion_and_memory() -> None:
    async with running() as ui:
        await ui.press("colon")
        await ui.type("res")
        await ui.press("tab")
        assert ui.main.query_one("PromptLine Input").value == "restart "
        await ui.type("wor")
        await ui.press("tab", "tab")
        assert ui.main.query_one("PromptLine Input").value == "restart worker-1"
        await ui.press("escape")
        await ui.command("images")
        await ui.press("colon", "up")
        assert ui.main.query_one("PromptLine Input").value == "images"
        await ui.press("escape")
        assert ui.main.focused.id == "images"


async def test_theme_by_command() -> None:
    async with running() as ui:
        await ui.command("theme nord")
        assert ui.app.theme == "nord"


async def test_help_searches() -> None:
    async with running() as ui:
        await ui.press("question_mark")
        assert "Keys and commands" in ui.screen_text()
        await ui.type("sigkill")
        assert "ctrl+k" in ui.screen_text() and "Volumes" not in ui.screen_text().split("Keys and commands")[1][:400]
        await ui.press("escape")
        assert ui.app.screen is ui.main


async def test_palette_offers_what_is_possible() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("ctrl+p")
        await ui.type("restart")
        await ui.until(lambda: "restart web" in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: "Restart web?" in ui.screen_text())


async def test_mouse_on_rows_tabs_and_keys() -> None:
    async with running() as ui:
        await ui.pilot.click("#containers", offset=(5, 4))
        await ui.pilot.pause()
        assert ui.main.pane().row_at_cursor.name == "worker-1"
        await ui.pilot.click("#detail-tabs", offset=(14, 0))
        await ui.pilot.pause()
        assert ui.main.detail.tab == "ports"
        await ui.pilot.click("#images", offset=(5, 1))
        await ui.pilot.pause()
        assert ui.main.kind == "images"
        await ui.pilot.click("#keys", offset=(1, 0))
        await ui.pilot.pause()


async def test_empty_states_say_what_to_do() -> None:
    async with running(Engine(empty=True)) as ui:
        for key, words in (("1", "R runs one"), ("2", "P pulls one"), ("3", "ctrl+n creates one")):
            await ui.press(key)
            assert words in ui.screen_text()


async def test_many_rows_stay_quick() -> None:
    engine = Engine(empty=True)
    from tests.fakes.engine import NOW
    from tuidock.engine.types import Container

    for at in range(1000):
        identity = f"{at:064x}"
        engine.rows[identity] = Container(identity, f"c{at}", "busybox", "sha256:x", "sh", NOW - at, "running")
    async with running(engine) as ui:
        await ui.press("G", "g", "j")
        assert ui.main.pane().row_at_cursor.name == "c1"
        await ui.until(lambda: ui.engine.samples > 0)
        assert len(ui.engine.called("stats")[-1][0]) < 40, "only what is on screen is sampled"
