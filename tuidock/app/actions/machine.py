"""Actions about the machine and the data root: moving in, what is lacking, what takes room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.app.model import VOLUMES, row_name
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen


class Machine:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def app_migrate(self) -> None:
        from tuidock.app.screens.migrate import choose_source

        choose_source(self.app)

    def migrate(self, kind: str, host: str = "") -> None:
        """`:migrate docker [SOCKET]`"""
        from tuidock.app.screens.migrate import MigrateScreen

        if kind not in ("docker", "podman"):
            self.app.say(
                tr("Nothing can move in from {kind}; migrate docker, or migrate podman.", kind=clean(kind)), "warning"
            )
            return
        self.app.push_screen(MigrateScreen(kind, host))

    def import_volume(self, path: str, name: str = "") -> None:
        """`:import FILE [VOLUME]` with the cursor on volumes: into the one under it, when it is not named."""
        from tuidock.app import tasks

        row = self.screen.pane(VOLUMES).row_at_cursor
        name = name or (row_name(row) if row is not None else "")
        if name:
            self.app.show_jobs(tasks.import_volume(self.app, name, path))
        else:
            self.app.say(tr("Into which volume? import FILE VOLUME names it."), "warning")

    def app_doctor(self) -> None:
        from tuidock.app.screens.doctor import DoctorScreen

        self.app.push_screen(DoctorScreen())

    def app_df(self) -> None:
        from tuidock.app.screens.space import SpaceScreen

        self.app.push_screen(SpaceScreen())
