"""One stage, instruction by instruction, as a generator of what happens.

Metadata changes the configuration and costs nothing. RUN, COPY, ADD and WORKDIR are looked up in the cache first, by all
that they could depend on; what is not there is done, and its layer kept for the end of the build.
"""

from __future__ import annotations

import os
import time

from tuidock.engine.build import bases, cache
from tuidock.engine.build.cache import Row
from tuidock.engine.build.digests import sha256
from tuidock.engine.build.planner import SCRATCH, StagePlan, Step
from tuidock.engine.build.workshop import Base, StageState, Workshop
from tuidock.engine.dockerfile import arguments, history, instructions
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.expand import expand_instruction, shown
from tuidock.engine.errors import BuildFailed, EngineError, NotFound
from tuidock.engine.image_types import BuildEvent
from tuidock.engine.options.platforms import parse_platform
from tuidock.engine.store.layer import Layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from tuidock.engine.dockerfile.ast import Instruction

_FILES = frozenset(("RUN", "COPY", "ADD", "WORKDIR"))


class StepError(EngineError):
    """A step's own failure on its way to BuildFailed: the command ended with exit_code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StageBuild:
    """`run` it; the result is in the workshop then. `busy` tells that the cache did not have everything."""

    def __init__(self, workshop: Workshop, plan: StagePlan) -> None:
        self._workshop, self.plan = workshop, plan
        self.state: StageState = StageState(Base((), (), {}, ()), arguments.Scope({}))
        self._all_cached = True
        self._again = bool({plan.name, str(plan.stage)} & {*workshop.request.no_cache_stages})
        self._own_command = False
        self._number = plan.start.number

    def run(self) -> Generator[BuildEvent, None, None]:
        """Raises BuildFailed; closing it cancels what is under way and leaves nothing."""
        step = self.plan.start
        began = time.monotonic()
        try:
            yield from self._begin()
            for step in self.plan.steps:
                began = time.monotonic()
                yield from self._step(step)
        except DockerfileError as error:
            yield self._event(step, "failed", began, message=error.reason)
            raise self._failed(step, str(error), 1, error.line or step.instruction.line, error.excerpt) from error
        except StepError as error:
            yield self._event(step, "failed", began, message=str(error))
            raise self._failed(step, str(error), error.exit_code, step.instruction.line) from error
        except EngineError as error:
            yield self._event(step, "failed", began, message=str(error))
            placed = step.instruction.error(str(error))
            raise self._failed(step, str(placed), 1, step.instruction.line, placed.excerpt) from error
        self._workshop.results[self.plan.stage] = self.state

    def _failed(self, step: Step, message: str, code: int, line: int, excerpt: str = "") -> BuildFailed:
        keep = ""
        if self.state.document:
            keep = "kept-" + self.state.digest()
            text = f"before line {line}: {step.instruction.text}"
            document = cache.canonical({"document": self.state.document, "history": self.state.history})
            layers = tuple(self.state.layers)
            self._workshop.add_row(Row(keep, cache.KEPT, text, layers, 0, time.time_ns(), document))
        failed = BuildFailed(message, exit_code=code, step=step.number, line=line, keep=keep)
        failed.excerpt = excerpt
        return failed

    def _event(
        self, step: Step, state: str, began: float, total: int = 0, *, text: str = "", message: str = ""
    ) -> BuildEvent:
        return BuildEvent(
            "state", step.number, state, seconds=time.monotonic() - began, total=total, text=text, message=message
        )

    # ---- FROM ----

    def _begin(self) -> Generator[BuildEvent, None, None]:
        plan, workshop = self.plan, self._workshop
        began = time.monotonic()
        scope = arguments.Scope({})
        if plan.base >= 0:
            parent = workshop.results[plan.base]
            base, fetched = parent.base(), False
            scope.declare(tuple(arguments.Argument(*pair) for pair in parent.scope.arguments.items()))
        elif plan.reference == SCRATCH:
            base, fetched = bases.scratch(plan.platform or workshop.platform), False
        else:
            base, fetched = yield from self._image(plan.reference, began)
        self.state = StageState(base, scope)
        if plan.base >= 0:
            self.state.keys = dict(workshop.results[plan.base].keys)
        scope.environment.update(instructions.variables_of(self.state.config))
        self._all_cached = not fetched
        yield self._event(plan.start, "done" if fetched else "cached", began)
        yield from self._triggers()

    def _image(self, reference: str, began: float) -> Generator[BuildEvent, None, tuple[Base, bool]]:
        workshop, step = self._workshop, self.plan.start
        value = workshop.request.contexts.get(reference, "")
        if value and not value.startswith("docker-image://"):
            raise step.instruction.error(f"{reference!r:.100} is a directory and cannot be a base", at=reference)
        reference = value.removeprefix("docker-image://") or reference
        platform = self.plan.platform or workshop.request.platform
        base = None if workshop.request.pull else bases.local_image(workshop, reference)
        if base is not None and _fits(base, platform):
            return base, False
        yield self._event(step, "running", began)
        done: dict[str, tuple[int, int]] = {}
        try:
            for progress in workshop.pull(reference, platform):
                if progress.total and progress.action not in ("digest", "pulled-image"):
                    done[progress.subject] = (progress.done, progress.total)
                totals = [sum(pair[index] for pair in done.values()) for index in (0, 1)]
                yield BuildEvent("bytes", step.number, done=totals[0], total=totals[1], message=progress.action)
        except EngineError as error:
            raise step.instruction.error(f"cannot get the image {reference}: {error}", at=reference) from error
        base = bases.local_image(workshop, reference)
        if base is None:
            raise NotFound("image", reference)
        return base, True

    def _triggers(self) -> Generator[BuildEvent, None, None]:
        """ONBUILD of the base runs now, and is gone then."""
        triggers = self.state.config.get("OnBuild") or []
        if not triggers:
            return
        from tuidock.engine.dockerfile.parser import parse_trigger

        config = {key: value for key, value in self.state.config.items() if key != "OnBuild"}
        self.state.document = {**self.state.document, "config": config}
        for text in triggers:
            yield from self._step(
                Step(self.plan.start.number, parse_trigger(text, f"ONBUILD of {self.plan.reference}"))
            )

    # ---- the others ----

    def _step(self, step: Step) -> Generator[BuildEvent, None, None]:
        if step.instruction.word in _FILES:
            yield from self._with_files(step)
            return
        self._metadata(step.instruction)
        yield BuildEvent("state", step.number, "cached" if self._all_cached else "done")

    def _metadata(self, raw: Instruction) -> None:
        state = self.state
        if raw.word == "ARG":
            plan = self._workshop.plan
            declared = arguments.declare(raw, state.scope.variables(), self._workshop.build_args, plan.arguments)
            state.scope.declare(declared)
            self._note(history.created_by(raw, state.config, arguments=declared))
            return
        instruction = expand_instruction(raw, state.scope.variables())
        config = instructions.apply(state.config, instruction, own_command=self._own_command)
        state.document = {**state.document, "config": config}
        if instruction.word == "ENV":
            state.scope.set(instruction)
        elif instruction.word == "CMD":
            self._own_command = True
        elif instruction.word == "MAINTAINER":
            state.document["author"] = " ".join(instruction.args)
        self._note(history.created_by(instruction, config))

    def _note(self, created_by: str, created: int = 0) -> None:
        """A line of the image's history; created 0: no layer."""
        if not created_by:
            return
        entry: dict[str, Any] = {"created_by": created_by, "comment": history.COMMENT}
        if created:
            from tuidock.engine.build.result import moment

            entry["created"] = moment(created)
        else:
            entry["empty_layer"] = True
        self.state.history.append(entry)

    def _with_files(self, step: Step) -> Generator[BuildEvent, None, None]:
        state, raw = self.state, step.instruction
        began = time.monotonic()
        instruction = expand_instruction(raw, state.scope.variables())
        work: placing.Copying | placing.WorkingDirectory | running.Running
        if raw.word == "RUN":
            from tuidock.engine.build import running

            work = running.Running(self._workshop, state, instruction, self.plan.stage)
        else:
            from tuidock.engine.build import placing

            if raw.word == "WORKDIR":
                config = instructions.apply(state.config, instruction)
                state.document = {**state.document, "config": config}
                work = placing.WorkingDirectory(self._workshop, state, instruction)
            else:
                work = placing.Copying(self._workshop, state, instruction, self.plan.stage)
        text = shown(raw, state.scope.variables())
        try:
            yield from self._look_up(step, work, began, text if text != raw.text else "")
        finally:
            work.close()

    def _look_up(self, step: Step, work: Any, began: float, text: str) -> Generator[BuildEvent, None, None]:
        workshop, state = self._workshop, self.state
        yield from work.prepare(step.number)
        key = cache.key_of(state.digest(), step.instruction.word, *work.parts)
        row = None if self._again else workshop.find(key)
        if row is not None and self._continues(row):
            self._take(row)
            if row.layers:
                state.keys[len(state.layers) - 1] = key
            yield self._event(step, "cached", began, row.size, text=text)
        else:
            self._all_cached = False
            yield self._event(step, "running", began, text=text)
            before = len(state.layers)
            yield from work.execute(step.number, key)
            if len(state.layers) == before:
                workshop.add_row(Row(key, step.instruction.word, step.instruction.text, (), 0, workshop.now()))
            row = workshop.made_row(key)
            yield self._event(step, "done", began, row.size)
        self._note(work.created_by, row.created if row.layers else 0)

    def _continues(self, row: Row) -> bool:
        """Whether its layers lie on those that are here. What --cache-from brings can say anything; and what is done on
        top would be kept under the name of other layers."""
        chain_id = self.state.chain_id
        for layer in row.layers:
            name = sha256(f"{chain_id} {layer.diff_id}".encode()).hexdigest()
            if layer.chain_id != ("sha256:" + name if chain_id else layer.diff_id):
                return False
            chain_id = layer.chain_id
        return True

    def _take(self, row: Row) -> None:
        for layer in row.layers:
            self._add(layer)

    def _add(self, layer: Layer) -> None:
        self.state.layers.append(layer)
        self.state.lower.insert(0, self._workshop.directory_of(layer))


def _fits(base: Base, platform: str) -> bool:
    """Whether an image is for a platform; "" fits any."""
    if not platform:
        return True
    wanted, document = parse_platform(platform, os.uname().machine), base.document
    same = document.get("os") == wanted.os and document.get("architecture") == wanted.architecture
    return same and (not wanted.variant or document.get("variant") in (None, "", wanted.variant))
