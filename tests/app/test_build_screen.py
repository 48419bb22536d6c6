"""Building in the app: the form writes the command line, the screen shows steps, output and the Dockerfile."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.build_words import parse_build
from tuidock.app.builds import Build
from tuidock.app.jobs import DONE, FAILED, GIVEN_UP
from tuidock.app.screens.build_form import command_line
from tuidock.app.step_logs import StepLogs
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.image_types import BuildEvent, BuildStep


def gated() -> tuple[Engine, threading.Event]:
    engine = Engine()
    gate = engine.gates["build"] = threading.Event()
    return engine, gate


async def begin(ui: Driver, *options: str) -> Any:
    await ui.command(" ".join(["build -t app:2", *options, "/tmp"]))
    await ui.until(lambda: ui.app.screen.name == "build")
    return ui.app.screen


# -- words --------------------------------------------------------------------------------------------------------


def test_the_command_line() -> None:
    values = {
        "context": ".", "tag": "app:2 app:latest", "target": "build", "dockerfile": "ci/Dockerfile",
        "args": "A=1 B='two words'", "more": "--label a=b",
    }  # fmt: skip
    argv = command_line(values, {"no-cache": True, "pull": True})
    assert argv == [
        "-t", "app:2", "-t", "app:latest", "--target", "build", "-f", "ci/Dockerfile", "--build-arg", "A=1",
        "--build-arg", "B=two words", "--no-cache", "--pull", "--label", "a=b", ".",
    ]  # fmt: skip
    request = parse_build(argv).request
    assert request.context == os.getcwd() and request.tags == ("app:2", "app:latest") and request.no_cache
    assert request.build_args == {"A": "1", "B": "two words"} and request.labels == {"a": "b"}
    assert parse_build(["--build-arg", "FROM_ENVIRONMENT", "."]).request.build_args == {"FROM_ENVIRONMENT": None}


@pytest.mark.parametrize(
    "argv", [[], ["a", "b"], ["--nope", "."], ["-"], ["-o", "-", "."], ["--secret", "id=x,src=/nowhere", "."]]
)
def test_words_that_make_no_build(argv: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        parse_build(argv)


# -- what events add up to ----------------------------------------------------------------------------------------


def test_steps_and_counts() -> None:
    build = Build()
    plan = BuildEvent("plan", steps=(BuildStep(1, "0", "FROM a"), BuildStep(2, "0", "RUN b")), source="FROM a\nRUN b\n")
    build.take([plan, BuildEvent("state", 1, "cached"), BuildEvent("state", 2, "running", text="RUN b 7")], 0)
    assert build.steps[2].plan.text == "RUN b 7"
    assert (build.current, build.count("cached"), build.words) == (2, 1, "step 2 of 2, 1 cached")
    assert build.steps[2].elapsed(3_000_000_000) == 3.0
    build.take([BuildEvent("state", 2, "done", 2.5, total=7), BuildEvent("built", message="sha256:x")], 0)
    assert (build.image, build.steps[2].seconds, build.steps[2].total) == ("sha256:x", 2.5, 7)


def test_a_build_that_ends_leaves_no_step_running() -> None:
    build = Build()
    build.take([BuildEvent("plan", steps=(BuildStep(1, "0", "FROM a"),)), BuildEvent("state", 1, "running")], 0)
    build.ended(1_000_000_000)
    assert build.steps[1].state == "cancelled"


def test_output_is_kept_as_a_log_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuidock.app import step_logs
    from tuidock.app.logs.reader import SourceReader
    from tuidock.app.logs.segments import LogDirectory

    monkeypatch.setattr(step_logs, "_SEGMENT", 5_000)
    logs = StepLogs()
    logs.write(1, "stdout", b"no end of ")
    logs.write(1, "stdout", b"the line\nnext\n")
    directory = LogDirectory(logs.path(1))
    directory.refresh()
    reader = SourceReader(directory)
    first = reader.after(reader.first())
    assert first is not None and first.text == b"no end of the line"
    for at in range(2_000):
        logs.write(1, "stdout", f"line {at} {'x' * 40}\n".encode())
    logs.end(1)
    names = sorted(os.listdir(logs.path(1)))
    assert len(names) == 4 and sum(os.path.getsize(os.path.join(logs.path(1), name)) for name in names) < 30_000
    where = logs.directory
    logs.close()
    assert not os.path.exists(where)
    logs.write(1, "stdout", b"too late")
    assert not os.path.exists(where)


def test_what_a_killed_app_has_left_goes_with_the_next_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "tuidock-build-99999999-dead").mkdir()
    (tmp_path / f"tuidock-build-{os.getpid()}-mine").mkdir()
    (tmp_path / "other").mkdir()
    logs = StepLogs()
    logs.write(1, "stdout", b"x\n")
    left = {name.rpartition("-")[2] for name in os.listdir(tmp_path) if os.path.join(tmp_path, name) != logs.directory}
    assert left == {"mine", "other"}
    where = logs.directory
    del logs
    assert not os.path.exists(where)


# -- the form -----------------------------------------------------------------------------------------------------


async def test_the_form_completes_paths_and_complains(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    async with running() as ui:
        await ui.press("B")
        await ui.type(f"{tmp_path}/pro")
        await ui.press("tab")
        field = ui.app.screen.query_one("#field-context")
        assert field.value == f"{tmp_path}/project/" and field.has_focus
        error = ui.app.screen.query_one("#dialog-error")
        assert f"There is no {tmp_path}/project/Dockerfile; File names another one." in str(error.content)
        await ui.press("ctrl+r")
        assert ui.engine.called("build") == []
        (tmp_path / "project" / "Dockerfile").write_text("FROM scratch\n")
        await ui.press("tab")
        await ui.type("app:2")
        assert "tuidock build -t app:2" in ui.screen_text() and not error.display
        await ui.press("ctrl+r")
        await ui.until(lambda: ui.app.screen.name == "build")
        (request,) = ui.engine.called("build")[0]
        assert request.context == str(tmp_path / "project") and request.tags == ("app:2",)


# -- watching -----------------------------------------------------------------------------------------------------


async def test_steps_output_and_the_dockerfile_beside_them() -> None:
    engine, gate = gated()
    async with running(engine, size=(120, 40)) as ui:
        screen = await begin(ui)
        await ui.until(lambda: "part39" in ui.screen_text() and "warning: unused" in ui.screen_text())
        text = ui.screen_text()
        assert "3 of 9 steps cached" in text and "✓ cached" in text and "● running" in text and "○ waiting" in text
        assert "output of 4/9 RUN make -j2" in text
        assert screen.query_one("#build-source")._marked == (7, 7)
        await ui.press("g", "j")
        await ui.until(lambda: "Taken from the cache" in ui.screen_text())
        assert screen.query_one("#build-source")._marked == (3, 4)
        await ui.press("s")
        assert screen.step == 4
        gate.set()
        await ui.until(lambda: screen.job.state == DONE)
        await ui.until(lambda: "app:2 is f3f3f3f3f3f3. R runs it" in ui.screen_text())


async def test_it_goes_on_when_one_leaves_and_is_found_again() -> None:
    engine, gate = gated()
    async with running(engine) as ui:
        screen = await begin(ui)
        await ui.until(lambda: screen.build.length == 9)
        await ui.press("escape")
        assert "build app:2 33%" in ui.screen_text() or "build app:2 44%" in ui.screen_text()
        await ui.press("J")
        await ui.until(lambda: "step 4 of 9, 3 cached" in ui.screen_text() and "4/9 RUN make -j2" in ui.screen_text())
        await ui.press("enter")
        assert ui.app.screen.name == "build"
        gate.set()
        await ui.until(lambda: ui.app.screen.job.state == DONE)


async def test_search_in_the_output() -> None:
    engine, gate = gated()
    async with running(engine) as ui:
        screen = await begin(ui)
        await ui.until(lambda: "part39" in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: screen.log_view.has_focus)
        await ui.press("slash")
        await ui.type("part2.o")
        await ui.press("enter")
        await ui.until(lambda: "hit 1 of 1" in ui.screen_text())
        await ui.press("escape")
        assert screen.table.has_focus
        gate.set()


async def test_a_failed_step_opens_a_shell_in_the_last_good_state() -> None:
    async with running() as ui:
        screen = await begin(ui, "--target broken")
        await ui.until(lambda: screen.job.state == FAILED)
        await ui.until(lambda: "returned a non-zero code: 2 (Dockerfile:7)." in ui.screen_text())
        assert "enter opens a shell" in ui.screen_text() and screen.step == 4 and "✖ failed" in ui.screen_text()
        await ui.until(lambda: "make: *** [app] Error 1" in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: ui.given)
        argv = ui.given[0]
        image = "sha256:" + "f4" * 32
        assert ui.engine.called("keep_step") == [("k3",)] and "run" in argv and image in argv and "--rm" in argv
        await ui.until(lambda: ui.engine.called("remove_image") == [(image, False)])


async def test_run_inspect_and_look_into_what_came_out() -> None:
    async with running() as ui:
        screen = await begin(ui)
        await ui.until(lambda: screen.job.state == DONE)
        await ui.press("R")
        assert "tuidock run -d app:2" in ui.screen_text()
        await ui.press("escape", "F")
        await ui.until(lambda: "efficiency" in ui.screen_text())
        await ui.press("escape", "i")
        assert ui.app.screen is ui.main and ui.main.kind == "images" and ui.main.detail.tab == "inspect"
        await ui.until(lambda: ui.main.pane().row_at_cursor.references == ("app:2",))


async def test_giving_up_and_building_again() -> None:
    engine, gate = gated()
    async with running(engine) as ui:
        screen = await begin(ui)
        await ui.until(lambda: "● running" in ui.screen_text())
        await ui.press("ctrl+k")
        assert "Give up build app:2?" in ui.screen_text()
        await ui.press("y")
        gate.set()
        await ui.until(lambda: screen.job.state == GIVEN_UP)
        await ui.until(lambda: "3 of 9 steps cached · given up" in ui.screen_text())
        await ui.press("r")
        await ui.until(lambda: screen.job.state == DONE)
        assert len(ui.engine.called("build")) == 2


async def test_below_120_columns_the_dockerfile_takes_the_place_of_the_output() -> None:
    engine, gate = gated()
    async with running(engine, size=(80, 24)) as ui:
        screen = await begin(ui)
        await ui.until(lambda: "part39" in ui.screen_text())
        assert not screen.query_one("#build-source").display
        await ui.press("f")
        assert "Dockerfile, line 7" not in ui.screen_text() or "7 RUN make" in ui.screen_text()
        assert "WORKDIR /src" in ui.screen_text() and "part39" not in ui.screen_text()
        await ui.press("f")
        await ui.until(lambda: "part39" in ui.screen_text())
        gate.set()


async def test_the_output_is_gone_from_the_disk_with_the_app() -> None:
    async with running() as ui:
        screen = await begin(ui)
        await ui.until(lambda: screen.job.state == DONE)
        directory = screen.build.logs.directory
        assert os.path.isdir(directory)
        ui.app.drop_jobs()
        assert not os.path.exists(directory)
