"""Trees of files: keys that they share, what differs between two things, and one file of an image to look into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult

from tuidock.app import filetree, screen_keys
from tuidock.app.format import size
from tuidock.app.screens.keyed import Keyed, bindings
from tuidock.app.screens.lines import KeyLine
from tuidock.app.screens.prompt import PromptLine
from tuidock.app.widgets.file_tree import FileTree
from tuidock.app.widgets.rows import Cell
from tuidock.app.widgets.status import StatusLine
from tuidock.app.widgets.text_view import TextView
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.engine.image_types import Change

#: Bytes of a file that are read to be shown.
PREVIEW = 65_536


class TreeScreen(Keyed):
    """A screen with a tree: marks, filter, folding, sorting."""

    BINDINGS = bindings(screen_keys.LAYERS)
    KEYS, HELP_TITLE = screen_keys.LAYERS, mark("Layers and files")

    @property
    def files(self) -> FileTree:
        return self.query_one(FileTree)

    def draw_status(self) -> None:
        """The line at the top anew."""

    def tree_words(self) -> str:
        """What is shown of the tree: how many of each mark, and what narrows it down."""
        tree, files = self.files.tree_shown, self.files
        if tree is None:
            return ""
        names = (("A", "added"), ("C", "changed"), ("D", "deleted"))
        words = [
            f"{tree.counts[mark]:,} {name}{'' if mark in files.marks else ' (hidden)'}".replace(",", " ")
            for mark, name in names
            if tree.counts[mark]
        ]
        if files.pattern:
            words.append(f"/{files.pattern} {files.hits}")
        if files.order == "size":
            words.append("by size")
        return " · ".join(words)

    @on(FileTree.Changed)
    def _tree_changed(self) -> None:
        self.draw_status()

    def action_added(self) -> None:
        self.files.toggle_mark("A")

    def action_changed(self) -> None:
        self.files.toggle_mark("C")

    def action_deleted(self) -> None:
        self.files.toggle_mark("D")

    def action_filter(self) -> None:
        files = self.files
        before = files.pattern

        def cancelled() -> None:
            files.set_pattern(before)

        self.open_prompt(
            PromptLine(
                "/", self._filter, value=before, changed=files.set_pattern, cancelled=cancelled,
                past=self.tuidock.path_filters, note=tr('regular expression over whole paths'),
            )
        )  # fmt: skip

    def _filter(self, text: str) -> None:
        if text != self.files.pattern:
            self.files.set_pattern(text)
        self.files.focus()

    def action_unfold(self) -> None:
        self.files.unfold_all()

    def action_fold(self) -> None:
        self.files.unfold_all(False)

    def action_sort(self) -> None:
        self.files.sort("size" if self.files.order == "name" else "name")

    def action_copy(self) -> None:
        if (node := self.files.node) is not None:
            self.tuidock.copy("/" + clean(node.path))

    def leave_tree(self) -> bool:
        """esc: first the filter and the marks that hide something go."""
        files = self.files
        if files.pattern or len(files.marks) < len(filetree.MARKS):
            files.marks = set(filetree.MARKS)
            files.set_pattern("")
            return True
        return False


class DiffScreen(TreeScreen):
    """What differs, as a tree. ask gives the changes; it is called with the engine, in a thread."""

    def __init__(self, title: str, ask: Callable[[Any], Sequence[Change]]) -> None:
        super().__init__(name="diff", classes="diff-screen")
        self._title, self._question = title, ask

    def compose(self) -> ComposeResult:
        yield StatusLine(id="files-status")
        yield FileTree(ascii=self.tuidock.config.ascii, sizes=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        files = self.files
        files.clear(tr("comparing …"))
        files.focus()
        self.draw_status()
        self.draw_keys()

        def compared(tree: filetree.Tree) -> None:
            if self.is_attached:
                files.show(tree, tr("Nothing differs."))

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                files.clear(text)

        question = self._question
        self.tuidock.engine_workers.ask_apart(lambda engine: filetree.of_changes(question(engine)), compared, failed)

    def hidden_keys(self) -> Sequence[str]:
        return ("layers.next", "layers.whole", "layers.sort")

    def draw_status(self) -> None:
        self.query_one("#files-status", StatusLine).set([clean(self._title)], [Cell(self.tree_words(), "muted")])

    def action_whole(self) -> None:
        """There are no layers here."""

    def action_next(self) -> None:
        self.files.focus()

    def action_open(self) -> None:
        self.files.action_open()

    def action_back(self) -> None:
        if not self.leave_tree():
            self.dismiss()


class FileScreen(Keyed):
    """The beginning of one file, as text or as bytes. read gives it; it is called with the engine and a number of bytes,
    in a thread."""

    BINDINGS = bindings(screen_keys.FILE)
    KEYS, HELP_TITLE = screen_keys.FILE, "File"

    def __init__(self, path: str, length: int, read: Callable[[Any, int], bytes]) -> None:
        super().__init__(name="file", classes="file-screen")
        self._path, self._length, self._read = path, length, read
        self._content = b""
        self._hex = False

    def compose(self) -> ComposeResult:
        yield StatusLine(id="file-status")
        yield TextView(ascii=self.tuidock.config.ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self.query_one(TextView).focus()
        self.draw_keys()
        self._draw(tr("reading …"))

        def read(content: bytes) -> None:
            if self.is_attached:
                self._content = content
                self._hex = filetree.is_binary(content)
                self._show()

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached:
                self._draw("")
                self.tuidock.say(text, "error")
                self.dismiss()

        question = self._read
        self.tuidock.engine_workers.ask_apart(lambda engine: question(engine, PREVIEW), read, failed)

    def _show(self) -> None:
        view = self.query_one(TextView)
        if self._hex:
            view.show(filetree.hex_lines(self._content))
        else:
            view.show(self._content.decode("utf-8", "replace"))
        words = ["bytes" if self._hex else "text", size(self._length)]
        if self._length > len(self._content):
            words.append(f"the first {size(len(self._content))}")
        if not self._content:
            words = ["empty"]
        self._draw(" · ".join(words))

    def _draw(self, right: str) -> None:
        self.query_one("#file-status", StatusLine).set(["/" + self._path], [Cell(right, "muted")])

    def action_hex(self) -> None:
        self._hex = not self._hex
        self._show()

    def action_wrap(self) -> None:
        view = self.query_one(TextView)
        view.set_wrap(not view.wrap)

    def action_copy(self) -> None:
        lines = self.query_one(TextView).text.split("\n")
        self.tuidock.copy("\n".join(clean(line) for line in lines), "the file")

    def action_back(self) -> None:
        self.dismiss()
