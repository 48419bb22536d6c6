"""The app as plain lines, for screen readers and terminals that can do nothing else: `tuidock --plain`.

Nothing moves the cursor, nothing is coloured or drawn, and nothing is said by a sign alone. Every menu is a list of lines
with numbers; one line of input chooses. The engine is called directly: there is no screen that would have to stay alive.
"""

from __future__ import annotations

import sys

from tuidock.app.plain.menus import Browser


def run(root: str = "", read_only: bool = False) -> int:
    """Reads lines until the person quits or the input ends; the exit code."""
    from contextlib import closing

    from tuidock.app import config, words
    from tuidock.app.report import sentence
    from tuidock.engine import Engine

    settings = config.load()
    words.use(words.wanted(settings.language))
    for problem in settings.problems:
        print(problem)
    try:
        with closing(Engine(root, read_only=read_only)) as engine:
            if settings.ports != config.DEFAULT_PORTS:
                engine.instance.port_range = range(settings.ports[0], settings.ports[1] + 1)
            Browser(engine).run()
    except BrokenPipeError:
        raise  # nobody reads any more: the command line ends quietly
    except Exception as error:
        print(f"tuidock: {sentence(error)}", file=sys.stderr)
        return 1
    return 0
