"""The program: `tuidock` opens the app, `tuidock VERB ...` is the command line."""

from __future__ import annotations

import gc
import os
import sys


def main() -> int:
    # what an import makes is there to stay: looking through it for garbage again and again takes 2 ms of a short command
    gc.set_threshold(50_000, 20, 50)
    from tuidock.cli.main import main as run

    code = run(sys.argv[1:], open_app)
    sys.stdout.flush()
    sys.stderr.flush()
    # everything is written and closed: taking the interpreter apart piece by piece would only take time
    os._exit(code)


def open_app(root: str, read_only: bool, face: str = "", port: int | None = None) -> int:
    if face == "web":
        from tuidock.app import web

        return web.serve(root, read_only, web.DEFAULT_PORT if port is None else port)
    if face == "plain":
        from tuidock.app.plain import run

        return run(root, read_only)
    from tuidock.app import run_app

    return run_app(root=root, read_only=read_only)


if __name__ == "__main__":
    sys.exit(main())
