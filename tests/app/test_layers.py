"""Looking into images: layers, their files, one file, and what differs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.app.test_filetree import many
from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.engine.errors import NotFound
from tuidock.engine.image_types import TreeEntry


async def look_into(ui: Driver, name: str = "nginx:1.27") -> Any:
    await ui.command(f"files {name}")
    await ui.until(lambda: ui.app.screen.name == "layers")
    await ui.until(lambda: ui.app.screen.files.tree_shown is not None)
    return ui.app.screen


async def to_layer(ui: Driver, screen: Any, number: int) -> None:
    await ui.press("g", *["j"] * (number - 1))
    await ui.until(lambda: screen.files.tree_shown is not None and screen._delay is None)
    await ui.until(lambda: ui.engine.called("layer_tree")[-1][1] == number - 1 or number - 1 in screen._entries)
    await ui.until(lambda: f"layer {number}" in ui.screen_text())


async def test_layers_files_and_what_is_wasted() -> None:
    async with running() as ui:
        screen = await look_into(ui)
        text = ui.screen_text()
        assert "3 layers · 174M · 3.0M wasted · efficiency 98.3%" in text
        assert "RUN apt-get update" in text and "/bin/sh -c" not in text
        await to_layer(ui, screen, 2)
        await ui.until(lambda: "5 added · 1 changed · 1 deleted" in ui.screen_text())
        await ui.press("tab", "plus")
        assert "D" in ui.screen_text() and "doc/" in ui.screen_text() and "-rwxr-xr-x" in ui.screen_text()
        assert screen.files.shown_paths[:3] == ["etc", "etc/nginx", "etc/nginx/mime.types"]


async def test_folding_marks_filter_and_the_way_back() -> None:
    async with running() as ui:
        screen = await look_into(ui)
        await to_layer(ui, screen, 2)
        await ui.until(lambda: "1 deleted" in ui.screen_text())
        files = screen.files
        await ui.press("tab", "g")
        assert files.shown_paths == ["etc", "usr"]
        await ui.press("enter")
        assert files.shown_paths == ["etc", "etc/nginx", "etc/passwd", "usr"]
        await ui.press("right", "right")
        assert files.node.path == "etc/nginx"
        await ui.press("left", "left", "left")
        assert files.node.path == "etc" and files.shown_paths == ["etc", "usr"]
        await ui.press("A", "C", "plus")
        assert files.shown_paths == ["usr", "usr/share", "usr/share/doc"] and "5 added (hidden)" in ui.screen_text()
        await ui.press("escape")
        assert "(hidden)" not in ui.screen_text()
        await ui.press("slash")
        await ui.type("conf")
        await ui.press("enter")
        assert files.shown_paths == ["etc", "etc/nginx", "etc/nginx/nginx.conf"]
        await ui.press("n")
        assert files.node.name == "nginx.conf"
        await ui.press("c")
        assert ui.copied == ["/etc/nginx/nginx.conf"]
        await ui.press("escape")
        assert files.pattern == "" and ui.app.screen is screen
        await ui.press("escape", "escape")
        assert ui.app.screen is ui.main


async def test_the_whole_image_up_to_a_layer() -> None:
    async with running() as ui:
        screen = await look_into(ui)
        await to_layer(ui, screen, 2)
        await ui.press("a")
        await ui.until(lambda: "all files up to layer 2" in ui.screen_text())
        await ui.until(lambda: screen.files.tree_shown.get("usr/bin/bash") is not None)
        assert {index for _, index in ui.engine.called("layer_tree")} == {0, 1}
        await ui.press("tab", "o")
        assert screen.files.order == "size" and "by size" in ui.screen_text()


async def test_a_text_and_a_binary_file() -> None:
    async with running() as ui:
        screen = await look_into(ui)
        await to_layer(ui, screen, 2)
        await ui.until(lambda: screen.files.tree_shown.get("etc/nginx/nginx.conf") is not None)
        await ui.press("tab", "slash")
        await ui.type("nginx.conf|sbin/nginx")
        await ui.press("enter", "n", "enter")
        await ui.until(lambda: "worker_processes auto;" in ui.screen_text())
        assert "text · 648B" in ui.screen_text()
        await ui.press("x")
        assert "00000000  77 6f 72 6b" in ui.screen_text()
        await ui.press("escape", "G", "enter")
        await ui.until(lambda: "7f 45 4c 46" in ui.screen_text())
        assert "bytes · 1.4M · the first 208B" in ui.screen_text()


async def test_a_deleted_file_has_no_content() -> None:
    async with running() as ui:
        screen = await look_into(ui)
        await to_layer(ui, screen, 2)
        await ui.until(lambda: "1 deleted" in ui.screen_text())
        node = screen.files.tree_shown.get("usr/share/doc")
        node.entry, node.children = TreeEntry("usr/share/doc", "file", "D"), None
        await ui.press("tab", "A", "C", "plus", "G", "enter")
        assert any("deleted here" in toast for toast in ui.toasts)


async def test_narrow_there_is_one_page_at_a_time() -> None:
    async with running(size=(80, 24)) as ui:
        await look_into(ui)
        assert "apt-get" in ui.screen_text() and "hostname" not in ui.screen_text()
        await ui.press("enter")
        await ui.press("plus")
        assert "hostname" in ui.screen_text() and "apt-get" not in ui.screen_text()
        await ui.press("escape")
        assert "apt-get" in ui.screen_text()


async def test_enter_on_a_layer_in_the_details() -> None:
    async with running() as ui:
        await ui.press("2", "enter")
        await ui.until(lambda: "apt-get" in ui.screen_text())
        await ui.press("j", "enter")
        await ui.until(lambda: ui.app.screen.name == "layers")
        await ui.until(lambda: "what layer 2 changes" in ui.screen_text())


async def test_what_a_container_has_changed() -> None:
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("F")
        await ui.until(lambda: "2 added · 3 changed · 1 deleted" in ui.screen_text())
        assert "what web has changed in nginx:1.27" in ui.screen_text()
        await ui.press("plus")
        assert "site.conf" in ui.screen_text()


async def test_two_marked_images() -> None:
    async with running() as ui:
        await ui.press("2", "g", "space", "space")
        ui.main.actions.do("image.diff")
        await ui.until(lambda: "from nginx:1.27 to postgres:16" in ui.screen_text())
        await ui.until(lambda: "1 added · 1 changed · 1 deleted" in ui.screen_text())
        first, second = ui.engine.called("diff_images")[0]
        assert first.endswith("c8c8") and second.endswith("c9c9")


async def test_compare_by_command_and_by_choice() -> None:
    async with running() as ui:
        await ui.command("diff web nginx:1.27")
        await ui.until(lambda: "from nginx:1.27 to web" in ui.screen_text())
        await ui.press("escape")
        await ui.command("diff nginx:1.27")
        assert "Compare nginx:1.27 with" in ui.screen_text()
        await ui.type("redis")
        await ui.press("enter")
        await ui.until(lambda: "from nginx:1.27 to redis:7" in ui.screen_text())
        await ui.press("escape")
        await ui.command("diff nope")
        assert any("No such image or container: nope" in toast for toast in ui.toasts)


@pytest.mark.parametrize("method", ["layers", "layer_tree", "diff"])
async def test_what_cannot_be_read_is_one_sentence(method: str) -> None:
    engine = Engine()
    engine.fail[method] = NotFound("image", "nginx:1.27")
    async with running(engine) as ui:
        await ui.go_to("web")
        await ui.command("files web" if method == "diff" else "files nginx:1.27")
        await ui.until(lambda: "No such image: nginx:1.27" in ui.screen_text())
        await ui.press("escape")
        assert ui.app.screen is ui.main


async def test_fifty_thousand_files_are_fluent() -> None:
    engine = Engine()
    entries = many(50_000)
    engine.layer_tree = lambda ref, index: entries  # type: ignore[method-assign]
    async with running(engine) as ui:
        screen = await look_into(ui)
        files = screen.files
        await ui.press("tab")
        await ui.press("plus")
        assert len(files.shown_paths) == 50_100
        begun = time.process_time()
        await ui.press("G", "g", "pagedown", "enter", "left", "enter")
        spent = time.process_time() - begun
        assert spent < 3, f"six keys took {spent:.2f} s"
        await ui.press("slash")
        begun = time.process_time()
        await ui.type("file0123")
        assert time.process_time() - begun < 8
        await ui.press("enter")
        assert len(files.shown_paths) == 200
