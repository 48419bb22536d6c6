"""What the pictures of networks, ports, files, the trash, moving in, the machine and jobs show; see `shots.py`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from types import SimpleNamespace
from typing import Any
from unittest import mock

from bench.shots_steps import Pilot, command, freeze, go_to, make_context, rows, seen, tab, text, until


async def network_map(app: Any, pilot: Pilot) -> None:
    """As soon as the visitor of demo-web has been seen."""
    busy = re.compile(r"demo-web .* [1-9][0-9.]*[BKM]/s")
    await pilot.press("m")
    await until(pilot, lambda: busy.search(text(app)))


async def ports(app: Any, pilot: Pilot) -> None:
    await pilot.press("W")
    await seen(pilot, "demo-web", "listening")


async def volume_files(app: Any, pilot: Pilot) -> None:
    await pilot.press("3")
    await pilot.press("F")
    await seen(pilot, "dates")


async def trash(app: Any, pilot: Pilot) -> None:
    """Two things are removed for it, and come back afterwards."""
    engine = app.engine_workers.engine()
    engine.create_volume("old-uploads")
    engine.remove_volume("old-uploads")
    engine.remove("demo-crashy", force=True)
    try:
        await pilot.press("T")
        await seen(pilot, "demo-crashy", "old-uploads")
    finally:
        engine.undo(["demo-crashy"])
        engine.empty_trash()


async def doctor(app: Any, pilot: Pilot) -> None:
    """With the paths of a machine on which it is installed."""
    import tuidock.engine

    place = os.path.dirname(os.path.dirname(tuidock.__file__))
    found = [
        each._replace(message=each.message.replace(place, "/opt/tuidock").replace(root, "/var/lib/tuidock"))
        for root in (app.engine_workers.engine().root,)
        for each in tuidock.engine.examine(root)
    ]
    with mock.patch.object(tuidock.engine, "examine", lambda root: iter(found)):
        await command(app, pilot, "doctor")
        await seen(pilot, "Is as it should be")


async def space(app: Any, pilot: Pilot) -> None:
    await command(app, pilot, "df")
    await seen(pilot, "Build Cache", "taken")
    await freeze(app, pilot)


#: What somebody who has used docker for a while brings along.
THEIRS = (
    ("image", "shop/front:2.4", "take", 412_000_000, ()),
    ("image", "postgres:16", "take", 451_000_000, ("also registry.example/platform/postgres:16",)),
    ("image", "nginx:1.27", "present", 192_000_000, ()),
    ("network", "shop_default", "take", 0, ("subnet 172.20.0.0/16",)),
    ("network", "overlay", "skip", 0, ("its driver is overlay, not bridge",)),
    ("volume", "shop_pgdata", "take", 2_400_000_000,
     ("shop-db-1 may write to it meanwhile; stop it there for an exact copy",)),
    ("container", "shop-db-1", "take", 0, ("it runs there; stop it there before you start it here",)),
    ("container", "shop-front-1", "take", 0, ()),
    ("container", "one-off", "skip", 0, ("it goes at its end by itself (--rm)",)),
)  # fmt: skip


async def migrate(app: Any, pilot: Pilot) -> None:
    """The plan of an engine that is not there: everything else on the picture is real."""
    from tuidock.engine import Engine
    from tuidock.engine.types import MigrationItem

    items = [MigrationItem(kind, name, name, action, size, notes) for kind, name, action, size, notes in THEIRS]
    source = contextlib.nullcontext(SimpleNamespace(path="/run/docker.sock"))
    with (
        mock.patch.object(Engine, "migration_source", lambda self, kind, host="": source),
        mock.patch.object(Engine, "migration_plan", lambda self, source: (None, items)),
    ):
        await command(app, pilot, "migrate docker")
        await seen(pilot, "shop_pgdata")
    app.screen.query_one("MigrateTable").move_cursor("volume shop_pgdata")
    await pilot.pause()


async def jobs(app: Any, pilot: Pilot) -> None:
    """A build that goes on, an image that is written, and a pull that has failed."""
    from tuidock.app import tasks

    directory = make_context()
    try:
        await command(app, pilot, f"pull localhost:{free_port()}/shop/front:2.4")
        tasks.save(app, ["host/base"], os.path.join(directory, "base.tar"))
        await until(pilot, lambda: len(app.model.past_jobs) == 2)
        await command(app, pilot, f"build -t site:2 {directory}")
        await until(pilot, lambda: text(app).count("200 OK") >= 3)
        await pilot.press("escape")
        await command(app, pilot, "jobs")
        await seen(pilot, "running")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """One at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def health(app: Any, pilot: Pilot) -> None:
    """A container whose check has begun to fail, made for the picture."""
    from tuidock.engine.options.run import parse_run

    engine = app.engine_workers.engine()
    script = "test -e /www/ready && echo 'page is there' || { echo 'GET /: 503, no database'; exit 1; }"
    argv = ["-d", "--name", "demo-api", "--health-cmd", script, "--health-interval", "400ms", "--health-retries", "3",
            "host/base", "sh", "-c", "mkdir /www; touch /www/ready; sleep 1; rm /www/ready; sleep 1000"]  # fmt: skip
    engine.create(parse_run(argv).request)
    engine.start("demo-api")
    try:
        await go_to(app, pilot, "demo-api")
        await until(pilot, lambda: rows(app)["demo-api"].health == "unhealthy")
        await tab(app, pilot, "health")
        await seen(pilot, "503", "unhealthy")
        await freeze(app, pilot)
    finally:
        engine.remove("demo-api", force=True, now=True)
