"""The corpus of hostile tars: archives that lie, contradict themselves or aim outside, each with what has to come of it.

Where an archive is merely odd, the measure is what docker (Go's archive/tar and its archive package) makes of it. Here are
those that are about the tree which they make; hostile_headers.py has those whose headers lie.
"""

from __future__ import annotations

import functools

from tests.rawtar import BLOCKDEVICE, CHAR, DIRECTORY, FIFO, FILE, HARDLINK, SYMLINK, entry
from tests.security import hostile_headers
from tests.security.tar_case import UP, Case, directory, either, hard, link, refused, taken


@functools.cache
def corpus(outside: str) -> dict[str, Case]:
    """All cases by name; `outside` is the directory that they aim at, with a file `witness` in it."""
    made: dict[str, Case] = {}
    for group in _GROUPS:
        for name, case in group(outside).items():
            assert name not in made, name
            made[name] = case
    return made


def _traversal(outside: str) -> dict[str, Case]:
    inside = outside.lstrip("/")
    cases = {
        f"climbing name {number}": refused(entry(name, content=b"x"))
        for number, name in enumerate(
            ("../evil", "a/../../evil", "..", "/..", "/../evil", UP + inside + "/evil", "a/../..")
        )
    }
    cases |= {
        f"{what} for the root": refused(entry(name, kind, link="x"), layer=True)  # else it is passed over, as tar does
        for what, name, kind in (
            ("file", ".", FILE), ("link", "./", SYMLINK), ("hard link", "/", HARDLINK), ("pipe", "a/..", FIFO),
            ("nothing", "", FILE),
        )
    }  # fmt: skip
    return cases | {
        "absolute name": taken(entry(f"{outside}/evil", content=b"x"), tree={f"{inside}/evil": "file x"}),
        "many slashes": taken(entry(f"//{outside}///evil", content=b"x"), tree={f"{inside}/evil": "file x"}),
        "dots inside": taken(entry("a/b/../c", content=b"x"), tree={"a/c": "file x", "a/b": ""}),
        "file through an absolute link": taken(
            link("l", outside), entry("l/evil", content=b"x"), entry("l/witness", content=b"x"),
            tree={f"{inside}/evil": "file x", f"{inside}/witness": "file x"},
        ),
        "file through a climbing link": taken(
            link("l", UP + inside), entry("l/witness", content=b"x"), tree={f"{inside}/witness": "file x"}
        ),
        "directories through a dangling link": taken(
            link("l", "b/c"), entry("l/d/e", content=b"x"), tree={"b/c/d/e": "file x", "l": "link b/c"}
        ),
        "links of proc": taken(
            link("p", "/proc/self/root"), link("q", "/proc/self/cwd"), entry(f"p{outside}/evil", content=b"x"),
            entry("q/evil", content=b"x"),
            tree={f"proc/self/root/{inside}/evil": "file x", "proc/self/cwd/evil": "file x"},
        ),
        "link to itself": refused(link("l", "l"), entry("l/f", content=b"x")),
        "ring of links": refused(link("a", "b/x"), link("b", "a/x"), entry("a/f", content=b"x")),
        "chain of 60 links": refused(*(link(f"l{n}", f"l{n + 1}") for n in range(60)), entry("l0/f", content=b"x")),
        "deep by links": taken(
            *_deep(10_000), tree={"l5": "link"}
        ),
    }  # fmt: skip


def _deep(levels: int) -> list[bytes]:
    """Directories deeper than a path can be long: each link leads 2 000 levels further down than the last."""
    step = "/".join("d" * 1700)
    parts, here = [], "."
    for number in range(levels // 1700 + 1):
        parts += [directory(f"{here}/{step}".removeprefix("./")), link(f"l{number + 1}", f"{here}/{step}")]
        here = f"l{number + 1}"
    return [*parts, entry(f"{here}/bottom", content=b"x")]


def _swaps(outside: str) -> dict[str, Case]:
    inside = outside.lstrip("/")
    return {
        "directory becomes a link": taken(
            directory("d"), entry("d/f", content=b"1"), link("d", outside), entry("d/witness", content=b"2"),
            tree={"d": f"link {outside}", f"{inside}/witness": "file 2"},
        ),
        "parent becomes a link": taken(
            directory("a/b/c"), entry("a/b/c/f", content=b"1"), link("a", outside), entry("a/b/c/evil", content=b"2"),
            tree={f"{inside}/b/c/evil": "file 2"},
        ),
        "link becomes a directory": taken(
            link("l", outside), directory("l"), entry("l/witness", content=b"x"),
            tree={"l": "directory", "l/witness": "file x", inside: ""},
        ),
        "back and forth": taken(
            *(part for n in range(50) for part in (
                link("s", outside), entry("s/evil", content=b"x"), entry("s", FILE, b"f"), directory("s"),
                entry("s/evil", content=b"%d" % n))),
            tree={"s/evil": "file 49", f"{inside}/evil": "file x"},
        ),
        "file over a link": taken(
            link("l", f"{outside}/witness"), entry("l", content=b"x"), tree={"l": "file x", inside: ""}
        ),
        "times of what became a link": taken(
            directory("d", mtime=5), link("d", outside), directory("e", mtime=5), link("e", "."), tree={"d": "link"}
        ),
        "mode of what became a link": taken(
            link("d", outside), entry("d", FIFO, mode=0o777, uid=7, gid=7), link("f", f"{outside}/witness"),
            entry("f", CHAR, mode=0o777, uid=7, device=(1, 3)), tree={"d": "fifo", "f": "char 1:3"},
        ),
    }  # fmt: skip


def _hard_links(outside: str) -> dict[str, Case]:
    inside = outside.lstrip("/")
    cases = {
        f"hard link out {number}": refused(hard("h", target), entry("h", content=b"x"))
        for number, target in enumerate((UP + "etc/passwd", f"{outside}/witness", "/etc/passwd", "..", "", "a/../../b"))
    }
    return cases | {
        "hard link through a link": refused(link("l", outside), hard("h", "l/witness")),
        "hard link to a link, then through it": taken(
            link("l", outside), hard("h", "l"), entry("h/evil", content=b"x"),
            tree={"h": f"link {outside}", f"{inside}/evil": "file x"},
        ),
        "hard link to a link, then over it": taken(
            link("l", f"{outside}/witness"), hard("h", "l"), entry("h", content=b"x"),
            tree={"h": "file x", "l": f"link {outside}/witness"},
        ),
        "hard link to a directory": refused(directory("d"), hard("h", "d")),
        "hard link to what comes later": refused(hard("h", "f"), entry("f", content=b"x")),
        "hard link to itself": either(entry("f", content=b"x"), hard("f", "f")),
        "hard link that replaces its parent": refused(entry("d/f", content=b"x"), hard("d", "d/f")),
        "hard link to a whiteout": refused(entry(".wh.gone"), hard("h", "gone"), layer=True),
        "hard link with content behind": either(entry("f", content=b"x"), entry("h", HARDLINK, b"y" * 600, link="f")),
        "written after being linked": taken(
            entry("f", content=b"one"), hard("h", "f"), entry("h", content=b"two"), tree={"f": "file one", "h": "file two"}
        ),
    }  # fmt: skip


def _special_files(outside: str) -> dict[str, Case]:
    return {
        "file over a device": taken(
            entry("null", CHAR, device=(1, 3), mode=0o666), entry("null", content=b"x" * 600),
            entry("disk", BLOCKDEVICE, device=(7, 0)), entry("disk", content=b"y"),
            tree={"null": "file xxx", "disk": "file y"},
        ),
        "devices": taken(
            entry("dev/mem", CHAR, device=(1, 1)), entry("dev/sda", BLOCKDEVICE, device=(8, 0)), entry("pipe", FIFO),
            tree={"dev/mem": "char 1:1", "dev/sda": "block 8:0", "pipe": "fifo"},
        ),
        "below a pipe": refused(entry("p", FIFO), entry("p/f", content=b"x")),
        "below a file": refused(entry("f", content=b"x"), entry("f/g", content=b"x")),
        "file over a pipe": taken(entry("p", FIFO), entry("p", content=b"x"), tree={"p": "file x"}),
        "device number beyond all": refused(entry("d", CHAR, device=((1 << 40) + 1, 3))),
        "device number too big for this kernel": refused(entry("d", CHAR, device=(4096 + 1, 3))),
        "device number that is none": refused(entry("d", CHAR, device=(b"x", 3))),
        "setuid of another user": taken(
            entry("su", content=b"x", mode=0o4755, uid=1000, gid=50), directory("sg", mode=0o2775, gid=50),
            tree={"su": "file x 4755 1000:50", "sg": "directory 2775 0:50"},
        ),
        "mode with bits too many": taken(entry("f", content=b"x", mode=0o1777777), tree={"f": "file x 7777"}),
        "kinds that are none": refused(entry("f", b"Z")),
        "volume label": refused(entry("f", b"V")),
        "continued from another volume": refused(entry("f", b"M", content=b"x")),
        "old directory by its slash": taken(entry("d/", b"\0"), tree={"d": "directory"}),
    }  # fmt: skip


def _whiteouts(outside: str) -> dict[str, Case]:
    inside = outside.lstrip("/")
    cases = {
        f"whiteout of nothing {number}": refused(entry(name), layer=True)
        for number, name in enumerate((".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh..."))
    }
    return cases | {
        "whiteouts through links": taken(
            link("l", outside), entry("l/.wh.witness"), entry("l/.wh..wh..opq"), layer=True,
            tree={f"{inside}/witness": "char 0:0", inside: "directory 0755 0:0 opaque"},
        ),
        "opaque beside files of the same layer": taken(
            directory("d"), entry("d/before", content=b"1"), entry("d/.wh..wh..opq"), entry("d/after", content=b"2"),
            layer=True, tree={"d": "directory 0755 0:0 opaque", "d/before": "file 1", "d/after": "file 2"},
        ),
        "whiteout beside its own name": taken(
            entry("f", content=b"1"), entry(".wh.f"), entry(".wh.g"), entry("g", content=b"2"), directory("d"),
            entry("d/x", content=b"3"), entry(".wh.d"), layer=True,
            tree={"f": "file 1", "g": "file 2", "d": "directory 0755 0:0 opaque", "d/x": "file 3"},
        ),
        "whiteout, then a file below": either(entry(".wh.d"), entry("d/x", content=b"3")),
        "whiteouts of all kinds": taken(
            entry(".wh.a", DIRECTORY), entry(".wh.b", SYMLINK, link=outside), entry(".wh.c", content=b"x" * 1000),
            entry(".wh.d", HARDLINK, link="nothing"), entry(".wh.e", CHAR, device=(1, 3)), layer=True,
            tree=dict.fromkeys("abcde", "char 0:0"),
        ),
        "whiteout of the longest name": taken(
            entry(".wh." + "n" * 255), layer=True, tree={"n" * 255: "char 0:0"}
        ),
        "whiteout of a longer name": refused(entry(".wh." + "n" * 256), layer=True),
        "below a whiteout's name": either(entry(".wh.d/f", content=b"x")),
        "housekeeping of aufs": taken(
            directory(".wh..wh.plnk"), entry(".wh..wh.plnk/1.2", content=b"x"), entry(".wh..wh.aufs"), layer=True,
            tree={".wh..wh.plnk": "", ".wh..wh.aufs": ""},
        ),
        "a device that is a whiteout": either(entry("x", CHAR, device=(0, 0))),
    }  # fmt: skip


def _duplicates(outside: str) -> dict[str, Case]:
    return {
        "file twice": taken(entry("f", content=b"1"), entry("f", content=b"2", mode=0o600), tree={"f": "file 2 0600"}),
        "directory, file, directory": taken(
            directory("x"), entry("x/y", content=b"1"), entry("x", content=b"2"), directory("x"),
            tree={"x": "directory", "x/y": ""},
        ),
        "directory twice": taken(
            directory("d", mode=0o700, uid=5), entry("d/f", content=b"1"), directory("d", mode=0o711),
            tree={"d": "directory 0711 0:0", "d/f": "file 1"},
        ),
        "names that are one": taken(
            entry("a/b", content=b"1"), entry("./a//b", content=b"2"), entry("/a/./b", content=b"3"), tree={"a/b": "file 3"}
        ),
        "root twice": taken(directory("./", mode=0o700), directory("/", mode=0o751, uid=3), tree={"": "directory 0751 3:0"}),
        "link over a full directory": taken(
            directory("d/e/f"), entry("d/e/f/g", content=b"1"), link("d", "x"), tree={"d": "link x"}
        ),
    }  # fmt: skip


_TREE_GROUPS = (_traversal, _swaps, _hard_links, _special_files, _whiteouts, _duplicates)
_GROUPS = (*_TREE_GROUPS, *hostile_headers.GROUPS)
#: The names of those that are about the tree.
TREES = {name for group in _TREE_GROUPS for name in group("/nowhere")}
