"""Blobs and manifests on their way to a registry, as the distribution specification has it.

A blob whose length and digest are known goes in one PUT. One that is still being made goes in a PATCH of unknown length,
and its digest with the PUT that ends it. After a drop the registry says how much it has, and the rest follows; a registry
that has forgotten the upload gets it from the beginning. One that finds a request too large gets smaller ones.
"""

from __future__ import annotations

from tuidock.engine.clean import clean
from tuidock.engine.errors import AuthFailed, RegistryRefused
from tuidock.engine.named import Named
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.session import Ask, Dropped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from tuidock.engine.registry.transport import Response

    class Body(Protocol):
        """What is uploaded. size is -1 and digest "" until all of a body in the making was read."""

        size: int
        digest: str

        def chunks(self, offset: int) -> Iterator[bytes]:
            """The bytes from an offset on; may be asked for again."""
            ...


#: The length of requests to a registry that refuses longer ones (bytes).
_PIECE = 8 << 20


class _Place(Named):
    """Where an upload goes on, and the bytes that are there."""

    location: str
    offset: int = 0


class Upload:
    """One blob to one repository. moved is told how many bytes the registry has been sent."""

    def __init__(
        self,
        registry: Registry,
        name: str,
        *,
        moved: Callable[[int], None] = lambda _: None,
        retrying: Callable[[str], None] | None = None,
    ) -> None:
        self._session, self._host = registry.session, registry.host
        self._name, self._scope = name, registry.scope(name)
        self.moved, self._retrying = moved, retrying
        self._pieces = False
        self._place: _Place | None = None

    def exists(self, digest: str) -> bool:
        """Whether the repository has it already."""
        ask = self._ask("HEAD", f"/v2/{self._name}/blobs/{digest}", accept=(404,))
        with self._session.open(ask, self._retrying) as response:
            return response.status != 404

    def mount(self, digest: str, other: str) -> bool:
        """Has another repository of the registry lend it. False when it does not; what was begun goes on in `send`."""
        path = f"/v2/{self._name}/blobs/uploads/?mount={digest}&from={other}"
        try:
            with self._session.open(
                self._ask("POST", path, scopes=(f"repository:{other}:pull",), headers={"Content-Length": "0"})
            ) as response:
                if response.status == 201:
                    return True
                self._place = _Place(self._location(response))
                return False
        except AuthFailed:
            return False  # the other repository may not be read
        except RegistryRefused as error:
            if error.status in (400, 404, 405):
                return False
            raise

    def send(self, body: Body) -> None:
        """Uploads it, whatever it takes. Raises RegistryRefused."""
        attempt = 0
        while True:
            try:
                place = self._place or self._begin()
                self._place = place
                self._all(body, place)
                return
            except Dropped as error:
                attempt += 1
                self._session.pause(attempt, error, self._retrying)
                if body.digest and self.exists(body.digest):
                    return  # only the answer was lost
                self._place = self._resumed()
            except RegistryRefused as error:
                self._abort()
                if error.status == 413 and not self._pieces:
                    self._pieces = True
                    continue
                if error.status == 400 and body.digest:
                    raise RegistryRefused(
                        f"{error}; if the registry is right, `tuidock system check` finds the blob damaged here", 400
                    ) from error
                raise

    def _all(self, body: Body, place: _Place) -> None:
        if body.size >= 0 and body.digest and place.offset == 0 and not self._pieces:
            self._finish(place, body.digest, body)
            return
        while body.size < 0 or place.offset < body.size:
            place = self._place = self._patch(body, place)
        self._finish(place, body.digest, None)

    def _begin(self) -> _Place:
        ask = self._ask("POST", f"/v2/{self._name}/blobs/uploads/", headers={"Content-Length": "0"})
        with self._session.open(ask, self._retrying) as response:
            return _Place(self._location(response))

    def _patch(self, body: Body, place: _Place) -> _Place:
        """Everything from the offset on, or the next piece."""
        start, end = place.offset, body.size
        if self._pieces:
            end = start + _PIECE if body.size < 0 else min(body.size, start + _PIECE)
        headers = {"Content-Type": "application/octet-stream"}
        sent = _Counted(body, start, end if self._pieces or body.size >= 0 else -1, self.moved, self._session.check)
        if body.size >= 0:
            headers |= {"Content-Length": str(end - start), "Content-Range": f"{start}-{end - 1}"}
        elif start:
            headers["Content-Range"] = f"{start}-"
        with self._session.once(
            self._ask("PATCH", place.location, headers=headers, content=sent.chunks, accept=(416,))
        ) as response:
            if response.status == 416:
                raise Dropped(f"{self._host} has another part of the blob than was agreed", 416)
            return _Place(self._location(response), start + sent.size)

    def _finish(self, place: _Place, digest: str, body: Body | None) -> None:
        location = place.location + ("&" if "?" in place.location else "?") + "digest=" + digest
        headers = {"Content-Type": "application/octet-stream", "Content-Length": "0"}
        content = None
        if body is not None:
            headers["Content-Length"] = str(body.size)
            content = _Counted(body, 0, body.size, self.moved, self._session.check).chunks
        ask = self._ask("PUT", location, headers=headers, content=content, accept=(404, 416))
        with self._session.once(ask) as response:
            if response.status in (404, 416):
                raise Dropped(f"{self._host} does not know the upload any more", response.status)

    def _resumed(self) -> _Place | None:
        """What the registry says of the upload after a drop; None when it has to begin again."""
        place, self._place = self._place, None
        if place is None:
            return None
        try:
            with self._session.once(self._ask("GET", place.location)) as response:
                first, _, last = response.headers.get("range", "").removeprefix("bytes=").partition("-")
                if first != "0" or not last.isdecimal():
                    return None
                # "0-0" is what some say of nothing, too; one byte more or less to send again is found out by a 416
                offset = int(last) + 1 if int(last) else 0
                return _Place(self._location(response), offset) if offset else None
        except RegistryRefused:
            return None

    def _abort(self) -> None:
        """Tells the registry to forget what was begun."""
        place, self._place = self._place, None
        if place is None:
            return
        try:
            self._session.once(self._ask("DELETE", place.location)).close()
        except RegistryRefused:
            pass  # it forgets by itself after some time

    def _location(self, response: Response) -> str:
        found = response.location()
        if not found:
            raise RegistryRefused(f"{self._host} began an upload to {self._name} without saying where it goes on")
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        scopes: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
        content: Callable[[], Iterator[bytes]] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Ask:
        return Ask(
            method, path, f"repository {self._name}", (self._scope, *scopes), headers or {}, content, accept=accept
        )


class _Counted:
    """The bytes of a body from start to end (-1 = its own end), told on their way out."""

    def __init__(
        self, body: Body, start: int, end: int, moved: Callable[[int], None], check: Callable[[], None]
    ) -> None:
        self._body, self._start, self._end, self._moved, self._check = body, start, end, moved, check
        self.size = 0

    def chunks(self) -> Iterator[bytes]:
        self.size = 0
        left = self._end - self._start if self._end >= 0 else 1 << 62
        for chunk in self._body.chunks(self._start):
            self._check()
            part = chunk[:left]
            if not part:
                return
            yield part
            left -= len(part)
            self.size += len(part)
            self._moved(self._start + self.size)
            if not left:
                return


def put_manifest(registry: Registry, name: str, reference: str, raw: bytes, media_type: str, digest: str) -> None:
    """The last step: gives the blobs a name. Raises RegistryRefused, also when the registry understood something else."""
    ask = Ask(
        "PUT", f"/v2/{name}/manifests/{reference}", f"manifest {name}:{reference}", (registry.scope(name),),
        {"Content-Type": media_type}, raw,
    )  # fmt: skip
    with registry.session.open(ask) as response:
        stated = response.headers.get("docker-content-digest", "")
    if stated and stated != digest:
        raise RegistryRefused(
            f"{registry.host} stored {name}:{reference} as {clean(stated)[:100]} where {digest} was sent"
        )
