"""The app as a web page: what reaches it, what does not, and that it ends with its page. A real server, a real client."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import missing
from tuidock.app import web

PROGRAM = [sys.executable, "-m", "tuidock"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    import os

    if os.geteuid() != 0:
        missing("root")
    command = [*PROGRAM, "--root", str(tmp_path / "root"), "--read-only", "--web", "--port", "0"]
    subprocess.run([*PROGRAM, "--root", str(tmp_path / "root"), "ps"], check=True, capture_output=True)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split(" ")[1].strip()
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        server.stdout.close()
        # Whatever an app of a page was doing, it has ended with the server.
        left = subprocess.run(["pgrep", "-f", f"--root {tmp_path}/root"], capture_output=True, text=True).stdout.split()
        assert left == []


async def test_a_page_is_the_app_and_nobody_else_gets_it(address: str) -> None:
    base, word = address.rstrip("/").rsplit("/", 1)
    here = {"Origin": base}
    async with aiohttp.ClientSession() as client:
        async with client.get(address) as page:
            text = await page.text()
            assert page.status == 200 and f"{word}/ws" in text
            assert page.headers["Referrer-Policy"] == "no-referrer" and page.headers["X-Frame-Options"] == "DENY"
        async with client.get(f"{base}/{word}/static/js/textual.js") as script:
            assert script.status == 200 and len(await script.read()) > 1000
        for path in ("/", "/ws", "/x/ws", f"/{word[:-1]}/", f"/{word}x/", "/static/js/textual.js"):
            async with client.get(base + path, headers=here) as answer:
                assert answer.status == 404, path
        for headers in (
            {"Host": "evil.example"},
            {"Host": "localhost:1"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            async with client.get(address, headers=headers) as answer:
                assert answer.status == 403, headers
        socket = f"{base}/{word}/ws?width=100&height=30"
        for headers in ({}, {"Origin": "http://127.0.0.1:1"}, {**here, "Host": "evil.example"}):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(socket, headers=headers)
        async with client.ws_connect(socket, headers=here) as terminal:
            await seen(terminal, b"Containers")
            await terminal.send_json(["stdin", ":"])
            await seen(terminal, b"tab completes")
            await terminal.send_json(["stdin", "quit\r"])
            await ended(terminal)


async def seen(terminal: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    """Waits until the app has written it."""
    got = b""
    while text not in got:
        message = await asyncio.wait_for(terminal.receive(), 8)
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), "it ended"
        got += message.data if isinstance(message.data, bytes) else b""


async def ended(terminal: aiohttp.ClientWebSocketResponse) -> None:
    """The page ends with the app."""
    while (await asyncio.wait_for(terminal.receive(), 20)).type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
        pass


@pytest.mark.parametrize(
    ("hosts", "origins", "path", "status"),
    [
        (["127.0.0.1:80"], [], "/word/", None),
        (["127.0.0.1:80"], ["http://127.0.0.1:80"], "/word/ws", None),
        ([], [], "/word/", 403),
        (["127.0.0.1:80", "127.0.0.1:80"], [], "/word/", 403),
        (["127.0.0.1"], [], "/word/", 403),
        (["127.0.0.1:80"], ["https://127.0.0.1:80"], "/word/ws", 403),
        (["127.0.0.1:80"], [], "/wor/", 404),
        (["127.0.0.1:80"], [], "", 404),
        (["127.0.0.1:80"], [], "/wörd/", 404),
    ],
)
def test_what_is_refused(hosts: list[str], origins: list[str], path: str, status: int | None) -> None:
    assert web.refusal(hosts, origins, path, "word", 80) == status


def test_without_the_package_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    assert web.serve() == 1
    assert capsys.readouterr().err == (
        "tuidock: --web needs the package textual-serve: pip install 'tuidock[web]', in the environment of tuidock\n"
    )


def test_the_data_root_is_one_word_of_the_command() -> None:
    assert web.app_command("/a b; touch x", True).endswith(" -m tuidock --root '/a b; touch x' --read-only")


@pytest.mark.parametrize(
    "words", [["--port", "5"], ["--web", "ps"], ["--web", "--port", "x"], ["--plain", "--port", "1"]]
)
def test_what_does_not_go_together_is_refused(words: list[str]) -> None:
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True)
    assert done.returncode == 125 and done.stderr.startswith("tuidock: --")
