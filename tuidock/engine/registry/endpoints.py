"""Where a registry is asked: from the host in a reference to URLs, in the order in which they are tried."""

from __future__ import annotations

import ipaddress
import re

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry.settings import split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.registry.settings import Settings

#: Where docker.io's registry is.
_HUB_API = "registry-1.docker.io"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")


class Endpoint(Named):
    """url is scheme://host[:port]; host is whose credentials are shown to it."""

    url: str
    host: str
    mirror: bool = False


def is_host(host: str) -> bool:
    """Whether it is HOST[:PORT], which becomes part of URLs and of the names of directories."""
    name, port = split_host(host)
    if host.endswith(":") or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)):
        return False
    if host.startswith("["):
        try:
            return ipaddress.IPv6Address(name).scope_id is None and host in (f"[{name}]", f"[{name}]:{port}")
        except ValueError:
            return False
    return len(name) < 254 and all(_LABEL.fullmatch(label) for label in name.split("."))


def of(host: str, settings: Settings, *, pull: bool = False) -> list[Endpoint]:
    """Mirrors (for pulls), then the registry itself; an insecure one by https and by http. Raises InvalidArgument."""
    if not is_host(host):
        raise InvalidArgument(f"{host!r:.100} is no registry; give HOST or HOST:PORT")
    found = []
    for url in settings.mirrors.get(host, ()) if pull else ():
        found.append(Endpoint(url, url.partition("://")[2], mirror=True))
    where = _HUB_API if host == DEFAULT_DOMAIN else host
    found.append(Endpoint(f"https://{where}", host))
    if settings.is_insecure(where):
        found.append(Endpoint(f"http://{where}", host))
    return found
