"""What a person does with registries: one door over the rooms that do it."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.files import refuse
from tuidock.engine.oci import Invalid
from tuidock.engine.oci import reference as references
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.registry.client import Registry


def told(work: Iterator[Progress], tried: str) -> Iterator[Progress]:
    """The work, with a refusal of the system (a full disk) as a sentence."""
    try:
        yield from work
    except OSError as error:
        raise refuse(error, tried) from error


def _named(text: str, all_tags: bool) -> Reference:
    try:
        named = references.parse(text)
    except Invalid as error:
        raise InvalidArgument(str(error)) from None
    if all_tags and (named.tag or named.digest):
        raise InvalidArgument("tag can't be used with --all-tags/-a")
    return named


def pull(state: State, paths: Paths, text: str, *, platform: str = "", all_tags: bool = False) -> Iterator[Progress]:
    """See `pulling.pull`; host/base is made from this machine's programs. Raises InvalidArgument."""
    from tuidock.engine.store import host_base

    named = _named(text, all_tags)
    reference = named if all_tags else named.with_default_tag()
    if reference.familiar_name == host_base.NAME and not named.digest:
        if named.with_default_tag().tag != "latest":
            raise InvalidArgument(f"{host_base.NAME} is made here and has only the tag latest, no {named.tag}")
        if platform:
            _check_own(platform)
        return told(host_base.make(state, paths, named.with_default_tag()), f"make {host_base.NAME}")
    from tuidock.engine.registry.client import Registry
    from tuidock.engine.transfer import pulling

    work = pulling.pull(state, paths, Registry, reference, platform=platform, all_tags=all_tags)
    return told(work, f"pull {reference.familiar}")


def _check_own(platform: str) -> None:
    """host/base is of this machine's programs, so it is for this machine. Raises InvalidArgument."""
    import os

    from tuidock.engine.options.platforms import architecture_of, parse_platform

    machine = os.uname().machine
    asked, own = parse_platform(platform, machine), architecture_of(machine)
    if asked[:2] != ("linux", own):
        raise InvalidArgument(f"host/base is made of this machine's programs, for linux/{own} and not for {asked}")


def push(state: State, paths: Paths, text: str, *, all_tags: bool = False) -> Iterator[Progress]:
    """See `pushing.push`. Raises InvalidArgument."""
    from tuidock.engine.transfer import pushing

    def connect(host: str) -> Registry:
        from tuidock.engine.registry.client import Registry  # not before there is work that it may overlap with

        return Registry(host, actions="pull,push")

    named = _named(text, all_tags)
    reference = named if all_tags else named.with_default_tag()
    work = pushing.push(state, paths, connect, reference, all_tags=all_tags)
    return told(work, f"push {reference.familiar}")
