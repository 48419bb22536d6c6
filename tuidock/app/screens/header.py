"""The line at the top: where this is, how many containers there are in which state, how the machine is used, jobs."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget

from tuidock.app import format as shown
from tuidock.app.model import ViewModel
from tuidock.engine.clean import clean


class Header(Widget):
    """Drawn from the view model; what does not fit goes from the right."""

    DEFAULT_CSS = "Header { height: 1; width: 1fr; }"
    ALLOW_SELECT = False

    def __init__(self, model: ViewModel, *, read_only: bool, ascii: bool) -> None:
        super().__init__(id="header")
        self._model, self._read_only, self._ascii = model, read_only, ascii
        self._text: tuple[list[tuple[str, str]], str] = ([], "")

    def show(self) -> None:
        """Draws itself anew when there is news."""
        text = (self._left(), self._right())
        if text == self._text:
            return
        before = self._line().plain if self.size.width else ""
        self._text = text
        after = self._line().plain if self.size.width else ""
        # Once a second a number changes: only its place is sent again.
        if len(before) == len(after) and before:
            differing = [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
            if differing:
                self.refresh(Region(differing[0], 0, differing[-1] - differing[0] + 1, 1))
        else:
            self.refresh()

    def _left(self) -> list[tuple[str, str]]:
        model = self._model
        parts = []
        if model.host_name:
            parts.append((clean(model.host_name), "bold"))
        if model.user:
            parts.append((clean(model.user), ""))
        counts = model.counts()
        if counts:
            failed = sum(1 for row in model.containers().values() if row.status == "exited" and row.exit_code)
            words = []
            for status in ("running", "paused", "restarting"):
                if counts.get(status):
                    words.append(f"{counts[status]} {shown.GLYPHS[status][self._ascii]}")
            idle = sum(counts.get(status, 0) for status in ("exited", "created", "dead")) - failed
            if idle:
                words.append(f"{idle} {shown.GLYPHS['exited'][self._ascii]}")
            if failed:
                words.append(f"{failed} {shown.GLYPHS['failed'][self._ascii]}")
            parts.append((" ".join(words), ""))
        host = model.host
        if host.cpu_percent >= 0:
            parts.append((f"cpu {host.cpu_percent:3.0f}%", ""))
        if host.memory >= 0:
            parts.append((f"mem {shown.size(host.memory)}/{shown.size(host.memory_total)}", ""))
        if host.disk_free >= 0:
            parts.append((f"disk {shown.size(host.disk_free)} free", ""))
        return parts

    def _right(self) -> str:
        words = []
        for job in list(self._model.jobs.values())[:1]:
            percent = f" {100 * job.done // job.total}%" if job.total else ""
            more = f" +{len(self._model.jobs) - 1}" if len(self._model.jobs) > 1 else ""
            words.append(f"{clean(job.title)}{percent}{more}")
        if self._read_only:
            words.append("read-only")
        return " · ".join(words)

    def render(self) -> Content:
        return self._line()

    def _line(self) -> Content:
        left, right = self._text
        width = self.size.width
        room = width - 8 - (len(right) + 2 if right else 0)
        kept = list(left)
        while kept and sum(len(text) + 3 for text, _ in kept) > room:
            kept.pop()
        parts = [Content.styled("tuidock", "bold $accent")]
        used = 7
        for at, (text, style) in enumerate(kept):
            separator = "  " if at == 0 else " · "
            parts += [Content.styled(separator, "$tuidock-muted"), Content.styled(text, style or "$tuidock-muted")]
            used += len(separator) + len(text)
        if right:
            right = right if len(right) < width - used - 1 else right[: max(0, width - used - 2)]
            parts += [Content(" " * max(1, width - used - len(right))), Content.styled(right, "bold $accent")]
        line = Content("").join(parts)
        return line.pad_right(max(0, width - line.cell_length)).truncate(width)
