"""Undo of removals, and the trash that makes it possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Restored

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen


class Trash:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def app_undo(self) -> None:
        self.undo([])

    def undo(self, references: Sequence[str], then: Callable[[], None] | None = None) -> None:
        """Brings back these, or all of the last removal; says under which names."""
        wanted = list(references)

        def done(restored: list[Restored]) -> None:
            for each in restored[:4]:
                name = clean(each.name) or each.subject.removeprefix("sha256:")[:12]
                self.app.say(
                    " ".join(
                        [
                            tr("{kind} {name} is back.", kind=each.kind, name=name),
                            *(clean(text) for text in each.remarks),
                        ]
                    )
                )
            if len(restored) > 4:
                self.app.say(tr("{count} more are back.", count=len(restored) - 4))
            if then is not None:
                then()

        def bring_back(engine: Any) -> list[Restored]:
            return engine.undo(wanted)  # type: ignore[no-any-return]

        self.app.engine_workers.ask_apart(bring_back, done, lambda error, text: self.app.say(text, "error"))

    def app_trash(self) -> None:
        from tuidock.app.screens.trash import TrashScreen

        self.app.push_screen(TrashScreen())
