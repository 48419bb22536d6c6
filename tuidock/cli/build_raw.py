"""--progress=rawjson: BuildKit's SolveStatus, one JSON object in a line, for programs that read docker's.

A vertex is a step of the plan, those without files too; its digest is made up, as there is no graph that could be
digested: it names the step within this build and nothing else. Fields are those of buildkit's client/graph.go.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import time

from tuidock.cli.build_view import View, ends
from tuidock.engine import fastjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from tuidock.engine.errors import BuildFailed
    from tuidock.engine.image_types import BuildEvent, BuildStep

_STREAMS = {"stdout": 1, "stderr": 2}


class Raw(View):
    """Written to stderr, as buildx does."""

    def __init__(self) -> None:
        super().__init__()
        self._vertexes: dict[int, dict[str, Any]] = {}
        self._began: dict[str, str] = {}

    def take(self, event: BuildEvent) -> None:
        super().take(event)
        if event.kind == "plan":
            self._plan(event.steps)
        elif event.kind == "state":
            self._state(event)
        elif event.kind == "bytes" and (event.done or event.total):
            self._bytes(event)
        elif event.kind == "output":
            log = {"vertex": self._digest(event.step), "stream": _STREAMS.get(event.stream, 1)}
            data = base64.b64encode(event.output).decode()
            self._say({"logs": [{**log, "data": data, "timestamp": _now()}]})

    def _plan(self, steps: Iterable[BuildStep]) -> None:
        before: dict[str, str] = {}
        for step in steps:
            label = self.lines[step.number].title if step.number in self.lines else f"[{step.stage}] {step.text}"
            inputs = [before[step.stage]] if step.stage in before else []
            name = hashlib.sha256(f"{step.number} {step.stage} {step.text}".encode()).hexdigest()
            before[step.stage] = f"sha256:{name}"
            vertex = {"digest": before[step.stage], **({"inputs": inputs} if inputs else {}), "name": label}
            self._vertexes[step.number] = vertex
        if self._vertexes:
            self._say({"vertexes": list(self._vertexes.values())})

    def _digest(self, step: int) -> str:
        return str(self._vertexes[step]["digest"]) if step in self._vertexes else ""

    def _state(self, event: BuildEvent) -> None:
        vertex = self._vertexes.get(event.step)
        if vertex is None:
            return
        if event.step in self.lines:
            vertex["name"] = self.lines[event.step].title
        now = _now()
        vertex.setdefault("started", now)
        if event.state != "running":
            vertex["completed"] = now
        if event.state == "cached":
            vertex["cached"] = True
        elif event.state in ("failed", "cancelled"):
            vertex["error"] = event.message or event.state
        self._say({"vertexes": [vertex]})

    def _bytes(self, event: BuildEvent) -> None:
        name = event.message or "transferring"
        now = _now()
        status: dict[str, Any] = {"id": name, "vertex": self._digest(event.step), "name": name}
        if event.total:
            status["total"] = event.total
        status |= {
            "current": event.done,
            "timestamp": now,
            "started": self._began.setdefault(f"{event.step} {name}", now),
        }
        if event.total and event.done >= event.total:
            status["completed"] = now
        self._say({"statuses": [status]})

    def warning(self, text: str) -> None:
        self._say({"warnings": [{"level": 1, "short": base64.b64encode(text.encode()).decode()}]})

    def built(self, image_id: str, tags: Iterable[str]) -> None:
        first, *others = ends(image_id, tags)
        now = _now()
        vertex = {
            "digest": "sha256:" + hashlib.sha256(first.encode()).hexdigest(),
            "name": first, "started": now, "completed": now,
        }  # fmt: skip
        statuses = [
            {"id": text.removesuffix(" done"), "vertex": vertex["digest"], "current": 0, "timestamp": now,
             "started": now, "completed": now}
            for text in others
        ]  # fmt: skip
        self._say({"vertexes": [vertex], **({"statuses": statuses} if statuses else {})})

    def failed(self, error: BuildFailed) -> None:
        """The vertex has told it."""

    def _say(self, document: dict[str, Any]) -> None:
        sys.stderr.write(fastjson.dumps(document) + "\n")
        sys.stderr.flush()


def _now() -> str:
    seconds, fraction = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"
