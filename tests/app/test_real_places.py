"""Networks, ports, the trash and files in the app over the real engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.app.test_real_images import job_done, over, patient
from tests.conftest import Run
from tuidock.engine import Engine


async def test_the_map_and_ports_that_answer(engine: Engine, run: Run) -> None:
    engine.create_network("shop")
    serve = ["sh", "-c", "mkdir /w; echo hi > /w/i; httpd -f -p 80 -h /w"]
    port = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}, "NetworkMode": "shop"}
    # In a thread, as the app does it: what makes a bridge has an event loop of its own.
    await asyncio.to_thread(run.start, serve, name="web", config={"ExposedPorts": {"80/tcp": {}}}, **port)
    silent = {"PortBindings": {"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
    await asyncio.to_thread(
        run.start, ["sleep", "1000"], name="quiet", config={"ExposedPorts": {"81/tcp": {}}}, **silent
    )
    async with over(engine, size=(80, 24)) as ui:
        await ui.press("m")
        await patient(ui, lambda: "└─● web" in ui.screen_text() and "B/s" in ui.screen_text())
        address = next(each.address for each in engine.container("web").networks)
        assert address in ui.screen_text() and "▣ shop" in ui.screen_text()
        await ui.press("escape", "W")
        await patient(ui, lambda: "● listening" in ui.screen_text() and "○ refused" in ui.screen_text())
        await ui.press("escape")
        await ui.command("connect shop quiet")
        await patient(ui, lambda: len(engine.network("shop").members) == 2)
    await asyncio.to_thread(engine.remove_many, ["web", "quiet"], force=True, now=True)
    await asyncio.to_thread(engine.remove_network, "shop")


async def test_what_happened_before_and_what_happens(engine: Engine, run: Run) -> None:
    """The journal's past is there when the screens open, and what comes is added."""
    await asyncio.to_thread(run.start, ["sleep", "1000"], name="early")
    async with over(engine) as ui:
        await ui.press("6")
        await patient(ui, lambda: "early" in ui.screen_text() and "start" in ui.screen_text())
        await asyncio.to_thread(engine.pause, "early")
        await patient(ui, lambda: " pause " in ui.screen_text())
        await asyncio.to_thread(engine.unpause, "early")
        await patient(ui, lambda: "unpause" in ui.screen_text())
        await ui.press("escape", "7")
        await patient(ui, lambda: "Last events" in ui.screen_text() and "unpause" in ui.screen_text())


async def test_what_was_removed_is_back_with_its_files(engine: Engine, run: Run, tmp_path: Path) -> None:
    await asyncio.to_thread(run.start, ["sh", "-c", "echo kept > /note; sleep 1000"], name="worker")
    async with over(engine) as ui:
        await patient(ui, lambda: ui.row("worker") is not None)
        await ui.go_to("worker")
        await ui.press("D")
        await ui.press("y")
        await patient(ui, lambda: ui.row("worker") is None)
        await ui.press("u")
        await patient(ui, lambda: ui.row("worker") is not None)
        await ui.go_to("worker")
        await ui.press("V")
        ui.app.screen.query_one("#field-there").value = "/note"
        ui.app.screen.query_one("#field-here").value = str(tmp_path)
        await ui.press("ctrl+o")
        await job_done(ui)
        assert (tmp_path / "note").read_text() == "kept\n"
    await asyncio.to_thread(engine.remove, "worker", force=True, now=True)


async def test_the_files_of_a_volume(engine: Engine, tmp_path: Path) -> None:
    mountpoint = Path(engine.create_volume("data").mountpoint)
    (mountpoint / "sub").mkdir()
    (mountpoint / "sub" / "note").write_text("inside\n")
    (tmp_path / "more").write_text("more")
    async with over(engine) as ui:
        await ui.press("3", "F")
        await patient(ui, lambda: "sub/" in ui.screen_text())
        await ui.press("enter")
        await patient(ui, lambda: "note" in ui.screen_text())
        await ui.press("j", "enter")
        await patient(ui, lambda: "inside" in ui.screen_text())
        await ui.press("escape", "g", "V")
        ui.app.screen.query_one("#field-here").value = str(tmp_path / "more")
        await ui.press("ctrl+n")
        await job_done(ui)
        assert (mountpoint / "sub" / "more").read_text() == "more"
    engine.remove_volume("data", now=True)
