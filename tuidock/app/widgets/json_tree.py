"""Inspect output as a tree: folds, search, copying of paths and values.

The open nodes are one flat list of lines, drawn by line like every list here; a value of a megabyte costs only what is
unfolded. Keys and values come from images and are hostile; they are cleaned where they become cells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tuidock.app.widgets import narrow_updates
from tuidock.app.widgets.style_cache import StyleCache
from tuidock.engine.clean import clean

#: More of a value than any line on screen has cells.
_LONGEST = 2_048
Path = tuple[str | int, ...]


class Node(NamedTuple):
    """One line: where in the value, its key and the value itself."""

    path: Path
    key: str
    value: Any

    @property
    def holds(self) -> bool:
        """Whether it can be unfolded."""
        return isinstance(self.value, (dict, list)) and bool(self.value)


def children(node: Node) -> Iterator[Node]:
    """What is directly inside a node."""
    if isinstance(node.value, dict):
        for key, value in node.value.items():
            yield Node((*node.path, str(key)), str(key), value)
    elif isinstance(node.value, list):
        for i, value in enumerate(node.value):
            yield Node((*node.path, i), str(i), value)


def leaf_text(value: Any) -> tuple[str, str]:
    """A value in one line, and the name of its style."""
    if isinstance(value, dict):
        return (f"{{{len(value)}}}" if value else "{}"), "muted"
    if isinstance(value, list):
        return (f"[{len(value)}]" if value else "[]"), "muted"
    if isinstance(value, str):
        return clean(value), "text"
    if value is None or isinstance(value, bool):
        return json.dumps(value), "word"
    return str(value), "number"


def path_text(path: Path) -> str:
    """.HostConfig.Binds[0], as jq takes it."""
    pieces = []
    for part in path:
        if isinstance(part, str) and part.isidentifier():
            pieces.append(f".{part}")
        else:
            pieces.append(f"[{json.dumps(part)}]")
    text = "".join(pieces)
    return clean(text if text.startswith(".") else "." + text)


class JsonTree(StyleCache, can_focus=True):
    """show a value: its keys, folded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="tree.up"),
        Binding("down,j", "move(1)", "down", show=False, id="tree.down"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="tree.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="tree.page_down"),
        Binding("home,g", "move(-1000000000)", "top", show=False, id="tree.top"),
        Binding("end,G", "move(1000000000)", "bottom", show=False, id="tree.bottom"),
        Binding("enter,space", "fold", "fold", show=False, id="tree.toggle"),
        Binding("plus,asterisk", "unfold_all", "unfold all", show=False, id="tree.unfold_all"),
        Binding("minus", "fold_all", "fold all", show=False, id="tree.fold_all"),
        Binding("n", "next_hit", "next hit", show=False, id="tree.next_hit"),
        Binding("N", "previous_hit", "previous hit", show=False, id="tree.previous_hit"),
        Binding("slash", "ask", "search", show=False, id="tree.search"),
        Binding("c", "copy('value')", "copy value", show=False, id="tree.copy"),
        Binding("Y", "copy('path')", "copy path", show=False, id="tree.copy_path"),
    ]
    STYLE_PREFIX = "json-tree"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"json-tree--{name}" for name in ("key", "muted", "text", "word", "number", "cursor", "hit")
    }
    DEFAULT_CSS = """
    JsonTree {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .json-tree--key { color: $primary; }
        & > .json-tree--muted { color: $text-muted; }
        & > .json-tree--word { color: $accent; }
        & > .json-tree--number { color: $success; }
        & > .json-tree--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & > .json-tree--hit { color: $warning; text-style: reverse; }
        &:nocolor > .json-tree--cursor { text-style: reverse; }
    }
    """

    class SearchRequested(Message):
        """A line to type a search in is wanted."""

    class CopyRequested(Message):
        """This text should go to the clipboard."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        narrow_updates.install()
        self._value: Any = None
        self._open: set[Path] = set()
        self._lines: list[Node] = []
        self._cursor = 0
        self._wanted = ""
        self._hits: list[Path] = []

    def show(self, value: Any) -> None:
        """Another value; what was unfolded in the one before stays so where both have it."""
        at = self.cursor_path
        self._value = value
        self._flatten()
        if self._wanted:
            self._find_hits()
        self._cursor = next((i for i, node in enumerate(self._lines) if node.path == at), 0)
        self._keep_in_view()

    @property
    def cursor_path(self) -> Path:
        return self._lines[self._cursor].path if self._cursor < len(self._lines) else ()

    @property
    def shown_paths(self) -> list[str]:
        return [path_text(node.path) for node in self._lines]

    # Search

    @property
    def hits(self) -> int:
        return len(self._hits)

    def search(self, text: str) -> None:
        """Mark keys and values with the text (case matters once it has a capital); unfold and go to the first."""
        self._wanted = text
        self._find_hits()
        self.next_hit(include_here=True)
        self.refresh()

    def next_hit(self, include_here: bool = False) -> None:
        self._go_hit(1, include_here)

    def previous_hit(self) -> None:
        self._go_hit(-1, False)

    def _find_hits(self) -> None:
        self._hits = []
        if not self._wanted:
            return
        todo = list(children(Node((), "", self._value)))[::-1]
        while todo:
            node = todo.pop()
            if self._span(clean(node.key)) or (not node.holds and self._span(leaf_text(node.value)[0])):
                self._hits.append(node.path)
            if node.holds:
                todo += list(children(node))[::-1]

    def _span(self, text: str) -> tuple[int, int] | None:
        hay = text if self._wanted != self._wanted.lower() else text.lower()
        at = hay.find(self._wanted) if self._wanted else -1
        return (at, at + len(self._wanted)) if at >= 0 and len(hay) == len(text) else None

    def _go_hit(self, direction: int, include_here: bool) -> None:
        if not self._hits:
            return
        order = {path: i for i, path in enumerate(self._all_paths())}
        here = order.get(self.cursor_path, 0)
        places = [order[path] for path in self._hits]
        if include_here:
            after = [i for i, place in enumerate(places) if place >= here]
            chosen = self._hits[after[0] if after else 0]
        elif direction > 0:
            after = [i for i, place in enumerate(places) if place > here]
            chosen = self._hits[after[0] if after else 0]
        else:
            before = [i for i, place in enumerate(places) if place < here]
            chosen = self._hits[before[-1] if before else -1]
        self._open |= {chosen[:length] for length in range(1, len(chosen))}
        self._flatten()
        self._cursor = next(i for i, node in enumerate(self._lines) if node.path == chosen)
        self._keep_in_view()

    def _all_paths(self) -> Iterator[Path]:
        todo = list(children(Node((), "", self._value)))[::-1]
        while todo:
            node = todo.pop()
            yield node.path
            if node.holds:
                todo += list(children(node))[::-1]

    # Copying

    def copy_path(self) -> str:
        return path_text(self.cursor_path)

    def copy_value(self) -> str:
        """The value under the cursor: strings as they are, everything else as JSON."""
        if self._cursor >= len(self._lines):
            return ""
        value = self._lines[self._cursor].value
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)

    # Drawing

    def _flatten(self) -> None:
        nodes: list[Node] = []
        todo = list(children(Node((), "", self._value)))[::-1]
        while todo:
            node = todo.pop()
            nodes.append(node)
            if node.holds and node.path in self._open:
                todo += list(children(node))[::-1]
        self._lines = nodes
        self._cursor = max(0, min(self._cursor, len(nodes) - 1))
        self.virtual_size = Size(self.size.width, len(nodes))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        base, width = self.rich_style, self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self._lines):
            return Strip.blank(width, base)
        node = self._lines[index]
        over = self._style("cursor") if index == self._cursor and self.has_focus else Style.null()
        sign = ("▾ " if node.path in self._open else "▸ ") if node.holds else "  "
        text, kind = leaf_text(node.value)
        indent = "  " * (len(node.path) - 1)
        segments = [Segment(" " + indent + sign, base + self._style("muted") + over)]
        segments += self._marked(clean(node.key), base + self._style("key") + over)
        segments.append(Segment("  ", base + over))
        segments += self._marked(text[:_LONGEST], base + self._style(kind) + over)
        strip = Strip(segments)
        if strip.cell_length > width:
            strip = Strip([*strip.crop(0, width - 1), Segment("…", base + self._style("muted") + over)])
        return strip.crop_extend(0, width, base + over)

    def _marked(self, text: str, style: Style) -> list[Segment]:
        span = self._span(text)
        if span is None:
            return [Segment(text, style)]
        start, end = span
        return [Segment(text[:start], style), Segment(text[start:end], style + self._style("hit")),
                Segment(text[end:], style)]  # fmt: skip

    def _keep_in_view(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True, force=True)
        elif height and self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True, force=True)
        self.refresh()

    # Events and actions

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))
        self._keep_in_view()

    def on_focus(self) -> None:
        self.refresh_line(self._cursor)

    def on_blur(self) -> None:
        self.refresh_line(self._cursor)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and self.scroll_offset.y + offset.y < len(self._lines):
            same = self._cursor == self.scroll_offset.y + offset.y
            self._cursor = self.scroll_offset.y + offset.y
            node = self._lines[self._cursor]
            on_sign = offset.x <= 2 * len(node.path) + 1
            if on_sign or (same and event.chain >= 2):
                self.action_fold()
            self.refresh()

    def action_move(self, rows: int) -> None:
        before = self._cursor
        self._cursor = max(0, min(self._cursor + rows, len(self._lines) - 1))
        if before != self._cursor:
            top = self.scroll_offset.y
            if top <= self._cursor < top + self.size.height:
                self.refresh_line(before)
                self.refresh_line(self._cursor)
            else:
                self._keep_in_view()

    def action_page(self, direction: int) -> None:
        self.action_move(direction * max(1, self.size.height - 1))

    def action_fold(self) -> None:
        """Unfold or fold; on a plain value fold what it is in."""
        if self._cursor >= len(self._lines):
            return
        node = self._lines[self._cursor]
        path = node.path if node.holds else node.path[:-1]
        if not path:
            return
        self._open ^= {path}
        self._flatten()
        self._cursor = next((i for i, one in enumerate(self._lines) if one.path == path), self._cursor)
        self._keep_in_view()

    def action_unfold_all(self) -> None:
        at = self.cursor_path
        self._open = set(self._all_paths())
        self._flatten()
        self._cursor = next((i for i, node in enumerate(self._lines) if node.path == at), 0)
        self._keep_in_view()

    def action_fold_all(self) -> None:
        at = self.cursor_path[:1]
        self._open.clear()
        self._flatten()
        self._cursor = next((i for i, node in enumerate(self._lines) if node.path == at), 0)
        self._keep_in_view()

    def action_next_hit(self) -> None:
        self.next_hit()

    def action_previous_hit(self) -> None:
        self.previous_hit()

    def action_ask(self) -> None:
        self.post_message(self.SearchRequested())

    def action_copy(self, what: str) -> None:
        self.post_message(self.CopyRequested(self.copy_path() if what == "path" else self.copy_value()))
