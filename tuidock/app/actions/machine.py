"""Actions about the machine and the data root: moving in, what is lacking, what takes room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp


class Machine:
    """See `actions/__init__.py`."""

    app: TuidockApp

    def app_migrate(self) -> None:
        from tuidock.app.screens.migrate import choose_source

        choose_source(self.app)

    def migrate(self, kind: str, host: str = "") -> None:
        """`:migrate docker [SOCKET]`"""
        from tuidock.app.screens.migrate import MigrateScreen

        if kind not in ("docker", "podman"):
            self.app.say(f"Nothing can move in from {clean(kind)}; migrate docker, or migrate podman.", "warning")
            return
        self.app.push_screen(MigrateScreen(kind, host))

    def app_doctor(self) -> None:
        from tuidock.app.screens.doctor import DoctorScreen

        self.app.push_screen(DoctorScreen())

    def app_df(self) -> None:
        from tuidock.app.screens.space import SpaceScreen

        self.app.push_screen(SpaceScreen())
