"""`-v`: `/in/container`, `name:/in/container[:options]` or `/on/host:/in/container[:options]`.

A source that looks like a path is a bind, any other a volume. What is unknown among the options is refused later, in
`check`, as docker's daemon does it; its command line accepts them.
"""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
#: Labels of SELinux and consistency hints of other systems: accepted, without effect here.
IGNORED_OPTIONS = ("z", "Z", "consistent", "cached", "delegated")


def parse_volume(spec: str) -> dict[str, Any]:
    """type, source, target, read_only, bind.propagation and volume.nocopy of one -v value, compose's names."""
    if not spec:
        raise InvalidArgument("invalid empty volume spec")
    parts = spec.split(":")
    if any(not part for part in parts) and len(parts) > 1:
        raise InvalidArgument(f"invalid spec: {spec}: empty section between colons")
    if len(parts) > 3:
        raise InvalidArgument(f"invalid spec: {spec}: too many colons")
    if len(parts) == 1:
        return {"type": "volume", "target": spec}
    source, target = parts[0], parts[1]
    volume: dict[str, Any] = {"type": "bind" if is_path(source) else "volume", "source": source, "target": target}
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option == "ro":
            volume["read_only"] = True
        elif option == "nocopy":
            volume["volume"] = {"nocopy": True}
        elif option in PROPAGATIONS:
            volume["bind"] = {"propagation": option}
    return volume


def is_path(source: str) -> bool:
    return source.startswith((".", "/", "~"))


def absolute_bind(spec: str, cwd: str = "") -> str:
    """The -v value with a source that begins with a dot made absolute; everything else unchanged."""
    source, colon, rest = spec.partition(":")
    if colon and source.startswith("."):
        return os.path.normpath(os.path.join(cwd or os.getcwd(), source)) + colon + rest
    return spec


def check_bind(spec: str) -> str:
    """Refuses what cannot be mounted and returns the target in normal form."""
    volume = parse_volume(spec)
    source: str = volume.get("source", "")
    target: str = volume["target"]
    where = f"invalid volume specification: '{spec}'"
    if not target.startswith("/"):
        raise InvalidArgument(f"{where}: invalid mount path: '{target}' mount path must be absolute")
    normal = os.path.normpath(target)
    if normal.strip("/") == "":
        raise InvalidArgument(f"{where}: destination can't be '/'")
    if volume["type"] == "volume" and source:
        check_volume_name(source)
    elif source and not source.startswith("/"):
        raise InvalidArgument(f"{where}: the source '{source}' must be an absolute path")
    seen: set[str] = set()
    for option in spec.split(":")[2].split(",") if spec.count(":") == 2 else ():
        group = "rw" if option in ("ro", "rw") else "propagation" if option in PROPAGATIONS else option
        known = option in ("ro", "rw", "nocopy", *PROPAGATIONS, *IGNORED_OPTIONS)
        wrong_kind = (option == "nocopy") == (volume["type"] == "bind") and group in ("nocopy", "propagation")
        if not known or group in seen or wrong_kind:
            raise InvalidArgument(f"{where}: invalid mode: {option}")
        seen.add(group)
    return normal if normal.startswith("/") and not normal.startswith("//") else "/" + normal.lstrip("/")


def check_volume_name(name: str) -> str:
    """A volume's name: letters, digits, `_`, `.`, `-`, beginning with a letter or digit, at least two."""
    if len(name) == 1:
        raise InvalidArgument(
            f"volume name {name!r} is too short, names should be at least two alphanumeric characters"
        )
    rest = name.translate({ord(char): "a" for char in "_.-"})
    if not name or not name.isascii() or not rest.isalnum() or not name[0].isalnum():
        raise InvalidArgument(
            f'"{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
            "allowed. If you intended to pass a host directory, use absolute path"
        )
    return name
