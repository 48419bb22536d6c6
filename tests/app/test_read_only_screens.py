"""Every key of every screen in a read-only session: nothing is even tried that would change something."""

from __future__ import annotations

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app import screen_keys
from tuidock.app.commands import execute
from tuidock.app.elsewhere import execute_on
from tuidock.app.jobs import Job
from tuidock.app.transfers import Transfer
from tuidock.engine.types import RemovedEntry

#: Title in help -> what brings the screen up.
WAYS: dict[str, tuple[str, ...]] = {
    "Jobs": (":jobs",),
    "Search": (":search nginx",),
    "Logins": (":logins",),
    "Network map": ("m",),
    "Files of a volume": ("3", "F"),
    "Trash": ("T",),
    "Moving in": (":migrate docker",),
    "Room on the disk": (":df",),
}
#: Refused at the door, or read by tests of their own.
ELSEWHERE = {"Prune", "Build", "Output of a command"}


async def go(ui: Driver, steps: tuple[str, ...]) -> None:
    for step in steps:
        if step.startswith(":"):
            execute(ui.main, step[1:])
            step = "f9"  # which is nobody's
        await ui.press(step)


async def home(ui: Driver) -> None:
    for _ in range(6):
        if ui.app.screen is ui.main and not ui.main.query("PromptLine"):
            return
        await ui.pilot.press("escape")
    raise AssertionError(f"no way back from {ui.app.screen}")


def test_every_screen_that_changes_something_is_walked() -> None:
    changing = {title for title, keys in screen_keys.SCREENS.items() if any(key.changes for key in keys)}
    assert changing <= {*WAYS, *ELSEWHERE}, "a new screen wants a way here"


async def test_no_key_of_any_screen_changes_anything() -> None:
    engine = Engine(read_only=True)
    engine.removed.append((RemovedEntry("e1", "b1", "volume", "old", "old", 0, 10), None))
    async with running(engine, size=(100, 30)) as ui:
        failed = Job(1, "pull x", kind="pull", begin=lambda engine, job: engine.pull("x"), make_tracker=Transfer)
        failed.end(RuntimeError("no"), "no", 0)
        ui.app.model.put_job(failed)
        for title, way in WAYS.items():
            await go(ui, way)
            screen = ui.app.screen
            assert screen is not ui.main, f"{title} is not on the screen"
            keys = [key for key in screen_keys.SCREENS[title] if not key.id.endswith((".help", ".back"))]
            for key in (key for each in keys for key in each.keys.split(",")):
                await ui.pilot.press(key)
                if ui.app.screen is not screen:
                    await ui.pilot.press("enter", "y")
                    await home(ui)
                    await go(ui, way)
                    screen = ui.app.screen
            execute_on(screen, "stop web")
            await home(ui)
            await ui.pilot.press("1")
        await ui.press("X")
        assert ui.app.screen is ui.main
        assert engine.attempts == [] and ui.given == []
        assert any("read-only" in text for text in ui.toasts)
