"""Actions about images: get, build, ship, keep, look into; registries; what goes on in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuidock.app.model import CONTAINERS, IMAGES, VOLUMES, Row, row_id, row_name
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, Volume

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen


class Images:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    # -- registries -----------------------------------------------------------------------------------------------

    def image_pull(self) -> None:
        from tuidock.app.screens.registry_forms import PullForm

        self.app.push_screen(PullForm())

    def pull(self, reference: str, platform: str = "", all_tags: bool = False) -> None:
        from tuidock.app import tasks

        self.app.show_jobs(tasks.pull(self.app, reference, platform, all_tags))

    def image_push(self, rows: list[Row]) -> None:
        from tuidock.app.screens.registry_forms import PushForm

        row = rows[0]
        assert isinstance(row, Image)
        self.app.push_screen(PushForm(row))

    def push(self, reference: str) -> None:
        from tuidock.app import tasks

        self.app.show_jobs(tasks.push(self.app, reference))

    def image_search(self, term: str = "") -> None:
        from tuidock.app.screens.search import SearchScreen

        self.app.push_screen(SearchScreen(term))

    def registry_login(self, server: str = "") -> None:
        from tuidock.app.screens.registry_forms import LoginForm

        self.app.push_screen(LoginForm(server))

    def registry_logout(self) -> None:
        self.registry_logins()

    def logout(self, server: str) -> None:
        from tuidock.app.screens.logins import logout

        logout(self.app, server)

    def registry_logins(self) -> None:
        from tuidock.app.screens.logins import LoginsScreen

        self.app.push_screen(LoginsScreen())

    # -- build, commit, files -------------------------------------------------------------------------------------

    def image_build(self, context: str = "") -> None:
        from tuidock.app.screens.build_form import BuildForm

        self.app.push_screen(BuildForm(context))

    def build(self, argv: list[str]) -> None:
        """`:build`: the words of the command line."""
        import shlex

        from tuidock.app import tasks
        from tuidock.app.build_words import parse_build

        wanted = parse_build(argv)
        self.app.show_build(tasks.build(self.app, wanted.request, f"tuidock build {shlex.join(argv)}", wanted.files))

    def container_commit(self, rows: list[Row], reference: str = "") -> None:
        from tuidock.app.screens.archive_forms import CommitForm

        row = rows[0]
        assert isinstance(row, Container)
        self.app.push_screen(CommitForm(row, reference))

    def container_export(self, rows: list[Row]) -> None:
        from tuidock.app.screens.archive_forms import ExportForm
        from tuidock.app.screens.volume_archives import VolumeExportForm

        row = rows[0]
        if isinstance(row, Volume):
            self.app.push_screen(VolumeExportForm(row, self.app.model))
        elif isinstance(row, Container):
            self.app.push_screen(ExportForm(row))

    def image_save(self, rows: list[Row]) -> None:
        from tuidock.app.screens.archive_forms import SaveForm

        self.app.push_screen(SaveForm([name_of(row) for row in rows]))

    def image_load(self) -> None:
        from tuidock.app.screens.archive_forms import LoadForm

        self.app.push_screen(LoadForm())

    def image_import(self) -> None:
        from tuidock.app.screens.archive_forms import ImportForm
        from tuidock.app.screens.volume_archives import VolumeImportForm

        if self.screen.kind == VOLUMES:
            self.app.push_screen(VolumeImportForm(self.app.model))
        else:
            self.app.push_screen(ImportForm())

    def image_tag(self, rows: list[Row]) -> None:
        from tuidock.app.screens.ask import AskScreen, Question

        row = rows[0]

        def go(ask: AskScreen, values: list[str]) -> None:
            def done(_: object) -> None:
                self.app.say(tr("{values} tagged", values=clean(values[0])))

            ask.ask_engine(lambda engine: engine.tag(row_id(row), values[0]), done)

        questions = [Question(tr("New name"), "", tr("name:tag"))]
        self.app.push_screen(AskScreen(tr("Tag {row}", row=clean(row_name(row))), questions, yes=tr("tag"), go=go))

    def tag(self, source: str, target: str) -> None:
        self.app.engine_workers.move("tagged", [(source, clean(target))], lambda engine, ref: engine.tag(ref, target))

    # -- looking into ---------------------------------------------------------------------------------------------

    def row_files(self, rows: list[Row]) -> None:
        """The layers of an image; of a container what it has changed; of a volume what is in it."""
        row = rows[0]
        if isinstance(row, Image):
            self.layers(row)
        elif isinstance(row, Container):
            self._changes(row)
        elif isinstance(row, Volume):
            from tuidock.app.screens.volume_files import VolumeFilesScreen

            self.app.push_screen(VolumeFilesScreen(row.name))

    def layers(self, image: Image, index: int = -1) -> None:
        from tuidock.app.screens.layers import LayersScreen

        self.app.push_screen(LayersScreen(image.id, row_name(image), index))

    def _changes(self, row: Container) -> None:
        from tuidock.app.screens.files import DiffScreen

        title = f"what {row.name} has changed in {row.image}"
        self.app.push_screen(DiffScreen(title, lambda engine: engine.diff(row.id)))

    def image_diff(self, rows: list[Row]) -> None:
        """Two marked images, or an image and a container; of one container its image is the other side."""
        if len(rows) == 1 and isinstance(rows[0], Container):
            self._changes(rows[0])
        elif len(rows) == 1:
            self._other_side(rows[0])
        elif len(rows) == 2:
            self.compare(rows[0], rows[1])
        else:
            self.app.say(tr("Two are compared: mark two images with space, or take one container."), "warning")

    def _other_side(self, image: Row) -> None:
        """Which other image, or which container, it is compared with."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        others = [row for row in self.app.model.rows[IMAGES].values() if row_id(row) != row_id(image)]
        others += self.app.model.rows[CONTAINERS].values()
        choices = [
            Choice(clean(row_name(row)), row, tr("container") if isinstance(row, Container) else tr("image"))
            for row in others
        ]

        def chosen(other: Any) -> None:
            if other is not None:
                self.compare(image, other)

        title = tr("Compare {image} with", image=clean(row_name(image)))
        self.app.push_screen(PickerScreen(title, choices, narrow=True), chosen)

    def compare(self, one: Row, other: Row) -> None:
        from tuidock.app.screens.files import DiffScreen

        if isinstance(one, Container) and isinstance(other, Image):
            one, other = other, one
        first, second = row_id(one), row_id(other)
        title = f"from {row_name(one)} to {row_name(other)}"
        self.app.push_screen(DiffScreen(title, lambda engine: engine.diff_images(first, second)))

    # -- background and prune -------------------------------------------------------------------------------------

    def app_jobs(self) -> None:
        self.app.show_jobs()

    def app_prune(self) -> None:
        from tuidock.app.screens.prune import PruneScreen

        self.app.push_screen(PruneScreen())


def name_of(row: Row) -> str:
    """By what the engine finds an image, so that the archive has its name, too."""
    if isinstance(row, Image) and not row.references:
        return row.id
    return row_name(row)
