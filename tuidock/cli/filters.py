"""--filter of the listings: `key=value`, repeated. Values of one key are alternatives, keys (and labels) all must fit."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument, NotFound
from tuidock.engine.options.flags import UsageError, truth
from tuidock.engine.options.ports import parse_expose
from tuidock.engine.types import STATUSES, Container, Image, Network, Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tuidock.engine import Engine


Filters = dict[str, list[str]]

CONTAINER_KEYS = (
    "id name label status ancestor before since volume network publish expose exited health is-task isolation"
)
HEALTHS = ("starting", "healthy", "unhealthy", "none")
IMAGE_KEYS = "dangling label before since reference until"
VOLUME_KEYS = "dangling driver label name"
NETWORK_KEYS = "driver id label name scope type dangling"


def parse(given: Iterable[str], known: str) -> Filters:
    """The filters by key; an unknown key is an error, as a filter that nothing reads would show too much."""
    found: Filters = {}
    for raw in given:
        key, equals, value = raw.partition("=")
        key = key.strip().lower()
        if not equals:
            raise UsageError(
                f'invalid argument "{raw}" for "-f, --filter" flag: bad format of filter (expected name=value)'
            )
        if key not in known.split(" "):
            raise InvalidArgument(f"invalid filter '{key}'; there are {', '.join(known.split(' '))}")
        found.setdefault(key, []).append(value.strip())
    return found


def label_fits(labels: object, wanted: Sequence[str]) -> bool:
    """All of `key` and `key=value` are there."""
    if not hasattr(labels, "get"):
        return not wanted
    for pair in wanted:
        key, equals, value = pair.partition("=")
        have = labels.get(key)
        if have is None or (equals and have != value):
            return False
    return True


def found_in(pattern: str, text: str) -> bool:
    """The pattern of name and id filters: part of the text, or a regular expression."""
    if pattern in text:
        return True
    import re

    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def one_truth(key: str, values: Sequence[str]) -> bool:
    try:
        answers = {truth(value) for value in values}
    except ValueError:
        answers = set()
    if len(answers) != 1:
        raise InvalidArgument(f"invalid filter '{key}={','.join(values)}': it is true or false")
    return answers.pop()


def containers(listed: Sequence[Container], wanted: Filters, engine: Engine) -> list[Container]:
    """The containers that fit."""
    tests = [_container_test(key, values, listed, engine) for key, values in wanted.items()]
    return [container for container in listed if all(test(container) for test in tests)]


def _container_test(
    key: str, values: list[str], listed: Sequence[Container], engine: Engine
) -> Callable[[Container], bool]:
    if key == "id":
        return lambda c: any(c.id.startswith(value) or found_in(value, c.id) for value in values)
    if key == "name":
        return lambda c: any(found_in(value, c.name) or found_in(value, "/" + c.name) for value in values)
    if key == "label":
        return lambda c: label_fits(c.labels, values)
    if key == "status":
        for value in values:
            if value not in STATUSES:
                raise InvalidArgument(f"invalid filter 'status={value}'; there are {', '.join(STATUSES)}")
        return lambda c: c.status in values
    if key == "exited":
        codes = {_code(value) for value in values}
        return lambda c: c.status == "exited" and c.exit_code in codes
    if key == "health":
        for value in values:
            if value not in HEALTHS:
                raise InvalidArgument(f"invalid filter 'health={value}'; there are {', '.join(HEALTHS)}")
        return lambda c: (c.health or "none") in values
    if key in ("before", "since"):
        moments = [_named(value, listed, engine).created for value in values]
        if key == "before":
            return lambda c: any(c.created < moment for moment in moments)
        return lambda c: any(c.created > moment for moment in moments)
    if key == "volume":
        return lambda c: any(value in (m.name, m.source, m.destination) for m in c.mounts for value in values)
    if key == "network":
        return lambda c: any(
            value == e.network or (value and e.network_id.startswith(value)) for e in c.networks for value in values
        )
    if key in ("publish", "expose"):
        ports = set(parse_expose(values))
        if key == "publish":
            return lambda c: any(f"{p.host_port}/{p.protocol}" in ports for p in c.ports)
        return lambda c: any(port in ports for port in c.exposed)
    if key == "ancestor":
        return _ancestor(values, engine)
    return lambda c: one_truth(key, values) is False if key == "is-task" else "default" in values


def _code(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidArgument(f"invalid filter 'exited={value}': it is an exit code") from None


def _named(value: str, listed: Sequence[Container], engine: Engine) -> Container:
    for container in listed:
        if container.name == value or container.id == value:
            return container
    return engine.container(value)


def _ancestor(values: list[str], engine: Engine) -> Callable[[Container], bool]:
    ids: set[str] = set()
    for value in values:
        try:
            ids.add(engine.image(value).id)
        except NotFound:
            continue
    return lambda c: c.image_id in ids or c.image in values


def images(listed: Sequence[Image], wanted: Filters, engine: Engine) -> list[Image]:
    """The images that fit; reference filters also drop the references that do not."""
    kept = list(listed)
    for key, values in wanted.items():
        if key == "dangling":
            dangling = one_truth(key, values)
            kept = [image for image in kept if (not image.references) == dangling]
        elif key == "label":
            kept = [image for image in kept if label_fits(image.labels, values)]
        elif key in ("before", "since"):
            moments = [engine.image(value).created for value in values]
            kept = [
                image
                for image in kept
                if any((image.created < m) if key == "before" else (image.created > m) for m in moments)
            ]
        elif key == "until":
            limit = _moment(values)
            kept = [image for image in kept if image.created < limit]
        elif key == "reference":
            narrowed = [
                i._replace(references=tuple(r for r in i.references if reference_fits(r, values))) for i in kept
            ]
            kept = [image for image in narrowed if image.references]
    return kept


def reference_fits(reference: str, patterns: Sequence[str]) -> bool:
    """`repo`, `repo:tag` or either with * that stops at a slash."""
    import fnmatch

    repository = reference.rpartition(":")[0] if ":" in reference.rpartition("/")[2] else reference
    for pattern in patterns:
        for text in (reference, repository):
            same_depth = pattern.count("/") == text.count("/")
            if text == pattern or (same_depth and fnmatch.fnmatchcase(text, pattern)):
                return True
    return False


def _moment(values: Sequence[str]) -> int:
    import time

    from tuidock.engine.options.times import parse_moment

    if len(values) != 1:
        raise InvalidArgument("more than one until filter specified")
    return parse_moment(values[0], time.time_ns())


def volumes(listed: Sequence[Volume], wanted: Filters) -> list[Volume]:
    kept = list(listed)
    for key, values in wanted.items():
        if key == "dangling":
            dangling = one_truth(key, values)
            kept = [volume for volume in kept if (not volume.users) == dangling]
        elif key == "label":
            kept = [volume for volume in kept if label_fits(volume.labels, values)]
        elif key == "driver":
            kept = [volume for volume in kept if volume.driver in values]
        elif key == "name":
            kept = [volume for volume in kept if any(found_in(value, volume.name) for value in values)]
    return kept


def networks(listed: Sequence[Network], wanted: Filters) -> list[Network]:
    kept = list(listed)
    for key, values in wanted.items():
        if key == "driver":
            kept = [network for network in kept if network.driver in values]
        elif key == "id":
            kept = [network for network in kept if any(network.id.startswith(value) for value in values)]
        elif key == "label":
            kept = [network for network in kept if label_fits(network.labels, values)]
        elif key == "name":
            kept = [network for network in kept if any(found_in(value, network.name) for value in values)]
        elif key == "scope":
            kept = kept if "local" in values else []
        elif key == "type":
            builtin = ("bridge", "host", "none")
            kept = [n for n in kept if ("builtin" if n.name in builtin else "custom") in values]
        elif key == "dangling":
            dangling = one_truth(key, values)
            kept = [n for n in kept if (not n.members and n.name not in ("bridge", "host", "none")) == dangling]
    return kept
