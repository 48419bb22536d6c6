"""A file from the web as a stream: http and https only, whatever it is redirected to.

What arrives is not believed: who reads it has the limits.
"""

from __future__ import annotations

from tuidock.engine.clean import clean, words_of
from tuidock.engine.errors import InvalidArgument, RegistryRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

_REDIRECTS = 10
_CHUNK = 1 << 18


def without_secrets(url: str) -> str:
    """The URL as others may see it: without user and password."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


class Fetched:
    """Opened on entering; then it reads like a file. Raises InvalidArgument for another scheme, RegistryRefused."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._shown = without_secrets(url)
        self._client: httpx.Client | None = None
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._pending = b""

    def __enter__(self) -> Fetched:
        if self.url.partition("://")[0].lower() not in ("http", "https"):
            raise InvalidArgument(f"cannot fetch {self._shown}: only http and https are")
        import httpx

        try:
            timeout = httpx.Timeout(60, connect=30)
            self._client = httpx.Client(
                follow_redirects=True,
                max_redirects=_REDIRECTS,
                timeout=timeout,
                headers={"Accept-Encoding": "identity"},
            )
            request = self._client.build_request("GET", self.url)
            self._response = self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self.__exit__()
            raise RegistryRefused(f"cannot fetch {self._shown}: {words_of(error)}") from None
        if self._response.status_code != 200:
            status, reason = self._response.status_code, clean(self._response.reason_phrase)
            self.__exit__()
            raise RegistryRefused(f"cannot fetch {self._shown}: the server answers {status} {reason}", status)
        self._chunks = self._response.iter_raw(_CHUNK)
        return self

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
        if self._client is not None:
            self._client.close()

    def read(self, size: int = -1) -> bytes:
        """Up to size bytes; b"" at the end. Raises RegistryRefused when the connection breaks."""
        import httpx

        try:
            while not self._pending:
                self._pending = next(self._chunks)
        except StopIteration:
            return b""
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise RegistryRefused(f"{self._shown} broke off ({words_of(error)}); try again") from None
        piece = self._pending if size < 0 else self._pending[:size]
        self._pending = self._pending[len(piece) :]
        return piece
