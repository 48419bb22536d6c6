"""Descriptors: what a manifest says about a blob. And the few checks that all documents share."""

from __future__ import annotations

import base64
import binascii
import json
import re
from urllib.parse import urlsplit

from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.digest import check_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"

INDEXES = (OCI_INDEX, DOCKER_INDEX)
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)

#: No document of the specifications has a tenth of it.
_DEPTH_LIMIT = 100

_MEDIA_NAME = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_MEDIA_NAME}/{_MEDIA_NAME}")


class Platform(Named):
    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Descriptor(Named):
    """digest and size are of the bytes as stored, compressed or not."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON object; annotations and platform only when there are some."""
        result: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        if self.platform:
            result["platform"] = {"architecture": self.platform.architecture, "os": self.platform.os}
            if self.platform.variant:
                result["platform"]["variant"] = self.platform.variant
        return result


def load_object(raw: bytes, what: str, limit: int) -> dict[str, Any]:
    """The bytes as a JSON object no longer than the limit. Raises Invalid."""
    if len(raw) > limit:
        raise Invalid(f"{what} is longer than {limit} bytes")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{what} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise Invalid(f"{what} is no JSON object")
    _check_depth(document, what)
    return document


def _check_depth(document: object, what: str) -> None:
    """What can just be read here could not be from a deeper stack, and would hide all the others there."""
    level = [document]
    for _ in range(_DEPTH_LIMIT):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise Invalid(f"{what} is nested more than {_DEPTH_LIMIT} levels deep")


def text(document: Mapping[str, Any], key: str, what: str) -> str:
    """An optional string: absent and null are ''. Raises Invalid."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(f"{key} of {what} is no text")
    return value


def string_map(value: object, what: str) -> dict[str, str]:
    """An optional object of strings. Raises Invalid."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise Invalid(f"{what} is no object of texts")
    return value


def media_type(value: object, what: str) -> str:
    """A media type in the grammar of RFC 6838. Raises Invalid."""
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise Invalid(f"the media type {value!r:.100} of {what} is none")
    return value


def _platform(value: object, what: str) -> Platform:
    if not isinstance(value, dict):
        raise Invalid(f"the platform of {what} is no object")
    platform = Platform(*(text(value, key, what) for key in ("os", "architecture", "variant")))
    if not platform.os or not platform.architecture:
        raise Invalid(f"the platform of {what} lacks its os or architecture")
    return platform


def parse(value: object, what: str = "a descriptor") -> Descriptor:
    """A descriptor from its JSON value. Raises Invalid."""
    if not isinstance(value, dict):
        raise Invalid(f"{what} is no object")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
        raise Invalid(f"the size {size!r:.40} of {what} is none")
    if value.get("artifactType") is not None:
        media_type(value["artifactType"], what)
    for url in value.get("urls") or ():
        if not isinstance(url, str) or not urlsplit(url).scheme:
            raise Invalid(f"{url!r:.100} of {what} is no URL")
    if (embedded := value.get("data")) is not None:
        try:
            base64.b64decode(embedded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise Invalid(f"the data of {what} are not in base64") from None
    return Descriptor(
        media_type(value.get("mediaType"), what),
        check_any(value.get("digest")),
        size,
        string_map(value.get("annotations"), f"annotations of {what}"),
        _platform(value["platform"], what) if value.get("platform") is not None else None,
        text(value, "artifactType", what),
    )
