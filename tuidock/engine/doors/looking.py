"""Containers: what can be looked at without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuidock.engine.doors.base import LIVING, Door
from tuidock.engine.errors import Unsupported
from tuidock.engine.types import Container, Event, LogLine, PortBinding, ProcessTable, Stats, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

    from tuidock.engine.runtime.stats import Sampler
    from tuidock.engine.runtime.status import Status


class Looking(Door):
    """Lists, inspect, logs, stats, ports, top."""

    _sampler: Sampler | None = None

    def containers(self, all: bool = True) -> list[Container]:
        """Newest first; all=False leaves out those that do not run. A lost shim is replaced on the way."""
        from tuidock.engine.containers import rows

        states: dict[str, Status] = {}
        found = rows.list_containers(self.instance, all_=all, states=states)
        if not self.read_only and self._heal(found, states):
            found = rows.list_containers(self.instance, all_=all)
        return found

    def _heal(self, found: list[Container], states: dict[str, Status]) -> bool:
        """Puts right what the list shows: containers without a shim, ends that nobody cleaned up, --rm leftovers."""
        healed = False
        for container in found:
            if container.status in ("running", "paused") or (
                container.status == "exited" and container.exit_code == 255
            ):
                state = states[container.id]
                if state.needs_shim or state.orphaned or state.status == "paused":
                    from tuidock.engine.containers.sweep import heal

                    healed |= heal(self.instance, container.id, state)
        return healed

    def container_sizes(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(bytes written, bytes with the image) by id; walks through the layers of these containers."""
        from tuidock.engine.containers import rows

        return rows.sizes(self.instance, ids)

    def inspect_container(self, reference: str, size: bool = False) -> dict[str, Any]:
        """docker's JSON with a Timeline beside it."""
        from tuidock.engine.containers.inspecting import inspect

        return inspect(self.instance, self._id(reference), size=size)

    def timeline(self, reference: str) -> list[Step]:
        """The timed steps of the last start."""
        from tuidock.engine.containers.inspecting import timeline

        return timeline(self.instance, self._id(reference))

    def ports(self, reference: str) -> list[PortBinding]:
        """The published ports of a running container."""
        return list(self.container(reference).ports)

    def listeners(self, reference: str) -> dict[str, tuple[str, ...]]:
        """Where something inside waits for connections: "80/tcp" -> addresses, "" meaning every one.

        Raises WrongState when it does not run.
        """
        from tuidock.engine.containers.processes import listeners

        return listeners(self._running(reference).pid)

    def top(self, reference: str, ps_args: Sequence[str] = (), *, told: bool = False) -> ProcessTable:
        """Its processes as the host's ps shows them. told: with an event. Raises WrongState when it does not run."""
        from tuidock.engine.containers.processes import top

        container = self._running(reference)
        table = top(self.instance, container, ps_args)
        if told:
            self._tell("top", container)
        return table

    def logs(
        self, reference: str, *, follow: bool = False, tail: int | None = None, since: int = 0, until: int = 0,
        stop: threading.Event | None = None,
    ) -> Iterator[list[LogLine]]:  # fmt: skip
        """Batches of lines; with follow it blocks until the container ends or `stop` is set (events.Stop wakes it)."""
        from tuidock.engine.runtime.logs import read_logs
        from tuidock.engine.runtime.status import read_status

        container_id = self._id(reference)
        paths = self.instance.paths
        return read_logs(
            self._kept_log(container_id), paths.journal,
            lambda: read_status(paths, container_id).status in LIVING,
            follow=follow, tail=tail, since=since, until=until, stop=stop,
        )  # fmt: skip

    def copy_logs(
        self, reference: str, out: int, err: int, *, tail: int | None = None, timestamps: bool = False
    ) -> None:
        """Writes the log up to now to two descriptors, raw and fast; -1 drops a stream."""
        from tuidock.engine.runtime.logs import copy_logs

        copy_logs(self._kept_log(self._id(reference)), out, err, tail=tail, timestamps=timestamps)

    def _kept_log(self, container_id: str) -> str:
        """Its directory. Raises Unsupported when the container was asked to keep no log."""
        from tuidock.engine.runtime.logs import segments

        directory = self.log_directory(container_id)
        if not segments(directory) and self.log_driver(container_id) == "none":
            raise Unsupported("configured logging driver does not support reading: the container keeps no log")
        return directory

    def log_driver(self, reference: str) -> str:
        """What it was created with: "none" keeps no log."""
        from tuidock.engine.containers.inspecting import request_of

        log = request_of(self.instance, self._id(reference))[1].get("LogConfig") or {}
        return str(log.get("Type") or "")

    def runs(self, ids: Sequence[str]) -> list[Event]:
        """Starts and ends of these containers (whole ids) that the journal still tells of, the earliest first."""
        from tuidock.engine.events import of_containers

        return of_containers(self.instance.paths.journal, frozenset(ids), ("start", "die"))

    def log_directory(self, reference: str) -> str:
        """Where the segments of its log lie."""
        return self.instance.paths.container(self._id(reference)) + "/logs"

    def stats(self, references: Sequence[str]) -> list[Stats]:
        """One sample of each that runs. The CPU share is of the time since this engine's last sample of it."""
        from tuidock.engine.containers.processes import sample
        from tuidock.engine.runtime.status import read_pid

        if self._sampler is None:
            from tuidock.engine.runtime.cgroup import cgroups_of
            from tuidock.engine.runtime.stats import Sampler

            self._sampler = Sampler(cgroups_of(self.instance))
        found = []
        for reference in references:
            # whoever watches many asks by id, once a second: then the database and the locks are not asked again
            container_id = reference if len(reference) == 64 else self._id(reference)
            record = read_pid(self.instance.paths, container_id)
            if record is not None and record.init[0]:
                found.append((container_id, record.init[0]))
        return sample(self._sampler, found)
