"""What a log view says to its screen; handlers are named on_log_view_...."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tuidock.app.widgets.log_view import LogView


class LogMessage(Message):
    """Base of what a log view says."""

    def __init__(self, view: LogView) -> None:
        super().__init__()
        self.view = view

    @property
    def control(self) -> LogView:
        return self.view


class LogMessages:
    """Mixed into LogView, so that they are LogView.StateChanged and so on."""

    class StateChanged(LogMessage, namespace="log_view"):
        """The line about the view's state reads differently now."""

        def __init__(self, view: LogView, text: str) -> None:
            super().__init__(view)
            self.text = text

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogMessages.StateChanged)

    class SearchRequested(LogMessage, namespace="log_view"):
        """A line to type into is wanted; mode is "/" for a search, "&" for a filter, "@" for a time and "F" for the
        fields of structured lines."""

        def __init__(self, view: LogView, mode: str) -> None:
            super().__init__(view)
            self.mode = mode

    class CopyRequested(LogMessage, namespace="log_view"):
        """This text should go to the clipboard."""

        def __init__(self, view: LogView, text: str) -> None:
            super().__init__(view)
            self.text = text

    class SaveRequested(LogMessage, namespace="log_view"):
        """The log should be saved under a name to be asked for."""

    class MarksRequested(LogMessage, namespace="log_view"):
        """A list of the marks is wanted, to go to one."""

    class Told(LogMessage, namespace="log_view"):
        """A sentence about what a key did not find."""

        def __init__(self, view: LogView, text: str) -> None:
            super().__init__(view)
            self.text = text

    class ScansReported(LogMessage, bubble=False, namespace="log_view"):
        """The scanning thread has news."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogMessages.ScansReported)
