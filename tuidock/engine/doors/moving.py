"""Containers: everything that changes one."""

from __future__ import annotations

from collections.abc import Sequence

from tuidock.engine.doors.base import Door
from tuidock.engine.errors import EngineError, NotFound, WrongPlatform, WrongState
from tuidock.engine.events import append
from tuidock.engine.types import Container, CreateRequest, ExecRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Any

    from tuidock.engine.containers.debugging import Debug
    from tuidock.engine.store.removed import Keeping
    from tuidock.engine.stream import Resumer


class Moving(Door):
    """create, start, stop, kill, pause, rename, remove, attach and exec."""

    def create(self, request: CreateRequest) -> str:
        """Makes a container, returns its id."""
        from tuidock.engine.containers.creating import create

        self._change("create a container")
        reference = str(request.config.get("Image") or "")
        if request.platform:
            self._check_platform(reference, request.platform)
        return create(self.instance, request, self._image_view(reference))

    def _check_platform(self, reference: str, asked: str) -> None:
        import os

        from tuidock.engine.options.platforms import Platform, architecture_of, parse_platform
        from tuidock.engine.store import images

        found = images.inspect(self.instance.state, self.instance.paths, reference)
        has = Platform(found["Os"], architecture_of(found["Architecture"]), found.get("Variant", ""))
        wanted = parse_platform(asked, os.uname().machine)
        if wanted[:2] != has[:2] or (wanted.variant and has.variant and wanted.variant != has.variant):
            raise WrongPlatform(reference, wanted, has)

    def start(
        self, reference: str, *, owner: socket.socket | None = None, tty_size: tuple[int, int] = (0, 0),
        bound: bool = False,
    ) -> Container:  # fmt: skip
        """Starts it; owner is the far end of a stream socket that gets the output with back-pressure.

        bound: the container is killed when the near end is closed, by whatever.

        Raises StartFailed with docker's exit code.
        """
        from tuidock.engine.containers.starting import start

        self._change("start a container")
        container = self.container(reference)
        image = self._image_view(container.image_id)
        fd = -1
        if owner is not None:
            fd = owner.fileno()
            self._tell("attach", container)
        try:
            start(self.instance, container, image, owner=fd, tty_size=tty_size, bound=bound)
        except EngineError:
            if container.auto_remove and container.status in ("created", "exited"):
                self.remove_many([container.id], force=True, volumes=True)
            raise
        return self.container(container.id)

    def _config(self, container_id: str) -> dict[str, Any]:
        from tuidock.engine.containers.inspecting import request_of

        return request_of(self.instance, container_id)[0]

    def stop(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        """Stop signal, wait (10 s), SIGKILL. Stopping a stopped one is fine."""
        from tuidock.engine.containers import stopping

        self._change("stop a container")
        container = self.container(reference)
        stopping.stop(self.instance, container.id, container.name, self._config(container.id), timeout, signal)
        self._release_mounts(container)

    def _release_mounts(self, container: Container) -> None:
        """What the container was the last to use of volumes that are mounted only meanwhile."""
        if any(point.type == "volume" for point in container.mounts):
            from tuidock.engine.containers.living_mounts import release_idle

            release_idle(self.instance)

    def restart(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        """stop and start."""
        self._change("restart a container")
        container = self.container(reference)
        self.stop(container.id, timeout=timeout, signal=signal)
        self.start(container.id)
        append(self.instance.paths.journal, "container", "restart", container.id, container.name, image=container.image)

    def kill(self, reference: str, signal: str = "KILL") -> None:
        """Sends a signal to the init process."""
        from tuidock.engine.containers import stopping

        self._change("kill a container")
        container = self.container(reference)
        stopping.kill(self.instance, container.id, container.name, self._config(container.id), signal)

    def kill_process(self, reference: str, pid: int, signal: str = "TERM") -> None:
        """Sends a signal to one process of a running container; pid is the host's, as `top` shows it.

        Raises NotFound when it is no process of the container, WrongState when that does not run.
        """
        from tuidock.engine.containers.processes import kill_process

        self._change("kill a process")
        kill_process(self.instance, self._running(reference), pid, signal)

    def pause(self, reference: str) -> None:
        """Freezes all its processes."""
        from tuidock.engine.containers import stopping

        self._change("pause a container")
        container = self.container(reference)
        stopping.pause(self.instance, container.id, container.name)

    def unpause(self, reference: str) -> None:
        """Lets them go on."""
        from tuidock.engine.containers import stopping

        self._change("unpause a container")
        container = self.container(reference)
        stopping.unpause(self.instance, container.id, container.name)

    def wait(self, reference: str, condition: str = "not-running") -> int:
        """Blocks until it has ended, returns the exit code. condition: not-running, next-exit or removed."""
        from tuidock.engine.containers import stopping

        container_id = self._id(reference)
        return stopping.wait(self.instance, container_id, next_exit=condition == "next-exit")

    def rename(self, reference: str, new_name: str) -> None:
        """Raises NameTaken or InvalidArgument."""
        from tuidock.engine.containers.renaming import rename

        self._change("rename a container")
        rename(self.instance, self.container(reference), new_name)

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False, now: bool = False) -> None:
        """Removes one. Raises WrongState when it runs and force is not given."""
        for _, error in self.remove_many([reference], force=force, volumes=volumes, now=now):
            if error is not None:
                raise error

    def update(
        self, reference: str, resources: Mapping[str, Any], restart_policy: Mapping[str, Any] | None = None
    ) -> None:
        """New limits (docker's HostConfig keys, as `options.update` reads them) and restart policy, at once and for good.

        Raises InvalidArgument, Conflict, or SystemFailure when the kernel refuses a limit; then everything stays as it was.
        """
        from tuidock.engine.containers.updating import update

        self._change("update a container")
        update(self.instance, self.container(reference), resources, restart_policy)

    def unlink(self, reference: str) -> None:
        """Removes one link, named CONTAINER/ALIAS. Raises NotFound, Conflict."""
        from tuidock.engine.containers.unlinking import unlink

        self._change("remove a link")
        unlink(self.instance, reference)

    def remove_many(
        self,
        references: Sequence[str],
        *,
        force: bool = False,
        volumes: bool = False,
        now: bool = False,
        batch: str = "",
    ) -> list[tuple[str, EngineError | None]]:
        """Removes several together (much faster than one by one); tells for each reference what went wrong.

        They go to the trash, --rm containers apart; now: for good. One batch comes back together.
        """
        from tuidock.engine.containers.removing import remove_many

        self._change("remove a container")
        found: dict[str, tuple[str, str]] = {}
        failures: dict[str, EngineError] = {}
        may_come_back = False
        for reference in references:
            try:
                container = self.container(reference)
                found[reference] = (container.id, container.name)
                may_come_back |= not container.auto_remove
            except EngineError as error:
                failures[reference] = error
        targets = list(dict.fromkeys(found.values()))
        keeping, drop = self._keeping(now or not may_come_back, batch), self._drop_volumes
        done = dict(
            remove_many(self.instance, targets, force=force, volumes=volumes, drop_volumes=drop, keeping=keeping)
        )
        self._collect_hidden()
        self._limit_trash(keeping)
        return [(r, failures[r] if r in failures else done[found[r][0]]) for r in references]

    def _collect_hidden(self) -> None:
        """An image that was removed by force goes with the last container that stood on it."""
        query = (
            "SELECT 1 FROM images WHERE loaded = 0 AND id NOT IN (SELECT image_id FROM containers) "
            "AND id NOT IN (SELECT image_id FROM removed)"
        )
        if self.instance.state.read().execute(query).fetchone():
            from tuidock.engine.store import collection

            collection.collect(self.instance.state, self.instance.paths)

    def _drop_volumes(self, names: Sequence[str], keeping: Keeping | None) -> None:
        from tuidock.engine.store import volumes

        for name in names:
            volumes.remove(self.instance.state, self.instance.paths, name, force=True, keeping=keeping)
            append(self.instance.paths.journal, "volume", "destroy", name, driver="local")

    def prune_containers(self) -> tuple[list[str], int]:
        """Removes all that do not run, for good; returns their ids and the bytes that came free."""
        from tuidock.engine.containers import rows

        idle = [
            container
            for container in rows.list_containers(self.instance)
            if container.status in ("created", "exited", "dead")
        ]
        size = sum(rows.writable_size(self.instance, container.id) for container in idle)
        done = self.remove_many([container.id for container in idle], now=True)
        return [reference for reference, error in done if error is None], size

    def attach(self, reference: str) -> socket.socket:
        """A connected stream socket to its shim; frames as in native/src/shim/attach.c. Raises WrongState."""
        from tuidock.engine.stream import connect

        container = self._running(reference)
        if container.status == "paused":
            raise WrongState("You cannot attach to a paused container, unpause it first")
        connection = connect(self.instance.paths.container_run(container.id))
        self._tell("attach", container)
        return connection

    def detached(self, reference: str) -> None:
        """Tells that a client left a container by its detach keys; one that has gone meanwhile is fine."""
        try:
            container = self.container(reference)
        except NotFound:
            return
        self._tell("detach", container)

    def resumer(self, reference: str) -> Resumer:
        """What finds the output that a client lacks when its shim is killed; ask before that happens."""
        from tuidock.engine.stream import Resumer

        return Resumer(self.instance.paths.container(self._id(reference)) + "/logs")

    def reattach(self, container_id: str, *, owner: bool) -> socket.socket | None:
        """A stream to the shim that took over from a killed one, None when the container has ended meanwhile."""
        from tuidock.engine.containers.reattaching import reattach

        return reattach(self.instance, container_id, owner=owner)

    def debug_argv(self, reference: str, request: ExecRequest, image: str = "") -> Debug:
        """As exec_argv, with the programs of another image (host/base) and the container's files below /container.

        Raises NotFound when there is no such image; `pull` makes host/base.
        """
        from tuidock.engine.containers.debugging import debug

        self._change("run a command in a container")
        container = self._running(reference)
        if container.status == "paused":
            raise WrongState(f"Container {container.name} is paused, unpause the container before debug")
        return debug(self.instance, container, request, image)

    def shells(self, reference: str, user: str = "") -> tuple[str, ...]:
        """The shells of a running container, the best for that user first. Raises WrongState."""
        from tuidock.engine.containers.shells import shells

        return shells(self.instance, self._running(reference), user)

    def exec_argv(self, reference: str, request: ExecRequest) -> list[str]:
        """The argv of `tuidock-shim exec`, to be executed or spawned by the client. Raises WrongState."""
        from tuidock.engine.containers.executing import exec_argv

        self._change("run a command in a container")
        container = self._running(reference)
        if container.status == "paused":
            raise WrongState(f"Container {container.name} is paused, unpause the container before exec")
        return exec_argv(self.instance, container.id, request)
