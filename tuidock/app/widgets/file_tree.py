"""A tree of files, drawn by line: fifty thousand names unfold, fold and filter without anything being made for those
that are not on screen. Names come from images and are hostile; they are cleaned where they become text.
"""

from __future__ import annotations

import re
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from tuidock.app import format as shown
from tuidock.app.filetree import MARKS, Node, Tree, mode_words, unfolded
from tuidock.app.widgets import narrow_updates
from tuidock.app.widgets.rows import fit
from tuidock.app.widgets.style_cache import StyleCache
from tuidock.app.words import tr
from tuidock.engine.clean import clean

_STYLES = {"A": "added", "C": "changed", "D": "deleted"}
#: From these widths on modes and owners are shown, too.
_WITH_MODE, _WITH_OWNER = 64, 88


class FileTree(StyleCache, can_focus=True):
    """show a tree; marks and a pattern narrow it down."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="files.up"),
        Binding("down,j", "move(1)", "down", show=False, id="files.down"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", show=False, id="files.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", show=False, id="files.page_down"),
        Binding("ctrl+u", "page(-0.5)", "half page up", show=False, id="files.half_up"),
        Binding("ctrl+d", "page(0.5)", "half page down", show=False, id="files.half_down"),
        Binding("home,g", "move(-1000000000)", "top", show=False, id="files.top"),
        Binding("end,G", "move(1000000000)", "bottom", show=False, id="files.bottom"),
        Binding("enter,space", "open", "open", show=False, id="files.open"),
        Binding("right,l", "unfold", "unfold", show=False, id="files.unfold"),
        Binding("left,h", "fold", "fold", show=False, id="files.fold"),
        Binding("n", "next_hit(1)", "next hit", show=False, id="files.next_hit"),
        Binding("N", "next_hit(-1)", "previous hit", show=False, id="files.previous_hit"),
    ]
    STYLE_PREFIX = "file-tree"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"file-tree--{name}"
        for name in ("muted", "directory", "added", "changed", "deleted", "cursor", "cursor-blurred", "hit")
    }
    DEFAULT_CSS = """
    FileTree {
        height: 1fr;
        width: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .file-tree--muted { color: $text-muted; }
        & > .file-tree--directory { text-style: bold; }
        & > .file-tree--added { color: $success; }
        & > .file-tree--changed { color: $warning; }
        & > .file-tree--deleted { color: $error; }
        & > .file-tree--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        & > .file-tree--cursor-blurred { background: $block-cursor-blurred-background; }
        & > .file-tree--hit { text-style: underline bold; }
        &:nocolor > .file-tree--cursor { text-style: reverse bold; }
        &:nocolor > .file-tree--cursor-blurred { text-style: underline; }
    }
    """

    class FileChosen(Message):
        """enter on something that is no directory."""

        def __init__(self, tree: FileTree, node: Node) -> None:
            super().__init__()
            self.tree, self.node = tree, node

    class Changed(Message):
        """Other lines are shown, or the cursor stands elsewhere."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, FileTree.Changed)

    def __init__(self, *, ascii: bool = False, sizes: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        narrow_updates.install()
        self._opened, self._folded = ("v ", "> ") if ascii else ("▾ ", "▸ ")
        self._pointer = ">" if ascii else "▌"
        self._sizes = sizes
        self.tree_shown: Tree | None = None
        self.marks: set[str] = set(MARKS)
        self.pattern = ""
        self.order = "name"
        self._regex: re.Pattern[str] | None = None
        self._passing: set[Node] | None = None
        self._open_before: set[Node] = set()
        self._lines: list[Node] = []
        self._cursor = 0
        self._empty = ""

    # -- what is shown ----------------------------------------------------------------------------------------------

    def show(self, tree: Tree, empty: str) -> None:
        """Another tree; directories that were open in the one before are open in it, too. empty says why it may have no
        file."""
        before = self.tree_shown
        at = self.node.path if self.node is not None else ""
        if before is not None:
            for node in before.nodes:
                if node.open and (same := tree.get(node.path)) is not None:
                    same.open = True
        else:
            tree.unfold_first()
        self.tree_shown, self._empty = tree, empty
        self._narrow()
        self._flatten(at)

    def clear(self, why: str) -> None:
        """Nothing to see yet, and why."""
        self.tree_shown, self._passing, self._lines, self._empty = None, None, [], why
        self._cursor = 0
        self.virtual_size = Size(self.size.width, 0)
        self.refresh()

    @property
    def node(self) -> Node | None:
        return self._lines[self._cursor] if self._cursor < len(self._lines) else None

    @property
    def shown_paths(self) -> list[str]:
        return [node.path for node in self._lines]

    def toggle_mark(self, mark: str) -> None:
        """Show or hide what carries this mark."""
        self.marks ^= {mark}
        self._again()

    def set_pattern(self, text: str) -> str:
        """Only paths that fit; a note when the text is no regular expression and is taken literally."""
        note = ""
        flags = 0 if any(char.isupper() for char in text) else re.IGNORECASE
        try:
            self._regex = re.compile(text, flags) if text else None
        except re.error as error:
            self._regex = re.compile(re.escape(text), flags)
            note = f"no regular expression ({error.msg}), so taken literally"
        if text and not self.pattern and self.tree_shown is not None:
            self._open_before = {node for node in self.tree_shown.nodes if node.open}
        elif not text and self.pattern and self.tree_shown is not None:
            for node in self.tree_shown.nodes:
                node.open = node in self._open_before
        self.pattern = text
        self._again(unfold=bool(text))
        return note

    def sort(self, by: str) -> None:
        self.order = by
        self._flatten(self.node.path if self.node is not None else "")

    @property
    def hits(self) -> int:
        """How many paths fit the pattern."""
        if self._regex is None or self._passing is None:
            return 0
        return sum(1 for node in self._passing if node.parent is not None and self._regex.search(node.path))

    def unfold_all(self, on: bool = True) -> None:
        tree = self.tree_shown
        if tree is None:
            return
        at = self.node.path if self.node is not None else ""
        for node in tree.nodes:
            if node.children:
                node.open = on
        if not on:
            at = at.partition("/")[0]
        self._flatten(at)

    def _again(self, unfold: bool = False) -> None:
        at = self.node.path if self.node is not None else ""
        self._narrow()
        if unfold and self._passing is not None:
            for node in self._passing:
                node.open = bool(node.children)
        self._flatten(at)

    def _narrow(self) -> None:
        self._passing = self.tree_shown.passing(self.marks, self._regex) if self.tree_shown is not None else None

    def _flatten(self, at: str) -> None:
        """The lines anew; the cursor stays on its path, or on the nearest directory above it."""
        tree = self.tree_shown
        self._lines = tree.lines(self._passing, self.order) if tree is not None else []
        places = {node.path: i for i, node in enumerate(self._lines)} if at else {}
        while at and at not in places:
            at = at.rpartition("/")[0]
        self._cursor = places.get(at, 0)
        self._resized()

    def _resized(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))
        self._keep_in_view()
        self.post_message(self.Changed())
        self.refresh()

    # -- folding ----------------------------------------------------------------------------------------------------

    def _set_open(self, node: Node, on: bool) -> None:
        """Of the node under the cursor: puts in or takes out only the lines below it."""
        if node.open == on or not node.children:
            return
        place = self._cursor
        if on:
            node.open = True
            self._lines[place + 1 : place + 1] = list(unfolded(node, self._passing, self.order))
        else:
            node.open = False
            end = place + 1
            while end < len(self._lines) and self._lines[end].depth > node.depth:
                end += 1
            del self._lines[place + 1 : end]
        self._resized()

    def action_open(self) -> None:
        node = self.node
        if node is None:
            return
        if node.children is not None:
            self._set_open(node, not node.open)
        elif not node.is_directory:
            self.post_message(self.FileChosen(self, node))

    def action_unfold(self) -> None:
        node = self.node
        if node is not None and node.children and not node.open:
            self._set_open(node, True)
        else:
            self.action_move(1)

    def action_fold(self) -> None:
        """Folds, or goes to the directory that this is in."""
        node = self.node
        if node is None:
            return
        if node.children and node.open:
            self._set_open(node, False)
        elif node.parent is not None and node.parent.parent is not None:
            self._go(self._lines.index(node.parent))

    # -- moving -----------------------------------------------------------------------------------------------------

    def _go(self, place: int) -> None:
        before = self._cursor
        self._cursor = max(0, min(place, len(self._lines) - 1))
        if self._cursor != before:
            top = self.scroll_offset.y
            if top <= self._cursor < top + self.size.height:
                self.refresh_line(before)
                self.refresh_line(self._cursor)
            else:
                self._keep_in_view()
            self.post_message(self.Changed())

    def _keep_in_view(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, immediate=True, force=True)
        elif height and self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, immediate=True, force=True)
        self.refresh()

    def action_move(self, rows: int) -> None:
        self._go(self._cursor + rows)

    def action_page(self, pages: float) -> None:
        self._go(self._cursor + round(pages * max(1, self.size.height - 1)))

    def action_next_hit(self, direction: int) -> None:
        """The next line that itself fits the pattern."""
        if self._regex is None:
            return
        count = len(self._lines)
        for step in range(1, count + 1):
            place = (self._cursor + direction * step) % count
            if self._regex.search(self._lines[place].name):
                self._go(place)
                return

    # -- drawing ----------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        base, width = self.rich_style, self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self._lines):
            if y == 0 and not self._lines:
                nothing = self.tree_shown is None or not len(self.tree_shown)
                text = fit("  " + (self._empty if nothing else tr("Nothing fits; esc shows all.")), width)
                return Strip([Segment(text, base + self._style("muted"))], width)
            return Strip.blank(width, base)
        node = self._lines[index]
        over = Style.null()
        at_cursor = index == self._cursor
        if at_cursor:
            over = self._style("cursor" if self.has_focus else "cursor-blurred")
        colour = self._style(_STYLES[node.mark]) if node.mark in _STYLES else Style.null()
        muted = base + self._style("muted") + over
        segments = [Segment((self._pointer if at_cursor else " ") + (node.mark or " ") + " ", base + colour + over)]
        if self._sizes:
            segments.append(Segment(self._columns(node, width), muted))
        sign = (self._opened if node.open else self._folded) if node.children else "  "
        segments.append(Segment("  " * node.depth + sign, muted))
        style = base + colour + (self._style("directory") if node.is_directory else Style.null()) + over
        if self._regex is not None and self._regex.search(node.name):
            style += self._style("hit")
        segments.append(Segment(clean(node.name) + ("/" if node.is_directory else ""), style))
        if node.entry is not None and node.entry.target:
            segments.append(Segment(f" → {clean(node.entry.target)}", muted))
        strip = Strip(segments)
        if strip.cell_length > width:
            strip = Strip([*strip.crop(0, width - 1), Segment("…", muted)])
        return strip.crop_extend(0, width, base + over)

    @staticmethod
    def _columns(node: Node, width: int) -> str:
        """Size and, where there is room, mode and owner."""
        entry = node.entry if node.mark != "D" else None
        text = (
            fit(shown.size(node.size) if node.size or (entry is not None and entry.kind == "file") else "", 6, "right")
            + "  "
        )
        if width >= _WITH_MODE:
            text += (mode_words(entry) if entry is not None else "").ljust(12)
        if width >= _WITH_OWNER:
            text += fit(f"{entry.uid}:{entry.gid}" if entry is not None else "", 9, "right") + "  "
        return text

    # -- events -----------------------------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        self.virtual_size = Size(self.size.width, len(self._lines))
        self._keep_in_view()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self.scroll_offset.y + offset.y >= len(self._lines):
            return
        same = self._cursor == self.scroll_offset.y + offset.y
        self._go(self.scroll_offset.y + offset.y)
        if same and event.chain >= 2:
            self.action_open()
