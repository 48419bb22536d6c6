"""Prints the table of promises: tuidock beside docker, podman, crun and lazydocker, measured in one run.

    make bench BENCH_ARGS="--quick --only run,ps"

Peers that are not installed are named as such. Ends with 1 when a promise was missed or a row failed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import isolate, report, rows_fifty, rows_images, rows_logs, rows_many, rows_screen, rows_start
from bench.context import Bench, Line, Row
from bench.measure import BenchFailure, Missing, Verdict

ROWS: list[Row] = [*rows_start.ROWS, *rows_images.ROWS, *rows_fifty.ROWS, *rows_logs.ROWS, *rows_screen.ROWS]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller loads")
    parser.add_argument("--full", action="store_true", help="also 1 000 running containers")
    parser.add_argument("--only", metavar="ROWS", default="", help="names of rows, separated by commas (--list)")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    parser.add_argument("--json", metavar="FILE", default="", help="write all samples there")
    parser.add_argument(
        "--debian", metavar="TAR", default="", help="tar of a Debian root file system (else debootstrap)"
    )
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"), help="where all data goes: a real disk")
    parser.add_argument("--inside", nargs=2, metavar=("PID", "DIRECTORY"), help=argparse.SUPPRESS)
    return parser


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    known = [*ROWS, *rows_many.ROWS]
    if options.list:
        print("\n".join(f"{row.name:<14}{row.title}" for row in known))
        return 0
    wanted = [name for name in options.only.split(",") if name]
    if unknown := [name for name in wanted if name not in {row.name for row in known}]:
        print(f"bench: there is no row {', '.join(unknown)}; --list shows them", file=sys.stderr)
        return 2
    if options.inside:
        chosen = [row for row in known if row.name in wanted] if wanted else known if options.full else ROWS
        pid, directory = options.inside
        return isolate.as_first_process(int(pid), lambda: _measure(options, directory, chosen))
    if os.geteuid() != 0:
        print("bench: needs root, for the engines' namespaces, mounts and links", file=sys.stderr)
        return 2
    return isolate.run_isolated(os.path.abspath(__file__), argv, os.path.abspath(options.dir))


def _measure(options: argparse.Namespace, directory: str, rows: Sequence[Row]) -> int:
    bench = Bench(directory, quick=options.quick, debian=options.debian and os.path.abspath(options.debian))
    lines: list[Line] = []
    try:
        for number, row in enumerate(rows, 1):
            print(f"bench: {number}/{len(rows)} {row.title} ...", file=sys.stderr, flush=True)
            lines += _lines(bench, row)
    except KeyboardInterrupt:
        print("bench: interrupted; what was measured so far:", file=sys.stderr)
        print(report.table(lines))
        return 130
    print(report.table(lines))
    if options.json:
        with open(options.json, "w") as stream:
            json.dump(report.as_json(lines), stream, indent=1)
    missed = report.missed(lines)
    if missed:
        print(f"\n{len(missed)} of {len(lines)} missed: {'; '.join(missed)}")
    return 1 if missed else 0


def _lines(bench: Bench, row: Row) -> list[Line]:
    try:
        return row.run(bench)
    except BenchFailure as failure:
        return [Line(row.title, {"tuidock": Missing(str(failure))}, "", Verdict("-", "to be measured", False))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
