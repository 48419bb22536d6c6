"""What the machine lacks, with the command that mends it; what takes room, and the way to where it can go."""

from __future__ import annotations

import pytest

import tuidock.engine
from tests.fakes.driving import running
from tests.fakes.engine import Engine
from tuidock.engine.types import Finding

FOUND = (
    Finding("kernel", "ok", "Linux 6.1.0"),
    Finding(
        "nftables", "fail", "nft is missing, so there are no networks: install nftables", "apt-get install nftables"
    ),
    Finding("kernel options", "warn", "CONFIG_IPVLAN is not set, without which there are no networks of that driver"),
)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    findings = list(FOUND)
    monkeypatch.setattr(tuidock.engine, "examine", lambda root: iter(findings))
    return findings


async def test_the_worst_comes_first_and_its_command_is_copied(found: list[Finding]) -> None:
    async with running(size=(80, 24)) as ui:
        await ui.command("doctor")
        text = ui.screen_text()
        assert "2 of 3 to look at" in text.split("\n")[0] and "$ apt-get install nftables" in text
        assert text.index("Does not work") < text.index("Could be better") < text.index("Is as it should be")
        await ui.press("enter")
        assert ui.copied == ["apt-get install nftables"]
        await ui.press("j", "j", "c")
        assert any("no command for that" in text for text in ui.toasts) and len(ui.copied) == 1
        await ui.press("y")
        assert ui.copied[1].startswith("kernel options: CONFIG_IPVLAN")
        del found[1:]
        await ui.press("r")
        assert "everything is as it should be" in ui.screen_text()


async def test_what_takes_room_and_the_way_to_where_it_can_go() -> None:
    async with running(size=(80, 24)) as ui:
        await ui.go_to("done")
        await ui.press("d", "y")
        await ui.until(lambda: ui.row("done") is None)
        await ui.command("df")
        text = ui.screen_text()
        assert "Local Volumes" in text and "164M  21%" in text and "Trash" in text
        await ui.press("enter")
        assert type(ui.app.screen).__name__ == "PruneScreen"
        await ui.press("escape", "G", "enter")
        assert type(ui.app.screen).__name__ == "TrashScreen"
        await ui.press("enter")
        await ui.until(lambda: ui.row("done") is not None)
        await ui.press("escape")
        await ui.until(lambda: "Trash" not in ui.screen_text())
        await ui.press("g", "j", "enter")
        assert ui.app.screen is ui.main


async def test_room_is_looked_at_and_nothing_goes_in_a_read_only_session() -> None:
    async with running(Engine(read_only=True)) as ui:
        await ui.command("df")
        await ui.press("enter")
        await ui.press("X")
        assert any("read-only" in text for text in ui.toasts) and ui.app.screen.name == "df"
