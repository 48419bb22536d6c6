"""Calls tuidock.engine for context.EngineWorker: one JSON list per line in, one JSON object per line out.

A program of its own, because what is measured is the call inside a process that has its imports behind it, as in the
app, and because the engine's state must not live in the process that measures the others.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from tuidock.engine import Engine
from tuidock.engine.options.run import parse_run
from tuidock.engine.runtime import shim

#: The kernel's lock over all links is held for a moment after a link has vanished; a start in it measures that.
_REST = 0.05


class Worker:
    def __init__(self) -> None:
        self.engine = Engine()
        self.shim_ms = 0.0
        self._start = shim.start
        shim.start = self._timed_start

    def _timed_start(self, *words: Any, **options: Any) -> int:
        """From the call of the shim until its answer, which comes when exec of the container's program succeeded."""
        began = time.perf_counter_ns()
        pid = self._start(*words, **options)
        self.shim_ms = (time.perf_counter_ns() - began) / 1e6
        return pid

    def create(self, *argv: str) -> str:
        return self.engine.create(parse_run(argv, verb="create").request)

    def create_many(self, prefix: str, count: str, *argv: str) -> int:
        for number in range(int(count)):
            self.create("--name", f"{prefix}{number:04}", *argv)
        return int(count)

    def start(self, ref: str) -> dict[str, float]:
        began = time.perf_counter_ns()
        self.engine.start(ref)
        return {"start": (time.perf_counter_ns() - began) / 1e6, "shim": self.shim_ms}

    def start_many(self, prefix: str, count: str) -> float:
        """Seconds for starting all of them, one after the other."""
        began = time.perf_counter()
        for number in range(int(count)):
            self.engine.start(f"{prefix}{number:04}")
        return time.perf_counter() - began

    def wait(self, ref: str) -> int:
        """Until the container has ended, and its link too: while the kernel takes a link away, no other can be made."""
        code = self.engine.wait(ref)
        link = "/sys/class/net/" + self.engine.instance.veth(self.engine.container(ref).id)
        deadline = time.monotonic() + 10
        while os.path.exists(link) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(_REST)
        return code

    def remove_many(self, prefix: str, count: str) -> int:
        for number in range(int(count)):
            self.engine.remove(f"{prefix}{number:04}", force=True)
        return int(count)

    def timeline(self, ref: str) -> dict[str, float]:
        steps = self.engine.inspect_container(ref)["Timeline"]
        return {step["Name"]: step["DurationNs"] / 1e6 for step in steps}

    def written(self, ref: str) -> int:
        """Bytes of all segments of a container's log."""
        with os.scandir(self.engine.log_directory(ref)) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.endswith(".log"))

    def search_rate(self, ref: str, pattern: str) -> float:
        """MB/s of the app's search over the whole log of a container."""
        from tuidock.app.logs.query import Query
        from tuidock.app.logs.scan import Scan
        from tuidock.app.logs.segments import LogDirectory

        directory = LogDirectory(self.engine.log_directory(ref))
        directory.refresh()
        scan = Scan(directory, Query(pattern).find)
        began = time.perf_counter()
        while scan.step():
            pass
        seconds = time.perf_counter() - began
        if scan.total != 1:
            raise ValueError(f"the search found {scan.total} lines, not 1")
        return directory.size / 1e6 / seconds


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # control-C is for the process that asks
    worker = Worker()
    for line in sys.stdin:
        verb, *words = json.loads(line)
        try:
            answer = {"value": getattr(worker, verb)(*words)}
        except Exception as error:  # whatever it was, the table has to show it
            answer = {"error": f"{error or type(error).__name__}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
