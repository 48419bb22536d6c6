"""Where a registry is asked: from the host in a reference to URLs, in the order in which they are tried."""

from __future__ import annotations

import httpx

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry.transport import origin_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.registry.settings import Settings

#: Where docker.io's registry is.
_HUB_API = "registry-1.docker.io"
_UNSAFE = frozenset(" \t\r\n/\\?#@%<>\"'`{}|^")


class Endpoint(Named):
    """url is scheme://host[:port]; host is whose credentials are shown to it."""

    url: str
    host: str
    mirror: bool = False


def of(host: str, settings: Settings, *, pull: bool = False) -> list[Endpoint]:
    """Mirrors (for pulls), then the registry itself; an insecure one by https and by http. Raises InvalidArgument."""
    if not host or not host.isascii() or not host.isprintable() or _UNSAFE & set(host):
        raise InvalidArgument(f"{host!r:.100} is no registry; give HOST or HOST:PORT")
    try:
        origin_of(f"https://{host}")
    except (httpx.InvalidURL, ValueError):
        raise InvalidArgument(f"{host!r:.100} is no registry; give HOST or HOST:PORT") from None
    found = []
    for url in settings.mirrors.get(host, ()) if pull else ():
        found.append(Endpoint(url, url.partition("://")[2], mirror=True))
    where = _HUB_API if host == DEFAULT_DOMAIN else host
    found.append(Endpoint(f"https://{where}", host))
    if settings.is_insecure(where):
        found.append(Endpoint(f"http://{where}", host))
    return found
