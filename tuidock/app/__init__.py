"""The full-screen app over `tuidock.engine`.

Importing this package must stay cheap, because it happens on every start: Textual is imported by `run_app` only, and
while that goes on a thread already opens the engine and reads the first rows.
"""

from __future__ import annotations

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

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("tuidock: the app needs a terminal; use a command such as `tuidock ps` instead.", file=sys.stderr)
        return 1
    # Imports make nothing but what stays: collecting in between costs a seventh of the start. The app turns it on again.
    gc.disable()
    for name, value in TERMINAL_DEFAULTS.items():
        os.environ.setdefault(name, value)
    from tuidock.app import config
    from tuidock.app.workers import Workers

    settings = config.load()

    def make_engine() -> object:
        from tuidock.engine import Engine

        engine = Engine(root, read_only=read_only)
        if settings.ports != config.DEFAULT_PORTS:
            engine.instance.port_range = range(settings.ports[0], settings.ports[1] + 1)
        return engine

    workers = Workers(make_engine)  # type: ignore[arg-type]
    workers.open()

    from tuidock.app.app import TuidockApp
    from tuidock.app.model import ViewModel

    model = ViewModel()
    model.user = user_name()
    if workers.wait_open(0.3):
        if workers.open_failure:
            print(f"tuidock: {workers.open_failure}", file=sys.stderr)
            return 1
        for kind, rows in workers.first_rows.items():
            model.replace(kind, rows)
    app = TuidockApp(workers, model, settings, root=root, read_only=read_only)
    # Textual draws on stderr, whatever that is.
    elsewhere = None if sys.stderr.isatty() else os.dup(2)
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


def user_name() -> str:
    import os

    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return str(os.geteuid())
