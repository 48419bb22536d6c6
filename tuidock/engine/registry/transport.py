"""Connections to registries: certificates, proxies, time limits; one exchange, without opinion about its answer.

Redirects and credentials are not httpx's business here: `session` decides about both. httpx's own reading of the
environment is off as well, because docker's rules for proxies differ from it.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import weakref
import zlib

import httpx

from tuidock.engine.clean import clean, words_of
from tuidock.engine.errors import InvalidArgument, RegistryRefused, Unsupported
from tuidock.engine.fastjson import loads
from tuidock.engine.registry import proxies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from tuidock.engine.registry.settings import Settings

_COMPLAINT_LIMIT = 64 << 10
_CERTIFICATES = "/etc/docker/certs.d"
_CONNECTIONS = httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30)


class Dropped(RegistryRefused):
    """The connection ended or stalled; trying again may help. after: seconds that the registry asked to wait."""

    def __init__(self, message: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(message, status)
        self.after = after


class Unreachable(RegistryRefused):
    """There was no connection at all. plain: the far end does not speak TLS."""

    def __init__(self, message: str, *, plain: bool = False) -> None:
        super().__init__(message)
        self.plain = plain


class Response:
    """An answer whose body has not been read; use as context manager, which closes it."""

    def __init__(self, raw: httpx.Response) -> None:
        self._raw = raw
        self.status = raw.status_code
        self.headers = raw.headers
        self.url = str(raw.url)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._raw.close()

    def chunks(self) -> Iterator[bytes]:
        """The body as it was sent. Raises Dropped."""
        try:
            yield from self._raw.iter_raw()
        except httpx.HTTPError as error:
            raise Dropped(f"the connection to {self.host} {_why(error)}") from error

    def read(self, limit: int, what: str) -> bytes:
        """A whole body that is no longer than the limit, inflated if it came compressed all the same.

        Raises RegistryRefused, Dropped.
        """
        gathered = bytearray()  # of pieces that may be of one byte each
        for chunk in self.chunks():
            gathered += chunk
            if len(gathered) > limit:
                raise RegistryRefused(f"{self.host} sends a {what} of more than {limit} bytes, which is refused")
        raw = bytes(gathered)
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding in ("", "identity"):
            return raw
        if encoding not in ("gzip", "x-gzip"):
            raise RegistryRefused(f"{self.host} sends a {what} in {clean(encoding)[:40]}, which nobody asked for")
        inflater = zlib.decompressobj(wbits=31)
        try:
            plain = inflater.decompress(raw, limit + 1)
        except zlib.error as error:
            raise RegistryRefused(f"{self.host} sends a damaged {what}: {error}") from error
        if len(plain) > limit or not inflater.eof:
            raise RegistryRefused(
                f"{self.host} sends a {what} of more than {limit} bytes, or half of one; it is refused"
            )
        return plain

    def complaint(self) -> tuple[str, str]:
        """Code and message of a refusal in the specification's form, safe to show; "" where there is none."""
        try:
            document: Any = loads(self.read(_COMPLAINT_LIMIT, "message").decode())
            first = document["errors"][0]
            code, message = str(first.get("code") or ""), str(first.get("message") or "")
        except (ValueError, LookupError, TypeError, AttributeError, RegistryRefused):
            return "", ""
        return code[:60], clean(message or code)[:300]

    def location(self) -> str:
        """The URL that the answer points to, made whole; "" when it has none that can be used."""
        given = self.headers.get("location", "")
        try:
            url = str(self._raw.url.join(given)).partition("#")[0] if given else ""
        except (httpx.InvalidURL, ValueError):
            return ""
        return url if url.startswith(("http://", "https://")) and netloc(url) else ""

    def wait(self) -> float:
        """Seconds that Retry-After asks for, a number or a date; 0 when it does not."""
        given = self.headers.get("retry-after", "").strip()
        if given.isascii() and given.isdecimal():
            return float(given[:9])
        from email.utils import parsedate_to_datetime

        try:
            return max(0.0, parsedate_to_datetime(given).timestamp() - time.time()) if given else 0.0
        except (ValueError, TypeError, OverflowError):
            return 0.0

    def next_page(self) -> str:
        """The path of the rest of a list, "" at its end. It never leads to another host."""
        following = self._raw.links.get("next", {}).get("url", "")
        if not following:
            return ""
        try:
            url = self._raw.url.join(following)
            return url.raw_path.decode("ascii") if origin_of(str(url)) == origin_of(self.url) else ""
        except (httpx.InvalidURL, ValueError):
            return ""

    @property
    def host(self) -> str:
        return self._raw.url.netloc.decode("ascii")


class Transport:
    """Clients by origin, made when they are first needed; safe to use from several threads."""

    def __init__(self, settings: Settings, configured_proxies: Mapping[str, str]) -> None:
        self._settings = settings
        self._proxies = configured_proxies
        self._clients: dict[str, httpx.Client] = {}
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Any] = weakref.WeakSet()
        self.cancelled = threading.Event()

    def close(self) -> None:
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()

    def cancel(self) -> None:
        """Wakes whoever reads or waits; every exchange from now on is refused."""
        self.cancelled.set()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            _shut(stream)

    def check(self) -> None:
        """Raises RegistryRefused after `cancel`."""
        if self.cancelled.is_set():
            raise RegistryRefused("the transfer was cancelled")

    def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | Iterator[bytes] | None = None
    ) -> Response:
        """One exchange. Raises Unreachable, Dropped."""
        self.check()
        try:
            client = self._client(url)
            request = client.build_request(
                method, url, headers=dict(headers), content=content, extensions={"trace": self._traced}
            )
            return Response(client.send(request, stream=True, follow_redirects=False))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            self.check()
            raise _unreachable(url, error) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise RegistryRefused(f"{clean(url)[:200]} cannot be asked: {clean(str(error))[:200]}") from error
        except httpx.HTTPError as error:
            self.check()
            raise Dropped(f"the connection to {clean(netloc(url))} {_why(error)}") from error

    def _traced(self, name: str, info: Mapping[str, Any]) -> None:
        """httpcore's news: every connection is kept, for `cancel`."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._streams.add(info["return_value"])
            if self.cancelled.is_set():
                _shut(info["return_value"])

    def _client(self, url: str) -> httpx.Client:
        origin = origin_of(url)
        with self._lock:
            client = self._clients.get(origin)
            if client is None:
                client = self._clients[origin] = self._make(url)
            return client

    def _make(self, url: str) -> httpx.Client:
        scheme, host = url.partition("://")[0], netloc(url)
        settings = self._settings
        proxy = proxies.choose(self._proxies, scheme, host)
        if proxy.startswith("socks"):
            try:
                __import__("socksio")
            except ImportError:
                raise Unsupported(
                    f"the proxy {clean(proxy.rpartition('@')[2])[:200]} needs the Python package socksio; install it"
                ) from None
        context: ssl.SSLContext | bool = (
            tls_context(host, trusting=settings.is_insecure(host)) if scheme == "https" else False
        )
        try:
            return httpx.Client(
                verify=context, proxy=proxy or None, trust_env=False, limits=_CONNECTIONS,
                timeout=httpx.Timeout(settings.stall, connect=settings.connect, pool=None),
                headers={"User-Agent": _agent(), "Accept-Encoding": "identity"},
            )  # fmt: skip
        except (ValueError, httpx.InvalidURL):
            raise RegistryRefused(
                f"the proxy {clean(proxy.rpartition('@')[2])[:200]} is no URL that can be used; correct HTTP_PROXY,"
                " HTTPS_PROXY or the proxies in docker's config.json"
            ) from None


def _agent() -> str:
    from tuidock import __version__

    return f"tuidock/{__version__}"


def netloc(url: str) -> str:
    """HOST[:PORT] of a URL, the same that is connected to: a fragment is no host either."""
    rest = url.partition("://")[2]
    return min((rest.partition(end)[0] for end in "/?#"), key=len).rpartition("@")[2]


def origin_of(url: str) -> str:
    """scheme://host:port with the port always there: what credentials belong to."""
    parsed = httpx.URL(url)
    port = parsed.port or {"https": 443, "http": 80}.get(parsed.scheme, 0)
    return f"{parsed.scheme}://{parsed.host}:{port}"


def tls_context(host: str, *, trusting: bool = False) -> ssl.SSLContext:
    """For one host: the system's authorities and docker's own files for it. trusting: any certificate will do.

    Raises InvalidArgument for a file that cannot be used.
    """
    if trusting:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's authorities, which take 40 ms to read
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
        if not _has_system_store():
            import certifi

            context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    directories = [f"{_CERTIFICATES}/{host}", os.path.join(_home_directory(), "certs.d", host)]
    for directory in directories:
        _load_directory(context, directory)
    return context


def _has_system_store() -> bool:
    places = ssl.get_default_verify_paths()
    if places.cafile and os.path.exists(places.cafile):
        return True
    return bool(places.capath and os.path.isdir(places.capath) and os.listdir(places.capath))


def _home_directory() -> str:
    return os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")


def _load_directory(context: ssl.SSLContext, directory: str) -> None:
    """*.crt are authorities, NAME.cert and NAME.key a client's own certificate."""
    if "/" in os.path.basename(directory) or os.path.basename(directory) in ("", ".", ".."):
        return
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            if name.endswith(".crt"):
                context.load_verify_locations(path)
            elif name.endswith(".cert"):
                key = path.removesuffix(".cert") + ".key"
                if not os.path.exists(key):
                    raise InvalidArgument(f"{path} has no key {os.path.basename(key)} beside it")
                context.load_cert_chain(path, key)
        except (OSError, ValueError) as error:
            raise InvalidArgument(f"the certificate {path} cannot be used: {error}; replace or remove it") from error


def _shut(stream: Any) -> None:
    """Wakes the thread that reads or writes; closing the descriptor would not."""
    connection = stream.get_extra_info("socket")
    if isinstance(connection, socket.socket):
        try:
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended by itself


def _unreachable(url: str, error: httpx.HTTPError) -> Unreachable:
    host = clean(netloc(url))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(
                f"the certificate of {host} is not trusted ({clean(cause.verify_message)}); put its authority into"
                f" {_CERTIFICATES}/{host}/ca.crt, or list {host} under registries.insecure in config.yaml"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in (
            "WRONG_VERSION_NUMBER",
            "HTTP_REQUEST",
            "RECORD_LAYER_FAILURE",
        ):
            return Unreachable(
                f"{host} speaks plain http; list {host} under registries.insecure in config.yaml if that is meant",
                plain=True,
            )
        cause = cause.__cause__ or cause.__context__
    return Unreachable(f"cannot reach {host}: {_why(error)}; is the name right, and does the registry run?")


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "it did not answer in time"
    if isinstance(error, httpx.TimeoutException):
        return "stalled"
    said = words_of(error) if str(error).strip() else ""
    if isinstance(error, httpx.ProxyError):
        return f"the proxy says {said or 'no'}"
    if isinstance(error, httpx.ConnectError):
        return said or "it refuses connections"
    return f"was lost ({said})" if said else "was lost"
