"""What a picture is brought about with: keys, waiting for words on the screen, a build to look at; see `shots.py`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from typing import Any

#: How long something is waited for (s).
SECONDS = 120

Pilot = Any


async def until(pilot: Pilot, condition: Callable[[], object]) -> None:
    for _ in range(SECONDS * 20):
        await pilot.pause()
        if condition():
            return
        await asyncio.sleep(0.05)
    raise SystemExit(f"shots: never came; the screen:\n{text(pilot.app)}")


def text(app: Any) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def rows(app: Any) -> dict[str, Any]:
    return {row.name: row for row in app.model.containers().values()}


async def seen(pilot: Pilot, *words: str) -> None:
    await until(pilot, lambda: all(word in text(pilot.app) for word in words))


async def go_to(app: Any, pilot: Pilot, name: str) -> None:
    await until(pilot, lambda: name in rows(app))
    app.main.pane("containers").move_cursor(rows(app)[name].id)
    await pilot.pause()


async def tab(app: Any, pilot: Pilot, name: str) -> None:
    for _ in range(10):
        if app.main.detail.tab == name:
            return
        await pilot.press("right_square_bracket")
        await pilot.pause()


async def freeze(app: Any, pilot: Pilot) -> None:
    """No further sample changes the picture."""
    app.engine_workers.set_awake(False)
    await pilot.pause()


async def sampled(app: Any, pilot: Pilot, name: str, samples: int = 2) -> None:
    identity = rows(app)[name].id
    await until(pilot, lambda: (past := app.model.history.get(identity)) and len(past.uses(3600)) >= samples)


#: A build that takes long enough to be seen, without any network.
DOCKERFILE = """\
# a small web site, with what its builder needs left behind
FROM host/base AS builder
WORKDIR /site
COPY pages /site
RUN for page in $(seq 40); do echo "page $page rendered"; done; sha256sum *.html

FROM host/base
ENV PORT=80
COPY --from=builder /site /www
RUN for n in $(seq 400); do echo "checking /www/page$n.html: 200 OK"; sleep 0.1; done
EXPOSE 80
CMD ["busybox", "httpd", "-f", "-p", "80", "-h", "/www"]
"""


def make_context() -> str:
    directory = os.path.join(tempfile.gettempdir(), "tuidock-shots-site")
    pages = os.path.join(directory, "pages")
    os.makedirs(pages, exist_ok=True)
    for at in range(12):
        with open(os.path.join(pages, f"page{at}.html"), "w", encoding="utf-8") as file:
            file.write(f"<h1>page {at}</h1>\n" * 400)
    with open(os.path.join(directory, "Dockerfile"), "w", encoding="utf-8") as file:
        file.write(DOCKERFILE)
    return directory


async def command(app: Any, pilot: Pilot, text: str) -> None:
    from tuidock.app.commands import execute

    execute(app.main, text)
    await pilot.pause()
