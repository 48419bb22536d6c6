"""News of the logs that a view shows, and when it does not want any.

The directories are watched while the view can be seen. In a tab behind another one, or under another screen, nothing
runs here however fast the log grows; what came meanwhile is read when the view is seen again.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from tuidock.app.logs.watch import DirectoryWatch
from tuidock.app.widgets.log_rows import RowMaker, no_number

if TYPE_CHECKING:
    from tuidock.app.logs.session import Session
    from tuidock.app.logs.unseen import Unseen
    from tuidock.app.widgets.log_view import LogView

#: Seconds between two looks at a log that grows, and at one that does not stop to.
LOOK_EVERY: Final = 0.125
LOOK_EVERY_BUSY: Final = 0.2


class LogNews:
    """Mixed into LogView, whose state it uses."""

    _session: Session | None
    _maker: RowMaker
    _note: str
    _unseen: Unseen | None
    _watch: DirectoryWatch | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _listening = False
    _hidden = False
    _covered = False
    _looked = 0.0

    def _look(self: LogView) -> None:  # type: ignore[misc]
        session = self._session
        if session is None or not session.look():
            return
        if not self._maker.origin:
            self._maker.origin = session.origin()
        self._moved()

    def _scans_reported(self: LogView) -> None:  # type: ignore[misc]
        if self.is_attached:  # called by a thread, which may outlive the view for a moment
            self.post_message(self.ScansReported(self))

    def on_log_view_scans_reported(self: LogView, event: LogView.ScansReported) -> None:  # type: ignore[misc]
        event.stop()
        session = self._session
        if session is None:
            return
        if self._seeking:
            self._seek(self._seeking)
        if session.view.pending or (session.keep and self.follow):
            self._moved()
        if self._unseen is not None:
            self._unseen.settle()
        if self._maker.waits_for_numbers:
            self._maker.waits_for_numbers = False
            self.refresh()
        self._changed()

    def _listen(self: LogView) -> None:  # type: ignore[misc]
        """Wait for news of the directories, without a thread and without looking."""
        if self._session is None or not self.is_mounted or self._listening or self._hidden or self._covered:
            return
        if self._watch is None:
            try:
                self._watch = DirectoryWatch(source.directory for source in self._session.sources)
            except OSError as error:
                self._note = str(error)
                return
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._watch.fd, self._news)
        self._listening = True

    def _news(self: LogView) -> None:  # type: ignore[misc]
        if self._watch is None:
            return
        self._watch.drain()
        self._deafen()
        self._look()
        # everything that comes until then is one more look
        now = time.monotonic()
        busy = now - self._looked < 2 * LOOK_EVERY_BUSY
        self._looked = now
        self.set_timer(LOOK_EVERY_BUSY if busy else LOOK_EVERY, self._listen)

    def _deafen(self: LogView) -> None:  # type: ignore[misc]
        if self._listening and self._watch is not None and self._loop is not None:
            self._loop.remove_reader(self._watch.fd)
        self._listening = False

    def _drop(self: LogView) -> None:  # type: ignore[misc]
        self._deafen()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._session is not None:
            self._session.close()
            # with the last reference to it its files are closed
            self._session = self._unseen = None
            self._maker.number_of = no_number

    def on_mount(self: LogView) -> None:  # type: ignore[misc]
        self.app.screen_change_signal.subscribe(self, self._screen_changed)
        self._resize()
        self._listen()

    def on_unmount(self: LogView) -> None:  # type: ignore[misc]
        self._drop()

    def on_show(self: LogView) -> None:  # type: ignore[misc]
        self._hidden = False
        self._wake()

    def on_hide(self: LogView) -> None:  # type: ignore[misc]
        self._hidden = True
        self._deafen()

    def _screen_changed(self: LogView, screen: Any) -> None:  # type: ignore[misc]
        # a widget is told when it is hidden in its screen, not when its screen lies under another one
        self._covered = screen is not self.screen
        if self._covered:
            self._deafen()
        else:
            self._wake()

    def _wake(self: LogView) -> None:  # type: ignore[misc]
        self._restart_unseen()
        self._listen()
        self._look()
        if self._unseen is not None and self._session is not None and self.follow:
            self._unseen.shown(self._session.view.rows)
