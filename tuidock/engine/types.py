"""The values that the engine hands out: what the app and the command line see.

Plain named tuples, because importing `dataclasses` costs a short command as much as starting Python itself. Times are
nanoseconds since the epoch, sizes are bytes, durations are seconds unless the name says `_ns`. Strings that come from
images, labels, logs or registries are raw here: whoever shows them passes them through `tuidock.engine.clean`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Legal values of Container.status, docker's words.
STATUSES = ("created", "running", "paused", "restarting", "exited", "removing", "dead")


class PortBinding(Named):
    """A published port. host_ip "" means every address of the host; host_port 0 means not yet chosen."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int

    def __str__(self) -> str:
        ip = self.host_ip or "0.0.0.0"
        if ":" in ip:
            ip = f"[{ip}]"
        return f"{ip}:{self.host_port}->{self.container_port}/{self.protocol}"


class Endpoint(Named):
    """One container's place in one network."""

    network: str
    network_id: str
    address: str
    prefix_length: int
    gateway: str
    mac: str
    aliases: tuple[str, ...] = ()
    address6: str = ""
    prefix_length6: int = 0
    gateway6: str = ""


class MountPoint(Named):
    """Something mounted into a container. type: bind, volume or tmpfs; name is a volume's."""

    type: str
    name: str
    source: str
    destination: str
    read_only: bool = False
    propagation: str = ""
    options: str = ""


class Step(Named):
    """One timed step of a start: image, container, layer, bridge, address, process (and `end` with its moment)."""

    name: str
    duration_ns: int


class Container(Named):
    """A row of `ps`. exit_code is None until the container has ended once."""

    id: str
    name: str
    image: str
    image_id: str
    command: str
    created: int
    status: str
    pid: int = 0
    exit_code: int | None = None
    started: int = 0
    finished: int = 0
    restarts: int = 0
    oom_killed: bool = False
    error: str = ""
    health: str = ""
    ports: tuple[PortBinding, ...] = ()
    exposed: tuple[str, ...] = ()
    networks: tuple[Endpoint, ...] = ()
    mounts: tuple[MountPoint, ...] = ()
    labels: Mapping[str, str] = {}
    tty: bool = False
    open_stdin: bool = False
    auto_remove: bool = False
    restart_policy: str = "no"
    log_dropped: int = 0
    stopped: bool = False  # somebody asked for its last end: stop, kill or restart

    @property
    def short_id(self) -> str:
        return self.id[:12]


class Image(Named):
    """An image: id is "sha256:..." of its config. references are familiar names with tag, () when dangling."""

    id: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    created: int
    size: int
    labels: Mapping[str, str] = {}
    containers: int = 0

    @property
    def short_id(self) -> str:
        return self.id.removeprefix("sha256:")[:12]


class Volume(Named):
    """A named directory. users are the names of the containers that mount it; size -1 means not measured."""

    name: str
    driver: str
    mountpoint: str
    created: int
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}
    anonymous: bool = False
    users: tuple[str, ...] = ()
    size: int = -1


class Network(Named):
    """A network. members are the endpoints of containers by container name; subnet6 is "" without IPv6."""

    id: str
    name: str
    driver: str
    subnet: str
    gateway: str
    bridge: str
    created: int
    internal: bool = False
    labels: Mapping[str, str] = {}
    members: tuple[tuple[str, str], ...] = ()
    subnet6: str = ""
    options: Mapping[str, str] = {}


class Member(Named):
    """A container in a network, for a map. Counters are bytes and packets since its start, as the container sees them (rx
    came to it); running is False for one that keeps its address and has no link. ports are those that lead to this place.
    """

    container_id: str
    name: str
    running: bool
    interface: str
    address: str
    address6: str
    mac: str
    aliases: tuple[str, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_packets: int = 0
    tx_packets: int = 0


class NetworkMap(Named):
    """A network with everybody in it. up: its bridge stands (it is made for the first container that starts in it)."""

    network: Network
    up: bool
    members: tuple[Member, ...]


class LogLine(Named):
    """One line that a container wrote. stream: stdout or stderr; text without its newline.

    complete is False when the line was cut because it was longer than the shim's buffer and goes on in the next one.
    skipped > 0 marks a note instead of a line: that many bytes were rotated away or dropped before this point.
    """

    time: int
    stream: str
    text: bytes
    complete: bool = True
    skipped: int = 0


class Stats(Named):
    """One sample of a container's use. cpu_percent is of one core, as `docker stats` shows it; limits 0 = none."""

    id: str
    time: int
    cpu_percent: float
    cpu_ns: int
    memory: int
    memory_limit: int
    pids: int
    pids_limit: int
    net_rx: int
    net_tx: int
    block_read: int
    block_write: int
    throttled_ns: int = 0


class Event(Named):
    """Something that happened, in docker's words: type container|image|volume|network, action start|die|..."""

    time: int
    type: str
    action: str
    id: str
    name: str = ""
    attributes: Mapping[str, str] = {}


class Progress(Named):
    """A step of a long operation: what (layer digest, file), a verb, and bytes so far / in all (0 = unknown)."""

    subject: str
    action: str
    done: int = 0
    total: int = 0
    message: str = ""


class Process(Named):
    """A row of `top`: the titles are in ProcessTable."""

    fields: tuple[str, ...]


class ProcessTable(Named):
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Removed(Named):
    """What `rmi` did: kind Untagged or Deleted."""

    kind: str
    what: str


class RemovedEntry(Named):
    """A thing in the trash. kind: container, volume or image; batch is what one command removed together; subject the id
    of the container or image, or the volume's name; size -1 means not measured."""

    id: str
    batch: str
    kind: str
    name: str
    subject: str
    time: int
    size: int = -1

    @property
    def short_id(self) -> str:
        return self.id[:12]


class Restored(Named):
    """A thing that `undo` brought back: name is the one that it has now; remarks are sentences about what was taken."""

    kind: str
    subject: str
    name: str
    remarks: tuple[str, ...] = ()


class UsageRow(Named):
    """A line of `system df`: type Images|Containers|Local Volumes|Build Cache, or Trash when that is not empty."""

    type: str
    total: int
    active: int
    size: int
    reclaimable: int


class Problem(Named):
    """Something `system check` found. repaired says whether it was put right (with repair=True)."""

    area: str
    subject: str
    message: str
    repaired: bool = False


class Finding(Named):
    """What `system doctor` says of one thing. state: ok, warn (something is worse than it could be) or fail; command: the
    command line that mends it, "" where there is none."""

    area: str
    state: str
    message: str
    command: str = ""


class MigrationItem(Named):
    """One thing of another engine that could be taken over.

    action: take, present (it is here already) or skip; subject: what they call it (image id, else the name); size in
    bytes, 0 = unknown; notes: what will be different; references: the names that an image comes with.
    """

    kind: str
    name: str
    subject: str
    action: str
    size: int = 0
    notes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


class CreateRequest(Named):
    """What `run` and `create` ask for: docker's API objects, so that `inspect` can give them back unchanged.

    config, host_config and networking have the keys of docker's POST /containers/create (Config, HostConfig,
    NetworkingConfig). Everything a person may type has been validated by `tuidock.engine.options.run`.
    """

    name: str
    config: dict[str, Any]
    host_config: dict[str, Any]
    networking: dict[str, Any]
    platform: str = ""
    pull: str = "missing"


class ExecRequest(Named):
    """What `exec` asks for; user and working_dir "" mean the container's own; detach_keys "" means none."""

    command: tuple[str, ...]
    tty: bool = False
    interactive: bool = False
    detach: bool = False
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    privileged: bool = False
    detach_keys: str = "ctrl-p,ctrl-q"
