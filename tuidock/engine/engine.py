"""Engine: the one door. It resolves what people type, asks the rooms in order, and turns nothing into a surprise.

Plain blocking code, safe to call from several threads (each gets its own database connection). Long operations are
generators of Progress that stop and clean up when they are closed. Everything heavy is imported by the method that
needs it: `tuidock ps` loads the database, the rows and nothing else.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from tuidock.engine.containers import rows
from tuidock.engine.errors import Conflict, EngineError, NotFound, WrongState
from tuidock.engine.instance import Instance
from tuidock.engine.types import (
    Container,
    CreateRequest,
    Event,
    ExecRequest,
    Image,
    LogLine,
    Network,
    PortBinding,
    Problem,
    ProcessTable,
    Progress,
    Removed,
    Stats,
    Step,
    UsageRow,
    Volume,
)

if TYPE_CHECKING:
    from tuidock.engine.containers.creating import ImageView

_LIVING = ("running", "paused", "restarting")


class Engine:
    """Containers, images, volumes and networks of one data root ("" = TUIDOCK_ROOT or /var/lib/tuidock)."""

    def __init__(self, root: str = "", *, read_only: bool = False) -> None:
        self.instance = Instance(root, read_only=read_only)
        self.read_only = read_only

    def close(self) -> None:
        """Closes this thread's database connection."""
        self.instance.state.close()

    def _change(self, what: str) -> None:
        if self.read_only:
            raise Conflict(f"cannot {what}: this session is read-only")

    # --- containers: look

    def containers(self, all: bool = True) -> list[Container]:
        """Newest first; all=False leaves out those that do not run. A lost shim is replaced on the way."""
        found = rows.list_containers(self.instance, all_=all)
        if not self.read_only and self._heal(found):
            found = rows.list_containers(self.instance, all_=all)
        return found

    def _heal(self, found: list[Container]) -> bool:
        """Puts right what the list shows: containers without a shim, ends that nobody cleaned up, --rm leftovers."""
        from tuidock.engine.runtime.status import read_status

        healed = False
        for container in found:
            if container.status == "running" or (container.status == "exited" and container.exit_code == 255):
                state = read_status(self.instance.paths, container.id)
                if state.needs_shim or state.orphaned:
                    from tuidock.engine.containers.sweep import heal

                    healed |= heal(self.instance, container.id, state)
        return healed

    def container(self, reference: str) -> Container:
        """By name, id or unambiguous prefix. Raises NotFound, AmbiguousId."""
        return rows.one_container(self.instance, self._id(reference))

    def _id(self, reference: str) -> str:
        return rows.resolve(self.instance.state.read(), reference)

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

    def top(self, reference: str, ps_args: Sequence[str] = ()) -> ProcessTable:
        """Its processes as the host's ps shows them. Raises WrongState when it does not run."""
        from tuidock.engine.containers.processes import top

        return top(self.instance, self._running(reference), ps_args)

    def _running(self, reference: str, words: str = "is not running") -> Container:
        container = self.container(reference)
        if container.status not in ("running", "paused"):
            raise WrongState(f"Container {container.name} {words}")
        return container

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
            self.log_directory(container_id), paths.journal,
            lambda: read_status(paths, container_id).status in _LIVING,
            follow=follow, tail=tail, since=since, until=until, stop=stop,
        )  # fmt: skip

    def copy_logs(
        self, reference: str, out: int, err: int, *, tail: int | None = None, timestamps: bool = False
    ) -> None:
        """Writes the log up to now to two descriptors, raw and fast; -1 drops a stream."""
        from tuidock.engine.runtime.logs import copy_logs

        copy_logs(self.log_directory(reference), out, err, tail=tail, timestamps=timestamps)

    def log_directory(self, reference: str) -> str:
        """Where the segments of its log lie."""
        return self.instance.paths.container(self._id(reference)) + "/logs"

    def stats(self, references: Sequence[str]) -> list[Stats]:
        """One sample of each that runs."""
        from tuidock.engine.containers.processes import sample

        return sample(self.instance, [self.container(reference) for reference in references])

    # --- containers: move

    def create(self, request: CreateRequest) -> str:
        """Makes a container, returns its id."""
        from tuidock.engine.containers.creating import create

        self._change("create a container")
        return create(self.instance, request, self._image_view(str(request.config.get("Image") or "")))

    def _image_view(self, reference: str) -> ImageView:
        from tuidock.engine.containers.creating import ImageView
        from tuidock.engine.store import images

        record = images.resolve(self.instance.state, self.instance.paths, reference)
        return ImageView(record.id, reference, record.container_config, record.lower, record.top_chain_id)

    def start(
        self, reference: str, *, owner: socket.socket | None = None, tty_size: tuple[int, int] = (0, 0)
    ) -> Container:
        """Starts it; owner is the far end of a stream socket that gets the output with back-pressure.

        Raises StartFailed with docker's exit code.
        """
        from tuidock.engine.containers.starting import start

        self._change("start a container")
        container = self.container(reference)
        image = self._image_view(container.image_id)
        fd = -1 if owner is None else owner.fileno()
        start(self.instance, container, image, owner=fd, tty_size=tty_size)
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

    def restart(self, reference: str, *, timeout: int | None = None, signal: str = "") -> None:
        """stop and start."""
        from tuidock.engine.events import append

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

    def remove(self, reference: str, *, force: bool = False, volumes: bool = False) -> None:
        """Removes one. Raises WrongState when it runs and force is not given."""
        for _, error in self.remove_many([reference], force=force, volumes=volumes):
            if error is not None:
                raise error

    def remove_many(
        self, references: Sequence[str], *, force: bool = False, volumes: bool = False
    ) -> list[tuple[str, EngineError | None]]:
        """Removes several together (much faster than one by one); tells for each reference what went wrong."""
        from tuidock.engine.containers.removing import remove_many

        self._change("remove a container")
        found: dict[str, tuple[str, str]] = {}
        failures: dict[str, EngineError] = {}
        for reference in references:
            try:
                container = self.container(reference)
                found[reference] = (container.id, container.name)
            except EngineError as error:
                failures[reference] = error
        targets = list(dict.fromkeys(found.values()))
        done = dict(remove_many(self.instance, targets, force=force, volumes=volumes, drop_volumes=self._drop_volumes))
        return [(r, failures[r] if r in failures else done[found[r][0]]) for r in references]

    def _drop_volumes(self, names: Sequence[str]) -> None:
        from tuidock.engine.store import volumes

        for name in names:
            volumes.remove(self.instance.state, self.instance.paths, name, force=True)

    def prune_containers(self) -> tuple[list[str], int]:
        """Removes all that do not run; returns their ids and the bytes that came free."""
        idle = [container for container in self.containers() if container.status in ("created", "exited", "dead")]
        size = sum(rows.writable_size(self.instance, container.id) for container in idle)
        done = self.remove_many([container.id for container in idle])
        return [reference for reference, error in done if error is None], size

    def attach(self, reference: str) -> socket.socket:
        """A connected stream socket to its shim; frames as in native/src/shim/attach.c. Raises WrongState."""
        from tuidock.engine.runtime.stream import connect

        container = self._running(reference)
        if container.status == "paused":
            raise WrongState("You cannot attach to a paused container, unpause it first")
        return connect(self.instance.paths.container_run(container.id))

    def exec_argv(self, reference: str, request: ExecRequest) -> list[str]:
        """The argv of `tuidock-shim exec`, to be executed or spawned by the client. Raises WrongState."""
        from tuidock.engine.containers.processes import exec_argv

        self._change("run a command in a container")
        container = self._running(reference)
        if container.status == "paused":
            raise WrongState(f"Container {container.name} is paused, unpause the container before exec")
        return exec_argv(self.instance, container.id, request)

    # --- images

    def images(self, all: bool = False) -> list[Image]:
        """Newest first, dangling ones included."""
        from tuidock.engine.store import images

        used: dict[str, int] = {}
        for (image_id,) in self.instance.state.read().execute("SELECT image_id FROM containers"):
            used[image_id] = used.get(image_id, 0) + 1
        return images.list_images(self.instance.state, used)

    def image(self, reference: str) -> Image:
        """By reference, id or prefix. Raises NotFound."""
        from tuidock.engine.store import images

        found = images.resolve(self.instance.state, self.instance.paths, reference)
        for image in self.images():
            if image.id == found.id:
                return image
        raise NotFound("image", reference)

    def inspect_image(self, reference: str) -> dict[str, Any]:
        """docker's JSON."""
        from tuidock.engine.store import images

        return images.inspect(self.instance.state, self.instance.paths, reference)

    def history(self, reference: str) -> list[dict[str, Any]]:
        """Newest step first, docker's keys."""
        from tuidock.engine.store import images

        return images.history(self.instance.state, self.instance.paths, reference)

    def load(self, source: BinaryIO) -> Iterator[Progress]:
        """Images of a docker or OCI archive; the last progress of each has action `loaded`."""
        from tuidock.engine.store import operations

        self._change("load images")
        return operations.load(self.instance.state, self.instance.paths, source)

    def save(self, references: Sequence[str], target: BinaryIO) -> None:
        """Writes an archive that docker, podman and skopeo read."""
        from tuidock.engine.store import operations

        operations.save(self.instance.state, self.instance.paths, references, target)

    def import_image(
        self, source: BinaryIO, reference: str = "", message: str = "", changes: Sequence[str] = ()
    ) -> Iterator[Progress]:
        """An image from a tar of a root file system; the last progress has action `imported` and the id."""
        from tuidock.engine.store import operations

        self._change("import an image")
        return operations.import_image(self.instance.state, self.instance.paths, source, reference, message, changes)

    def pull(self, reference: str) -> Iterator[Progress]:
        """host/base is made from this machine's own programs. Raises Unsupported for anything else."""
        from tuidock.engine.store import operations

        self._change("pull an image")
        return operations.pull(self.instance.state, self.instance.paths, reference)

    def tag(self, source: str, target: str) -> None:
        """Another name for an image."""
        from tuidock.engine.store import operations

        self._change("tag an image")
        operations.tag(self.instance.state, self.instance.paths, source, target)

    def remove_image(self, reference: str, force: bool = False, no_prune: bool = False) -> list[Removed]:
        """docker's rules: a tag that is not the last only untags. Raises InUse, Conflict."""
        from tuidock.engine.store import operations

        self._change("remove an image")
        users = [(c.name, c.image_id, c.status in _LIVING) for c in rows.list_containers(self.instance)]
        return operations.remove(
            self.instance.state, self.instance.paths, reference, users, force=force, no_prune=no_prune
        )

    # --- volumes and networks

    def volumes(self) -> list[Volume]:
        """By name, with the names of the containers that use each."""
        from tuidock.engine.store import volumes

        return volumes.list_volumes(self.instance.state, self.instance.paths)

    def volume(self, name: str) -> Volume:
        """Raises NotFound."""
        for volume in self.volumes():
            if volume.name == name:
                return volume
        raise NotFound("volume", name)

    def create_volume(
        self, name: str = "", labels: dict[str, str] | None = None, options: dict[str, str] | None = None
    ) -> Volume:
        """A named or anonymous volume; an existing one is returned as it is."""
        from tuidock.engine.containers.names import new_id
        from tuidock.engine.store import volumes

        self._change("create a volume")
        chosen = name or new_id()
        volumes.ensure(
            self.instance.state,
            self.instance.paths,
            chosen,
            labels=labels or {},
            options=options or {},
            anonymous=not name,
        )
        return self.volume(chosen)

    def remove_volume(self, name: str, force: bool = False) -> None:
        """Raises InUse with the users' names, NotFound unless force."""
        from tuidock.engine.store import volumes

        self._change("remove a volume")
        volumes.remove(self.instance.state, self.instance.paths, name, force=force)

    def inspect_volume(self, name: str) -> dict[str, Any]:
        """docker's JSON."""
        from tuidock.engine.store import volumes

        return volumes.inspect(self.instance.state, self.instance.paths, name)

    def volume_size(self, name: str) -> int:
        """Bytes of its files."""
        from tuidock.engine.system.usage import tree_size

        return tree_size(self.volume(name).mountpoint)

    def networks(self) -> list[Network]:
        """bridge, host and none."""
        from tuidock.engine.network import networks

        return networks.list_networks(self.instance.state.read(), self.instance)

    def network(self, reference: str) -> Network:
        """By name, id or prefix. Raises NotFound."""
        found = [n for n in self.networks() if n.name == reference or (reference and n.id.startswith(reference))]
        if not found:
            raise NotFound("network", reference)
        return found[0]

    def inspect_network(self, reference: str) -> dict[str, Any]:
        """docker's JSON."""
        from tuidock.engine.network import networks

        return networks.inspect(self.instance.state.read(), self.network(reference))

    # --- system

    def events(
        self, *, since: int = 0, until: int = 0, follow: bool = True, stop: threading.Event | None = None
    ) -> Iterator[list[Event]]:
        """Batches from the journal; with follow it blocks without polling until `stop` is set."""
        from tuidock.engine.events import read_events

        return read_events(self.instance.paths.journal, since=since, until=until, follow=follow, stop=stop)

    def info(self) -> dict[str, Any]:
        """docker's `info` keys."""
        from tuidock.engine.system import usage

        return usage.info(self.instance, self.containers(), len(self.images()))

    def version(self) -> dict[str, Any]:
        """Version of the program and of what it stands on."""
        from tuidock.engine.system import usage

        return usage.version()

    def disk_usage(self) -> list[UsageRow]:
        """The four lines of `system df`."""
        from tuidock.engine.system import usage

        return usage.disk_usage(self.instance, self.images())

    def check(self, *, repair: bool = False, fast: bool = False) -> Iterator[Problem]:
        """Looks for everything that could be wrong; repair puts it right."""
        from tuidock.engine.system.check import check

        if repair:
            self._change("repair")
        return check(self.instance, repair=repair, fast=fast)

    def sweep(self) -> list[str]:
        """Puts right what kills and crashes left; returns what was done."""
        from tuidock.engine.containers.sweep import sweep

        self._change("sweep")
        return sweep(self.instance)

    def rebuild(self) -> list[str]:
        """Makes state.db anew from the other files; returns what was taken in."""
        from tuidock.engine.system.reset import rebuild

        self._change("rebuild the database")
        return rebuild(self.instance)

    def reset(self) -> None:
        """Removes everything of this data root."""
        from tuidock.engine.system.reset import reset

        self._change("reset")
        reset(self.instance)

    def boot(self) -> list[str]:
        """After a reboot: marks what ran as exited and starts what its restart policy wants; returns the names."""
        from tuidock.engine.containers.booting import wanted_after_boot

        self._change("start containers")
        self.sweep()
        started = []
        for name in wanted_after_boot(self.instance):
            self.start(name)
            started.append(name)
        return started

    @property
    def root(self) -> str:
        """The data root."""
        return os.path.abspath(self.instance.paths.root)
