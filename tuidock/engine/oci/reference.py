"""Image references: `[domain/]path[:tag][@digest]`, with docker's short names.

`busybox` means docker.io/library/busybox:latest. The full form is stored and compared, the familiar one is shown.
"""

from __future__ import annotations

import re

from tuidock.engine.named import Named
from tuidock.engine.oci import Invalid
from tuidock.engine.oci.digest import is_digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
NAME_LIMIT = 255
TAG_LIMIT = 128

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_TAG = r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    rf"(?::(?P<tag>{_TAG}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)
_HEX_ID = re.compile(r"[0-9a-f]{64}")


class Reference(Named):
    """A normalised reference. str() is the full form, `familiar` the short one."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """domain/path."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        short = self.path.removeprefix("library/")
        return self.path if "/" in short else short

    @property
    def familiar(self) -> str:
        return self.familiar_name + self._suffix()

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix()

    def with_default_tag(self) -> Reference:
        """Itself, or with `latest` when it has neither tag nor digest."""
        return self if self.tag or self.digest else self._replace(tag=DEFAULT_TAG)


def is_tag(text: str) -> bool:
    """Whether it can stand behind the colon."""
    return re.fullmatch(_TAG, text, re.ASCII) is not None


def parse(text: str) -> Reference:
    """What a person means by the text, in docker's rules. Raises Invalid."""
    if _HEX_ID.fullmatch(text):
        raise Invalid(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    first, slash, rest = text.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost" and first.lower() == first):
        domain, remainder = DEFAULT_DOMAIN, text
    else:
        domain, remainder = first, rest
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = "library/" + remainder
    name = re.split("[:@]", remainder, maxsplit=1)[0]
    if name.lower() != name:
        raise Invalid(f"invalid reference format: repository name ({name.removeprefix('library/')}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
    if not match or not match["domain"]:
        tag = remainder.partition("@")[0].rpartition("/")[2].partition(":")[2]
        if len(tag) > TAG_LIMIT and is_tag(tag[:TAG_LIMIT]):
            raise Invalid(f"invalid reference format: the tag is longer than {TAG_LIMIT} characters")
        raise Invalid(f"invalid reference format: {text!r:.300}")
    if len(match["path"]) > NAME_LIMIT:
        raise Invalid(f"invalid reference format: the repository name is longer than {NAME_LIMIT} characters")
    if match["digest"] and not is_digest(match["digest"]):
        raise Invalid(f"invalid reference format: {match['digest']} is no sha256 digest")
    return Reference(match["domain"], match["path"], match["tag"] or "", match["digest"] or "")


def parse_tagged(text: str) -> Reference:
    """`parse` with the default tag: what pull, run and tag mean. Raises Invalid."""
    return parse(text).with_default_tag()
