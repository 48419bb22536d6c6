"""The other engine's API: docker's, over a unix socket. podman serves the same one when it is asked to."""

from __future__ import annotations

import io
import os
import shutil
import socket
import stat
import subprocess
import tempfile

import httpx

from tuidock.engine.clean import clean, words_of
from tuidock.engine.errors import InvalidArgument, NotFound, SystemFailure
from tuidock.engine.fastjson import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

KINDS = ("docker", "podman")
#: podman's service may have to make its storage first (s).
_PODMAN_STARTS = 30.0
#: A service that gave its socket up is about to end (s).
_PODMAN_ENDS = 5.0
#: podman takes over a socket as systemd gives it: descriptor 3, for the process that the environment names.
_ACTIVATED = 'exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
#: Answers in JSON; podman works out sizes while one waits (s).
_PATIENCE = 120.0
_SOCKETS = {
    "docker": ("/var/run/docker.sock", "{runtime}/docker.sock"),
    "podman": ("/run/podman/podman.sock", "{runtime}/podman/podman.sock"),
}


def sockets() -> dict[str, str]:
    """Which engine listens where on this machine; an engine of KINDS that does not is not named, but for a podman that
    can be started: "podman": ""."""
    found = {kind: path for kind in KINDS if (path := _usual(kind))}
    if "podman" not in found and shutil.which("podman") is not None:
        found["podman"] = ""
    return found


class Source:
    """A running docker or podman. Close it: a podman service that was started for it ends then."""

    def __init__(self, kind: str, host: str = "") -> None:
        """host: unix:///path of its socket; "" looks in the usual places, and starts `podman system service`.

        Raises InvalidArgument for another kind or host, NotFound when there is none, SystemFailure.
        """
        if kind not in KINDS:
            raise InvalidArgument(f"cannot take over from {kind!r}: only docker and podman are known; name one of them")
        self.kind = kind
        self._service: subprocess.Popen[bytes] | None = None
        self._place = ""
        path = _socket_of(host) if host else _usual(kind)
        if not path and kind == "podman":
            path = self._start_podman()
        if not path:
            raise NotFound(
                f"socket of {kind}", f"{' or '.join(_places(kind))}; start {kind}, or give its socket with --host"
            )
        self.path = path
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(uds=path), base_url="http://localhost", timeout=httpx.Timeout(_PATIENCE),
            trust_env=False,
        )  # fmt: skip
        try:
            self._await_answer()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends the connection, and the service of podman that only this one used."""
        client = getattr(self, "_client", None)
        if client is not None:
            client.close()
        if self._service is not None:
            self._service.terminate()
            self._service.wait()
            self._service = None
        if self._place:
            shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, **query: str) -> Any:
        """An answer in JSON. Raises NotFound for a 404, SystemFailure for every other refusal."""
        try:
            answer = self._client.get(path, params=query)
        except httpx.HTTPError as error:
            raise self._refused(path, words_of(error)) from error
        if answer.status_code >= 400:
            raise self._refused(path, _message(answer.content), answer.status_code)
        try:
            return loads(answer.text)
        except ValueError as error:
            raise self._refused(path, "its answer is no JSON") from error

    def archive(self, references: Sequence[str]) -> Archive:
        """The images as `docker save` writes them."""
        request = self._client.build_request("GET", "/images/get", params=[("names", one) for one in references])
        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self._refused("/images/get", words_of(error)) from error
        if answer.status_code >= 400:
            answer.read()
            raise self._refused("/images/get", _message(answer.content), answer.status_code)
        return Archive(answer)

    def _refused(self, path: str, why: str, status: int = 0) -> NotFound | SystemFailure:
        if status == 404:
            return NotFound(self.kind, f"{path.rpartition('/')[2]}: {clean(why)[:300]}")
        return SystemFailure(f"{self.kind} at {self.path} does not answer {path}: {clean(why)[:300]}; is it running?")

    def _start_podman(self) -> str:
        program = shutil.which("podman")
        if program is None:
            return ""
        self._place = tempfile.mkdtemp(prefix="tuidock-podman-api-")
        path = f"{self._place}/podman.sock"
        try:
            # listening already, so that the first question waits in it for podman, and fails when podman ends
            with socket.socket(socket.AF_UNIX) as listener, open(f"{self._place}/errors", "wb") as errors:
                listener.bind(path)
                listener.listen()
                self._service = subprocess.Popen(
                    ["/bin/sh", "-c", _ACTIVATED, "sh", program, "system", "service", "--time", "0"],
                    stdin=listener.fileno(), stdout=subprocess.DEVNULL, stderr=errors,
                )  # fmt: skip
        except OSError as error:
            self.close()
            raise SystemFailure(f"cannot make a socket for podman at {path}: {error.strerror or error}") from error
        return path

    def _await_answer(self) -> None:
        """A service that was just started answers when it can; one that ends says why on its standard error."""
        patience = _PATIENCE if self._service is None else _PODMAN_STARTS
        try:
            status = self._client.get("/_ping", timeout=patience).status_code
        except httpx.HTTPError as error:
            ended = None if isinstance(error, httpx.TimeoutException) else self._end_of_service()
            if ended is None:
                raise self._refused("/_ping", words_of(error)) from error
            with open(f"{self._place}/errors", "rb") as file:
                why = clean(file.read(2000).decode("utf-8", "replace").strip())
            raise SystemFailure(f"`podman system service` ended with exit code {ended}: {why[-300:]}") from error
        if status >= 400:
            raise self._refused("/_ping", "it does not speak docker's API")

    def _end_of_service(self) -> int | None:
        """The exit code of a podman that was started for this; None when it goes on, or none was."""
        try:
            return None if self._service is None else self._service.wait(_PODMAN_ENDS)
        except subprocess.TimeoutExpired:
            return None


class Archive(io.RawIOBase):
    """The body of an answer as a file to read from."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self._answer = answer
        self._parts: Iterator[bytes] = answer.iter_raw(1 << 20)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._parts)
            except StopIteration:
                return 0
            except httpx.HTTPError as error:
                raise OSError(f"the archive broke off: {error}") from error
        length = min(len(buffer), len(self._rest))
        buffer[:length], self._rest = self._rest[:length], self._rest[length:]
        return length

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()


def _places(kind: str) -> list[str]:
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    found = [place.format(runtime=runtime) for place in _SOCKETS[kind]]
    host = os.environ.get("DOCKER_HOST" if kind == "docker" else "CONTAINER_HOST", "")
    return [_socket_of(host), *found] if host.startswith("unix://") else found


def _usual(kind: str) -> str:
    return next((place for place in _places(kind) if _is_socket(place)), "")


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _socket_of(host: str) -> str:
    path = host.removeprefix("unix://")
    if "://" in path or not path.startswith("/"):
        raise InvalidArgument(
            f"cannot take over from {host}: only an engine on this machine can be moved in; give unix:///path/to/socket"
        )
    return path


def _message(content: bytes) -> str:
    try:
        document: Mapping[str, Any] = loads(content.decode())
        return str(document.get("message") or document.get("cause") or "")
    except (ValueError, AttributeError):
        return content[:200].decode("utf-8", "replace")
