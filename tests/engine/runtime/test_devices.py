"""Devices of the host for containers."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.runtime import devices
from tuidock.engine.runtime.defaults import DeviceRule


def node(path: Path, major: int, minor: int, kind: int = stat.S_IFCHR) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, kind | 0o640, os.makedev(major, minor))
    os.chmod(path, 0o640)


def test_a_device_is_taken_with_its_numbers_owner_and_a_rule() -> None:
    nodes, rules = devices.requested(
        [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nix", "CgroupPermissions": "r"}]
    )
    assert nodes[0][:3] == ("c", 1, 3) and nodes[0].path == "/dev/nix"
    assert nodes[0].record() == "c 1 3 666 0 0 /dev/nix"
    assert rules == [DeviceRule(True, "c", 1, 3, "r")]


def test_a_directory_stands_for_the_devices_in_it(tmp_path: Path) -> None:
    node(tmp_path / "d" / "one", 1, 3)
    node(tmp_path / "d" / "deep" / "two", 7, 9, stat.S_IFBLK)
    (tmp_path / "d" / "text").write_text("")
    nodes, rules = devices.requested([{"PathOnHost": f"{tmp_path}/d", "PathInContainer": "/dev/d"}])
    assert [n.path for n in nodes] == ["/dev/d/deep/two", "/dev/d/one"]
    assert rules[0] == DeviceRule(True, "b", 7, 9, "rwm")


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    for path in ("/absent", str(tmp_path), __file__):
        with pytest.raises(InvalidArgument, match="error gathering device information"):
            devices.requested([{"PathOnHost": path}])


def test_privileged_gets_all_but_terminals_and_defaults(tmp_path: Path) -> None:
    for name, minor in (("null", 3), ("console", 1), ("ptmx", 2), ("pts/0", 0), ("sda", 8), ("snd/seq", 5)):
        node(tmp_path / name, 1, minor)
    (tmp_path / "link").symlink_to("sda")
    assert [d.path for d in devices.of_host(str(tmp_path))] == ["/dev/sda", "/dev/snd/seq"]
