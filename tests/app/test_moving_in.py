"""Moving in from docker or podman: a plan to tick, a job that can be repeated, and nothing that was not seen."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from tests.app.test_real_images import job_done, over, patient
from tests.failure.machine import eventually
from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tests.interop.peers import podman
from tuidock.app import jobs
from tuidock.engine import Engine as RealEngine
from tuidock.engine.errors import NotFound


def ended(ui: Driver) -> jobs.Job:
    job: jobs.Job = ui.app.model.past_jobs[-1]
    return job


async def test_the_plan_is_ticked_and_taken() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.command("migrate")
        await ui.press("1")
        text = ui.screen_text()
        assert "Moving in from docker" in text and "/var/run/docker.sock" in text
        assert "Images" in text and "2 of 2 images, 1 here already" in text
        assert "stays there: its driver" in text
        table = ui.app.screen.query_one("MigrateTable")
        table.move_cursor("group container")
        await ui.press("space")
        table.move_cursor("volume shop_pgdata")
        await ui.pilot.pause()
        assert "stop it there for an exact copy" in " ".join(ui.screen_text().split())
        await ui.press("space", "enter")
        assert "2 images, 1 network" in ui.screen_text()
        assert "container" not in ui.screen_text().split("Take over")[1].split(",")[0]
        await ui.press("y")
        await ui.until(lambda: ui.app.model.past_jobs)
        assert ended(ui).state == jobs.DONE and ended(ui).message == "3 of 3 taken"
        assert ui.engine.called("migrate") == [
            (("shop/front:2.4", "registry.example/platform/postgres-with-extensions:16.4-bookworm", "shop_default"),)
        ]
        await ui.press("enter")
        await ui.until(lambda: "Moving in from docker" in ui.screen_text())
        assert "nothing" not in ui.screen_text().split("\n")[0], "what is left can be ticked at once"


async def test_one_that_fails_is_told_and_tried_again() -> None:
    async with running(size=(160, 32)) as ui:
        ui.engine.refused = {"shop_pgdata", "shop-db-1"}
        await ui.command("migrate docker /run/other.sock")
        await ui.press("enter", "y")
        await ui.until(lambda: ui.app.model.past_jobs)
        job = ended(ui)
        assert job.state == jobs.FAILED
        assert job.error == "volume shop_pgdata was not taken over: there is no room for it; 1 more failed"
        assert "failed: there is no room" in ui.screen_text() and "taken" in ui.screen_text()
        assert set(ui.engine.called("migration_source")) == {("docker", "/run/other.sock")}
        await ui.press("j", "j", "j", "j")
        assert "Volume shop_pgdata: there is no room for it." in ui.screen_text()
        ui.engine.refused = set()
        await ui.press("r")
        await ui.until(lambda: ui.app.model.past_jobs and ended(ui).state == jobs.DONE)
        assert ui.engine.called("migrate")[-1] == (("shop_pgdata", "shop-db-1"),), "and nothing twice"


async def test_where_there_is_nothing_to_move_in_from() -> None:
    async with running() as ui:
        ui.engine.sockets = {}
        await ui.command("migrate")
        assert any("Neither docker nor podman listens" in text for text in ui.toasts)
        await ui.command("migrate lxc")
        assert any("Nothing can move in from lxc" in text for text in ui.toasts)
        ui.engine.fail["migration_source"] = NotFound("docker", "no socket in /var/run/docker.sock")
        await ui.command("migrate docker")
        assert "no socket in /var/run/docker.sock" in ui.screen_text()
        ui.engine.fail.clear()
        await ui.press("r")
        assert "shop/front:2.4" in ui.screen_text()


async def test_read_only_looks_and_takes_nothing() -> None:
    async with running(Engine(read_only=True)) as ui:
        await ui.command("migrate docker")
        await ui.press("a", "enter")
        assert any("read-only" in text for text in ui.toasts)
        assert ui.app.screen.name == "migrate" and ui.engine.called("migrate") == []


async def test_a_real_podman_moves_in(
    engine: RealEngine, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)  # podman wants a short path
    with podman() as peer:
        (tmp_path / "busybox.tar").write_bytes(archive)
        peer("load", "-q", "-i", tmp_path / "busybox.tar")
        peer("volume", "create", "pods")
        Path(peer("volume", "inspect", "-f", "{{.Mountpoint}}", "pods").strip(), "file").write_text("from podman\n")
        peer("create", "--name", "cask", "--net=none", "-v", "pods:/d", "busybox", "cat", "/d/file")
        socket = tmp_path / "api"
        service = peer.service(f"unix://{socket}")
        try:
            await asyncio.to_thread(eventually, socket.exists, "its API listens", 30)
            async with over(engine, size=(80, 24)) as ui:
                await ui.command(f"migrate podman {socket}")
                await patient(ui, lambda: "cask" in ui.screen_text())
                await ui.press("enter", "y")
                await job_done(ui)
                await patient(ui, lambda: ui.row("cask") is not None)
        finally:
            service.terminate()
            service.wait()
    assert Path(engine.volume("pods").mountpoint, "file").read_text() == "from podman\n"
    await asyncio.to_thread(engine.remove_many, ["cask"], force=True, now=True)
    await asyncio.to_thread(engine.remove_volume, "pods", now=True)
