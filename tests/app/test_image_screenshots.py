"""Pictures of what is about images: jobs, builds, layers, search, forms, prune, at three sizes.

Pulls and builds stand still in the middle: the engine in memory waits there until the picture is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.app.test_screenshots import LOOKS, SIZES, app_for, settled
from tests.fakes.driving import log_is_there, text_of
from tests.fakes.engine import Engine
from tuidock.app import tasks
from tuidock.app.widgets.file_tree import FileTree


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Its long operations wait until the test is over."""
    made = Engine()
    yield made
    for gate in made.gates.values():
        gate.set()


def hold(engine: Engine, *methods: str) -> None:
    for method in methods:
        engine.gates[method] = threading.Event()


def shows(*words: str) -> Callable[[Any], object]:
    def there(app: Any) -> bool:
        text = text_of(app)
        view = getattr(app.screen, "log_view", None)
        files = list(app.screen.query(FileTree))
        return (
            all(word in text for word in words)
            and (view is None or log_is_there(view))
            and all(tree.tree_shown is not None for tree in files)
        )

    return there


#: name -> the word after `:`, keys, what the picture must show, methods that wait.
PICTURES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "pull": ("pull nginx:1.28", (), ("24M / 38M", "1 of 3 layers", "waiting"), ("pull",)),
    "pull-login": ("pull private.example/app", (), ("L logs in",), ()),
    "build": ("build -t app:2 /tmp", (), ("warning: unused", "3 of 9 steps cached"), ("build",)),
    "build-failed": ("build -t app:2 --target broken /tmp", (), ("returned a non-zero", "Error 1"), ()),
    "build-done": ("build -t app:2 /tmp", (), ("f3f3f3f3f3f3. R",), ()),
    "layers": ("files nginx:1.27", (), ("efficiency",), ()),
    "diff": ("files web", (), ("2 added", "etc"), ()),
    "search": ("search nginx", (), ("bitnami/nginx",), ()),
    "logins": ("logins", (), ("registry.example",), ()),
    "prune": ("prune", (), ("[x] image",), ()),
    "pull-form": ("pull", (), ("Pull an image",), ()),
    "build-form": ("build", (), ("Build an image",), ()),
    "commit-form": ("commit web", (), ("Commit web",), ()),
    "images": ("images", (), ("apt-get",), ()),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", PICTURES)
def test_images(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Any, size: tuple[int, int], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    command, keys, words, held = PICTURES[name]
    hold(engine, *held)
    if name == "images" and size[0] < 100:
        words = ("nginx",)
    app = app_for("dark", monkeypatch, engine)
    assert snap_compare(app, terminal_size=size, run_before=settled(*keys, command=command, until=shows(*words)))


@pytest.mark.parametrize("look", LOOKS[1:])
@pytest.mark.parametrize("name", ["pull", "build-failed", "layers", "prune"])
def test_without_colours(
    snap_compare: Any, monkeypatch: pytest.MonkeyPatch, engine: Engine, look: str, name: str
) -> None:
    command, keys, words, held = PICTURES[name]
    hold(engine, *held)
    app = app_for(look, monkeypatch, engine)
    assert snap_compare(app, terminal_size=(80, 24), run_before=settled(*keys, command=command, until=shows(*words)))


def test_several_jobs(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """One that failed, one that is done, a build and two pulls."""
    hold(engine, "build", "push")
    app = app_for("dark", monkeypatch, engine)

    async def begin(pilot: Any) -> None:
        await settled()(pilot)
        for reference in ("host/base", "nowhere", "nginx:1.28"):
            job = tasks.pull(app, reference)
            await settled(until=lambda app, job=job: job.ended)(pilot)
            app.clear_notifications()
        tasks.push(app, "nginx:1.27")
        from tuidock.engine.image_types import BuildRequest

        tasks.build(app, BuildRequest("/tmp", tags=("app:2",)))
        await settled("J", until=shows("4/9 RUN make -j2", "pushing"))(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=begin)


def test_a_file_and_its_bytes(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    app = app_for("dark", monkeypatch, engine)

    async def open_file(pilot: Any) -> None:
        await settled(command="files nginx:1.27", until=shows("usr"))(pilot)
        await settled("tab", "slash", *"bash", "enter", "G", "enter", until=shows("7f 45 4c 46"))(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=open_file)
