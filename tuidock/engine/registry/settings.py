"""What config.yaml says about registries.

    registries:
      mirrors: [https://mirror.example]        # of docker.io; or HOST: [URL, ...]
      insecure: [registry.example:5000, 10.0.0.0/8]

Mirrors are asked first, for pulls only. An insecure host may speak plain http or have a certificate that nobody signed;
this machine itself (localhost, 127.0.0.0/8, ::1) may without being listed, as with docker.
"""

from __future__ import annotations

import ipaddress

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import DEFAULT_DOMAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = ("mirrors", "insecure")


class Settings(Named):
    """mirrors: URLs by host. Seconds: connect for a connection, stall until a silent one is given up, backoff for the
    first pause of up to `attempts` tries, which doubles from try to try.
    """

    mirrors: Mapping[str, tuple[str, ...]] = {}
    insecure: tuple[str, ...] = ()
    attempts: int = 5
    backoff: float = 0.5
    connect: float = 15.0
    stall: float = 60.0

    def is_insecure(self, host: str) -> bool:
        """Whether HOST or HOST:PORT may be spoken to without a trusted certificate."""
        host = host.lower()
        name, _ = split_host(host)
        if name == "localhost" or host in self.insecure or name in self.insecure:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(_covers(entry, address) for entry in self.insecure)


def split_host(host: str) -> tuple[str, str]:
    """Name and port ("" = none) of HOST[:PORT]; an IPv6 address loses its brackets."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":")
    if host.count(":") == 1:
        name, _, port = host.partition(":")
        return name, port
    return host, ""


def _covers(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return "/" in entry and address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def load(path: str = "", cache: str = "") -> Settings:
    """From the configuration file. Raises InvalidArgument for what cannot be meant: guessing here would be unsafe."""
    from tuidock.engine.options.settings import load_data

    data, problem = load_data(path, cache)
    if problem:
        raise InvalidArgument(problem.replace("; the defaults are used", "; correct it before using a registry"))
    return check(data.get("registries") if isinstance(data, dict) else None)


def check(value: object) -> Settings:
    """The settings that the data below `registries` mean. Raises InvalidArgument."""
    if value is None:
        return Settings()
    if not isinstance(value, dict):
        raise InvalidArgument("config.yaml: registries must consist of `mirrors:` and `insecure:` lines")
    for key in value:
        if key not in _KEYS:
            raise InvalidArgument(f"config.yaml: registries has no setting {key!r}; there are {', '.join(_KEYS)}")
    insecure = tuple(one.lower() for one in _texts(value.get("insecure"), "registries.insecure"))
    return Settings(_mirrors(value.get("mirrors")), insecure)


def _texts(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise InvalidArgument(f"config.yaml: {what} must be a list of texts, not {value!r:.200}")
    return tuple(one.strip() for one in value)


def _mirrors(value: object) -> dict[str, tuple[str, ...]]:
    if isinstance(value, dict):
        return {str(host): _urls(urls, f"registries.mirrors.{host}") for host, urls in value.items()}
    return {DEFAULT_DOMAIN: _urls(value, "registries.mirrors")} if value else {}


def _urls(value: object, what: str) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    found = []
    for url in _texts(value, what):
        parts = urlsplit(url if "://" in url else "https://" + url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise InvalidArgument(f"config.yaml: {what} has {url!r:.200}, which is no http(s)://HOST[:PORT]")
        if "@" in parts.netloc:
            raise InvalidArgument(
                f"config.yaml: {what} has credentials in {parts.hostname}; use `tuidock login` instead"
            )
        found.append(f"{parts.scheme}://{parts.netloc}")
    return tuple(found)
