"""Devices of the host that a container gets: --device, and all of them for --privileged."""

from __future__ import annotations

import os
import stat

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.runtime.defaults import DEVICES, Device, DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

#: Directories of /dev whose nodes belong to somebody or are made anew in every container.
_SKIPPED_DIRECTORIES: Final = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})
_SKIPPED_NODES: Final = frozenset({"console", "ptmx"})


def requested(devices: Iterable[Mapping[str, Any]]) -> tuple[list[Device], list[DeviceRule]]:
    """Nodes and device cgroup rules for docker's HostConfig.Devices; a directory stands for all devices in it.

    Raises InvalidArgument for a path that is no device.
    """
    nodes: list[Device] = []
    rules: list[DeviceRule] = []
    for entry in devices:
        path = str(entry.get("PathOnHost") or "")
        target = str(entry.get("PathInContainer") or "") or path
        access = str(entry.get("CgroupPermissions") or "rwm")
        found = list(_at(path, target))
        if not found:
            raise InvalidArgument(
                f'error gathering device information while adding custom device "{path}": not a device node'
            )
        nodes += found
        rules += [DeviceRule(True, node.type, node.major, node.minor, access) for node in found]
    return nodes, rules


def of_host(directory: str = "/dev") -> list[Device]:
    """Every device of the host that is not among the default ones."""
    default = {device.path for device in DEVICES}
    return [device for device in _inside(directory, "/dev") if device.path not in default]


def _at(path: str, target: str) -> Iterator[Device]:
    try:
        known = os.stat(path)
    except OSError as error:
        raise InvalidArgument(
            f'error gathering device information while adding custom device "{path}": {error.strerror}'
        ) from None
    if stat.S_ISDIR(known.st_mode):
        yield from _inside(path, target)
    elif device := _device(known, target):
        yield device


def _inside(directory: str, target: str) -> Iterator[Device]:
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = f"{target}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED_DIRECTORIES:
                yield from _inside(entry.path, path)
        elif entry.name not in _SKIPPED_NODES:
            try:
                device = _device(entry.stat(follow_symlinks=False), path)
            except OSError:
                continue  # unplugged meanwhile
            if device:
                yield device


def _device(known: os.stat_result, path: str) -> Device | None:
    if stat.S_ISCHR(known.st_mode):
        kind = "c"
    elif stat.S_ISBLK(known.st_mode):
        kind = "b"
    else:
        return None
    major, minor = os.major(known.st_rdev), os.minor(known.st_rdev)
    return Device(kind, major, minor, stat.S_IMODE(known.st_mode), known.st_uid, known.st_gid, path)
