"""RUN --mount=type=cache,target=/root/.cache: a directory or file that a command sees and its layer does not."""

from __future__ import annotations

from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.suggest import did_you_mean
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.values import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuidock.engine.dockerfile.ast import Instruction

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARING = ("shared", "private", "locked")
_KEYS = (
    "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id",
    "sharing", "required", "mode", "uid", "gid", "size", "env",
)  # fmt: skip
_SAME = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_SWITCHES = ("readonly", "readwrite", "required")
#: podman's: they relabel for SELinux, of which nothing is needed here,
_IGNORED = ("z", "Z", "relabel")
#: or want something that docker does not know. They are refused when the mount is used, as docker does.
_FOREIGN = ("U", "chown", "tmpcopyup", "notmpcopyup", "bind-propagation")
_OWNED = ("cache", "secret", "ssh")


class RunMount(Named):
    """A mount of one RUN. source is a path in the context, in stage or image `origin`; id names a cache, a secret or an
    agent; mode, uid and gid are -1 where docker's default counts; env: a secret is (also) this variable."""

    type: str
    target: str = ""
    source: str = ""
    origin: str = ""
    readonly: bool = True
    id: str = ""
    sharing: str = ""
    required: bool = False
    mode: int = -1
    uid: int = -1
    gid: int = -1
    size: int = 0
    env: str = ""


def check_mounts(instruction: Instruction) -> None:
    """What is wrong with the mounts whatever their variables are. Raises DockerfileError."""
    for written in instruction.values("mount"):
        for _, key, value in _fields(instruction, written):
            if key == "from" and "$" in value[:-1]:
                reason = "from of --mount takes no variables: give the stage or image an alias with FROM ... AS"
                raise instruction.error(reason, at="--mount=")


def parse_mounts(instruction: Instruction) -> tuple[RunMount, ...]:
    """The mounts of a RUN whose variables are replaced. Raises DockerfileError."""
    return tuple([_parsed(instruction, written) for written in instruction.values("mount")])


def _fields(instruction: Instruction, written: str) -> Iterator[tuple[str, str, str]]:
    """(field as written, key, value); a key alone has the value "true" where that means something."""
    try:
        fields = split_fields(written)
    except (InvalidArgument, ValueError) as error:
        raise instruction.error(f"--mount cannot be read: {error}", at="--mount=") from None
    for field in fields:
        key, equals, value = field.partition("=")
        if key in _IGNORED:
            continue
        if key in _FOREIGN:
            yield field, key, value
            continue
        key = _SAME.get(key.lower(), key.lower())
        if key not in _KEYS:
            raise instruction.error(f"--mount has no key {key!r:.40}{did_you_mean(key, _KEYS)}", at=field)
        if not equals:
            if key not in _SWITCHES:
                raise instruction.error(f"{key} of --mount needs a value: it is written {key}=...", at=field)
            value = "true"
        yield field, key, value


def _parsed(instruction: Instruction, written: str) -> RunMount:
    given: dict[str, str] = {}
    readonly: bool | None = None
    for field, key, value in _fields(instruction, written):
        if key in _FOREIGN:
            raise instruction.error(f"{key} of --mount is podman's and not supported", at=field)
        if key in _SWITCHES:
            if value not in (*_TRUE, *_FALSE):
                raise instruction.error(f"{key} of --mount is true or false, not {value!r:.40}", at=field)
            if key != "required":
                readonly = (value in _TRUE) == (key == "readonly")
                continue
        given[key] = value
    try:
        return _made(given, readonly)
    except DockerfileError as error:
        raise instruction.error(error.reason, at="--mount=") from None


def _made(given: dict[str, str], readonly: bool | None) -> RunMount:
    kind = given.get("type", "bind").lower()
    if kind not in TYPES:
        raise DockerfileError(f"--mount has no type {kind!r:.40}{did_you_mean(kind, TYPES)}")
    sharing = given.get("sharing", "").lower()
    if sharing and sharing not in SHARING:
        raise DockerfileError(f"sharing of --mount is {', '.join(SHARING)}, not {sharing!r:.40}")
    for key, types in (
        ("sharing", ("cache",)), ("required", ("secret", "ssh")), ("size", ("tmpfs",)), ("env", ("secret",)),
        ("mode", _OWNED), ("uid", _OWNED), ("gid", _OWNED), ("from", ("bind", "cache")),
    ):  # fmt: skip
        if key in given and kind not in types:
            raise DockerfileError(f"{key} means nothing for a --mount of type {kind}")
    target, source, name = given.get("target", ""), given.get("source", ""), given.get("id", "")
    if kind == "secret":
        if source and name:
            raise DockerfileError("a --mount of type secret has a source or an id, not both")
        if not (source or name or target):
            raise DockerfileError("a --mount of type secret needs an id or a target")
    elif kind != "ssh" and not target:
        raise DockerfileError(f"a --mount of type {kind} needs a target")
    return RunMount(
        kind,
        target,
        source,
        given.get("from", ""),
        readonly if readonly is not None else kind not in ("cache", "tmpfs"),
        name,
        sharing,
        given.get("required") in _TRUE,
        _number(given, "mode", 8),
        _number(given, "uid", 10),
        _number(given, "gid", 10),
        _size(given.get("size", "")),
        given.get("env", ""),
    )


def _number(given: dict[str, str], key: str, base: int) -> int:
    value = given.get(key)
    if value is None:
        return -1
    digits = "01234567" if base == 8 else "0123456789"
    if not value or len(value) > 10 or value.strip(digits) or int(value, base) >= 1 << 32:
        raise DockerfileError(f"{key} of --mount is a number, not {value!r:.40}")
    return int(value, base)


def _size(value: str) -> int:
    if not value:
        return 0
    try:
        if len(value) > 40:
            raise InvalidArgument(f"invalid size: {value!r:.40}")
        return parse_size(value)
    except InvalidArgument as error:
        raise DockerfileError(f"size of --mount: {error}") from None
