"""Images in the app over the real engine: push and pull with Debian's docker-registry, build, commit, layers, prune;
and on a real terminal a build whose failed step is looked into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.app.test_terminal import Terminal, terminal  # noqa: F401
from tests.conftest import Run
from tests.fakes.driving import Driver
from tests.registry.fixtures import docker_config, docker_registry  # noqa: F401
from tests.registry.real import RealRegistry
from tuidock.app.jobs import DONE
from tuidock.engine import Engine

DOCKERFILE = """\
FROM busybox AS made
RUN mkdir /made && for n in 1 2 3; do echo line $n; done && echo kept > /made/file
COPY note.txt /made/
FROM made
RUN rm /made/note.txt && {last}
CMD ["sh"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "note.txt").write_text("a note\n")
    (directory / "Dockerfile").write_text(DOCKERFILE.format(last="true"))
    return directory


@asynccontextmanager
async def over(engine: Engine, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Driver]:
    """The app over an engine of its own on the same data root."""
    from tuidock.app.app import TuidockApp
    from tuidock.app.config import Config
    from tuidock.app.model import ViewModel
    from tuidock.app.workers import Workers

    workers = Workers(lambda: Engine(engine.root))  # type: ignore[arg-type, return-value]
    workers.open()
    assert workers.wait_open(30)
    model = ViewModel()
    for kind, rows in workers.first_rows.items():
        model.replace(kind, rows)
    app = TuidockApp(workers, model, Config())
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, engine, pilot)  # type: ignore[arg-type]
            app.give_terminal = lambda argv, note: (driver.given.append(list(argv)), 0)[1]  # type: ignore[method-assign]
            await driver.until(lambda: model.host_name)
            yield driver
            assert app.errors == []
    finally:
        workers.stop()


async def patient(ui: Driver, condition: Any, seconds: float = 60.0) -> None:
    """Waits for something that takes real work."""
    for _ in range(int(seconds * 20)):
        await ui.pilot.pause()
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never came; toasts: {ui.toasts}; the screen:\n{ui.screen_text()}")


async def job_done(ui: Driver) -> Any:
    await patient(ui, lambda: ui.app.model.past_jobs and not ui.app.model.jobs)
    job = ui.app.model.past_jobs[-1]
    assert job.state == DONE, job.error
    return job


async def test_a_build_that_leaves_files_only_and_sees_a_secret(engine: Engine, context: Path, tmp_path: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM busybox AS made\nRUN --mount=type=secret,id=token test $(cat /run/secrets/token) = s3cret && echo ok > /out\n"
        "FROM scratch\nCOPY --from=made /out /out\n"
    )
    (tmp_path / "token").write_text("s3cret")
    async with over(engine) as ui:
        await ui.command("build")
        form = ui.app.screen
        values = {"context": context, "output": tmp_path / "files", "secrets": f"id=token,src={tmp_path}/token"}
        for key, value in values.items():
            form.query_one(f"#field-{key}").value = str(value)
        await ui.press("ctrl+r")
        await job_done(ui)
        await patient(ui, lambda: f"The files are in {tmp_path}/files." in " ".join(ui.screen_text().split()))
        assert "R run" not in ui.screen_text()
    assert (tmp_path / "files" / "out").read_text() == "ok\n"
    assert [image for image in engine.images() if not image.references] == []


async def test_push_pull_and_the_layers(engine: Engine, docker_registry: RealRegistry, docker_config: Path) -> None:  # noqa: F811
    name = f"{docker_registry.host}/team/box:1"
    async with over(engine) as ui:
        await ui.press("2", "U")
        ui.app.screen.query_one("#field-name").value = name
        await ui.press("enter")
        job = await job_done(ui)
        assert job.tracker.digest.startswith("sha256:")
        await patient(ui, lambda: "✓ push" in ui.screen_text())
        await ui.press("escape")
        engine.remove_image(name)
        engine.remove_image("busybox:latest", force=True)
        await patient(ui, lambda: not ui.app.model.rows["images"])
        await ui.command(f"pull {name}")
        job = await job_done(ui)
        assert job.tracker.done == job.tracker.total > 100_000
        await patient(ui, lambda: ui.app.model.find("images", name) is not None)
        await ui.press("escape")
        engine.tag(name, "busybox:latest")
        await ui.command(f"files {name}")
        await patient(ui, lambda: "efficiency 100.0%" in ui.screen_text() and "bin" in ui.screen_text())
        tree = ui.app.screen.files.tree_shown
        assert tree.get("bin/busybox").mark == "A" and tree.get("bin").size > 500_000
        await ui.press("escape", "escape")
        await ui.command(f"search {docker_registry.host}/box")
        await patient(ui, lambda: f"{docker_registry.host}/team/box" in ui.screen_text())
        await ui.press("t")
        await patient(ui, lambda: "Tags of" in ui.screen_text())


async def test_build_look_inside_and_prune(engine: Engine, context: Path) -> None:
    async with over(engine) as ui:
        await ui.command(f"build -t made:1 {context}")
        job = await job_done(ui)
        screen = ui.app.screen
        assert screen.name == "build" and screen.build.source.startswith("FROM busybox")
        assert {step.state for step in screen.build.steps.values()} <= {"cached", "done"}
        await ui.press("g", "j")
        await patient(ui, lambda: "line 3" in ui.screen_text())
        await ui.press("r")
        job = await job_done(ui)
        assert job.tracker.count("cached") == job.tracker.length
        await ui.press("F")
        await patient(ui, lambda: "layers" in ui.screen_text() and "made" in ui.screen_text())
        await ui.press("G")
        await patient(ui, lambda: "1 deleted" in ui.screen_text())
        await ui.press("a", "tab", "slash")
        await ui.type("made/file")
        await ui.press("enter", "G", "enter")
        await patient(ui, lambda: "kept" in ui.screen_text())
        for _ in range(6):
            if ui.app.screen is not ui.main:
                await ui.press("escape")
        await ui.command("diff busybox:latest made:1")
        await patient(ui, lambda: "2 added" in ui.screen_text())
        await ui.press("escape")
        await ui.command("prune")
        await patient(ui, lambda: "[ ] image   made:1" in ui.screen_text())
        await ui.press("escape")
        engine.remove_image("made:1")


async def test_commit_and_what_a_container_has_changed(engine: Engine, run: Run) -> None:
    made = run.start(["sh", "-c", "echo new > /etc/fresh; rm /etc/group; sleep 1000"], name="worker")
    async with over(engine) as ui:
        await patient(ui, lambda: ui.row("worker") is not None)
        await ui.command("files worker")
        await patient(ui, lambda: "1 added" in ui.screen_text() and "1 deleted" in ui.screen_text())
        await ui.press("escape")
        await ui.command("commit worker kept:1")
        await job_done(ui)
        await patient(ui, lambda: ui.app.model.find("images", "kept:1") is not None)
        assert engine.container(made).status == "running"
        engine.remove_image("kept:1")


def test_a_build_on_a_terminal_and_a_shell_in_the_last_good_state(
    terminal: Terminal,  # noqa: F811
    engine: Engine,
    context: Path,
) -> None:
    """At 80x24: the form, steps, the failed step, a shell before it, and the app again."""
    (context / "Dockerfile").write_text(DOCKERFILE.format(last="exit 7"))
    terminal.start(80, 24)
    terminal.app()
    terminal.until(lambda text: "No containers yet" in text)
    terminal.press("B")
    terminal.until(lambda text: "Build an image" in text)
    terminal.type(str(context))
    terminal.until(lambda text: "tuidock build" in text and "Dockerfile" in text)
    terminal.press("C-r")
    terminal.until(lambda text: "✖ failed" in text, 60)
    text = terminal.until(lambda text: "exit code: 7" in text.replace("\n", " ") or "enter opens a shell" in text)
    assert "✓" in text and "steps cached" in text
    before = {image.id for image in engine.images()}
    terminal.press("Enter")
    terminal.until(lambda text: "the last good state" in text and "#" in text, 60)
    terminal.type("cat /made/note.txt && echo still $((40+2))")
    terminal.press("Enter")
    terminal.until(lambda text: "a note" in text and "still 42" in text)
    terminal.type("exit")
    terminal.press("Enter")
    terminal.until(lambda text: "steps cached" in text and "✖ failed" in text)
    terminal.press("Escape")
    terminal.until(lambda text: "No containers yet" in text)
    terminal.press("q")
    terminal.until(lambda text: text.rstrip().endswith("prompt$"))
    assert {image.id for image in engine.images()} == before, "what was made to look into is gone"
    engine.prune_builds(all=True)
