"""What a log view asks its screen for: a line to type a search in, the clipboard, a file. Shared by the two screens
that have one. The handlers are found by their names, so that nothing of the log view is imported before it is shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tuidock.app.screens.guarded import GuardedScreen
from tuidock.app.screens.prompt import PromptLine, open_line
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.widgets.log_view import LogView, Part

#: Fields that are offered at first when lines have them.
_USUAL = ("level", "severity", "lvl", "logger", "component", "msg", "message", "err", "error")


def problem(expression: str) -> str:
    """What is wrong with it, before the line that it is typed in closes; "" when nothing is."""
    from tuidock.app.logs.query import Query

    try:
        if expression:
            Query(expression)
    except ValueError as error:
        return clean(str(error))
    return ""


class LogKeys(GuardedScreen):
    """A screen with a log view."""

    @property
    def log_view(self) -> LogView | None:
        raise NotImplementedError

    def on_log_view_search_requested(self, event: Any) -> None:
        """`/` searches, `&` keeps only the lines that fit, `@` goes to a time, `F` chooses fields."""
        view = self.log_view
        if view is None:
            return
        if event.mode == "&":
            prompt = PromptLine(
                "&",
                self._filter_log,
                value=view.filter_text,
                check=lambda text: problem(text.removeprefix("!")),
                past=self.tuidock.log_filters,
                note=tr("keep lines that fit; !re drops them; empty shows all; + and - show lines around"),
            )
        elif event.mode == "@":
            prompt = PromptLine("@", self._go_in_log, note=tr("12:04, 12:04:05, 10m ago as 10m, 2026-11-24T12:04:05Z"))
        elif event.mode == "F":
            prompt = self._fields_prompt(view)
        else:
            prompt = PromptLine(
                "/",
                self._search_log,
                check=problem,
                past=self.tuidock.log_searches,
                note=tr("regular expression, over the whole log"),
            )
        self.open_prompt(prompt)

    def _fields_prompt(self, view: LogView) -> PromptLine:
        """tab goes on with the names that lines on screen have."""
        known = view.field_names()

        def complete(text: str) -> list[str]:
            head, comma, last = text.rpartition(",")
            return [f"{head}{comma}{name}" for name in known if name.startswith(last.strip())]

        return PromptLine(
            tr("fields "),
            lambda text: view.set_fields([name.strip() for name in text.split(",") if name.strip()]),
            value=clean(",".join(view.fields)) or ",".join(name for name in _USUAL if name in known),
            completer=complete,
            note=", ".join(known[:12]) or tr("no line on screen is JSON or logfmt"),
        )

    def _go_in_log(self, text: str) -> None:
        from tuidock.app.screens.log_words import LogWords

        if (view := self.log_view) is not None:
            LogWords(self.tuidock, view).go_to([text])

    def log_words(self) -> Mapping[str, Callable[[list[str]], None]]:
        """Words after `:` about the log on screen."""
        from tuidock.app.screens.log_words import LogWords

        view = self.log_view
        return LogWords(self.tuidock, view).table() if view is not None else {}

    def open_prompt(self, prompt: PromptLine) -> None:
        """One line at a time."""
        open_line(self, prompt)

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
        except ValueError as error:
            self.tuidock.say(clean(str(error)), "warning")

    def on_log_view_copy_requested(self, event: Any) -> None:
        self.tuidock.copy(str(event.text), "the text")

    def on_log_view_save_requested(self, event: Any) -> None:
        """First which lines, then where to."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        view = self.log_view
        if view is None:
            return
        parts: list[tuple[Part, str]] = [("selected", tr("what is selected"))] if view.selected_text() else []
        parts.append(("shown", tr("what is shown") if view.is_filtered else tr("the whole log")))
        if view.is_filtered:
            parts.append(("all", tr("the whole log")))
        choices = [
            Choice(words, view.lines(part, times), tr("with times") if times else "")
            for part, words in parts
            for times in (False, True)
        ]

        def chosen(lines: Any) -> None:
            if lines is not None:
                self._ask_where_to(lines)

        self.app.push_screen(PickerScreen(tr("Save"), choices), chosen)

    def _ask_where_to(self, lines: Callable[[], Iterable[str]]) -> None:
        name = self.log_name() or "container"
        safe = "".join(char if char.isalnum() or char in "-_." else "_" for char in name)[:100]
        path = os.path.join(os.getcwd(), f"{safe}.log")
        self.open_prompt(PromptLine(tr("save to "), lambda text: self._save_log(text, lines), value=path))

    def log_name(self) -> str:
        return ""

    def _save_log(self, path: str, lines: Callable[[], Iterable[str]]) -> None:
        if not path.strip():
            return
        path = os.path.abspath(os.path.expanduser(path.strip()))
        app = self.tuidock

        def save() -> None:
            from tuidock.app import tasks

            tasks.save_log(app, self.log_name() or "container", path, lines)

        if os.path.exists(path):
            app.confirm(tr("{path} exists", path=path), [tr("It will be written anew.")], tr("overwrite"), save)
        else:
            save()

    def on_log_view_told(self, event: Any) -> None:
        self.tuidock.say(event.text)

    def on_log_view_marks_requested(self, event: Any) -> None:
        """The marks, to go to one."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        view = self.log_view
        if view is None:
            return
        marks = view.marks()
        if not marks:
            self.tuidock.say(tr("There is no mark; m sets one."))
            return
        choices = [Choice(clean(note.text), note) for note in marks]
        choices.append(Choice(tr("clear all marks"), ""))

        def chosen(note: Any) -> None:
            if note == "":
                view.clear_marks()
            elif note is not None:
                view.go_to_note(note)

        self.app.push_screen(PickerScreen(tr("Marks"), choices), chosen)
