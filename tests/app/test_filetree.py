"""Trees of files: sums, marks, merging layers, filters - and fifty thousand names."""

from __future__ import annotations

import re
import time

from tests.fakes.scripts import sample_trees
from tuidock.app import filetree
from tuidock.app.filetree import MARKS, Tree
from tuidock.engine.image_types import Change, TreeEntry


def paths(tree: Tree, **narrow: object) -> list[str]:
    for node in tree.nodes:
        node.open = True
    return [node.path for node in tree.lines(narrow.get("passing"), str(narrow.get("by", "name")))]  # type: ignore[arg-type]


def test_sums_of_directories_leave_out_what_was_deleted() -> None:
    tree = filetree.of_layer(
        [
            TreeEntry("a", "dir", ""),
            TreeEntry("a/b", "file", "A", 10),
            TreeEntry("a/c", "dir", "A"),
            TreeEntry("a/c/d", "file", "C", 5),
            TreeEntry("a/old", "file", "D", 900),
        ]
    )
    assert tree.get("a").size == 15 and tree.get("a/c").size == 5 and tree.root.size == 15  # type: ignore[union-attr]
    assert tree.counts == {"A": 2, "C": 1, "D": 1, "": 1}


def test_a_directory_that_nobody_named_is_made() -> None:
    tree = filetree.of_changes([Change("A", "/etc/x/y")])
    assert paths(tree) == ["etc", "etc/x", "etc/x/y"] and tree.get("etc").is_directory  # type: ignore[union-attr]


def test_all_files_up_to_a_layer_carry_the_marks_of_that_one() -> None:
    tree = filetree.up_to(sample_trees()[:2])
    marks = {node.path: node.mark for node in tree.nodes}
    assert marks["usr/sbin/nginx"] == "A" and marks["etc/passwd"] == "C" and marks["usr/share/doc"] == "D"
    assert marks["usr/bin/bash"] == "" and "usr/share/doc/copyright" not in marks
    later = filetree.up_to(sample_trees())
    assert later.get("usr/share/doc") is None, "what an earlier layer has deleted is not there"
    assert later.get("etc/nginx/nginx.conf").mark == "C" and later.get("etc/nginx/mime.types").mark == ""  # type: ignore[union-attr]


def test_filters_keep_the_way_to_what_fits() -> None:
    tree = filetree.of_layer(sample_trees()[1])
    assert tree.passing(MARKS, None) is None
    only_deleted = tree.passing({"D"}, None)
    assert paths(tree, passing=only_deleted) == ["usr", "usr/share", "usr/share/doc"]
    found = tree.passing(MARKS, re.compile("conf$"))
    assert paths(tree, passing=found) == ["etc", "etc/nginx", "etc/nginx/nginx.conf"]


def test_by_size_the_largest_come_first() -> None:
    tree = filetree.of_layer([TreeEntry("a", "file", "A", 1), TreeEntry("b", "file", "A", 9)])
    assert paths(tree, by="size") == ["b", "a"] and paths(tree) == ["a", "b"]


def test_modes() -> None:
    assert filetree.mode_words(TreeEntry("x", "file", "", mode=0o4755)) == "-rwsr-xr-x"
    assert filetree.mode_words(TreeEntry("x", "dir", "", mode=0o1777)) == "drwxrwxrwt"
    assert filetree.mode_words(TreeEntry("x", "file", "", mode=0o2640)) == "-rw-r-S---"
    assert filetree.mode_words(TreeEntry("x", "link", "", mode=0o777)) == "lrwxrwxrwx"


def test_text_and_bytes() -> None:
    assert filetree.is_binary(b"\x7fELF\0\1") and not filetree.is_binary("Grüße\n".encode())
    assert filetree.is_binary(bytes(range(128, 256)) * 4)
    assert filetree.hex_lines(b"0123456789abcdefXY\0").split("\n") == [
        "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
        f"00000010  58 59 00{' ' * 42}|XY.|",
    ]


def many(count: int) -> list[TreeEntry]:
    entries = []
    for top in range(count // 500):
        entries.append(TreeEntry(f"d{top:04}", "dir", "A"))
        entries += [TreeEntry(f"d{top:04}/file{at:04}.py", "file", "ACD"[at % 3], at) for at in range(500)]
    return entries


def test_fifty_thousand_names() -> None:
    """Generous limits, because machines are slow at times; what matters is that nothing is quadratic."""
    entries = many(50_000)
    begun = time.process_time()
    tree = filetree.of_layer(entries)
    built = time.process_time()
    found = tree.passing(MARKS, re.compile("file0123"))
    filtered = time.process_time()
    lines = tree.lines(None)
    for node in lines:
        node.open = True
    every = tree.lines(None)
    ended = time.process_time()
    assert len(tree) == 50_100 and len(lines) == 100 and len(every) == 50_100 and len(found or ()) == 201
    assert built - begun < 2 and filtered - built < 0.5 and ended - filtered < 0.5
