"""What a log view asks its screen for: a line to type a search in, the clipboard, a file. Shared by the two screens
that have one. The handlers are found by their names, so that nothing of the log view is imported before it is shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tuidock.app.screens.guarded import GuardedScreen
from tuidock.app.screens.prompt import PromptLine, open_line
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.widgets.log_view import LogView


class LogKeys(GuardedScreen):
    """A screen with a log view."""

    _searches: list[str]
    _log_filter = ""

    @property
    def log_view(self) -> LogView | None:
        raise NotImplementedError

    def on_log_view_search_requested(self, event: Any) -> None:
        """`/` searches, `&` keeps only the lines that fit."""
        view = self.log_view
        if view is None:
            return
        sign = str(getattr(event, "mode", None) or getattr(event, "kind", "/"))
        if sign == "&":
            self.open_prompt(
                PromptLine(
                    "&",
                    self._filter_log,
                    value=self._log_filter,
                    check=self._problem,
                    past=self.tuidock.log_filters,
                    note="keep lines that fit; !re drops them; empty shows all",
                )
            )
        else:
            self.open_prompt(
                PromptLine(
                    "/",
                    self._search_log,
                    check=self._problem,
                    past=self.tuidock.log_searches,
                    note="regular expression, over the whole log",
                )
            )

    def open_prompt(self, prompt: PromptLine) -> None:
        """One line at a time."""
        open_line(self, prompt)

    def _problem(self, text: str) -> str:
        """What is wrong with an expression, before the line that it is typed in closes."""
        from tuidock.app.logs.query import Query

        try:
            if text.strip("!"):
                Query(text.removeprefix("!"))
        except ValueError as error:
            return clean(str(error))
        return ""

    def _search_log(self, text: str) -> None:
        view = self.log_view
        if view is None:
            return
        if not text:
            view.clear_search()
            return
        try:
            view.search(text)
        except ValueError as error:
            self.tuidock.say(clean(str(error)), "warning")

    def _filter_log(self, text: str) -> None:
        view = self.log_view
        if view is None:
            return
        try:
            view.set_filter(text)
            self._log_filter = text
        except ValueError as error:
            self.tuidock.say(clean(str(error)), "warning")

    def on_log_view_copy_requested(self, event: Any) -> None:
        self.tuidock.copy(str(event.text), "the text")

    def on_log_view_save_requested(self, event: Any) -> None:
        view = self.log_view
        if view is None:
            return
        name = self.log_name() or "container"
        safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in name)
        path = os.path.join(os.getcwd(), f"{safe}.log")
        self.open_prompt(PromptLine("save to ", self._save_log, value=path))

    def log_name(self) -> str:
        return ""

    def _save_log(self, path: str) -> None:
        view = self.log_view
        if view is None or not path.strip():
            return
        path = os.path.abspath(os.path.expanduser(path.strip()))
        app = self.tuidock

        def save() -> None:
            def write(engine: Any) -> int:
                return view.save(path)

            app.engine_workers.ask(
                "save",
                write,
                lambda size: app.say(f"Saved {size} bytes to {clean(path)}."),
                lambda text: app.say(text, "error"),
            )

        if os.path.exists(path):
            app.confirm(f"{path} exists", ["It will be written anew."], "overwrite", save)
        else:
            save()

    def on_log_view_previous_run_requested(self, event: Any) -> None:
        self.tuidock.say("The log goes on over restarts: scroll back to see the run before.")
