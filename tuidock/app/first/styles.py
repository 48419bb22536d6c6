"""The colours of the first frame: what Textual made of the theme in an earlier session, by name, in a cache file.

A theme becomes terminal colours in many steps - blended variables, rules, filters for NO_COLOR, the colours that the
terminal has. Doing that again without Textual would be a second truth; remembering what came out is none. Whatever the
colours depend on is kept beside them, and when any of it has changed there is no first frame, once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tuidock.app.kept import write
from tuidock.app.layout import WIDE

if TYPE_CHECKING:
    from rich.style import Style
    from textual.widget import Widget

    from tuidock.app.app import TuidockApp

_FORMAT: Final = 1
#: What decides about colours besides the theme.
_ENVIRONMENT: Final = ("NO_COLOR", "TERM", "COLORTERM", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME", "TEXTUAL_FILTERS")
_SGR: Final = re.compile(r"(?:\x1b\[[0-9;]*m)?")


def cache_path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "tuidock", "first-frame.json")


def _shape(width: int) -> str:
    return "narrow" if width < WIDE else "wide"


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def load(theme: str, width: int, environ: Mapping[str, str] = os.environ) -> dict[str, str] | None:
    """The colours for a terminal of that width; None when they are not known or may be others by now."""
    try:
        with open(cache_path(environ), encoding="utf-8") as file:
            kept = json.load(file)
        fresh = (
            kept["format"] == _FORMAT
            and kept["theme"] == theme
            and kept["environment"] == [environ.get(name, "") for name in _ENVIRONMENT]
            and all(_changed(path) == moment for path, moment in kept["files"])
        )
        # What was seen on a wide screen has all that a narrow one needs.
        colours = (kept["colours"].get(_shape(width)) or kept["colours"]["wide"]) if fresh else {}
        if not colours or not all(_SGR.fullmatch(value) for value in colours.values()):
            return None
        return dict(colours)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save(
    theme: str, width: int, colours: Mapping[str, str], files: list[str], environ: Mapping[str, str] = os.environ
) -> None:
    """Keeps the colours for the next start; nothing is written when they are kept already."""
    path = cache_path(environ)
    value: dict[str, Any] = {
        "format": _FORMAT, "theme": theme, "environment": [environ.get(name, "") for name in _ENVIRONMENT],
        "files": [[each, _changed(each)] for each in files], "colours": {},
    }  # fmt: skip
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
        if {**kept, "colours": {}} == value:
            value["colours"] = kept["colours"]
    except (OSError, ValueError, TypeError):
        pass
    if value["colours"].get(_shape(width)) == colours:
        return
    value["colours"][_shape(width)] = dict(colours)
    write(path, json.dumps(value))  # where that is not possible, the next start has no first frame either


def keep(app: TuidockApp) -> None:
    """Keeps the colours of the app that runs."""
    from tuidock.app import spans
    from tuidock.app.theme import shipped_directory, user_directory
    from tuidock.app.widgets import table_bindings

    if app.main is None or app.screen is not app.main:
        return
    name = f"{app.theme}.yaml"
    here = os.path.dirname(os.path.abspath(spans.__file__))
    files = [
        str(shipped_directory() / name), str(user_directory() / name), os.path.join(here, "styles", "app.tcss"),
        spans.__file__, table_bindings.__file__, __file__,
    ]  # fmt: skip
    save(app.config.theme, app.size.width, names(app), files)


def names(app: TuidockApp) -> dict[str, str]:
    """The colours by the names that `frame` uses, each through Textual's own pipeline."""
    from rich.style import Style
    from textual.visual import Visual

    from tuidock.app import spans
    from tuidock.app.screens.lines import content
    from tuidock.app.widgets.rows import STYLES

    main = app.main
    assert main is not None
    found: dict[str, str] = {}
    header = main.header
    for style in spans.STYLES:
        strip = Visual.to_strips(header, content([("x", style)], 1), 1, 1, header.visual_style)[0]
        found[f"line-{style}"] = sgr(header, next(iter(strip)).style)
    pane = main.pane("containers")
    base = pane.rich_style
    found["list-header"] = sgr(pane, base + pane._style("header"))
    for over in ("", "cursor"):
        on_top = pane._style(over)
        for row in ("", "muted"):
            line = base + pane._style(row)
            found[f"gutter-{over}/{row}"] = sgr(pane, line + pane._style("marked") + on_top)
            for cell in STYLES:
                found[f"row-{over}/{row}/{cell}"] = sgr(pane, line + pane._style(cell) + on_top)
    back = pane.styles.scrollbar_background.rich_color
    bar = pane.styles.scrollbar_color.rich_color
    found["thumb"] = sgr(pane, Style(color=bar, bgcolor=back, reverse=True))
    found["track"] = sgr(pane, Style(bgcolor=back))
    strips = main._compositor.render_strips()

    def at(x: int, y: int) -> str:
        for segment in strips[y]:
            x -= segment.cell_length
            if x < 0:
                return _code(app, segment.style)
        return ""

    found["screen"] = at(app.size.width - 1, 0)
    if not main.narrow:
        images = main.pane("images").region.y
        found |= {
            "current-rule": at(0, 1), "current-title": at(2, 1), "other-rule": at(0, images), "other-title": at(2, images),
            "beside": at(main.detail.region.x, 2),
        }  # fmt: skip
    return found


def sgr(widget: Widget, style: Style | None) -> str:
    """The sequence by which this style of the widget reaches the terminal."""
    from rich.segment import Segment
    from textual.strip import Strip

    strip = Strip([Segment("x", style)])
    background = widget.background_colors[1]
    for each in widget.get_line_filters():
        strip = strip.apply_filter(each, background)
    return _code(widget.app, next(iter(strip)).style)


def _code(app: Any, style: Style | None) -> str:
    from rich.segment import Segment
    from textual.strip import Strip

    rendered: str = Strip([Segment("x", style)]).render(app.console)
    return rendered.partition("x")[0]
