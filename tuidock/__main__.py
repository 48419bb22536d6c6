"""The program: `tuidock` opens the app, `tuidock VERB ...` is the command line."""

from __future__ import annotations

import sys


def main() -> int:
    from tuidock.cli.main import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
