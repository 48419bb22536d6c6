"""An engine in memory with the door of tuidock.engine.Engine, for tests of the app only.

Nothing here starts a process. Changes are announced as events, exactly like the real engine does it, because the app
learns about its own actions in no other way. The clock stands still, so that pictures stay the same.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.fakes.images import IMAGE_NUMBERS, ImageDoors
from tests.fakes.moving import MovingDoors
from tests.fakes.places import PlaceDoors
from tests.fakes.values import ALIVE, NOW, SECOND, identity
from tuidock.engine.errors import Conflict, InUse, NotFound, PortTaken, WrongState
from tuidock.engine.types import (
    Container,
    CreateRequest,
    Endpoint,
    Event,
    ExecRequest,
    MountPoint,
    Network,
    PortBinding,
    ProcessTable,
    Stats,
    Volume,
)

__all__ = ["ALIVE", "NOW", "SECOND", "Engine", "container", "identity"]


def container(number: int, name: str, image: str, status: str, **values: Any) -> Container:
    values.setdefault("created", NOW - number * 3600 * SECOND)
    if status in ALIVE:
        values.setdefault("pid", 1000 + number)
        values.setdefault("started", NOW - number * 1800 * SECOND)
    return Container(
        identity(number),
        name,
        image,
        "sha256:" + identity(IMAGE_NUMBERS.get(image, 200)),
        values.pop("command", "/bin/app"),
        values.pop("created"),
        status,
        **values,
    )


def sample_containers() -> list[Container]:
    bridge = Endpoint("bridge", identity(90), "10.88.0.7", 16, "10.88.0.1", "02:42:0a:58:00:07")
    return [
        container(
            1,
            "web",
            "nginx:1.27",
            "running",
            ports=(PortBinding(80, "tcp", "", 8080),),
            networks=(bridge,),
            labels={"app": "shop", "tier": "front"},
            command="nginx -g daemon off;",
        ),
        container(
            2,
            "db",
            "postgres:16",
            "running",
            health="healthy",
            networks=(bridge._replace(address="10.88.0.3"),),
            ports=(PortBinding(5432, "tcp", "127.0.0.1", 5432), PortBinding(5433, "tcp", "", 5433)),
            mounts=(MountPoint("volume", "pgdata", "/v/pgdata", "/var/lib/postgresql/data"),),
            labels={"app": "shop", "tier": "back"},
        ),
        container(3, "worker-1", "app:dev", "running", labels={"app": "shop"}),
        container(4, "worker-2", "app:dev", "restarting", restarts=3, exit_code=137, oom_killed=True),
        container(
            5, "migrate", "app:dev", "exited", exit_code=1, started=NOW - 130 * SECOND, finished=NOW - 120 * SECOND
        ),
        container(6, "cache", "redis:7", "paused", ports=(PortBinding(6379, "tcp", "", 6379),)),
        container(
            7,
            "done",
            "busybox:latest",
            "exited",
            exit_code=0,
            started=NOW - 7300 * SECOND,
            finished=NOW - 7200 * SECOND,
        ),
    ]


class Engine(ImageDoors, PlaceDoors, MovingDoors):
    """The engine's door, in memory. `calls` records what was asked for; `fail` raises for a method by name."""

    def __init__(self, root: str = "", read_only: bool = False, *, empty: bool = False) -> None:
        self.read_only = read_only
        self.calls: list[tuple[Any, ...]] = []
        self.fail: dict[str, Exception] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.rows = {} if empty else {row.id: row for row in sample_containers()}
        self.volume_rows = (
            []
            if empty
            else [
                Volume("pgdata", "local", "/v/pgdata", NOW - 9 * 86400 * SECOND, users=("db",), size=640_000_000),
                Volume("shared", "local", "/v/shared", NOW - 2 * 86400 * SECOND, size=172_000_000),
            ]
        )
        self.network_rows = [
            Network(
                identity(90),
                "bridge",
                "bridge",
                "10.88.0.0/16",
                "10.88.0.1",
                "tuidock0",
                NOW - 86400 * SECOND,
                members=() if empty else (("web", "10.88.0.7"), ("db", "10.88.0.3")),
            ),
            Network(identity(91), "host", "host", "", "", "", NOW - 86400 * SECOND),
            Network(identity(92), "none", "null", "", "", "", NOW - 86400 * SECOND),
        ]
        self.directory = root or tempfile.mkdtemp(prefix="tuidock-fake-")
        if not root:
            weakref.finalize(self, shutil.rmtree, self.directory, True)
        self.samples = 0
        self.attempts: list[str] = []  # the methods that would have changed something
        self.healths: dict[str, dict[str, Any]] = {}
        self.no_logs: set[str] = set()
        #: What an exec runs: a program of this machine, on a real pseudo-terminal. "true" cannot be spawned.
        self.program = ["true"]
        self._make_images(empty)
        self._make_places()
        self._make_moving()
        self._condition = threading.Condition()
        self._events: list[Event] = []

    # -- for tests --------------------------------------------------------------------------------------------

    def _enter(self, method: str, *arguments: Any, changes: bool = False) -> None:
        self.calls.append((method, *arguments))
        if method in self.before:
            self.before[method]()
        self.attempts += [method] if changes else []
        if changes and self.read_only:
            raise Conflict("This session is read-only, so nothing may be changed; start tuidock without --read-only.")
        if method in self.fail:
            raise self.fail[method]

    def called(self, method: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == method]

    def emit(self, kind: str, action: str, reference: str, name: str = "", **attributes: str) -> None:
        with self._condition:
            self._events.append(Event(NOW, kind, action, reference, name, attributes))
            self._condition.notify_all()

    def put(self, row: Container, action: str = "start") -> None:
        """A container changes by the hand of somebody else."""
        self.rows[row.id] = row
        self.emit("container", action, row.id, row.name)

    def log(self, name: str, lines: Sequence[str]) -> None:
        directory = self.log_directory(name)
        with open(os.path.join(directory, "0000000001.log"), "a", encoding="utf-8") as file:
            for at, line in enumerate(lines):
                file.write(f"2026-11-24T07:59:{at % 60:02d}.000000000Z stdout F {line}\n")

    # -- containers -------------------------------------------------------------------------------------------

    def containers(self, all: bool = True, size: bool = False) -> list[Container]:
        self._enter("containers")
        rows = sorted(self.rows.values(), key=lambda row: -row.created)
        return [row for row in rows if all or row.status in ALIVE]

    def container(self, ref: str) -> Container:
        self._enter("container", ref)
        return self._find(ref)

    def _find(self, ref: str) -> Container:
        for row in self.rows.values():
            if ref in (row.id, row.name) or (ref and row.id.startswith(ref)):
                return row
        raise NotFound("container", ref)

    def create(self, request: CreateRequest) -> str:
        self._enter("create", request, changes=True)
        if "create" in self.fail:
            raise self.fail["create"]
        number = 100 + len(self.rows)
        ports = []
        for key, bindings in (request.host_config.get("PortBindings") or {}).items():
            port, _, protocol = key.partition("/")
            for binding in bindings:
                host = int(binding.get("HostPort") or 0)
                taken = [row.name for row in self.rows.values() for each in row.ports if each.host_port == host]
                if taken:
                    raise PortTaken(f"Port {host} is taken by container {taken[0]}; choose another one.")
                ports.append(PortBinding(int(port), protocol, binding.get("HostIp", ""), host))
        image = request.config.get("Image", "")
        row = container(
            number, request.name or f"quiet_otter{number}", image, "created", ports=tuple(ports), created=NOW
        )
        self.put(row, "create")
        return row.id

    def start(self, ref: str, *, owner: socket.socket | None = None) -> Container:
        return self._move("start", ref, status="running", started=NOW, pid=4242)

    def stop(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        self._move("stop", ref, status="exited", exit_code=0, finished=NOW, pid=0)

    def restart(self, ref: str, *, timeout: int | None = None, signal: str = "") -> None:
        self._move("restart", ref, status="running", started=NOW)

    def kill(self, ref: str, signal: str = "KILL") -> None:
        self._move("kill", ref, status="exited", exit_code=137, finished=NOW, pid=0)

    def pause(self, ref: str) -> None:
        self._move("pause", ref, status="paused")

    def unpause(self, ref: str) -> None:
        self._move("unpause", ref, status="running")

    def _move(self, verb: str, ref: str, **values: Any) -> Container:
        self._enter(verb, self._find(ref).name, changes=True)
        row = self._find(ref)._replace(**values)
        self.put(row, verb)
        return row

    def rename(self, ref: str, new_name: str) -> None:
        self._enter("rename", ref, new_name, changes=True)
        self.put(self._find(ref)._replace(name=new_name), "rename")

    def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
        row = self._find(ref)
        self._enter("remove", row.name, force, volumes, changes=True)
        if row.status in ALIVE and not force:
            raise WrongState(f"Container {row.name} is {row.status}; stop it first or remove it with force.")
        del self.rows[row.id]
        self.emit("container", "destroy", row.id, row.name)

    def inspect_container(self, ref: str, size: bool = False) -> dict[str, Any]:
        self._enter("inspect_container", ref)
        row = self._find(ref)
        steps = [
            ("image", 300_000),
            ("container", 600_000),
            ("layer", 900_000),
            ("bridge", 1_800_000),
            ("address", 100_000),
            ("process", 2_400_000),
        ]
        state: dict[str, Any] = {"Status": row.status, "Pid": row.pid, "ExitCode": row.exit_code or 0}
        check = {}
        if row.health:
            state["Health"] = self.healths.get(row.name, {"Status": row.health, "FailingStreak": 0, "Log": []})
            check = {"Healthcheck": {"Test": ["CMD-SHELL", "pg_isready || exit 1"], "Interval": 5_000_000_000}}
        return {
            "Id": row.id,
            "Name": "/" + row.name,
            "Created": "2026-11-24T07:00:00Z",
            "State": state,
            "Config": {
                "Image": row.image,
                "Env": ["PATH=/usr/bin:/bin", "MODE=prod"],
                "Cmd": ["nginx"],
                "Labels": dict(row.labels),
                "User": "",
                "WorkingDir": "/",
                **check,
            },
            "HostConfig": {"Memory": 0, "RestartPolicy": {"Name": row.restart_policy}},
            "Timeline": [{"Name": name, "DurationNs": duration} for name, duration in steps],
        }

    def top(self, ref: str, ps_args: Sequence[str] = ()) -> ProcessTable:
        self._enter("top", ref)
        self._find(ref)
        return ProcessTable(
            ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"),
            (
                ("root", "1001", "1", "0", "07:30", "?", "00:00:01", "nginx: master"),
                ("33", "1017", "1001", "0", "07:30", "?", "00:00:00", "nginx: worker"),
            ),
        )

    def kill_process(self, ref: str, pid: int, signal: str = "TERM") -> None:
        self._enter("kill_process", self._find(ref).name, pid, signal, changes=True)

    def log_directory(self, ref: str) -> str:
        self._enter("log_directory", ref)
        path = os.path.join(self.directory, self._find(ref).id, "logs")
        os.makedirs(path, exist_ok=True)
        return path

    def log_driver(self, ref: str) -> str:
        return "none" if self._find(ref).name in self.no_logs else "json-file"

    def runs(self, ids: Sequence[str]) -> list[Event]:
        return [event for event in self._events if event.id in ids and event.action in ("start", "die")]

    def exec_argv(self, ref: str, request: ExecRequest) -> list[str]:
        self._enter("exec_argv", self._find(ref).name, request)
        return self.program

    def shells(self, ref: str, user: str = "") -> tuple[str, ...]:
        self._enter("shells", self._find(ref).name, user)
        return ("/bin/bash", "/bin/sh")

    def listeners(self, ref: str) -> dict[str, tuple[str, ...]]:
        self._enter("listeners", ref)
        self._find(ref)
        return {"80/tcp": ("",), "5432/tcp": ("127.0.0.1",)}

    def ports(self, ref: str) -> list[PortBinding]:
        return list(self._find(ref).ports)

    def stats(self, refs: Sequence[str]) -> list[Stats]:
        self._enter("stats", tuple(refs))
        self.samples += 1
        found = []
        for ref in refs:
            row = self.rows.get(ref)
            if row is not None and row.status in ("running", "paused"):
                number = row.id[0:2]
                value = int(number, 16)
                found.append(
                    Stats(
                        row.id,
                        NOW,
                        value * 1.3,
                        0,
                        value * 12_000_000,
                        0,
                        value,
                        0,
                        value * 1000,
                        value * 500,
                        value * 100,
                        0,
                    )
                )
        return found

    def prune_containers(self, *args: Any, **values: Any) -> tuple[list[str], int]:
        self._enter("prune_containers", changes=True)
        ids = [row.id for row in self.rows.values() if row.status not in ALIVE]
        for each in ids:
            name = self.rows.pop(each).name
            self.emit("container", "destroy", each, name)
        return ids, 0

    # -- volumes, networks ------------------------------------------------------------------------------------

    def volumes(self) -> list[Volume]:
        self._enter("volumes")
        return list(self.volume_rows)

    def volume_size(self, name: str) -> int:
        self._enter("volume_size", name)
        return next((row.size for row in self.volume_rows if row.name == name), 0)

    def create_volume(self, name: str = "", labels: Any = None, options: Any = None) -> Volume:
        self._enter("create_volume", name, changes=True)
        row = Volume(name or identity(77), "local", "/v/" + name, NOW)
        self.volume_rows.append(row)
        self.emit("volume", "create", row.name, row.name)
        return row

    def remove_volume(self, name: str, force: bool = False, *, now: bool = False, batch: str = "") -> None:
        self._enter("remove_volume", name, force, changes=True)
        row = next((row for row in self.volume_rows if row.name == name), None)
        if row is None:
            raise NotFound("volume", name)
        if row.users:
            raise InUse(f"Volume {name} is used by {', '.join(row.users)}; remove them first.")
        self.volume_rows.remove(row)
        self.put_in_trash("volume", name, name, row, now, batch)
        self.emit("volume", "destroy", name, name)

    def inspect_volume(self, name: str) -> dict[str, Any]:
        self._enter("inspect_volume", name)
        return {"Name": name, "Driver": "local", "Mountpoint": "/v/" + name}

    def networks(self) -> list[Network]:
        self._enter("networks")
        return list(self.network_rows)

    def inspect_network(self, ref: str) -> dict[str, Any]:
        self._enter("inspect_network", ref)
        row = next(row for row in self.network_rows if ref in (row.id, row.name))
        return {"Name": row.name, "Id": row.id, "Driver": row.driver}

    # -- system -----------------------------------------------------------------------------------------------

    def newest_events(self, most: int) -> list[Event]:
        return list(self._events[-most:])

    def events(
        self, *, since: int = 0, until: int = 0, follow: bool = True, stop: threading.Event | None = None
    ) -> Iterator[list[Event]]:
        seen = 0
        if not follow:  # 0 is "from now on"
            yield [event for event in self._events if since and event.time >= since]
            return
        while not (stop is not None and stop.is_set()):
            with self._condition:
                if seen == len(self._events):
                    self._condition.wait(0.1)
                batch = self._events[seen:]
                seen += len(batch)
            if batch:
                yield batch

    def info(self) -> dict[str, Any]:
        self._enter("info")
        return {"Name": "web-01", "NCPU": 2, "MemTotal": 8_000_000_000, "DockerRootDir": self.directory}
