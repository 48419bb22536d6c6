"""Image configurations: what the file named by the image id says, checked, with the raw bytes beside it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.descriptor import Platform, load_object, string_map, text
from tuidock.engine.oci.digest import check, of_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SIZE_LIMIT = 8 * 1024 * 1024

_TEXTS = ("User", "WorkingDir", "StopSignal", "Hostname", "Domainname", "Image", "MacAddress")
_LISTS = ("Entrypoint", "Cmd", "OnBuild", "Shell")
_SETS = ("ExposedPorts", "Volumes")
_LATEST = (1 << 63) - 1
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)")


class ImageConfig(Named):
    """config has docker's keys (Env, Cmd, ...) as they stand in the file."""

    raw: bytes
    id: str
    platform: Platform
    created: int
    author: str
    config: Mapping[str, Any]
    diff_ids: tuple[str, ...]
    history: tuple[Mapping[str, Any], ...]
    document: Mapping[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        return self.config.get("Labels") or {}


def parse_time(value: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time, from 1970 to 2262; 0 for an empty or the zero time.

    Raises Invalid.
    """
    if not value or value.startswith("0001-01-01"):
        return 0
    match = _TIME.fullmatch(value)
    try:
        if not match:
            raise ValueError
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = datetime.fromisoformat(match[1].upper().replace(" ", "T") + zone)
    except ValueError:
        raise Invalid(f"{value!r:.60} is no time") from None
    seconds = int(moment.timestamp())
    return max(0, min(seconds * 1_000_000_000 + int((match[2] or "0")[:9].ljust(9, "0")), _LATEST))


def format_time(nanoseconds: int) -> str:
    """RFC 3339 in UTC with docker's trimmed fraction."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09}".rstrip("0").rstrip(".") + "Z"


def _strings(value: object, what: str) -> None:
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise Invalid(f"{what} of the image config is no list of texts")


def _check_texts(value: object) -> None:
    """No text, key or value, with what neither the kernel nor a database takes: NUL, and halves of UTF-16 pairs."""
    left: list[object] = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += (*one.keys(), *one.values())
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and not one.isascii() and any("\ud800" <= c <= "\udfff" for c in one):
            raise Invalid(f"{one!r:.100} of the image config is no Unicode text")
        elif isinstance(one, str) and "\0" in one:
            raise Invalid(f"{one!r:.100} of the image config contains a NUL")


def _check_settings(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid("config of the image config is no object")
    _check_texts(value)
    for key in _TEXTS:
        text(value, key, "the image config")
    for key in _LISTS:
        _strings(value.get(key), key)
    for key in _SETS:
        if value.get(key) is not None and not isinstance(value[key], dict):
            raise Invalid(f"{key} of the image config is no object")
    string_map(value.get("Labels"), "Labels of the image config")
    _strings(value.get("Env"), "Env")
    for entry in value.get("Env") or ():
        if entry.find("=") < 1 or "\0" in entry:
            raise Invalid(f"{entry!r:.100} of the image config is no environment variable")
    if value.get("Healthcheck") is not None and not isinstance(value["Healthcheck"], dict):
        raise Invalid("Healthcheck of the image config is no object")
    return value


def parse(raw: bytes) -> ImageConfig:
    """An image configuration from its bytes, whose digest is the image's id. Raises Invalid."""
    document = load_object(raw, "the image config", SIZE_LIMIT)
    rootfs = document.get("rootfs")
    if not isinstance(rootfs, dict) or rootfs.get("type") != "layers":
        raise Invalid("the image config has no rootfs of layers")
    diff_ids = rootfs.get("diff_ids")
    if diff_ids is None:
        diff_ids = []
    if not isinstance(diff_ids, list):
        raise Invalid("the list of diff_ids in the image config is none")
    history = document.get("history")
    if history is None:
        history = []
    if not isinstance(history, list) or not all(isinstance(item, dict) for item in history):
        raise Invalid("the history in the image config is no list")
    platform = Platform(*(text(document, key, "the image config") for key in ("os", "architecture", "variant")))
    if not platform.os or not platform.architecture:
        raise Invalid("the image config lacks its os or architecture")
    return ImageConfig(
        raw,
        of_bytes(raw),
        platform,
        parse_time(text(document, "created", "the image config")),
        text(document, "author", "the image config"),
        _check_settings(document.get("config")),
        tuple(check(item) for item in diff_ids),
        tuple(history),
        document,
    )


def make(document: Mapping[str, Any]) -> ImageConfig:
    """A new configuration, the same bytes for the same document. Raises Invalid."""
    return parse(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
