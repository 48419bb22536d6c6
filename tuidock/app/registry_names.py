"""What a person means by the name of an image or of a registry. Pure."""

from __future__ import annotations

from tuidock.engine.oci import Invalid
from tuidock.engine.oci import reference as references


def problem(text: str) -> str:
    """A sentence when the text is no reference; "" while it may be one."""
    if not text.strip():
        return ""
    try:
        references.parse(text.strip())
    except Invalid as error:
        return str(error)[:1].upper() + str(error)[1:] + "."
    return ""


def meaning(text: str) -> str:
    """The whole name in words, for a note: what is silent is said."""
    try:
        reference = references.parse(text.strip())
    except Invalid:
        return ""
    tag = f"tag {reference.tag or references.DEFAULT_TAG}" if not reference.digest else reference.digest[:19]
    return f"{reference.path}, {tag}, from {reference.domain}"


def server(text: str) -> str:
    """The registry that a reference belongs to, as `login` takes it: "" for the hub."""
    try:
        domain = references.parse(text.strip()).domain
    except Invalid:
        return ""
    return "" if domain == references.DEFAULT_DOMAIN else domain


def shown(server: str) -> str:
    """A registry as people call it."""
    return server or references.DEFAULT_DOMAIN
