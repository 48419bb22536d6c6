"""The full-screen app over `tuidock.engine`.

Importing this package must stay cheap, because it happens on every start: Textual is imported by `run_app` only, after
the first rows are on the screen (see `first`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.app.config import Config
    from tuidock.app.first.terminal import Terminal
    from tuidock.app.model import ViewModel

#: Textual reads these when it is imported. Over SSH every frame is bytes: few frames, no animation, no pixel mouse.
TERMINAL_DEFAULTS = {
    "TEXTUAL_FPS": "20",
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
}


def run_app(root: str = "", read_only: bool = False, mouse: bool = True) -> int:
    """Runs the app on this terminal until the person quits; the exit code."""
    import gc
    import os
    import sys

    # In a browser (see `web`) pipes take the place of the terminal.
    piped = bool(os.environ.get("TEXTUAL_DRIVER"))
    if not piped and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("tuidock: the app needs a terminal; use a command such as `tuidock ps` instead.", file=sys.stderr)
        return 1
    # Imports make nothing but what stays: collecting in between costs a seventh of the start. The app turns it on again.
    gc.disable()
    # Threads that read keys and write frames wait for the interpreter at most this long while the app computes.
    sys.setswitchinterval(0.001)
    for name, value in TERMINAL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    from tuidock.app import config, kept, machine, words
    from tuidock.app.workers import Workers

    settings = config.load()
    if not settings.theme and (chosen := kept.word("theme")):
        settings = settings._replace(theme=chosen, theme_kept=True)
    if not settings.preset and (chosen := kept.word("keymap")):
        settings = settings._replace(preset=chosen, preset_kept=True)
    words.use(words.wanted(settings.language))

    def make_engine() -> object:
        from tuidock.engine import Engine

        engine = Engine(root, read_only=read_only)
        if settings.ports != config.DEFAULT_PORTS:
            engine.instance.port_range = range(settings.ports[0], settings.ports[1] + 1)
        return engine

    workers = Workers(make_engine)  # type: ignore[arg-type]
    workers.open()
    from tuidock.app.first.terminal import Terminal
    from tuidock.app.model import ViewModel

    model = ViewModel()
    with Terminal() as terminal:
        if workers.wait_open(0.3):
            if workers.open_failure:
                print(f"tuidock: {workers.open_failure}", file=sys.stderr)
                return 1
            for kind, rows in workers.first_rows.items():
                model.replace(kind, rows)
            model.user, model.host_name, model.host = user_name(), machine.host_name(), workers.host()
            if not piped:
                show_first_frame(terminal, model, settings, read_only)
        from tuidock.app.app import TuidockApp

        app = TuidockApp(workers, model, settings, root=root, read_only=read_only, terminal=terminal)
        # Textual draws on stderr, whatever that is.
        elsewhere = None if piped or sys.stderr.isatty() else os.dup(2)
        try:
            if elsewhere is not None:
                os.dup2(1, 2)
            code = app.run(mouse=mouse and settings.mouse)
        finally:
            workers.stop()
            if elsewhere is not None:
                os.dup2(elsewhere, 2)
                os.close(elsewhere)
    return code if isinstance(code, int) else app.return_code or 0


def show_first_frame(terminal: Terminal, model: ViewModel, settings: Config, read_only: bool) -> None:
    """Draws the rows with what is known already; without colours from an earlier session Textual does it later."""
    import os

    from tuidock.app.first import styles

    width, height = os.get_terminal_size(1)
    colours = styles.load(settings.theme, width)
    if colours is None or height < 5 or os.environ.get("TEXTUAL_DRIVER"):
        return
    from tuidock.app import lists
    from tuidock.app.bindings import keymap_of
    from tuidock.app.first.frame import Look, draw

    keymap, _ = keymap_of(settings.preset, settings.keys)
    try:
        picture = draw(
            model, width, height, colours, Look(settings.ascii, read_only, keymap, lists.load(settings.lists))
        )
    except KeyError:
        return  # the colours are of another version
    terminal.show(picture)


def user_name() -> str:
    import os

    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return str(os.geteuid())
