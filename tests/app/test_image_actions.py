"""Getting, naming and removing images and volumes."""

from __future__ import annotations

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine


async def test_pull_tag_and_volume() -> None:
    async with running() as ui:
        await ui.press("P")
        await ui.type("host/base")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("images", "host/base") is not None)
        await ui.until(lambda: "✓ pull host/base" in ui.screen_text())
        await ui.press("escape", "2")
        ui.main.pane("images").move_cursor(ui.app.model.find("images", "redis:7").id)
        await ui.pilot.pause()
        await ui.press("t")
        await ui.type("mine:1")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("images", "mine:1") is not None)
        await ui.press("3", "ctrl+n")
        await ui.type("fresh")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("volumes", "fresh") is not None)


async def test_a_pull_that_is_refused_is_one_sentence() -> None:
    async with running() as ui:
        await ui.command("pull nowhere")
        await ui.until(lambda: "docker.io does not know it; check the name." in ui.screen_text())
        assert ui.app.model.jobs == {} and ui.toasts == []


async def go_to_image(ui: Driver, name: str) -> None:
    await ui.press("2")
    ui.main.pane("images").move_cursor(ui.app.model.find("images", name).id)
    await ui.pilot.pause()


async def test_remove_image_in_use_is_refused_by_the_engine() -> None:
    async with running() as ui:
        await go_to_image(ui, "busybox:latest")
        await ui.press("d")
        assert "its only name" in ui.screen_text() and "It is in use by containers: done." in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: any("is used by" in text for text in ui.toasts))


async def test_an_image_that_something_runs_on_stays_even_by_force() -> None:
    async with running() as ui:
        await go_to_image(ui, "nginx:1.27")
        await ui.press("D", "y")
        assert "web runs on it" in ui.screen_text()
        assert ui.engine.called("remove_image") == []


async def test_of_several_names_one_goes_or_all_with_the_image() -> None:
    async with running() as ui:
        ui.engine.tag("busybox:latest", "toolbox:1")
        await ui.until(lambda: ui.app.model.find("images", "toolbox:1") is not None)
        await go_to_image(ui, "busybox:latest")
        await ui.press("d")
        assert "only this name; the image stays" in ui.screen_text()
        await ui.press("2")
        await ui.until(lambda: ui.app.model.find("images", "toolbox:1") is None)
        assert ui.app.model.find("images", "busybox:latest") is not None
        assert ui.engine.called("remove_image") == [("toolbox:1", False)]
        await ui.command("untag busybox:latest")
        assert "its only name" in ui.screen_text()


async def test_remove_volume_wants_its_name() -> None:
    async with running() as ui:
        await ui.press("3")
        ui.main.pane("volumes").move_cursor("shared")
        await ui.pilot.pause()
        await ui.press("d", "enter")
        assert "Type shared" in ui.screen_text()
        await ui.type("shared")
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.get("volumes", "shared") is None)


async def test_what_images_share_counts_once_in_the_header() -> None:
    engine = Engine()
    engine.images_size = lambda: 345_000_000  # type: ignore[method-assign]
    async with running(engine) as ui:
        await ui.press("2")
        await ui.until(lambda: "2 Images 6 · 329M" in ui.screen_text())
