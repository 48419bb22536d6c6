"""The app in a browser of this machine, by textual-serve: `tuidock --web`.

Whoever reaches it is root in every container, so three things hold, each against another way in:

* it listens on the loopback address only, so nobody comes over the network;
* every address begins with a random word that is made at each start, printed once and never given to another process, so
  other users of the machine and pages that only guess the port get nothing. It is part of the path and not a cookie,
  because a browser sends the cookies of 127.0.0.1 to servers on every other port, too;
* Host must be this address, or a name that somebody else's DNS points to 127.0.0.1 would do; and a websocket must be
  opened by a page of this server, or any page could try.

The word stands in the browser's history, and the traffic is not encrypted on the loopback interface, which only root reads.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 4780
#: Bytes of randomness in the address.
_WORD: Final = 24
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def serve(root: str = "", read_only: bool = False, port: int = DEFAULT_PORT) -> int:
    """Serves until somebody ends it by ctrl+c or SIGTERM; the exit code. port 0: one that is free."""
    try:
        import aiohttp.web  # noqa: F401
        import textual_serve.server  # noqa: F401
    except ImportError:
        print(
            "tuidock: --web needs the package textual-serve: pip install 'tuidock[web]', in the environment of tuidock",
            file=sys.stderr,
        )
        return 1
    try:
        return asyncio.run(_serve(app_command(root, read_only), port))
    except KeyboardInterrupt:
        return 0


def app_command(root: str, read_only: bool) -> str:
    """What textual-serve starts for each page that is opened; it hands it to a shell."""
    words = [sys.executable, "-m", "tuidock"]
    if root:
        words += ["--root", root]
    if read_only:
        words.append("--read-only")
    # textual-serve shows all colours, whatever the terminal has that it was started on
    return "TERM=xterm-256color COLORTERM=truecolor exec " + shlex.join(words)


async def _serve(command: str, port: int) -> int:
    from aiohttp import web

    word = secrets.token_urlsafe(_WORD)
    place = _listen(port)
    if place is None:
        return 1
    port = place.getsockname()[1]
    runner = web.AppRunner(await make_app(command, word, port), access_log=None)
    await runner.setup()
    await web.SockSite(runner, place).start()
    print(f"tuidock: http://{HOST}:{port}/{word}/", flush=True)
    print("Whoever has this address is root here: keep it to yourself. Over SSH: "
          f"ssh -L {port}:{HOST}:{port} … and open it there. ctrl+c ends it.", file=sys.stderr, flush=True)  # fmt: skip
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    try:
        await ended.wait()
    finally:
        await runner.cleanup()
    return 0


def _listen(port: int) -> socket.socket | None:
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((HOST, port))
    except OSError as error:
        place.close()
        print(
            f"tuidock: port {port} cannot be used: {os.strerror(error.errno or 0)}; --port chooses another",
            file=sys.stderr,
        )
        return None
    return place


async def make_app(command: str, word: str, port: int) -> Any:
    """textual-serve below /WORD/, behind the checks."""
    from aiohttp import web
    from textual_serve.app_service import AppService
    from textual_serve.server import Server

    class Quiet(Server):
        """Without its banner, and ending every app with its page."""

        def __init__(self) -> None:
            super().__init__(command, host=HOST, port=port, title="tuidock")
            self.pages: set[Any] = set()

        async def on_startup(self, app: web.Application) -> None:
            """The address is printed by `_serve`."""

        async def on_shutdown(self, app: web.Application) -> None:
            for page in list(self.pages):
                await page.close(code=1001, message=b"tuidock has ended")

        async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
            """As textual-serve does it; but a page ends with its app, however that ends, and the app with its page."""
            websocket = web.WebSocketResponse(heartbeat=15)
            await websocket.prepare(request)
            service = AppService(
                self.command, write_bytes=websocket.send_bytes, write_str=websocket.send_str,
                close=partial(_close, websocket), download_manager=self.download_manager,
            )  # fmt: skip
            self.pages.add(websocket)
            try:
                await service.start(_cells(request, "width", 80), _cells(request, "height", 24))
                reading = asyncio.ensure_future(self._process_messages(websocket, service))
                await asyncio.wait([reading, *filter(None, [service._task])], return_when=asyncio.FIRST_COMPLETED)
                reading.cancel()
            finally:
                self.pages.discard(websocket)
                await service.stop()
                await websocket.close()
            return websocket

    @web.middleware
    async def check(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        refused = refusal(
            request.headers.getall("Host", []), request.headers.getall("Origin", []), request.path, word, port
        )
        if refused is None and request.path.endswith("/ws") and "Origin" not in request.headers:
            refused = 403
        if refused is not None:
            return web.Response(
                status=refused, text="Open the address that tuidock --web has printed.\n", headers=_HEADERS
            )
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(_HEADERS)
            raise
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    server = Quiet()
    app = web.Application(middlewares=[check])
    app.add_subapp(f"/{word}", await server._make_app())
    return app


async def _close(websocket: Any) -> None:
    await websocket.close()


def _cells(request: Any, name: str, default: int) -> int:
    value = request.query.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 5 else default


def refusal(hosts: list[str], origins: list[str], path: str, word: str, port: int) -> int | None:
    """The status that refuses such a request, None when it may pass."""
    here = f"{HOST}:{port}"
    if hosts != [here]:
        return 403
    if origins and origins != [f"http://{here}"]:
        return 403
    given = path.split("/")[1] if path.startswith("/") else ""
    return None if hmac.compare_digest(given.encode(), word.encode()) else 404
