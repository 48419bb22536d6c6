"""RUN: the command in a container of its own, with what --mount puts into it, and its changes as the next layer.

Sources of mounts are opened inside their tree and copied or bound by a place that nobody else can change, so a link that
is exchanged meanwhile leads nowhere (CVE-2024-23651, CVE-2024-1753). Mountpoints that the image lacks lie in a layer of
the container's own, so they never show in the result. What only a command that runs needs is not loaded for one that is
found in the cache.
"""

from __future__ import annotations

import errno
import time

from tuidock.engine.build.stages import StepError
from tuidock.engine.dockerfile import history, instructions
from tuidock.engine.dockerfile.arguments import PROXIES, Argument
from tuidock.engine.errors import StartFailed
from tuidock.engine.image_types import BuildEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tuidock.engine.build.workshop import StageState, Workshop
    from tuidock.engine.containers.hidden import HiddenContainer, Work
    from tuidock.engine.dockerfile.ast import Instruction
    from tuidock.engine.dockerfile.mounts import RunMount

_STREAMS = {1: "stdout", 2: "stderr"}


class Running:
    """One RUN: `prepare`, then `parts` for the key and created_by for the history, then `execute` unless it is known."""

    def __init__(self, workshop: Workshop, state: StageState, instruction: Instruction, stage: int) -> None:
        self._workshop, self._state, self._instruction, self._stage = workshop, state, instruction, stage
        self._command = instructions.run_command(instruction, instructions.shell_of(state.config))
        self._mounts = _mounts_of(instruction)
        self._network = self._network_mode()
        if instruction.flag("security", "sandbox") not in ("sandbox", ""):
            raise instruction.error("--security=insecure is not possible: steps always run confined", at="--security")
        self.parts: list[object] = []
        given = state.scope.arguments
        shown = [(name, value) for name, value in given.items() if name not in PROXIES]
        self.created_by = history.created_by(
            instruction, state.config, argv=self._command.argv,
            arguments=[Argument(name, value) for name, value in shown if value is not None],
            variables=state.scope.variables(),
        )  # fmt: skip

    def _network_mode(self) -> str:
        asked = self._instruction.flag("network", "default")
        if asked not in ("default", "none", "host"):
            raise self._instruction.error(f"--network={asked:.40} is not known: default, none or host", at="--network")
        if asked == "host" and self._workshop.request.network != "host":
            reason = "a step gets the host's network only when the build itself is run with --network=host"
            raise self._instruction.error(reason, at="--network")
        return self._workshop.request.network or "default" if asked == "default" else asked

    def close(self) -> None:
        """Nothing stays open between prepare and execute."""

    def prepare(self, number: int) -> Iterator[BuildEvent]:
        """What the command could depend on."""
        scope, request = self._state.scope, self._workshop.request
        declared = sorted(
            [name, scope.variables().get(name, "")]
            for name, value in scope.arguments.items()
            if value is not None and name not in PROXIES
        )
        script = self._command.script
        self.parts = [
            list(self._command.argv), declared, script.text if script else "", self._network,
            list(request.extra_hosts), list(request.security_options),
            [self._part(mount) for mount in self._mounts],
        ]  # fmt: skip
        yield from ()

    def _part(self, mount: RunMount) -> object:
        from tuidock.engine.build import mounting

        return mounting.part(self._workshop, self._instruction, mount, self._stage)

    def execute(self, number: int, key: str) -> Iterator[BuildEvent]:
        """Runs it. Raises StepError when the command fails."""
        from contextlib import ExitStack

        from tuidock.engine.build import mounting
        from tuidock.engine.containers import hidden
        from tuidock.engine.containers.hidden import HiddenContainer, Work

        workshop, state, began = self._workshop, self._state, time.monotonic()
        draft = workshop.draft(state)
        try:
            with HiddenContainer(workshop.instance) as container, ExitStack() as stack:
                places = mounting.Places(workshop, state, container, stack)
                for mount in self._mounts:
                    for _ in places.add(self._instruction, mount, self._stage):
                        yield _beat(number, began)
                if self._command.script is not None:
                    places.script(self._command.argv[-1], self._command.script.text)
                work = Work(
                    tuple(state.lower), draft.path + "/fs", draft.path + "/work", tuple(places.points),
                    tuple(places.stubs),
                )  # fmt: skip
                environment = [*self._environment(), *places.environment]
                config = hidden.configuration(state.config, self._command.argv, environment)
                yield from self._output(container, config, work, number, began)
            if container.exit_code:
                raise StepError(self._failure(container), container.exit_code)
            for done in workshop.keep_layer(state, draft, key, "RUN", self._instruction.text):
                yield BuildEvent("bytes", number, done=done, message="writing the layer")
        except BaseException:
            draft.close()
            raise

    def _output(
        self, container: HiddenContainer, config: dict[str, Any], work: Work, number: int, began: float
    ) -> Iterator[BuildEvent]:
        try:
            for piece in container.run(config, self._host_config(), work):
                if piece.stream:
                    yield BuildEvent("output", number, stream=_STREAMS[piece.stream], output=piece.data)
                else:
                    yield _beat(number, began)
        except StartFailed as error:
            if (error.step, error.errno) == ("overlay", errno.EINVAL):
                from tuidock.engine.build import merging

                raise merging.refused(work.upper) from error
            raise StepError(f"{self._shown()} did not start: {error}", error.exit_code) from error

    def _environment(self) -> list[str]:
        """The arguments of the build as variables; the image's own ENV counts more."""
        given = {name: value for name, value in self._state.scope.arguments.items() if value is not None}
        for name in PROXIES:
            if name in self._workshop.build_args:
                given.setdefault(name, self._workshop.build_args[name])
        return [f"{name}={value}" for name, value in given.items()]

    def _host_config(self) -> dict[str, Any]:
        request = self._workshop.request
        host: dict[str, Any] = {
            "NetworkMode": self._network, "LogConfig": {"Type": "none"}, "ExtraHosts": list(request.extra_hosts),
            "SecurityOpt": list(request.security_options), "Memory": request.memory, "CpuQuota": request.cpu_quota,
            "ShmSize": request.shm_size, **request.resources,
        }  # fmt: skip
        if request.ulimits:
            from tuidock.engine.options.devices import parse_ulimit

            host["Ulimits"] = [parse_ulimit(text) for text in request.ulimits]
        return host

    def _shown(self) -> str:
        return f'process "{" ".join(self._command.argv)}"'

    def _failure(self, container: HiddenContainer) -> str:
        reason = f"{self._shown()} did not complete successfully: exit code: {container.exit_code}"
        return reason + (" (it was killed because memory ran out)" if container.oom_killed else "")


def _mounts_of(instruction: Instruction) -> tuple[RunMount, ...]:
    if "mount" not in instruction.flags:
        return ()
    from tuidock.engine.dockerfile.mounts import parse_mounts

    return parse_mounts(instruction)


def _beat(number: int, began: float) -> BuildEvent:
    """Still at it: so that whoever takes the events can stop between two of them."""
    return BuildEvent("bytes", number, seconds=time.monotonic() - began)
