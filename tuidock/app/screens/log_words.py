"""Words after `:` that are about the log on screen: `:since 10m`, `:level error`, `:fields level,msg` ..."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.widgets.log_view import LogView

Word = Callable[[list[str]], None]


class LogWords:
    """What the words do to one view; each says in a sentence what it did not understand."""

    def __init__(self, app: TuidockApp, view: LogView) -> None:
        self._app, self._view = app, view

    def table(self) -> Mapping[str, Word]:
        return {
            "since": self.since,
            "goto": self.go_to,
            "level": self.level,
            "fields": self.fields,
            "around": self.around,
            "marks": self.marks,
        }

    def since(self, words: list[str]) -> None:
        """`since 10m`, `since 12:04`; alone: everything."""
        moment = self.moment(" ".join(words))
        if moment is not None:
            self._view.since_moment(moment)

    def go_to(self, words: list[str]) -> None:
        """`goto 12:04:05`: the lines of that time."""
        moment = self.moment(" ".join(words))
        if moment:
            self._view.go_to_time(moment)

    def level(self, words: list[str]) -> None:
        """`level warn`; alone: all."""
        from tuidock.app.logs.levels import NAMES

        wanted = words[0].casefold() if words else ""
        if wanted in ("", "all", *NAMES):
            self._view.set_level("" if wanted == "all" else wanted)
        else:
            self._app.say(
                tr(
                    "There is no level {wanted}; there are {names} and all.",
                    wanted=clean(wanted),
                    names=", ".join(NAMES),
                ),
                "warning",
            )

    def fields(self, words: list[str]) -> None:
        """`fields level,msg`; alone: the lines as they are."""
        self._view.set_fields([name for name in ",".join(words).split(",") if name])

    def around(self, words: list[str]) -> None:
        """`around 3`, or `around 3 10` for three above and ten below."""
        if 1 <= len(words) <= 2 and all(word.isascii() and word.isdecimal() and len(word) < 4 for word in words):
            self._view.set_around(int(words[0]), int(words[-1]))
        else:
            self._app.say(tr("around wants one or two numbers: around 3, or around ABOVE BELOW"), "warning")

    def marks(self, words: list[str]) -> None:
        """The list of marks; `marks clear` takes them away."""
        if words == ["clear"]:
            self._view.clear_marks()
        else:
            self._view.action_list_marks()

    def moment(self, text: str) -> int | None:
        """0 for nothing; None when it is no time, which is said."""
        from tuidock.app.logs.moments import moment_of

        try:
            return moment_of(text, time.time_ns()) if text.strip() else 0
        except EngineError as error:
            self._app.say(clean(str(error)), "warning")
            return None
