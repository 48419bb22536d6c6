"""Devices and limits: --device, --gpus, --ulimit, block-io rates and weights, --device-cgroup-rule."""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.fields import split_fields
from tuidock.engine.options.values import parse_size, to_mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_ULIMITS = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
ULIMITS = tuple(_ULIMITS.split(" "))


def is_cdi_device(raw: str) -> bool:
    """`vendor.com/class=name`: a device that a Container Device Interface file describes."""
    kind, equals, name = raw.partition("=")
    vendor, slash, group = kind.partition("/")
    return bool(equals and slash and vendor and group and name and vendor[0].isalpha())


def _is_mode(text: str) -> bool:
    return 0 < len(text) <= 3 and all(char in "rwm" for char in text) and len(set(text)) == len(text)


def check_device(raw: str) -> str:
    """--device, unchanged when parse_device or the CDI will understand it."""
    if not is_cdi_device(raw):
        parse_device(raw)
    return raw


def parse_device(raw: str) -> dict[str, str]:
    """`/dev/snd[:/dev/inside][:rwm]` as docker's DeviceMapping."""
    parts = raw.split(":")
    source, target, mode = parts[0], "", "rwm"
    if len(parts) > 3 or not source:
        raise InvalidArgument(f"invalid device specification: {raw}")
    if len(parts) == 3:
        target, mode = parts[1], parts[2]
    elif len(parts) == 2:
        if _is_mode(parts[1]):
            mode = parts[1]
        else:
            target = parts[1]
    if not _is_mode(mode):
        raise InvalidArgument(f"bad mode specified: {mode}")
    target = target or source
    if not target.startswith("/"):
        raise InvalidArgument(f"{target} is not an absolute path")
    return {"PathOnHost": source, "PathInContainer": target, "CgroupPermissions": mode}


def parse_ulimit(raw: str) -> dict[str, Any]:
    """`nofile=1024[:2048]` as docker's Ulimit; -1 is unlimited."""
    name, equals, limits = raw.partition("=")
    if not equals:
        raise InvalidArgument(f"invalid ulimit argument: {raw}")
    if name not in ULIMITS:
        raise InvalidArgument(f"invalid ulimit type: {name}")
    soft_text, colon, hard_text = limits.partition(":")
    soft = _limit(soft_text, raw)
    hard = _limit(hard_text, raw) if colon else soft
    if hard != -1 and (soft == -1 or soft > hard):
        raise InvalidArgument(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")
    return {"Name": name, "Hard": hard, "Soft": soft}


def _limit(text: str, raw: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise InvalidArgument(f"invalid ulimit value in {raw}: '{text}' is not a number")
    return int(text)


def merge_ulimits(ulimits: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One limit per name, the last one given, in the order of names."""
    by_name = {ulimit["Name"]: ulimit for ulimit in ulimits}
    return [by_name[name] for name in sorted(by_name)]


def _device_value(raw: str) -> tuple[str, str]:
    path, colon, value = raw.partition(":")
    if not colon or not path:
        raise InvalidArgument(f"bad format: {raw}")
    if not path.startswith("/dev/"):
        raise InvalidArgument(f"bad format for device path: {raw}")
    return path, value


def parse_throttle_bps(raw: str) -> dict[str, Any]:
    """`/dev/sda:1mb` as docker's ThrottleDevice."""
    path, value = _device_value(raw)
    try:
        return {"Path": path, "Rate": parse_size(value)}
    except InvalidArgument:
        raise InvalidArgument(
            f"invalid rate for device: {raw}. The correct format is <device-path>:<number>[<unit>]. Number must be a "
            "positive integer. Unit is optional and can be kb, mb, or gb"
        ) from None


def parse_throttle_iops(raw: str) -> dict[str, Any]:
    """`/dev/sda:1000` as docker's ThrottleDevice."""
    path, value = _device_value(raw)
    if not (value.isascii() and value.isdecimal()):
        raise InvalidArgument(
            f"invalid rate for device: {raw}. The correct format is <device-path>:<number>. Number must be a positive "
            "integer"
        )
    return {"Path": path, "Rate": int(value)}


def parse_weight_device(raw: str) -> dict[str, Any]:
    """`/dev/sda:100` as docker's WeightDevice: 0, or 10 to 1000."""
    path, value = _device_value(raw)
    weight = int(value) if value.isascii() and value.isdecimal() else -1
    if weight != 0 and not 10 <= weight <= 1000:
        raise InvalidArgument(f"invalid weight for device: {raw}")
    return {"Path": path, "Weight": weight}


def parse_blkio_weight(raw: str) -> int:
    """--blkio-weight: 0, or 10 to 1000."""
    weight = int(raw) if raw.isascii() and raw.isdecimal() else -1
    if weight != 0 and not 10 <= weight <= 1000:
        raise InvalidArgument("it must be 0, or between 10 and 1000")
    return weight


def check_cgroup_rule(raw: str) -> str:
    """--device-cgroup-rule: `c 1:3 rwm`, with * for all minors or majors."""
    parts = raw.split(" ")
    major, colon, minor = parts[1].partition(":") if len(parts) == 3 else ("", "", "")
    numbers = all(text == "*" or (text.isascii() and text.isdecimal()) for text in (major, minor))
    if len(parts) != 3 or parts[0] not in ("a", "b", "c") or not colon or not numbers or not _is_mode(parts[2]):
        raise InvalidArgument(f"invalid device cgroup format '{raw}'")
    return raw


def _gpu_count(raw: str) -> int:
    if raw == "all":
        return -1
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        raise InvalidArgument(f'invalid count ({raw}): value must be either "all" or an integer')
    return int(raw)


def parse_gpus(raw: str) -> dict[str, Any]:
    """--gpus `all`, `2` or `driver=nvidia,"capabilities=compute,utility"` as docker's DeviceRequest."""
    request: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}
    seen: set[str] = set()
    for field in split_fields(raw):
        key, equals, value = field.partition("=")
        if not equals:
            key, value = "count", key
        if key in seen:
            raise InvalidArgument(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        if key == "count":
            request["Count"] = _gpu_count(value)
        elif key == "driver":
            request["Driver"] = value
        elif key == "device":
            request["DeviceIDs"] = value.split(",")
        elif key == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        elif key == "options":
            request["Options"] = to_mapping(split_fields(value))
        else:
            raise InvalidArgument(f"unexpected key '{key}' in '{field}'")
    if "count" not in seen and "device" not in seen:
        request["Count"] = 1
    return request
