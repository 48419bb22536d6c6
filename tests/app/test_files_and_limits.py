"""Files of volumes and containers, limits of containers, volumes with options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.jobs import DONE
from tuidock.app.screens import update_form


async def fill(ui: Driver, **values: str) -> None:
    for key, value in values.items():
        ui.app.screen.query_one(f"#field-{key}").value = value
    await ui.pilot.pause()


async def job_done(ui: Driver) -> None:
    await ui.until(lambda: ui.app.model.past_jobs and ui.app.model.past_jobs[-1].state == DONE)


def test_sizes_are_shown_as_they_are_typed() -> None:
    assert [update_form.exact(each) for each in (0, -1, 1 << 30, 256 << 20, 1000)] == ["", "-1", "1g", "256m", "1000"]


async def test_limits_change_only_where_something_else_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    host: dict[str, Any] = {
        "Memory": 256 << 20, "NanoCpus": 1_500_000_000, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}
    }  # fmt: skip
    engine.inspect_container = lambda ref, size=False: {"HostConfig": host}  # type: ignore[method-assign]
    async with running(engine) as ui:
        await ui.go_to("web")
        await ui.press("S")
        await ui.until(lambda: "Limits of web" in ui.screen_text())
        form = ui.app.screen
        assert form.values()["memory"] == "256m" and form.values()["cpus"] == "1.5"
        assert form.values()["restart"] == "on-failure:3"
        await ui.press("ctrl+r")
        assert "Nothing is different." in ui.screen_text()
        await fill(ui, memory="lots")
        assert str(form.query_one("#dialog-error").content) == "✖ Memory: invalid size: 'lots'"
        await fill(ui, memory="512m", restart="always")
        assert "tuidock update -m 512m --restart always web" in ui.screen_text()
        await ui.press("ctrl+r")
        await ui.until(lambda: engine.called("update"))
        name, resources, policy = engine.called("update")[0]
        assert (name, resources) == ("web", {"Memory": 512 << 20}) and policy["Name"] == "always"
        await ui.until(lambda: ui.app.screen is ui.main)


async def test_copying_out_of_and_into_a_container(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("x")
    async with running() as ui:
        await ui.go_to("web")
        await ui.press("V")
        assert ui.app.screen.command_text() == "" and "a path, such as /etc/nginx" in ui.screen_text()
        await ui.press("ctrl+c")
        assert "Which path there?" in ui.screen_text() and ui.copied == []
        await fill(ui, there="/etc/nginx", here=str(tmp_path))
        assert ui.app.screen.command_text() == f"tuidock cp web:/etc/nginx {tmp_path}"
        await ui.press("ctrl+o")
        await job_done(ui)
        assert ui.engine.called("copy_out") == [("web", "/etc/nginx", str(tmp_path), {"archive": False})]
        assert ui.app.model.past_jobs[-1].title == f"copy web:/etc/nginx to {tmp_path}"
        await ui.press("escape")
        await ui.press("V")
        await fill(ui, there="/tmp", here=str(tmp_path / "nope"))
        await ui.press("ctrl+n")
        assert "There is no" in ui.screen_text() and not ui.engine.called("copy_in")
        await fill(ui, here=str(tmp_path / "note"))
        await ui.press("ctrl+n")
        await ui.until(lambda: ui.engine.called("copy_in"))
        assert ui.engine.called("copy_in")[0][:3] == ("web", str(tmp_path / "note"), "/tmp")


async def test_a_read_only_session_copies_out_but_not_in(tmp_path: Path) -> None:
    async with running(Engine(read_only=True)) as ui:
        await ui.go_to("web")
        await ui.press("V")
        await fill(ui, there="/etc", here=str(tmp_path))
        await ui.press("ctrl+n")
        assert "read-only" in str(ui.app.screen.query_one("#dialog-error").content)
        await ui.press("ctrl+o")
        await ui.until(lambda: ui.engine.called("copy_out"))
        assert not ui.engine.called("copy_in")


async def test_the_files_of_a_volume(tmp_path: Path) -> None:
    async with running(size=(80, 24)) as ui:
        await ui.press("3", "F")
        await ui.until(lambda: "pgdata:/" in ui.screen_text() and "postgresql.conf" in ui.screen_text())
        text = ui.screen_text()
        assert "base/" in text and "latest → base/1" in text and "28K" in text and "4 names" in text
        await ui.press("enter")
        await ui.until(lambda: "pgdata:/base" in ui.screen_text() and ".." in ui.screen_text())
        await ui.press("escape")
        await ui.until(lambda: "postgresql.conf" in ui.screen_text())
        await ui.press("G", "enter")
        await ui.until(lambda: "listen_addresses" in ui.screen_text())
        await ui.press("escape", "V")
        await fill(ui, here=str(tmp_path))
        await ui.press("ctrl+o")
        await ui.until(lambda: ui.engine.called("copy_out_of_volume"))
        assert ui.engine.called("copy_out_of_volume")[0] == ("pgdata", "postgresql.conf", str(tmp_path))


async def test_a_volume_with_options() -> None:
    async with running() as ui:
        await ui.press("3", "ctrl+n")
        await fill(ui, name="fast", type="tmpfs", device="tmpfs", size="64m", labels="team=shop")
        assert "volume create -o type=tmpfs -o device=tmpfs -o size=64m --label team=shop fast" in ui.screen_text()
        await ui.press("ctrl+r")
        await ui.until(lambda: ui.app.model.find("volumes", "fast") is not None)
