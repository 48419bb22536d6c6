"""USER and --group-add against an image's own passwd and group: CVE-2024-9676, CVE-2024-40635, CVE-2026-30892."""

from __future__ import annotations

import os

import pytest

from tests.native.monitored import needs_root
from tests.native.record import Box

pytestmark = needs_root

PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n1000:x:0:0::/:\nbig:x:4294967296:0::/:\nminus:x:-1:-1::/:\nempty:x:::::\n"
    "worker:x:7:8::/:\n"
)


@pytest.fixture
def named(box: Box) -> Box:
    (box.rootfs / "etc/passwd").write_text(PASSWD)
    (box.rootfs / "etc/group").write_text("root:x:0:\n1000:x:0:\nwheel:x:4294967306:\nstaff:x:50:1000\n")
    return box


def test_digits_are_a_number_and_never_a_name(named: Box) -> None:
    named.values["user"] = "1000:1000"
    assert named.shell("id -u; id -g; id -G") == "1000\n1000\n1000\n"


def test_digits_of_a_group_are_a_number(named: Box) -> None:
    named.values["user"] = "7"
    named.extra += [("group-add", "1000")]
    assert named.shell("id -G") == "8 1000\n"


@pytest.mark.parametrize(
    "user",
    [
        "-1", "4294967296", "2147483648", "9" * 300, "0x0", "+0", " 0", "0 ", "0:0:0", "0:-1", "0:4294967296", ":::", "big",
        "minus", "empty", "../../etc/passwd", "root\nx", "\N{ARABIC-INDIC DIGIT ONE}", "nobody" * 60,
        "worker:wheel",
    ],
)  # fmt: skip
def test_what_is_no_user_does_not_start(named: Box, user: str) -> None:
    named.values["user"] = user
    named.command = ("id",)
    assert named.start().startswith("error user"), user


def test_the_same_for_exec(named: Box) -> None:
    named.serve()
    assert named.exec("-u", "1000", "--", "id", "-u").stdout == "1000\n"
    for user in ("-1", "4294967296", "big", "minus", "0:0:0", "root\nx"):
        done = named.exec("-u", user, "--", "id")
        assert done.returncode == 126 and not done.stdout, (user, done)


@pytest.mark.parametrize("kind", ["fifo", "directory", "huge", "device", "link"])
def test_a_hostile_passwd_neither_hangs_nor_leads_out(box: Box, kind: str) -> None:
    passwd = box.rootfs / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "huge":
        with passwd.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "device":
        os.mknod(passwd, 0o666 | 0o020000, os.makedev(1, 5))
    else:
        passwd.symlink_to("/proc/self/root/etc/passwd")
    box.values["user"] = "worker"
    assert box.start().startswith("error user")
    box.values["user"] = "5"
    assert box.shell("grep Uid: /proc/self/status").split() == [
        "Uid:",
        "5",
        "5",
        "5",
        "5",
    ]  # id would read passwd itself
