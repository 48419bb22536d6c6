"""Engine values to table rows: pure functions, no screen, no clock of their own.

Texts stay raw here; the widgets clean every cell. State is told by glyph and word, never by colour alone, and numbers
carry a sort key, so that 9M sorts below 12K's bigger brothers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from tuidock.app.widgets.rows import Cell, Column, Row
from tuidock.app.words import mark, tr, trn
from tuidock.engine.types import Container, Image, Network, PortBinding, Stats, Volume

CONTAINER_COLUMNS: Final = (
    Column("name", "NAME", 12, grow=3),
    Column("state", "STATE", 17, grow=1),
    Column("cpu", "CPU", 7, "right", priority=2),
    Column("memory", "MEM", 6, "right", priority=3),
    Column("ports", "PORTS", 14, priority=4, grow=1),
    Column("image", "IMAGE", 18, priority=6, grow=2),
    Column("network", "NET ↓/↑", 14, "right", priority=7, sortable=False),
    Column("pids", "PIDS", 5, "right", priority=8),
    Column("age", "AGE", 5, "right", priority=9),
    Column("limit", "MEM %", 5, "right", priority=10),
    Column("disk", "DISK R/W", 14, "right", priority=11, sortable=False),
    Column("restarts", "RESTARTS", 8, "right", priority=12),
    Column("project", "PROJECT", 12, priority=13, grow=1),
    Column("networks", "NETWORKS", 12, priority=14, grow=1),
    Column("command", "COMMAND", 16, priority=15, grow=2),
    Column("id", "ID", 12, priority=16),
)
#: Columns that are there for those who choose them.
EXTRA_COLUMNS: Final = frozenset({"limit", "disk", "restarts", "project", "networks", "command", "id"})
#: The label of docker compose.
PROJECT: Final = "com.docker.compose.project"
IMAGE_COLUMNS: Final = (
    Column("name", "NAME", 16, grow=3),
    Column("tag", "TAG", 8, priority=1, grow=1),
    Column("size", "SIZE", 7, "right", priority=2),
    Column("use", "USE", 10, priority=3),
    Column("age", "AGE", 5, "right", priority=4),
    Column("id", "ID", 12, priority=5),
)
VOLUME_COLUMNS: Final = (
    Column("name", "NAME", 16, grow=3),
    Column("size", "SIZE", 7, "right", priority=1),
    Column("users", "USED BY", 14, priority=2, grow=2),
    Column("driver", "DRIVER", 7, priority=4),
    Column("age", "AGE", 5, "right", priority=3),
)
NETWORK_COLUMNS: Final = (
    Column("name", "NAME", 12, grow=2),
    Column("subnet", "SUBNET", 18, priority=2, grow=1),
    Column("members", "MEMBERS", 11, "right", priority=1),
    Column("driver", "DRIVER", 8, priority=3),
    Column("gateway", "GATEWAY", 15, priority=4),
    Column("id", "ID", 12, priority=5),
)

#: Words of the engine that are shown as they are.
ENGINE_WORDS: Final = (
    mark("created"), mark("removing"), mark("dead"), mark("healthy"), mark("unhealthy"), mark("starting"),
)  # fmt: skip
GLYPHS: Final = {
    "running": ("●", "*"),
    "created": ("○", "o"),
    "exited": ("○", "o"),
    "paused": ("◐", "="),
    "restarting": ("↻", "~"),
    "removing": ("○", "o"),
    "dead": ("✖", "!"),
    "failed": ("✖", "!"),
}
_UNITS: Final = "BKMGTPE"


def size(count: int) -> str:
    """Bytes in at most five characters: 0B, 512B, 12K, 1.9G; "" when not known."""
    if count < 0:
        return ""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit and value < 9.95:
        return f"{value:.1f}{_UNITS[unit]}"
    return f"{value:.0f}{_UNITS[unit]}"


def counted(count: int, noun: str) -> str:
    """ "1 port", "2 ports" """
    return f"{count} {noun}{'s' * (count != 1)}"


def number(count: int) -> str:
    """Thousands apart: 18 421."""
    return f"{count:,}".replace(",", " ")


def rate(per_second: float) -> str:
    return f"{size(max(0, int(per_second)))}/s"


def age(nanoseconds: int) -> str:
    """A duration in at most four characters: 0s, 59s, 3h, 12d, 3y."""
    seconds = max(0, nanoseconds // 1_000_000_000)
    for unit, length in (("y", 31_536_000), ("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length * (2 if unit in "wy" else 1):
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def since(moment: int, now_ns: int) -> str:
    """How long ago; "-" for a moment that nobody wrote down (an image need not have a date)."""
    if not now_ns:
        return ""
    return age(now_ns - moment) if moment > 0 else "-"


def port(binding: PortBinding) -> str:
    protocol = "" if binding.protocol == "tcp" else f"/{binding.protocol}"
    local = "127.0.0.1:" if binding.host_ip in ("127.0.0.1", "::1") else ""
    return f"{local}{binding.host_port or '?'}→{binding.container_port}{protocol}"


def ports(bindings: Iterable[PortBinding], exposed: Sequence[str] = ()) -> str:
    """Published ports, each once though it listens on IPv4 and IPv6; without any the exposed ones."""
    published = list(dict.fromkeys(port(one) for one in bindings))
    return " ".join(published or (one.removesuffix("/tcp") for one in exposed))


def plain_ascii(text: str) -> str:
    return text.replace("→", ">").replace("↓", "v").replace("↑", "^").replace("…", "~")


def failed(container: Container) -> bool:
    """Whether it ended in a way that somebody should look at; an end by a signal that was asked for is none."""
    if container.status != "exited":
        return False
    return container.oom_killed or bool(container.exit_code and not (container.stopped and container.exit_code > 128))


def state(container: Container, now_ns: int, ascii: bool = False) -> Cell:
    """Glyph and words: "● up 3h healthy", "✖ exit 1 2m ago"."""

    def elapsed(moment: int) -> str:
        return age(now_ns - moment) if moment and now_ns else ""

    status = container.status
    glyph_of, style = status, "muted"
    if status == "running":
        words, style = tr("up {age}", age=elapsed(container.started)).rstrip(), "good"
        if container.health:
            words += f" {tr(container.health)}"
            style = {"healthy": "good", "starting": "busy"}.get(container.health, "bad")
    elif status == "paused":
        words, style = tr("paused"), "warn"
    elif status == "restarting":
        words, style = trn("1 restart", "{count} restarts", container.restarts), "warn"
    elif status == "exited":
        ago = " " + tr("{age} ago", age=elapsed(container.finished)) if elapsed(container.finished) else ""
        if container.oom_killed:
            glyph_of, words, style = "failed", tr("out of memory") + ago, "bad"
        elif container.exit_code and not failed(container):
            words = tr("stopped") + ago
        elif container.exit_code:
            glyph_of, words, style = "failed", tr("exit {code}", code=container.exit_code) + ago, "bad"
        else:
            words = tr("exited") + ago
    else:
        words, style = tr(status), "bad" if status == "dead" else "muted"
    glyph = GLYPHS.get(glyph_of, ("?", "?"))[1 if ascii else 0]
    return Cell(f"{glyph} {words}", style)


_ORDER: Final = {"restarting": 0, "running": 1, "paused": 2, "removing": 3, "exited": 4, "dead": 5, "created": 6}


def stats_cells(stats: Stats | None, previous: Stats | None = None, ascii: bool = False) -> dict[str, Cell]:
    """The cells that a sample changes; the network rate needs the sample before it."""
    if stats is None:
        return {key: Cell("-", "muted") for key in ("cpu", "memory", "network", "pids", "limit", "disk")}
    limit = stats.memory_limit
    tight = limit and stats.memory > 0.9 * limit
    network = disk = ""
    if previous is not None and stats.time > previous.time:
        seconds = (stats.time - previous.time) / 1e9
        down, up = (stats.net_rx - previous.net_rx) / seconds, (stats.net_tx - previous.net_tx) / seconds
        network = f"{rate(down)} {rate(up)}"
        read = (stats.block_read - previous.block_read) / seconds
        disk = f"{rate(read)} {rate((stats.block_write - previous.block_write) / seconds)}"
    return {
        "cpu": Cell(f"{stats.cpu_percent:.1f}%", "warn" if stats.cpu_percent >= 90 else ""),
        "memory": Cell(size(stats.memory), "bad" if tight else ""),
        "network": Cell(network),
        "pids": Cell(str(stats.pids)),
        "limit": Cell(f"{100 * stats.memory / limit:.0f}%" if limit else "none", "bad" if tight else ""),
        "disk": Cell(disk),
    }


def stats_sort_keys(stats: Stats | None) -> dict[str, Any]:
    if stats is None:
        return {"cpu": None, "memory": None, "pids": None, "limit": None}
    limit = stats.memory / stats.memory_limit if stats.memory_limit else None
    return {"cpu": stats.cpu_percent, "memory": stats.memory, "pids": stats.pids, "limit": limit}


def container_row(
    container: Container,
    stats: Stats | None = None,
    now_ns: int = 0,
    ascii: bool = False,
    previous: Stats | None = None,
) -> Row:
    """A row for CONTAINER_COLUMNS."""
    sampled = stats_cells(stats if container.status in ("running", "paused") else None, previous, ascii)
    shown_ports = ports(container.ports, container.exposed)
    values = stats_sort_keys(stats)
    created = since(container.created, now_ns)
    project = container.labels.get(PROJECT, "")
    networks = " ".join(each.network for each in container.networks)
    return Row(
        container.id,
        (
            Cell(container.name or container.short_id),
            state(container, now_ns, ascii),
            sampled["cpu"],
            sampled["memory"],
            Cell(plain_ascii(shown_ports) if ascii else shown_ports, "" if container.ports else "muted"),
            Cell(container.image, "muted"),
            sampled["network"],
            sampled["pids"],
            Cell(created, "muted"),
            sampled["limit"],
            sampled["disk"],
            Cell(str(container.restarts) if container.restarts else "", "warn"),
            Cell(project),
            Cell(networks, "muted"),
            Cell(container.command, "muted"),
            Cell(container.short_id, "muted"),
        ),
        (
            container.name.casefold(),
            _ORDER.get(container.status, 9) - (0.5 if failed(container) else 0),
            values["cpu"],
            values["memory"],
            min((one.host_port for one in container.ports), default=None),
            container.image.casefold(),
            None,
            values["pids"],
            -container.created,
            values["limit"],
            None,
            container.restarts,
            project.casefold(),
            networks.casefold(),
            container.command,
            container.id,
        ),
        "" if container.status in ("running", "paused", "restarting") else "muted",
    )


def split_reference(reference: str) -> tuple[str, str]:
    """Name and tag; a port in the registry's name is no tag."""
    name, _, digest = reference.partition("@")
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, digest[:19]


def image_row(image: Image, now_ns: int = 0, ascii: bool = False) -> Row:
    """A row for IMAGE_COLUMNS; an image with several references shows the first and how many more there are."""
    name, tag = split_reference(image.references[0]) if image.references else ("<none>", "")
    if len(image.references) > 1:
        tag += f" +{len(image.references) - 1}"
    if image.containers:
        use = Cell(tr("in use"), "good")
    elif not image.references:
        use = Cell(tr("dangling"), "warn")
    else:
        use = Cell(tr("unused"), "muted")
    return Row(
        image.id,
        (
            Cell(name, "" if image.references else "muted"),
            Cell(tag),
            Cell(size(image.size)),
            use,
            Cell(since(image.created, now_ns), "muted"),
            Cell(image.short_id, "muted"),
        ),
        (name.casefold(), tag, image.size, -image.containers, -image.created if image.created > 0 else None, image.id),
    )


def volume_row(volume: Volume, now_ns: int = 0, ascii: bool = False) -> Row:
    """A row for VOLUME_COLUMNS."""
    users = " ".join(volume.users)
    name = volume.name[:12] if volume.anonymous else volume.name
    return Row(
        volume.name,
        (
            Cell(name, "muted" if volume.anonymous else ""),
            Cell(size(volume.size)),
            Cell(users or tr("nobody"), "" if users else "muted"),
            Cell(volume.driver, "muted"),
            Cell(since(volume.created, now_ns), "muted"),
        ),
        (name.casefold(), volume.size if volume.size >= 0 else None, users or None, volume.driver, -volume.created),
    )


def network_row(network: Network, now_ns: int = 0, ascii: bool = False) -> Row:
    """A row for NETWORK_COLUMNS."""
    count = len(network.members)
    members = trn("1 member", "{count} members", count) if network.driver not in ("host", "null") else ""
    return Row(
        network.id,
        (
            Cell(network.name),
            Cell(network.subnet or "-", "" if network.subnet else "muted"),
            Cell(members, "" if count else "muted"),
            Cell(network.driver + (" " + tr("internal") if network.internal else ""), "muted"),
            Cell(network.gateway, "muted"),
            Cell(network.id[:12], "muted"),
        ),
        (network.name.casefold(), network.subnet or None, count, network.driver, network.gateway, network.id),
    )
