"""Digests: `sha256:` and 64 lower-case hexadecimal digits, checked before they become part of a path or URL.

An unchecked digest in a path wrote outside of the store in other engines (CVE-2024-3727). Other algorithms are legal in
a descriptor, but nothing can be stored under them.
"""

from __future__ import annotations

import hashlib
import re

from tuidock.engine.oci import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_GRAMMAR = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_LOWER_HEX = re.compile(r"[0-9a-f]+")


def is_digest(text: str) -> bool:
    """Whether it is a sha256 digest, the only kind that the store keeps."""
    return len(text) == 71 and text.startswith("sha256:") and _LOWER_HEX.fullmatch(text, 7) is not None


def check(text: object) -> str:
    """The digest, if it is one that the store can keep. Raises Invalid."""
    if not isinstance(text, str) or not is_digest(text):
        raise Invalid(f"{text!r:.100} is no sha256 digest")
    return text


def check_any(text: object) -> str:
    """The digest, if it follows the specification's grammar and its algorithm's length. Raises Invalid."""
    if not isinstance(text, str) or not _GRAMMAR.fullmatch(text):
        raise Invalid(f"{text!r:.100} is no digest")
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTHS.get(algorithm)
    if length and (len(encoded) != length or not _LOWER_HEX.fullmatch(encoded)):
        raise Invalid(f"{text!r:.160} has not the {length} lower-case hexadecimal digits of {algorithm}")
    return text


def hex_of(digest: str) -> str:
    """The 64 digits, safe as a file name. Raises Invalid."""
    return check(digest)[7:]


def of_bytes(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """The chainID of every prefix of the layers: the name of the directory tree that they make together."""
    chain: list[str] = []
    for diff_id in diff_ids:
        check(diff_id)
        chain.append(of_bytes(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain
