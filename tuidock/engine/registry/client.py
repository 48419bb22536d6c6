"""One registry: its manifests, blobs, tags and catalog, each checked before it is handed on.

What a registry says about its own content is not believed. A manifest must have the digest that was asked for or that
the registry stated with it, and must be the same kind of document to every reader (CVE-2021-41190); a blob must have
its descriptor's length. The digest of a streamed blob is left to the ingest that it is written to, which hashes it anyway.
"""

from __future__ import annotations

import time

from tuidock.engine.clean import clean
from tuidock.engine.errors import RegistryRefused
from tuidock.engine.fastjson import loads
from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid, manifest
from tuidock.engine.oci.descriptor import INDEXES, MANIFESTS, Descriptor, load_object, text
from tuidock.engine.oci.digest import is_digest, of_bytes
from tuidock.engine.oci.reference import is_tag
from tuidock.engine.registry.session import Ask, Dropped, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tuidock.engine.registry.keyring import Keyring
    from tuidock.engine.registry.settings import Settings
    from tuidock.engine.registry.transport import Response

CONFIG_LIMIT = 8 << 20
_ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
_LIST_LIMIT = 16 << 20
_PAGES_LIMIT = 1000
#: All pages of a list together.
_PAGES_BYTES = 64 << 20
_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+"
#: So much must have arrived between two drops for the count of attempts to begin anew (bytes).
_HEADWAY = 1 << 20
#: Less than this in `Settings.stall` seconds is a stalled connection, too (bytes).
_TRICKLE = 1 << 10


class Document(Named):
    """A manifest or index as it came; digest is of raw, checked."""

    raw: bytes
    media_type: str
    digest: str


class Head(Named):
    """What a registry says about a manifest without sending it; not proven. size -1: it did not say."""

    media_type: str
    digest: str
    size: int


class Registry:
    """A registry by the name that stands in references ("docker.io", "localhost:5000"); use as context manager.

    Safe to use from several threads, which share connections and tokens. Everything raises RegistryRefused, or AuthFailed
    when credentials are missing or wrong.
    """

    def __init__(
        self, host: str, settings: Settings | None = None, *, keyring: Keyring | None = None, actions: str = "pull"
    ) -> None:
        self.host = host
        self.session = Session(host, settings, keyring)
        self._actions = actions

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self.session.close()

    def cancel(self) -> None:
        """Ends what other threads are doing with it: their calls raise RegistryRefused at once, later ones too."""
        self.session.cancel()

    def scope(self, name: str) -> str:
        """What a token for this repository has to allow."""
        return f"repository:{name}:{self._actions}"

    def manifest(self, name: str, reference: str) -> Document:
        """The manifest or index of a repository ("library/busybox") by tag or digest."""
        what = _what(name, reference)
        with self.session.open(self._manifest_ask("GET", name, reference)) as response:
            raw = response.read(manifest.SIZE_LIMIT, "manifest")
            stated = response.headers.get("docker-content-digest", "")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        digest = of_bytes(raw)
        if is_digest(reference) and digest != reference:
            raise RegistryRefused(f"{self.host} answered {digest} when it was asked for {what}; it is damaged or lies")
        if is_digest(stated) and digest != stated:
            raise RegistryRefused(
                f"{self.host} announced {stated} for {what} and sent {digest}; it or a proxy on the way damages manifests"
            )
        return Document(raw, _kind(raw, media_type, what), digest)

    def head(self, name: str, reference: str) -> Head | None:
        """What the registry says about a manifest; None when it has none. Does not count as a pull on docker.io."""
        try:
            with self.session.open(self._manifest_ask("HEAD", name, reference)) as response:
                digest = response.headers.get("docker-content-digest", "")
                length = response.headers.get("content-length", "")
                media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        except RegistryRefused as error:
            if error.status == 404:
                return None
            raise
        return Head(media_type, digest if is_digest(digest) else "", int(length) if length.isdecimal() else -1)

    def blob(
        self, name: str, descriptor: Descriptor, offset: int = 0, *, retrying: Callable[[str], None] | None = None
    ) -> Iterator[bytes]:
        """The bytes of a blob from an offset on, in chunks; drops and stalls are resumed here, `retrying` is told why.

        Ends after exactly descriptor.size - offset bytes; the caller checks the digest. Closing it closes the connection.
        """
        position = kept = offset
        attempt = 0
        while position < descriptor.size:
            try:
                for chunk in self._part(name, descriptor, position, retrying):
                    position += len(chunk)
                    yield chunk
                continue
            except Dropped as error:
                if position - kept >= _HEADWAY:
                    attempt = 0
                attempt, kept = attempt + 1, position
                self.session.pause(attempt, error, retrying)

    def _part(
        self, name: str, descriptor: Descriptor, position: int, retrying: Callable[[str], None] | None
    ) -> Iterator[bytes]:
        """What one connection gives. Raises Dropped when that is less than all."""
        what = f"blob {descriptor.digest[7:19]} of {name}"
        headers = {"Range": f"bytes={position}-"} if position else {}
        if not is_digest(descriptor.digest):  # it becomes part of a path here and of the reader's file names
            raise RegistryRefused(f"{name} has a blob {clean(descriptor.digest)[:100]}, which is no sha256 digest")
        path = f"/v2/{name}/blobs/{descriptor.digest}"
        ask = Ask("GET", path, what, (self.scope(name),), headers, pull=True)
        with self.session.open(ask, retrying) as response:
            skip = position
            if response.status == 206:
                skip = position - _range_start(response, position, what)
            left = descriptor.size - position
            length = response.headers.get("content-length", "")
            if length.isdecimal() and int(length) != left + skip and not response.headers.get("content-encoding"):
                raise RegistryRefused(
                    f"{self.host} has {int(length) - skip + position} bytes of {what} where {descriptor.size} were promised;"
                    " it is damaged or lies"
                )
            watch = _Watch(self.session.settings.stall)
            for chunk in response.chunks():
                watch.saw(len(chunk))
                if skip:
                    skipped = min(skip, len(chunk))
                    skip, chunk = skip - skipped, chunk[skipped:]
                if len(chunk) > left:
                    raise RegistryRefused(f"{self.host} sends more than the {descriptor.size} bytes of {what}; it lies")
                left -= len(chunk)
                if chunk:
                    yield chunk
                if not left:
                    return
        raise Dropped(f"{self.host} ended {what} {left} bytes too early")

    def document(self, name: str, descriptor: Descriptor, limit: int = CONFIG_LIMIT) -> bytes:
        """A whole small blob, as an image configuration is, checked against its descriptor."""
        if descriptor.size > limit:
            raise RegistryRefused(
                f"{self.host} offers {descriptor.digest[:19]} of {name} with {descriptor.size} bytes; {limit} is the most"
            )
        raw = b"".join(self.blob(name, descriptor))
        if of_bytes(raw) != descriptor.digest:
            raise RegistryRefused(
                f"{self.host} sent {of_bytes(raw)} as {descriptor.digest} of {name}; it is damaged or lies"
            )
        return raw

    def tags(self, name: str) -> list[str]:
        """Every tag of a repository, in order; each becomes part of paths and names, so it has to be one."""
        found = set(self._pages(f"/v2/{name}/tags/list", (self.scope(name),), "tags", f"repository {name}"))
        for tag in found:
            if not is_tag(tag):
                raise RegistryRefused(f"{self.host} lists a tag {clean(tag)[:100]!r} of {name}, which is none")
        return sorted(found)

    def catalog(self) -> list[str]:
        """Every repository; large and public registries refuse this."""
        return list(self._pages("/v2/_catalog?n=1000", ("registry:catalog:*",), "repositories", "its catalog"))

    def _pages(self, path: str, scopes: tuple[str, ...], key: str, what: str) -> Iterator[str]:
        """The texts of a list that goes on behind `Link: <...>; rel="next"`."""
        left = _PAGES_BYTES
        for _ in range(_PAGES_LIMIT):
            with self.session.open(Ask("GET", path, what, scopes, pull=True)) as response:
                raw = response.read(min(_LIST_LIMIT, left), "list")
                following = response.next_page()
            left -= len(raw)
            yield from _texts(raw, key, f"{self.host}'s list of {what}")
            if not following or following == path:
                return
            path = following
        raise RegistryRefused(f"{self.host} has no end of {what}: more than {_PAGES_LIMIT} pages")

    def _manifest_ask(self, method: str, name: str, reference: str) -> Ask:
        path = f"/v2/{name}/manifests/{reference}"
        return Ask(method, path, _what(name, reference), (self.scope(name),), {"Accept": _ACCEPT}, pull=True)


class _Watch:
    """Notices a connection that lives but brings next to nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since, self._bytes = seconds, time.monotonic(), 0

    def saw(self, size: int) -> None:
        self._bytes += size
        if self._bytes >= _TRICKLE:
            self._since, self._bytes = time.monotonic(), 0
        elif time.monotonic() - self._since > self._seconds:
            raise Dropped(f"less than {_TRICKLE} bytes came in {self._seconds:.0f} seconds")


def _what(name: str, reference: str) -> str:
    return f"manifest {name}{'@' if is_digest(reference) else ':'}{reference}"


def _range_start(response: Response, position: int, what: str) -> int:
    given = response.headers.get("content-range", "")
    first = given.removeprefix("bytes ").partition("-")[0].strip()
    if not first.isdecimal() or int(first) > position:
        raise RegistryRefused(
            f"the registry answered the range {clean(given)[:60]!r} of {what}, not from {position} on"
        )
    return int(first)


def _kind(raw: bytes, announced: str, what: str) -> str:
    """The one media type of a manifest. Raises RegistryRefused when it has none or two."""
    try:
        document = load_object(raw, what, manifest.SIZE_LIMIT)
        stated = text(document, "mediaType", what)
    except Invalid as error:
        raise RegistryRefused(f"the registry sent no manifest: {clean(str(error))[:300]}") from None
    if announced.startswith(_SCHEMA1) or document.get("schemaVersion") == 1:
        raise RegistryRefused(
            f"{what} is in docker's schema 1, which names no layers that could be verified; pull it with an old docker and"
            " push it again with a newer one"
        )
    known = (*MANIFESTS, *INDEXES)
    if stated and announced in known and stated != announced:
        raise RegistryRefused(
            f"{what} calls itself {clean(stated)[:100]} and was sent as {clean(announced)[:100]}; it lies"
        )
    if document.get("manifests") is not None and document.get("layers") is not None:
        raise RegistryRefused(f"{what} is both a manifest and an index; it lies")
    kind = announced if announced in known else stated
    if not kind:
        kind = INDEXES[0] if document.get("manifests") is not None else MANIFESTS[0]
    if kind not in known:
        raise RegistryRefused(f"{what} is of the media type {clean(kind)[:100]}, which is no image")
    return kind


def _texts(raw: bytes, key: str, what: str) -> list[str]:
    try:
        document: Any = loads(raw.decode())
        found = document.get(key) or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise ValueError
    except (ValueError, AttributeError):
        raise RegistryRefused(f"{what} cannot be read") from None
    return found
