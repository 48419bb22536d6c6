"""`--mount type=bind,source=/on/host,target=/inside,readonly`: docker's API Mount."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.values import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SWITCHES = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src")
_OPTIONS = ("BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions")
_KINDS = {"bind": "BindOptions", "volume": "VolumeOptions", "image": "ImageOptions", "tmpfs": "TmpfsOptions"}


def parse_mount(spec: str, cwd: str = "") -> dict[str, Any]:
    """One --mount value. A relative source of a bind is made absolute."""
    mount: dict[str, Any] = {"Type": "volume"}
    recursive = ""
    for field in split_fields(spec):
        key, value, given = _key_value(field)
        if key == "type":
            mount["Type"] = value.lower()
        elif key in ("source", "src"):
            mount["Source"] = value
        elif key in ("target", "dst", "destination"):
            mount["Target"] = value
        elif key in ("readonly", "ro"):
            mount["ReadOnly"] = _boolean(key, value, given)
        elif key == "consistency":
            mount["Consistency"] = value.lower()
        elif key == "bind-recursive":
            recursive = value
            _recursion(mount, value)
        elif not _option(mount, key, value, given):
            raise InvalidArgument(f"unknown option '{key}' in '{field}'")
    _check(mount, recursive)
    if mount["Type"] == "bind" and mount.get("Source", "").startswith("."):
        mount["Source"] = os.path.normpath(os.path.join(cwd or os.getcwd(), mount["Source"]))
    if not mount.get("ReadOnly", True):
        del mount["ReadOnly"]
    ordered = ("Type", "Source", "Target", "ReadOnly", "Consistency", *_OPTIONS)
    return {key: mount[key] for key in ordered if key in mount}


def _key_value(field: str) -> tuple[str, str, bool]:
    name, equals, value = field.partition("=")
    if name != name.strip():
        raise InvalidArgument(f"invalid option '{name.strip()}' in '{field}': option should not have whitespace")
    if not name:
        raise InvalidArgument(f"invalid value '{field}': empty option name")
    key = name.lower()
    if not equals and key not in _SWITCHES:
        raise InvalidArgument(f"invalid field '{field}' must be a key=value pair")
    if equals and not value:
        raise InvalidArgument(f"invalid value for '{key}': value is empty")
    if value != value.strip():
        raise InvalidArgument(f"invalid value for '{key}' in '{field}': value should not have whitespace")
    return key, value, bool(equals)


def _boolean(key: str, value: str, given: bool) -> bool:
    if not given or value in ("true", "1"):
        return True
    if value in ("false", "0"):
        return False
    raise InvalidArgument(
        f"invalid value for '{key}': invalid boolean value (\"{value}\"): must be one of "
        '"true", "1", "false", or "0" (default "true")'
    )


def _recursion(mount: dict[str, Any], value: str) -> None:
    settings = {
        "enabled": {},
        "disabled": {"NonRecursive": True},
        "writable": {"ReadOnlyNonRecursive": True},
        "readonly": {"ReadOnlyForceRecursive": True},
    }
    if value not in settings:
        raise InvalidArgument(
            f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
        )
    if settings[value]:
        mount.setdefault("BindOptions", {}).update(settings[value])


def _option(mount: dict[str, Any], key: str, value: str, given: bool) -> bool:
    """Options of one mount type; False when the key is unknown."""
    if key == "bind-propagation":
        mount.setdefault("BindOptions", {})["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        _set_switch(mount, "BindOptions", "NonRecursive", _boolean(key, value, given))
    elif key == "bind-create-src":
        _set_switch(mount, "BindOptions", "CreateMountpoint", _boolean(key, value, given))
    elif key == "volume-nocopy":
        _set_switch(mount, "VolumeOptions", "NoCopy", _boolean(key, value, given))
    elif key == "volume-subpath":
        mount.setdefault("VolumeOptions", {})["Subpath"] = value
    elif key == "volume-label":
        options = mount.setdefault("VolumeOptions", {})
        name, _, text = value.partition("=")
        if name:
            options.setdefault("Labels", {})[name] = text
    elif key == "volume-driver":
        mount.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        driver = mount.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})
        name, _, text = value.partition("=")
        if name:
            driver.setdefault("Options", {})[name] = text
    elif key == "image-subpath":
        mount.setdefault("ImageOptions", {})["Subpath"] = value
    elif key == "tmpfs-size":
        try:
            mount.setdefault("TmpfsOptions", {})["SizeBytes"] = parse_size(value)
        except InvalidArgument:
            raise InvalidArgument(f"invalid value for {key}: {value}") from None
    elif key == "tmpfs-mode":
        if not value or any(digit not in "01234567" for digit in value):
            raise InvalidArgument(f"invalid value for {key}: {value}")
        mount.setdefault("TmpfsOptions", {})["Mode"] = int(value, 8)
    else:
        return False
    return True


def _set_switch(mount: dict[str, Any], options: str, name: str, on: bool) -> None:
    group = mount.setdefault(options, {})
    if on:
        group[name] = True


def _check(mount: dict[str, Any], recursive: str) -> None:
    kind = mount["Type"]
    if not kind:
        raise InvalidArgument("type is required")
    if not mount.get("Target"):
        raise InvalidArgument("target is required")
    for other, options in _KINDS.items():
        if options in mount and other != kind:
            raise InvalidArgument(f"cannot mix '{other}-*' options with mount type '{kind}'")
    if recursive in ("writable", "readonly") and not mount.get("ReadOnly"):
        raise InvalidArgument(f"option 'bind-recursive={recursive}' requires 'readonly' to be specified in conjunction")
    if recursive == "readonly" and mount["BindOptions"].get("Propagation") != "rprivate":
        raise InvalidArgument(
            "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
        )
