"""The layers of an image and their files: what each command added, changed and deleted, and what that wastes.

Wide: layers on the left, files on the right. Narrow: one after the other, enter goes in and esc comes back. Trees are
made in a thread when a layer is looked at, and kept while the screen is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Static

from tuidock.app import filetree
from tuidock.app.format import size
from tuidock.app.layout import WIDE
from tuidock.app.model import IMAGES
from tuidock.app.model import Row as Thing
from tuidock.app.screens.files import FileScreen, TreeScreen
from tuidock.app.screens.lines import KeyLine
from tuidock.app.widgets.file_tree import FileTree
from tuidock.app.widgets.line_table import Cell, Column, LineTable, Row
from tuidock.app.widgets.plain_table import PlainTable
from tuidock.app.widgets.status import StatusLine
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.image_types import LayerInfo, TreeEntry

COLUMNS = (
    Column("number", "", 3, "right", sortable=False),
    Column("size", "SIZE", 6, "right", sortable=False),
    Column("wasted", "WASTED", 6, "right", priority=2, sortable=False),
    Column("command", "COMMAND", 16, grow=1, sortable=False),
)
#: How long the cursor has to rest on a layer before its files are read.
DELAY = 0.1


def rows_of(layers: Sequence[LayerInfo]) -> list[Row]:
    return [
        Row(
            str(each.index),
            (
                Cell(str(at), "muted"),
                Cell(size(each.size), "" if each.size else "muted"),
                Cell(size(each.wasted) if each.wasted else "", "warn"),
                words_of(each),
            ),
        )
        for at, each in enumerate(layers, 1)
    ]


def words_of(layer: LayerInfo) -> str:
    """The command as a person wrote it, without the shell that ran it."""
    text = " ".join((layer.command or layer.comment or "").split())
    for start in ("/bin/sh -c #(nop) ", "RUN /bin/sh -c ", "/bin/sh -c "):
        if text.startswith(start):
            text = ("" if "nop" in start else "RUN ") + text.removeprefix(start).strip()
            break
    return text.removesuffix(" # buildkit").strip() or layer.diff_id.removeprefix("sha256:")[:12]


def efficiency(layers: Sequence[LayerInfo]) -> tuple[int, float]:
    """Bytes that a higher layer replaces or deletes, and the share of all bytes that is not wasted."""
    whole, wasted = sum(each.size for each in layers), sum(each.wasted for each in layers)
    return wasted, (whole - wasted) / whole if whole else 1.0


class LayersScreen(TreeScreen):
    """image is a reference or an id, name what people call it."""

    def __init__(self, image: str, name: str, index: int = -1) -> None:
        super().__init__(name="layers", classes="layers-screen")
        self._image, self._called, self._first = image, name, index
        self._layers: list[LayerInfo] = []
        self._entries: dict[int, Sequence[TreeEntry]] = {}
        self._whole = False
        self._page = "layers"
        self._asked = 0
        self._delay: Timer | None = None

    def compose(self) -> ComposeResult:
        ascii = self.tuidock.config.ascii
        yield StatusLine(id="files-status")
        with Horizontal(id="layers-body"):
            with Vertical(id="layers-left"):
                yield PlainTable(COLUMNS, empty=tr("reading the layers …"), ascii=ascii)
                yield Static("", id="layer-words", markup=False)
            with Vertical(id="layers-right"):
                yield StatusLine(id="layer-title")
                yield FileTree(ascii=ascii)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        self._arrange()
        self.query_one(PlainTable).focus()
        self.files.clear("")
        self.draw_status()
        self.draw_keys()
        image = self._image

        def read(layers: list[LayerInfo]) -> None:
            if not self.is_attached:
                return
            self._layers = layers
            table = self.query_one(PlainTable)
            table.set_empty(tr("It has no layers."))
            table.set_rows(rows_of(layers))
            self._arrange()
            if self._first >= 0:
                table.move_cursor(str(self._first))
            self._load()

        self.tuidock.engine_workers.ask_apart(lambda engine: engine.layers(image), read, self._failed)

    def _failed(self, error: BaseException, text: str) -> None:
        if self.is_attached:
            self.query_one(PlainTable).set_empty(text)
            self.files.clear("")

    def command_rows(self) -> tuple[str, list[Thing]]:
        row = self.tuidock.model.find(IMAGES, self._image)
        return IMAGES, [row] if row is not None else []

    # -- layout -----------------------------------------------------------------------------------------------------

    @property
    def narrow(self) -> bool:
        return self.app.size.width < WIDE

    def on_resize(self) -> None:
        self._arrange()

    def _arrange(self) -> None:
        left, right = self.query_one("#layers-left"), self.query_one("#layers-right")
        left.display = not self.narrow or self._page == "layers"
        right.display = not self.narrow or self._page == "files"
        left.styles.width = "100%" if self.narrow else "42%"
        right.set_class(not self.narrow, "-beside")
        # As high as its rows, so that the words about the layer stand below them.
        room = max(3, self.app.size.height - 10)
        self.query_one(PlainTable).styles.height = max(2, min(len(self._layers) + 1, room))

    def _go_page(self, page: str) -> None:
        self._page = page
        self._arrange()
        (self.query_one(PlainTable) if page == "layers" else self.files).focus()

    # -- layers -----------------------------------------------------------------------------------------------------

    @property
    def index(self) -> int:
        key = self.query_one(PlainTable).cursor_key
        return int(key) if key is not None else -1

    @property
    def looked_at(self) -> LayerInfo | None:
        return next((each for each in self._layers if each.index == self.index), None)

    @on(LineTable.CursorMoved)
    def _other_layer(self) -> None:
        if self._delay is not None:
            self._delay.stop()
        self._delay = self.set_timer(DELAY, self._load)
        self._draw_words()

    def _load(self) -> None:
        """The files of the layer under the cursor; layers below it, too, when the whole is wanted."""
        self._delay = None
        layer = self.looked_at
        if layer is None:
            return
        self._asked += 1
        asked, image, whole = self._asked, self._image, self._whole
        wanted = [
            each.index for each in self._layers if each.index == layer.index or (whole and each.index < layer.index)
        ]
        known = self._entries

        def make(engine: Any) -> tuple[filetree.Tree, dict[int, Sequence[TreeEntry]]]:
            entries = {each: known.get(each) or engine.layer_tree(image, each) for each in wanted}
            in_order = [entries[each] for each in wanted]
            return (filetree.up_to(in_order) if whole else filetree.of_layer(in_order[-1])), entries

        def made(answer: tuple[filetree.Tree, dict[int, Sequence[TreeEntry]]]) -> None:
            if not self.is_attached:
                return
            tree, entries = answer
            self._entries.update(entries)
            if asked == self._asked:
                self.files.show(tree, tr("This layer changes no file."))
                self.draw_status()

        def failed(error: BaseException, text: str) -> None:
            if self.is_attached and asked == self._asked:
                self.files.clear(text)

        if self.files.tree_shown is None:
            self.files.clear(tr("reading the files …"))
        self.tuidock.engine_workers.ask_apart(make, made, failed)
        self._draw_words()

    def _draw_words(self) -> None:
        """Below the list: the whole command of the layer, and what it is."""
        layer = self.looked_at
        text = ""
        if layer is not None:
            text = clean(words_of(layer))
            if len(text) > 400:
                text = text[:399] + "…"
            text += f"\n{clean(layer.diff_id.removeprefix('sha256:')[:12])}"
            if layer.blob_size:
                text += f", {size(layer.blob_size)} compressed"
        self.query_one("#layer-words", Static).update(text)

    def draw_status(self) -> None:
        layers = self._layers
        words = []
        if layers:
            wasted, share = efficiency(layers)
            count = f"{len(layers)} layer{'s' * (len(layers) != 1)}"
            words = [
                count,
                size(sum(each.size for each in layers)),
                f"{size(wasted)} wasted",
                f"efficiency {share:.1%}",
            ]
        self.query_one("#files-status", StatusLine).set([clean(self._called)], [Cell(" · ".join(words), "muted")])
        layer = self.looked_at
        number = layers.index(layer) + 1 if layer is not None else 0
        title = f"all files up to layer {number}" if self._whole else f"what layer {number} changes"
        self.query_one("#layer-title", StatusLine).set(
            [Cell(title if number else "", "muted")], [Cell(self.tree_words(), "muted")]
        )

    # -- keys -------------------------------------------------------------------------------------------------------

    @on(LineTable.RowSelected)
    def action_open(self) -> None:
        if self.files.has_focus:
            self.files.action_open()
        else:
            self._go_page("files")

    @on(FileTree.FileChosen)
    def _file_chosen(self, event: FileTree.FileChosen) -> None:
        node = event.node
        if node.mark == "D":
            self.tuidock.say(tr("It was deleted here; a layer below has it."), "warning")
        elif node.kind == "file" and node.entry is not None:
            image, path, index = self._image, node.path, self._owner_of(node.path)

            def read(engine: Any, limit: int) -> bytes:
                return engine.read_image_file(image, path, limit=limit, index=index)  # type: ignore[no-any-return]

            self.app.push_screen(FileScreen(path, node.entry.size, read))
        else:
            self.tuidock.say(tr("It is a {kind}: there is nothing to read.", kind=node.kind), "warning")

    def _owner_of(self, path: str) -> int:
        """The layer whose file is shown: the chosen one, or the next below it that has the path."""
        below = [each.index for each in self._layers if each.index < self.index] if self._whole else []
        for index in (self.index, *reversed(below)):
            if any(entry.path == path and entry.mark not in ("D", "") for entry in self._entries.get(index, ())):
                return index
        return self.index

    def action_whole(self) -> None:
        self._whole = not self._whole
        self._load()

    def action_next(self) -> None:
        self._go_page("layers" if self.files.has_focus else "files")

    def action_back(self) -> None:
        if self.leave_tree():
            return
        if self.files.has_focus:
            self._go_page("layers")
            return
        self.dismiss()
