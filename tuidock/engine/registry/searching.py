"""Search: docker.io has an index for it, other registries only a list of everything."""

from __future__ import annotations

from urllib.parse import urlencode

from tuidock.engine.errors import InvalidArgument, RegistryRefused
from tuidock.engine.fastjson import loads
from tuidock.engine.image_types import SearchResult
from tuidock.engine.oci.reference import DEFAULT_DOMAIN
from tuidock.engine.registry.client import Registry
from tuidock.engine.registry.keyring import host_of
from tuidock.engine.registry.session import Ask, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

#: Where docker.io's index is; its registry has another host.
INDEX = "index.docker.io"
LARGEST = 100
_ANSWER_LIMIT = 4 << 20
_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def split(term: str) -> tuple[str, str]:
    """The host and what is searched for there: `nginx`, `HOST/web`, `HOST/` for everything."""
    first, slash, rest = term.partition("/")
    if "://" in term:
        raise InvalidArgument(f"cannot search for {term}: give TERM or HOST/TERM, without a scheme")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return host_of(first), rest
    return DEFAULT_DOMAIN, term


def test_of(filters: Sequence[str]) -> Callable[[SearchResult], bool]:
    """What `--filter` lets through. Raises InvalidArgument."""
    stars, official, automated = 0, None, None
    for raw in filters:
        key, equals, value = raw.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not equals:
            raise InvalidArgument(f"invalid filter {raw!r}: give stars=N, is-official=BOOL or is-automated=BOOL")
        if key == "stars":
            if not value.isascii() or not value.isdecimal():
                raise InvalidArgument(f"invalid filter 'stars={value}': it is a number")
            stars = max(stars, int(value))
        elif key in ("is-official", "is-automated"):
            if value.lower() not in _TRUTHS:
                raise InvalidArgument(f"invalid filter '{key}={value}': it is true or false")
            if key == "is-official":
                official = _TRUTHS[value.lower()]
            else:
                automated = _TRUTHS[value.lower()]
        else:
            raise InvalidArgument(f"invalid filter '{key}'; there are stars, is-official, is-automated")

    def fits(result: SearchResult) -> bool:
        return (
            result.stars >= stars - (not stars)
            and official in (None, result.official)
            and automated in (None, result.automated)
        )

    return fits


def in_index(session: Session, term: str, limit: int) -> list[SearchResult]:
    """docker.io's answer, best first."""
    path = "/v1/search?" + urlencode({"q": term, "n": limit})
    with session.open(Ask("GET", path, f"search for {term}")) as response:
        raw = response.read(_ANSWER_LIMIT, "list of results")
    try:
        entries: Any = loads(raw.decode())["results"] or []
        return [_result(entry) for entry in entries][:limit]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise RegistryRefused(
            f"{session.host} answered the search for {term} with something that cannot be read"
        ) from None


def _result(entry: Any) -> SearchResult:
    stars = entry.get("star_count") or 0
    if not isinstance(stars, int):
        raise ValueError
    return SearchResult(
        str(entry["name"]),
        str(entry.get("description") or ""),
        stars,
        entry.get("is_official") is True,
        entry.get("is_automated") is True,
    )


def in_catalog(registry: Registry, term: str, limit: int) -> list[SearchResult]:
    """The repositories of a private registry whose names contain the term."""
    wanted = term.lower()
    found = [name for name in registry.catalog() if wanted in name.lower()]
    return [SearchResult(f"{registry.host}/{name}") for name in sorted(set(found))[:limit]]
