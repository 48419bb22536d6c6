"""A registry inside the test's own process: honest until a test tells it how to misbehave.

    with misbehaving() as registry:
        registry.add("library/app", "latest", images.image([tar]))
        registry.fault("GET", "/blobs/", drop_after(1000), times=2)
        ...
        assert registry.seen("GET", "/blobs/")[1].headers["range"] == "bytes=1000-"

A fault meets the first `times` requests whose method and path fit. With `auth="bearer"` the registry has a token server
at /token, which knows USER and PASSWORD; everything that came in is kept in `requests`.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.engine.store.archives import sha256
from tests.registry.honest import Answer, Seen, answer_to
from tests.registry.images import Made

_CHUNK = 16384


class Fault(NamedTuple):
    """change gets the honest answer; receive: bytes of the request's body after which the connection ends."""

    change: Callable[[Answer, Seen], Answer] | None = None
    receive: int | None = None


def drop_after(size: int) -> Fault:
    """The connection ends after so many bytes of the body."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.cut = size
        return answer

    return Fault(change)


def drop_upload_after(size: int) -> Fault:
    """The connection ends when so many bytes of the request's body have come; they are kept."""
    return Fault(receive=size)


def stall_after(size: int) -> Fault:
    """Nothing comes after so many bytes; the connection stays."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.stall = size
        return answer

    return Fault(change)


def trickle(size: int) -> Fault:
    """After so many bytes they come one by one, ten a second."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.trickle = size
        return answer

    return Fault(change)


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Another status, as `status(429, Retry_After="1")`."""
    return Fault(lambda _, __: Answer(code, body, **headers))


def error(code: int, word: str, message: str) -> Fault:
    """A refusal in the specification's form."""
    return status(code, json.dumps({"errors": [{"code": word, "message": message}]}).encode())


def body(raw: bytes) -> Fault:
    """Other bytes under the same headers."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.body = raw
        return answer

    return Fault(change)


def header(name: str, value: str | None) -> Fault:
    """Another header; None takes it away."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.headers.pop(name.title(), None)
        if value is not None:
            answer.headers[name.title()] = value
        return answer

    return Fault(change)


def lie_about_length(length: int) -> Fault:
    """Another Content-Length than there are bytes."""

    def change(answer: Answer, _: Seen) -> Answer:
        answer.length = length
        return answer

    return Fault(change)


def redirect(url: str, code: int = 307) -> Fault:
    """Somewhere else."""
    return Fault(lambda _, __: Answer(code, Location=url))


class _Rule:
    def __init__(self, method: str, path: str, fault: Fault, times: int) -> None:
        self.method, self.path, self.fault, self.left = method, path, fault, times


class Misbehaving:
    """The registry. host is what stands in references."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.requests: list[Seen] = []
        self.uploads: dict[str, bytearray] = {}
        self.tokens: dict[str, list[str]] = {}
        self.auth = ""  # "", basic or bearer
        self.realm = ""  # another realm than its own /token
        self.public = False  # anonymous tokens may pull
        self.takes_post = True
        self.lifetime = 300
        self.refresh_token = ""  # an identity token that it gives and takes
        self.ranges = True
        self.mounts = True
        self.page = 0  # entries of a list on one page; 0 = all
        self.location = ""  # another origin for uploads
        self._rules: list[_Rule] = []
        self.lock = threading.Lock()
        self.woken = threading.Event()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.registry = self
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)

    def fault(self, method: str, path: str, fault: Fault, times: int = 1 << 30) -> None:
        """From now on; path is a part of the request's path."""
        self._rules.append(_Rule(method, path, fault, times))

    def add(self, name: str, tag: str, made: Made) -> str:
        """Puts an image in; answers the manifest's digest."""
        self.blobs |= made.blobs
        return self.add_manifest(name, tag, made.media_type, made.manifest)

    def add_manifest(self, name: str, tag: str, media_type: str, raw: bytes) -> str:
        """Any document under a tag (unless "") and its digest."""
        for reference in filter(None, (tag, sha256(raw))):
            self.manifests[name, reference] = (media_type, raw)
        return sha256(raw)

    def seen(self, method: str, path: str) -> list[Seen]:
        """The requests that fit, in order."""
        with self.lock:
            return [one for one in self.requests if one.method == method and path in one.path]

    def take_rule(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for rule in self._rules:
                if rule.left and rule.method == method and rule.path in path:
                    rule.left -= 1
                    return rule.fault
        return None


@contextmanager
def misbehaving(tls: ssl.SSLContext | None = None) -> Iterator[Misbehaving]:
    """Serves while the block lasts."""
    registry = Misbehaving(tls)
    thread = threading.Thread(target=registry.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        registry.woken.set()
        registry.server.shutdown()
        registry.server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    registry: Misbehaving

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:
        """The requests are kept instead."""

    def _serve(self) -> None:
        registry = self.server.registry
        url = urlsplit(self.path)
        fault = registry.take_rule(self.command, url.path)
        self._receiving = bytearray()
        complete = True
        limit = fault.receive if fault else None
        if self.command == "PATCH" or (self.command == "PUT" and "/uploads/" in url.path):
            self._receiving = registry.uploads.get(url.path.rpartition("/")[2], bytearray())
        start = len(self._receiving)
        complete = self._receive(limit)
        query: dict[str, list[str]] = {}
        for key, value in parse_qsl(url.query, keep_blank_values=True):
            query.setdefault(key, []).append(value)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, url.path, query, headers, bytes(self._receiving[start:]))
        with registry.lock:
            registry.requests.append(seen)
        if not complete:
            self.close_connection = True
            self._reset()
            return
        answer = answer_to(registry, seen)
        if fault and fault.change:
            answer = fault.change(answer, seen)
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

    def _receive(self, limit: int | None) -> bool:
        """The request's body into the upload or a buffer; False when the limit came first."""
        room = 1 << 62 if limit is None else limit
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunk = self.rfile.read(size)
                self.rfile.readline()
                self._receiving += chunk[:room]
                room -= len(chunk)
                if room <= 0:
                    return False
            self.rfile.readline()
            return True
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            chunk = self.rfile.read(min(left, _CHUNK, room))
            if not chunk:
                return False
            self._receiving += chunk
            left, room = left - len(chunk), room - len(chunk)
            if room <= 0:
                return False
        return True

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.length is None else answer.length
        if "Content-Length" not in answer.headers and "Transfer-Encoding" not in answer.headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if answer.trickle is not None:
            self._trickle(answer)
            return
        ends = [size for size in (answer.cut, answer.stall) if size is not None]
        self.wfile.write(answer.body[: min(ends)] if ends else answer.body)
        self.wfile.flush()
        if answer.stall is not None:
            self.server.registry.woken.wait(30)
        if ends or answer.length is not None:
            self.close_connection = True
            self._reset()

    def _trickle(self, answer: Answer) -> None:
        self.wfile.write(answer.body[: answer.trickle])
        for position in range(answer.trickle or 0, len(answer.body)):
            self.wfile.write(answer.body[position : position + 1])
            self.wfile.flush()
            if self.server.registry.woken.wait(0.1):
                return

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.close()
