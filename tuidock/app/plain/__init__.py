"""The app as plain lines, for screen readers and terminals that can do nothing else: `tuidock --plain`.

Nothing moves the cursor, nothing is coloured or drawn, and nothing is said by a sign alone. Every menu is a list of lines
with numbers; one line of input chooses. The engine is called directly: there is no screen that would have to stay alive.
"""

from __future__ import annotations

import sys

from tuidock.app.plain.menus import Browser


def run(root: str = "", read_only: bool = False) -> int:
    """Reads lines until the person quits or the input ends; the exit code."""
    from tuidock.app import config, words
    from tuidock.engine import Engine
    from tuidock.engine.errors import EngineError

    settings = config.load()
    words.use(words.wanted(settings.language))
    try:
        engine = Engine(root, read_only=read_only)
        if settings.ports != config.DEFAULT_PORTS:
            engine.instance.port_range = range(settings.ports[0], settings.ports[1] + 1)
    except EngineError as error:
        print(f"tuidock: {error}", file=sys.stderr)
        return 1
    for problem in settings.problems:
        print(problem)
    try:
        Browser(engine).run()
    finally:
        engine.close()
    return 0
