"""A volume to a tar and back: by form and by word, as jobs over the real engine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.app.test_archives import fill
from tests.app.test_real_images import job_done, over, patient
from tests.fakes.driving import running
from tests.fakes.engine import Engine as Fake
from tuidock.app.jobs import FAILED
from tuidock.engine import Engine


async def test_out_and_in_again(engine: Engine, tmp_path: Path) -> None:
    mountpoint = Path((await asyncio.to_thread(engine.create_volume, "data")).mountpoint)
    (mountpoint / "note").write_text("kept\n")
    os.chown(mountpoint / "note", 7, 8)
    place = tmp_path / "place"
    place.mkdir()
    async with over(engine, size=(80, 24)) as ui:
        await ui.press("3")
        await patient(ui, lambda: "data" in ui.screen_text())
        await ui.command("export")
        await fill(ui, path=str(place / "data.tar"))
        await ui.press("enter")
        await job_done(ui)
        assert os.listdir(place) == ["data.tar"] and "written" in ui.screen_text()
        assert ui.app.engine_workers.log.entries()[-1].text == f"tuidock volume export -o {place}/data.tar data"
        await ui.press("escape")
        await ui.command("import")
        await fill(ui, path=str(place / "data.tar"), name="data")
        await ui.press("ctrl+r")
        await patient(ui, lambda: ui.app.model.past_jobs[-1].state == FAILED)
        assert "volume data is not empty" in ui.app.model.past_jobs[-1].error
        await ui.press("escape")
        await ui.command(f"import {place}/data.tar again")
        await patient(ui, lambda: (row := ui.app.model.find("volumes", "again")) is not None and row.size != 0)
        await patient(ui, lambda: not ui.app.model.jobs)
    found = Path(engine.volume("again").mountpoint, "note")
    assert (found.read_text(), found.stat().st_uid, found.stat().st_gid) == ("kept\n", 7, 8)
    for name in ("data", "again"):
        await asyncio.to_thread(engine.remove_volume, name, now=True)


async def test_forms_show_the_command_and_who_writes_meanwhile(tmp_path: Path) -> None:
    async with running() as ui:
        await ui.press("3")
        ui.main.pane("volumes").move_cursor("pgdata")
        await ui.command("export")
        text = ui.screen_text()
        assert "Export the volume pgdata" in text and "db may write to it meanwhile" in text
        assert "tuidock volume export -o pgdata.tar pgdata" in text
        await ui.press("escape")
        await ui.command("import")
        (tmp_path / "x.tar").write_bytes(b"")
        await fill(ui, path=str(tmp_path / "x.tar"))
        await ui.press("ctrl+r")
        assert "Into which volume?" in ui.screen_text()


async def test_read_only_writes_a_tar_and_takes_none_in() -> None:
    async with running(Fake(read_only=True)) as ui:
        await ui.press("3")
        await ui.command("import /x.tar shared")
        assert any("read-only" in text for text in ui.toasts)
        await ui.command("export shared")
        assert "Export the volume shared" in ui.screen_text()
