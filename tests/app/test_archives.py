"""Commit, save, load, import, export and prune, by form and by word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.jobs import DONE, FAILED


async def fill(ui: Driver, **values: str) -> None:
    for key, value in values.items():
        ui.app.screen.query_one(f"#field-{key}").value = value
    await ui.pilot.pause()


async def done(ui: Driver) -> None:
    await ui.until(lambda: ui.app.model.past_jobs and ui.app.model.past_jobs[-1].state == DONE)


async def test_commit() -> None:
    async with running() as ui:
        await ui.go_to("web")
        ui.main.actions.do("container.commit")
        await ui.pilot.pause()
        await fill(ui, reference="web:fixed", author="me", message="a fix", changes="'CMD [\"x\"]' 'ENV A=b'")
        assert "tuidock commit -a me -m 'a fix' -c 'CMD [\"x\"]' -c 'ENV A=b' web web:fixed" in ui.screen_text()
        await ui.press("ctrl+r")
        await done(ui)
        name, reference, options = ui.engine.called("commit")[0]
        assert (name, reference) == ("web", "web:fixed")
        assert options == {"author": "me", "message": "a fix", "changes": ('CMD ["x"]', "ENV A=b"), "pause": True}
        assert ui.app.model.find("images", "web:fixed") is not None


async def test_save_writes_a_complete_file_under_its_name(tmp_path: Path) -> None:
    async with running() as ui:
        place = tmp_path / "place"
        place.mkdir()
        target = place / "web.tar"
        await ui.press("2")
        ui.main.actions.do("image.save")
        await ui.pilot.pause()
        await fill(ui, path=str(target))
        await ui.press("enter")
        await done(ui)
        assert target.stat().st_size == 3 << 20 and target.stat().st_mode & 0o777 == 0o600
        assert os.listdir(place) == ["web.tar"] and ui.engine.called("save") == [(("nginx:1.27",),)]
        assert "3.0M written" in ui.screen_text()
        assert ui.app.engine_workers.log.entries()[-1].text == f"tuidock save -o {target} nginx:1.27"
        await ui.press("escape")
        ui.main.actions.do("image.save")
        await ui.pilot.pause()
        await fill(ui, path=str(target))
        await ui.press("enter")
        assert "It will be written anew." in ui.screen_text()


async def test_a_save_that_fails_leaves_no_file(tmp_path: Path) -> None:
    engine = Engine()
    engine.fail["save"] = OSError(28, "No space left on device")
    async with running(engine) as ui:
        place = tmp_path / "place"
        place.mkdir()
        await ui.press("2")
        await ui.command(f"save {place}/web.tar")
        await ui.until(lambda: ui.app.model.past_jobs and ui.app.model.past_jobs[-1].state == FAILED)
        await ui.until(lambda: "No space left on device" in ui.screen_text())
        assert os.listdir(place) == []


async def test_a_path_that_cannot_be_is_told_while_typing(tmp_path: Path) -> None:
    async with running() as ui:
        await ui.command("load")
        await fill(ui, path=f"{tmp_path}/nope.tar")
        assert "There is no file" in str(ui.app.screen.query_one("#dialog-error").content)
        await ui.press("enter")
        assert ui.engine.called("load") == []


async def test_load_import_and_export_by_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.tar").write_bytes(b"tar")
    monkeypatch.chdir(tmp_path)
    async with running() as ui:
        await ui.command("load in.tar")
        await done(ui)
        await ui.until(lambda: "loaded loaded:1" in ui.screen_text())
        await ui.press("escape")
        await ui.command("import in.tar mine:1")
        await ui.until(lambda: ui.app.model.find("images", "mine:1") is not None)
        await ui.press("escape")
        await ui.command("export web out.tar")
        await ui.until(lambda: (tmp_path / "out.tar").exists())
        assert (tmp_path / "out.tar").read_bytes() == b"tar"
        await ui.press("escape")
        await ui.command("export web out.tar")
        assert any("exists; name another file" in toast for toast in ui.toasts)
        await ui.command("export -o exported.tar web")
        await ui.until(lambda: (tmp_path / "exported.tar").exists())
        await ui.press("escape")
        await ui.command("image save -o saved.tar nginx:1.27")
        await ui.until(lambda: (tmp_path / "saved.tar").exists())
        await ui.press("escape")
        await ui.command("commit web web:2")
        await ui.until(lambda: ui.app.model.find("images", "web:2") is not None)


async def test_prune_takes_what_is_ticked_and_nothing_else() -> None:
    async with running() as ui:
        await ui.press("X")
        await ui.until(lambda: "selected 84M of" in ui.screen_text())
        text = ui.screen_text()
        assert (
            "[x] image" in text
            and "[ ] cache" in text
            and "[ ] volume  shared" in text
            and "] volume  pgdata" not in text
        )
        await ui.press("G", "space")
        assert "[x] volume  shared" in ui.screen_text()
        await ui.press("A")
        assert "[x] cache" in ui.screen_text() and "[ ] volume  shared" in ui.screen_text(), "volumes only one by one"
        await ui.press("enter")
        assert "1 image" in ui.screen_text() and "2 cached steps" in ui.screen_text()
        assert ui.engine.called("remove_image") == []
        await ui.press("y")
        await ui.until(lambda: "3 removed" in ui.toasts)
        assert {filters for _, filters in ui.engine.called("prune_builds")} == {("id=k1",), ("id=k2",)}
        assert [ref[-2:] for ref, _ in ui.engine.called("remove_image")] == ["cd"]
        assert ui.engine.called("remove_volume") == []


async def test_prune_of_nothing_and_of_an_empty_engine() -> None:
    async with running(Engine(empty=True)) as ui:
        await ui.press("X")
        await ui.until(lambda: "there is nothing to remove" in ui.screen_text())
        await ui.press("enter", "escape")
        assert ui.app.screen is ui.main


@pytest.mark.parametrize("word", ["build", "load", "save", "import"])
async def test_paths_are_completed_behind_words(tmp_path: Path, word: str) -> None:
    from tuidock.app.command_words import complete

    (tmp_path / "deep").mkdir()
    async with running() as ui:
        assert complete(ui.app.model, f"{word} {tmp_path}/de") == [f"{word} {tmp_path}/deep/"]
