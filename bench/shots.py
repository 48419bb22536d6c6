"""Writes screenshots/*.svg: the real app over real containers, in a data root of its own that is removed at the end.

Headless, because a picture must not depend on somebody's terminal. The containers are those of `tuidock demo`, with a
visitor who reads the web page; nothing is waited for by the clock, but until it can be seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, REPOSITORY)

from bench import shots_places  # noqa: E402
from bench.shots_steps import Pilot, command, freeze, go_to, make_context, sampled, seen, tab, text, until  # noqa: E402

DIRECTORY = os.path.join(REPOSITORY, "screenshots")

#: Lines of the chatty container, and samples of a row, that make a picture worth looking at.
LINES, SAMPLES = 34, 12

Act = Callable[[Any, Pilot], Awaitable[None]]


def main() -> int:
    """Names of pictures as arguments: only these."""
    if os.geteuid() != 0:
        print("shots: needs root, because the containers are real", file=sys.stderr)
        return 2
    from tuidock.app import TERMINAL_DEFAULTS
    from tuidock.cli.command import Context
    from tuidock.cli.demo import _make

    os.makedirs(DIRECTORY, exist_ok=True)
    root = tempfile.mkdtemp(prefix="tuidock-shots-", dir="/var/tmp")
    for name in ("CONFIG", "CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = f"{root}/home"
    os.environ.update(TERMINAL_DEFAULTS, TERM="xterm-256color", COLORTERM="truecolor")
    for name in ("NO_COLOR", "TUIDOCK_ROOT", "TMUX", "SSH_CONNECTION", "TEXTUAL_THEME"):
        os.environ.pop(name, None)
    context = Context(f"{root}/data")
    try:
        _make(context, quiet=True)
        with visitor(context.engine):
            for name, size, theme, act in PICTURES:
                if sys.argv[1:] and name not in sys.argv[1:]:
                    continue
                asyncio.run(picture(context.root, name, size, theme, act))
                print(f"screenshots/{name}.svg", flush=True)
    finally:
        context.engine.reset()
        shutil.rmtree(root, ignore_errors=True)
    return 0


@contextlib.contextmanager
def visitor(engine: Any) -> Iterator[None]:
    """Somebody who reads the page of demo-web a few times a second."""
    url = f"http://127.0.0.1:{next(binding.host_port for binding in engine.ports('demo-web'))}/"
    done = threading.Event()

    def visit() -> None:
        while not done.wait(0.3):
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as page:
                page.read()

    thread = threading.Thread(target=visit, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def picture(root: str, name: str, size: tuple[int, int], theme: str, act: Act) -> None:
    """One app, from its start to the picture."""
    from tuidock.app.app import TuidockApp
    from tuidock.app.config import Config
    from tuidock.app.model import ViewModel
    from tuidock.app.workers import Workers
    from tuidock.engine import Engine

    workers = Workers(lambda: Engine(root))
    workers.open()
    if not workers.wait_open(30):
        raise SystemExit("shots: the engine did not open")
    model = ViewModel()
    model.user = "root"
    for kind, rows in workers.first_rows.items():
        model.replace(kind, rows)
    app = TuidockApp(workers, model, Config(theme=theme))
    try:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: model.host_name and model.host is not None)
            await act(app, pilot)
            app.save_screenshot(f"{name}.svg", DIRECTORY)
            for job in list(model.jobs.values()):
                job.give_up()
            await until(pilot, lambda: not model.jobs)
            if app.errors:
                raise SystemExit(f"shots: {name}: {app.errors[0]!r}")
    finally:
        workers.stop()


async def main_screen(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-chatty")
    await until(pilot, lambda: text(app).count("/items/") >= 14)
    await sampled(app, pilot, "demo-chatty")
    await freeze(app, pilot)


async def small_screen(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-web")
    await sampled(app, pilot, "demo-web")
    await freeze(app, pilot)


async def logs(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-chatty")
    await pilot.press("l")
    await until(pilot, lambda: text(app).count("\n") > 20 and text(app).count("/items/") >= LINES - 14)
    await pilot.press("slash")
    await pilot.pause()
    for key in ("w", "a", "r", "n", "vertical_line", "e", "r", "r", "o", "r"):
        await pilot.press(key)
    await pilot.press("enter")
    await seen(pilot, "hit")


async def stats(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-web")
    await tab(app, pilot, "stats")
    await sampled(app, pilot, "demo-web", SAMPLES)
    await freeze(app, pilot)


async def timeline(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-web")
    await tab(app, pilot, "timeline")
    await seen(pilot, "process started", "together")
    await freeze(app, pilot)


async def run_form(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-web")
    await pilot.press("R")
    await seen(pilot, "Run a container")
    from textual.widgets import Input

    form = app.screen
    fields = list(form.query(Input))
    for at, value in enumerate(
        ("host/base", "web-2", "busybox httpd -f -p 80 -h /www", "8081:80", "pages:/www", "MODE=prod", "256m", "1.5")
    ):
        fields[at].value = value
    await seen(pilot, "--name web-2", "8081:80", "--cpus 1.5")


async def help_screen(app: Any, pilot: Pilot) -> None:
    await go_to(app, pilot, "demo-web")
    await pilot.press("question_mark")
    await seen(pilot, "Keys and commands", "Start the container")
    await freeze(app, pilot)


async def images(app: Any, pilot: Pilot) -> None:
    await pilot.press("2")
    await seen(pilot, "Layers", "made from this machine's own programs")
    await freeze(app, pilot)


async def build(app: Any, pilot: Pilot) -> None:
    directory = make_context()
    try:
        await command(app, pilot, f"build -t site:2 {directory}")
        await until(pilot, lambda: text(app).count("200 OK") >= 12)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def build_form(app: Any, pilot: Pilot) -> None:
    directory = make_context()
    before = os.getcwd()
    os.chdir(os.path.dirname(directory))
    try:
        await command(app, pilot, "build")
        await seen(pilot, "Build an image")
        values = {"context": f"./{os.path.basename(directory)}", "tag": "site:2", "platform": "linux/amd64",
                  "secrets": "id=npm,src=~/.npmrc", "args": "PORT=80"}  # fmt: skip
        for key, value in values.items():
            app.screen.query_one(f"#field-{key}").value = value
        await seen(pilot, "--build-arg PORT=80")
    finally:
        os.chdir(before)
        shutil.rmtree(directory, ignore_errors=True)


async def layers(app: Any, pilot: Pilot) -> None:
    await pilot.press("2")
    await pilot.press("F")
    await until(pilot, lambda: len(app.screen_stack) > 1 and app.screen.files.tree_shown is not None)
    await pilot.press("tab")
    tree = app.screen.files
    for name in ("etc", "usr"):
        if (node := tree.tree_shown.get(name)) is not None:
            node.open = True
    tree.sort("size")
    await seen(pilot, "efficiency")


PICTURES: tuple[tuple[str, tuple[int, int], str, Act], ...] = (
    ("main", (120, 32), "", main_screen),
    ("main-80x24", (80, 24), "", small_screen),
    ("logs", (120, 32), "", logs),
    ("stats", (120, 32), "", stats),
    ("timeline", (120, 32), "", timeline),
    ("run", (120, 32), "", run_form),
    ("help", (120, 32), "", help_screen),
    ("images", (120, 32), "", images),
    ("build", (120, 32), "", build),
    ("build-form", (120, 32), "", build_form),
    ("layers", (120, 32), "", layers),
    ("map", (120, 32), "", shots_places.network_map),
    ("ports", (120, 32), "", shots_places.ports),
    ("volume-files", (120, 32), "", shots_places.volume_files),
    ("trash", (120, 32), "", shots_places.trash),
    ("migrate", (120, 32), "", shots_places.migrate),
    ("doctor", (120, 32), "", shots_places.doctor),
    ("space", (120, 32), "", shots_places.space),
    ("jobs", (120, 32), "", shots_places.jobs),
    ("health", (120, 32), "", shots_places.health),
    ("main-ansi", (120, 32), "terminal-dark", main_screen),
)


if __name__ == "__main__":
    sys.exit(main())
