"""The files of a layer, or of all layers up to one, as a tree: sums of directories, marks, what a filter lets through.

Pure, and made for a hundred thousand names: one pass builds it (in a thread), children are put in order when somebody
unfolds their directory, and a filter is one pass over flat lists.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from tuidock.engine.image_types import Change, TreeEntry

#: Docker's letters for added, changed and deleted; "" is what only was there before.
MARKS = ("A", "C", "D", "")


class Node:
    """A name in the tree. size of a directory is the sum of what is in it, without what was deleted."""

    __slots__ = ("children", "depth", "entry", "mark", "name", "open", "ordered", "parent", "path", "size")

    def __init__(self, path: str, name: str, parent: Node | None) -> None:
        self.path, self.name, self.parent = path, name, parent
        self.depth: int = parent.depth + 1 if parent is not None else -1
        self.entry: TreeEntry | None = None
        self.mark = ""
        self.size = 0
        self.children: list[Node] | None = None
        self.ordered = ""
        self.open = False

    @property
    def kind(self) -> str:
        if self.children is not None:
            return "dir"
        return self.entry.kind if self.entry is not None else "dir"

    @property
    def is_directory(self) -> bool:
        return self.kind == "dir"

    def in_order(self, by: str) -> Sequence[Node]:
        """Children by name, or the largest first."""
        if self.children is None:
            return ()
        if self.ordered != by:
            self.children.sort(key=lambda node: (-node.size, node.name) if by == "size" else (0, node.name))
            self.ordered = by
        return self.children


class Tree:
    """All nodes, parents before their children."""

    def __init__(self, entries: Iterable[tuple[TreeEntry, str]]) -> None:
        self.root = Node("", "", None)
        self.root.children = []
        self.nodes: list[Node] = []
        self._by_path: dict[str, Node] = {"": self.root}
        self.counts = dict.fromkeys(MARKS, 0)
        for entry, mark in entries:
            path = entry.path.strip("/")
            if not path:
                continue
            node = self._node(path)
            node.entry, node.mark = entry, mark
            if entry.kind == "dir":
                if node.children is None:
                    node.children = []
            elif mark != "D":
                node.size = entry.size
            self.counts[mark if mark in self.counts else ""] += 1
        for node in reversed(self.nodes):
            if node.parent is not None and node.mark != "D":
                node.parent.size += node.size

    def __len__(self) -> int:
        return len(self.nodes)

    def _node(self, path: str) -> Node:
        node = self._by_path.get(path)
        if node is None:
            head, _, name = path.rpartition("/")
            parent = self._by_path.get(head) or self._node(head)
            node = self._by_path[path] = Node(path, name, parent)
            if parent.children is None:
                parent.children = []
            parent.children.append(node)
            self.nodes.append(node)
        return node

    def get(self, path: str) -> Node | None:
        return self._by_path.get(path)

    def passing(self, marks: Collection[str], pattern: re.Pattern[str] | None) -> set[Node] | None:
        """The nodes that fit and all directories above them; None when everything does."""
        if pattern is None and all(mark in marks for mark in MARKS):
            return None
        found: set[Node] = set()
        search = pattern.search if pattern is not None else None
        for node in self.nodes:
            if node.mark not in marks or (node.entry is None and search is None):
                continue
            if not node.mark and node.children and search is None:
                continue  # a directory that only holds others is there for them
            if search is not None and search(node.path) is None:
                continue
            above: Node | None = node
            while above is not None and above not in found:
                found.add(above)
                above = above.parent
        return found

    def lines(self, passing: set[Node] | None, by: str = "name") -> list[Node]:
        """What is unfolded, from top to bottom."""
        return list(unfolded(self.root, passing, by))

    def unfold_first(self) -> None:
        """Opens what has only one thing in it, so that a lonely path is seen at once."""
        node = self.root
        while node.children and len(node.children) == 1:
            node = node.children[0]
            node.open = True


def unfolded(start: Node, passing: set[Node] | None, by: str) -> Iterator[Node]:
    """The lines below a directory."""
    stack = [iter(start.in_order(by))]
    while stack:
        for node in stack[-1]:
            if passing is not None and node not in passing:
                continue
            yield node
            if node.open and node.children:
                stack.append(iter(node.in_order(by)))
                break
        else:
            stack.pop()


def of_layer(entries: Sequence[TreeEntry]) -> Tree:
    """What one layer changes."""
    return Tree((entry, entry.mark) for entry in entries)


def up_to(layers: Sequence[Sequence[TreeEntry]]) -> Tree:
    """All files up to the last of these layers, with the marks of that one."""
    found: dict[str, tuple[TreeEntry, str]] = {}
    for at, entries in enumerate(layers):
        last = at == len(layers) - 1
        gone = {entry.path for entry in entries if entry.mark == "D"}
        if gone:
            found = {path: pair for path, pair in found.items() if not _below(path, gone)}
        for entry in entries:
            if entry.mark != "D":
                known = found.get(entry.path)
                if last or known is None or entry.mark:
                    found[entry.path] = (entry, entry.mark if last else "")
            elif last:
                found[entry.path] = (entry, "D")
    return Tree(found.values())


def _below(path: str, gone: set[str]) -> bool:
    while path:
        if path in gone:
            return True
        path = path.rpartition("/")[0]
    return False


def of_changes(changes: Sequence[Change]) -> Tree:
    """Differences, which say nothing of sizes; what others are below of is a directory."""
    paths = {change.path.strip("/") for change in changes}
    above = {path.rpartition("/")[0] for path in paths}
    return Tree(
        (
            TreeEntry(change.path.strip("/"), "dir" if change.path.strip("/") in above else "file", change.kind),
            change.kind,
        )
        for change in changes
    )


def mode_words(entry: TreeEntry) -> str:
    """drwxr-xr-x"""
    kinds = {"dir": "d", "link": "l", "device": "c", "fifo": "p", "socket": "s"}
    bits = "".join(letter if entry.mode >> (8 - at) & 1 else "-" for at, letter in enumerate("rwxrwxrwx"))
    special = ((0o4000, 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t"))
    for bit, at, letter in special:
        if entry.mode & bit:
            bits = bits[:at] + (letter if bits[at] == "x" else letter.upper()) + bits[at + 1 :]
    return kinds.get(entry.kind, "-") + bits


def hex_lines(content: bytes) -> str:
    """As `hexdump -C` shows it."""
    lines = []
    for at in range(0, len(content), 16):
        row = content[at : at + 16]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {left:<23}  {right:<23}  |{text}|")
    return "\n".join(lines)


def is_binary(content: bytes) -> bool:
    """Whether it is better shown as bytes."""
    if b"\0" in content[:8192]:
        return True
    text = content[:8192].decode("utf-8", "replace")
    return text.count("\ufffd") > max(1, len(text) // 20)
