"""Strings from outside that attack the terminal: none of their control bytes may reach it, in any pane or dialog."""

from __future__ import annotations

import re

import pytest

from tests.fakes.driving import Driver, details_are_there, running
from tests.fakes.engine import Engine, identity
from tuidock.app import panes
from tuidock.app.model import KINDS
from tuidock.engine.errors import Conflict
from tuidock.engine.image_types import TreeEntry
from tuidock.engine.types import (
    Container,
    Endpoint,
    Image,
    Member,
    MountPoint,
    Network,
    NetworkMap,
    PortBinding,
    Volume,
)

#: Title, clipboard, clear, C1 CSI, bidi override, markup, line breaks.
EVIL = "e\x1b]0;own\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202egnp.\u2066[bold red]x[/]\r\n\tz\x00\x7f"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def hostile_engine() -> Engine:
    engine = Engine(empty=True)
    place = Endpoint(EVIL, identity(90), EVIL, 16, EVIL, EVIL, (EVIL,))
    row = Container(
        identity(1),
        EVIL,
        EVIL,
        EVIL,
        EVIL,
        1,
        "running",
        7,
        health=EVIL,
        ports=(PortBinding(80, "tcp", EVIL, 8080),),
        exposed=(EVIL,),
        networks=(place,),
        mounts=(MountPoint("volume", EVIL, EVIL, EVIL),),
        labels={EVIL: EVIL},
        error=EVIL,
    )
    engine.rows = {row.id: row, identity(2): row._replace(id=identity(2), status="exited", exit_code=1, finished=2)}
    engine.image_rows = [Image("sha256:" + identity(200), (EVIL,), (EVIL,), 1, 5, {EVIL: EVIL})]
    engine.volume_rows = [Volume(EVIL, EVIL, EVIL, 1, {EVIL: EVIL}, {}, False, (EVIL,))]
    engine.network_rows = [
        Network(identity(90), EVIL, EVIL, EVIL, EVIL, EVIL, 1, labels={EVIL: EVIL}, members=((EVIL, EVIL),))
    ]
    evil = {
        EVIL: [EVIL, {EVIL: EVIL}],
        "Config": {"Env": [f"{EVIL}={EVIL}"], "Cmd": [EVIL], "Image": EVIL, "Labels": {EVIL: EVIL}},
        "Timeline": [{"Name": EVIL, "DurationNs": 5}],
    }
    engine.inspect_container = lambda ref, size=False: evil  # type: ignore[method-assign, assignment]
    engine.inspect_image = engine.inspect_volume = engine.inspect_network = lambda ref: evil  # type: ignore[assignment, method-assign]
    engine.history = lambda ref: [{"CreatedBy": EVIL, "Size": 1, "Created": 1}]  # type: ignore[method-assign]
    from tuidock.engine.types import ProcessTable

    engine.top = lambda ref, ps_args=(): ProcessTable((EVIL, "PID", "CMD"), ((EVIL, "1", EVIL),))  # type: ignore[method-assign]
    engine.info = lambda: {"Name": EVIL}  # type: ignore[method-assign]
    from tuidock.engine.image_types import (
        BuildEvent,
        BuildStep,
        CacheEntry,
        Change,
        LayerInfo,
        Login,
        SearchResult,
    )
    from tuidock.engine.types import Progress

    engine.layers = lambda ref: [LayerInfo(0, EVIL, EVIL, EVIL, 5, 5, EVIL, 1, EVIL)]  # type: ignore[method-assign]
    engine.layer_tree = lambda ref, index: [  # type: ignore[method-assign]
        TreeEntry(EVIL.replace("/", ""), "file", "A", 5), TreeEntry("link", "link", "C", target=EVIL)
    ]  # fmt: skip
    engine.read_image_file = lambda ref, path, **options: EVIL.encode("utf-8", "surrogatepass")  # type: ignore[method-assign]
    engine.diff = lambda ref: [Change("A", EVIL)]  # type: ignore[method-assign]
    engine.search = lambda term, **options: [SearchResult(EVIL, EVIL, 1, True)]  # type: ignore[method-assign]
    engine.tags = lambda name: [EVIL]  # type: ignore[method-assign]
    engine.login_rows = [Login(EVIL, EVIL, EVIL)]
    engine.cache_rows = [CacheEntry(EVIL, EVIL, EVIL, 5, 1, 1)]
    engine.pull = lambda ref, **options: iter(  # type: ignore[method-assign, assignment]
        [Progress(EVIL, "downloading", 1, 2, EVIL), Progress(EVIL, "retrying", message=EVIL), Progress(EVIL, EVIL)]
    )
    engine.build = lambda request, source=None: iter(  # type: ignore[method-assign, assignment]
        [
            BuildEvent("plan", steps=(BuildStep(1, EVIL, EVIL, 1, 1),), source=f"RUN {EVIL}\n# {EVIL}\n"),
            BuildEvent("state", 1, "running"),
            BuildEvent("output", 1, stream="stdout", output=EVIL.encode("utf-8", "surrogatepass")),
            BuildEvent("warning", message=EVIL),
            BuildEvent("state", 1, EVIL, total=1),
        ]
    )
    engine.log_directory_name = identity(1)  # type: ignore[attr-defined]
    engine.log_directory = lambda ref: log_directory(engine)  # type: ignore[method-assign]
    return engine


def log_directory(engine: Engine) -> str:
    import os

    path = os.path.join(engine.directory, "logs")
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "0000000001.log"), "wb") as file:
        line = EVIL.replace("\n", "").encode("utf-8", "surrogatepass")
        file.write(b"2026-11-24T07:59:00.000000000Z stdout F " + line + b"\xff\xfe\n")
    return path


def check(ui: Driver) -> None:
    for strip in ui.app.screen._compositor.render_strips():
        for segment in strip:
            if segment.control:
                continue
            found = FORBIDDEN.search(segment.text)
            assert found is None, f"{found.group()!r} in {segment.text!r}"


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_every_pane_and_tab(size: tuple[int, int]) -> None:
    async with running(hostile_engine(), size=size) as ui:
        for kind in KINDS:
            ui.main.go(kind)
            await ui.pilot.pause()
            check(ui)
            ui.main.show_page("detail")
            for name, _ in panes.TABS[kind]:
                ui.main.detail.show_tab(name)
                await ui.until(lambda: details_are_there(ui.main.detail), name)
                check(ui)
            ui.main.show_page("list")
            await ui.pilot.pause()


async def leave(ui: Driver) -> None:
    """Out of every screen, dialog by dialog."""
    for _ in range(6):
        if ui.app.screen is not ui.main:
            await ui.press("escape")
    assert ui.app.screen is ui.main


async def test_every_dialog() -> None:
    async with running(hostile_engine(), size=(160, 48)) as ui:
        walk = "s d D c C b R t E question_mark l asterisk,b asterisk,D 2,d 2,R 2,t 3,d 3,c 4,c"
        for keys in walk.split():
            await ui.press(*keys.split(","))
            check(ui)
            await leave(ui)
            await ui.press("1", "backslash")


async def test_what_is_copied_carries_no_control_bytes() -> None:
    async with running(hostile_engine()) as ui:
        await ui.press("c", "1")
        await ui.press("Y")
        assert len(ui.copied) == 2
        for text in ui.copied:
            assert FORBIDDEN.search(text) is None


async def test_errors_and_events() -> None:
    engine = hostile_engine()
    engine.fail["pause"] = Conflict(EVIL)
    async with running(engine) as ui:
        await ui.press("p")
        await ui.until(lambda: ui.toasts)
        check(ui)
        ui.engine.emit("container", "die", identity(1), EVIL, exitCode=EVIL)
        await ui.until(lambda: ui.engine.called("container"))
        await ui.pilot.pause()
        check(ui)


async def test_the_filter_and_commands_with_hostile_rows() -> None:
    async with running(hostile_engine()) as ui:
        await ui.press("colon")
        await ui.type("stop ")
        await ui.press("tab")
        check(ui)


async def test_networks_ports_files_and_the_trash() -> None:
    engine = hostile_engine()
    member = Member(identity(1), EVIL, True, EVIL, EVIL, EVIL, EVIL, (EVIL,), (PortBinding(80, EVIL, EVIL, 8080),), 1)
    engine.network_map = lambda: [NetworkMap(engine.network_rows[0], True, (member,))]  # type: ignore[method-assign]
    engine.volume_files = lambda name, path="": [TreeEntry(EVIL.replace("/", ""), "link", "", target=EVIL)]  # type: ignore[method-assign]
    engine.put_in_trash(EVIL, EVIL, EVIL, None, False, "b")
    seen = {
        ("1", "map"): "─●", ("1", "ports"): "2 ports, 0 listening", ("1", "trash"): "1 thing", ("3", "files"): "1 name",
        ("4", "connect"): "Connect", ("4", "disconnect"): "Who leaves",
    }  # fmt: skip
    async with running(engine, size=(160, 48)) as ui:
        for (pane, word), words in seen.items():
            await ui.press(pane)
            await ui.command(word)
            await ui.until(lambda words=words: ui.app.screen is not ui.main and words in ui.screen_text(), word)  # type: ignore[misc]
            check(ui)
            await leave(ui)


#: A word and what is to be seen before its screen is looked at.
WORDS = {
    "files": "efficiency", "diff": "1 added", "pull x": "✓ pull x", "build /tmp": "RUN", "search x": "gnp", "logins": "gnp",
    "prune": "selected", "commit": "Commit", "export": "Export", "jobs": "build",
}  # fmt: skip


async def test_every_screen_of_images() -> None:
    async with running(hostile_engine(), size=(160, 48)) as ui:
        for word, seen in WORDS.items():
            ui.main.go("images" if word == "files" else "containers")
            await ui.command(word)
            await ui.until(lambda seen=seen: ui.app.screen is not ui.main and seen in ui.screen_text(), word)
            check(ui)
            if word == "files":
                await ui.press("tab")
                await ui.until(lambda: ui.app.screen.files.tree_shown is not None)
                await ui.press("plus", "g")
                check(ui)
                layers = ui.app.screen
                await ui.press("enter")
                await ui.until(lambda layers=layers: ui.app.screen is not layers)
                check(ui)
                await ui.press("x")
                check(ui)
            if word == "search x":
                await ui.press("t")
                await ui.until(lambda: "Tags of" in ui.screen_text())
                check(ui)
            await leave(ui)
