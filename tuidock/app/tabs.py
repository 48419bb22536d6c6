"""What the tabs of the details show: engine values to lines, steps and numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuidock.app import format as shown
from tuidock.app.model import Row, ViewModel
from tuidock.app.panes import url
from tuidock.app.widgets.rows import Cell, Column
from tuidock.app.widgets.rows import Row as Line
from tuidock.app.words import tr
from tuidock.engine.types import Container, Event, Network, ProcessTable, Volume

PORT_COLUMNS = (
    Column("host", "HOST", 15, grow=1),
    Column("container", "CONTAINER", 9),
    Column("inside", "INSIDE", 16, priority=1),
    Column("url", "ADDRESS", 21, priority=2, grow=2),
)
CONFIG_COLUMNS = (Column("name", "NAME", 16, grow=1), Column("value", "VALUE", 20, grow=4))
LAYER_COLUMNS = (
    Column("number", "", 3, "right", sortable=False),
    Column("size", "SIZE", 6, "right"),
    Column("wasted", "WASTED", 6, "right", priority=1),
    Column("by", "COMMAND", 20, grow=1),
)
HISTORY_COLUMNS = (
    Column("age", "AGE", 5, "right", priority=1),
    Column("size", "SIZE", 6, "right"),
    Column("by", "CREATED BY", 20, grow=1),
)
USER_COLUMNS = (
    Column("name", "CONTAINER", 14, grow=1),
    Column("state", "STATE", 18, priority=1),
    Column("where", "WHERE", 18, grow=2),
)

STEP_WORDS = {
    "image": "image found",
    "container": "container recorded",
    "layer": "writable layer",
    "bridge": "bridge interface",
    "process": "process started",
    "network": "network",
}


def log_note(row: Container) -> str:
    """Why a log may be empty."""
    if row.status == "created":
        return tr("It has not been started yet: s starts it.")
    if row.log_dropped:
        return tr("{log_dropped} were lost because the disk was full.", log_dropped=shown.size(row.log_dropped))
    return tr("No output yet.") if row.status == "running" else tr("It wrote nothing.")


def event_words(event: Event) -> str:
    """What happened to a container, for the rule in its log."""
    if event.action == "start":
        return f"{event.name} started"
    code = event.attributes.get("exitCode", "")
    why = ", out of memory" if event.attributes.get("oom") in ("1", "true") else ""
    return f"{event.name} ended" + (f" (exit {code}{why})" if code else why)


def port_rows(row: Container, listeners: Mapping[str, Sequence[str]] | None = None, ascii: bool = False) -> list[Line]:
    """Published ports, then exposed ones, each with whether something inside the container waits there."""
    lines = []
    for each in row.ports:
        name = f"{each.container_port}/{each.protocol}"
        host = f"{each.host_ip or '*'}:{each.host_port or '(at the start)'}"
        address = url(each.host_ip, each.host_port) if each.host_port else ""
        lines.append(Line(str(each), (host, name, _inside(name, listeners, ascii), Cell(address, "accent"))))
    published = {f"{each.container_port}/{each.protocol}" for each in row.ports}
    lines += [
        Line(f"exposed {name}", (Cell(tr("not published"), "muted"), name, _inside(name, listeners, ascii), ""))
        for name in row.exposed
        if name not in published
    ]
    return lines


def _inside(name: str, listeners: Mapping[str, Sequence[str]] | None, ascii: bool) -> Cell:
    """Whether a connection would be taken. Listening on the loopback address inside is the usual mistake."""
    if listeners is None:
        return Cell("", "muted")
    addresses = listeners.get(name, ())
    on, off = ("*", "o") if ascii else ("●", "○")
    if not addresses:
        return Cell(tr("{off} nobody listens", off=off), "warn")
    if all(address.startswith("127.") or address == "::1" for address in addresses):
        return Cell(tr("{off} only {addresses}", off=off, addresses=addresses[0]), "warn")
    return Cell(tr("{on} listens", on=on), "good")


def config_rows(value: Mapping[str, Any]) -> list[Line]:
    """Environment first, then what else a person looks for in the configuration."""
    config, host = value.get("Config") or {}, value.get("HostConfig") or {}
    pairs: list[tuple[str, Any]] = []
    for entry in config.get("Env") or ():
        name, _, text = str(entry).partition("=")
        pairs.append((name, text))
    rows = [Line(f"env {name} {at}", (name, text)) for at, (name, text) in enumerate(pairs)]
    restart = host.get("RestartPolicy") or {}
    others = [
        ("image", config.get("Image")),
        ("entrypoint", _words(config.get("Entrypoint"))),
        ("command", _words(config.get("Cmd"))),
        ("user", config.get("User")),
        ("directory", config.get("WorkingDir")),
        ("hostname", config.get("Hostname")),
        ("restart", restart.get("Name")),
        ("memory", shown.size(host["Memory"]) if host.get("Memory") else ""),
        ("cpus", f"{host['NanoCpus'] / 1e9:g}" if host.get("NanoCpus") else ""),
        ("pids limit", host.get("PidsLimit") or ""),
        ("network", host.get("NetworkMode")),
        ("stop signal", config.get("StopSignal")),
    ]
    others += [(f"label {name}", text) for name, text in (config.get("Labels") or {}).items()]
    for mount in value.get("Mounts") or ():
        source = mount.get("Name") or mount.get("Source") or mount.get("Type")
        mode = "" if mount.get("RW", True) else " (read-only)"
        others.append((f"mount {mount.get('Destination')}", f"{source}{mode}"))
    rows += [Line(f"config {name}", (Cell(name, "muted"), str(text))) for name, text in others if text]
    return rows


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    import shlex

    return shlex.join(str(each) for each in value or ())


#: What the host's ps is asked for: short columns first, the command line takes the rest.
PS_COLUMNS = ("-eo", "pid,user,pcpu,pmem,rss,nlwp,stat,etime,args")
_TITLES = {"%CPU": "CPU%", "%MEM": "MEM%", "NLWP": "THR", "ELAPSED": "TIME"}
_LESS = {"PID": 0, "CPU%": 1, "MEM%": 4, "RSS": 2, "THR": 6, "STAT": 5, "TIME": 3, "USER": 2}


def top_table(table: ProcessTable) -> tuple[Sequence[Column], list[Line]]:
    """Columns as wide as what is in them now; the command line takes the rest."""
    titles = [_TITLES.get(name, name) for name in table.titles]
    rows = [[_shown_process(titles[at], text) for at, text in enumerate(row)] for row in table.rows]
    columns = []
    for at, name in enumerate(titles):
        last = at == len(titles) - 1
        width = max([len(name) + 1, *(min(len(row[at]), 20) for row in rows if at < len(row))])
        numbers = all(_number(row[at]) is not None for row in table.rows if at < len(row)) and bool(table.rows)
        columns.append(
            Column(
                name.lower() or str(at),
                name,
                16 if last else width,
                "right" if numbers and not last else "left",
                priority=0 if last else _LESS.get(name, at + 1),
                grow=int(last),
            )
        )
    pid = titles.index("PID") if "PID" in titles else 0
    lines = [
        Line(raw[pid], tuple(row), tuple(text if (value := _number(text)) is None else value for text in raw))
        for raw, row in zip(table.rows, rows, strict=True)
    ]
    return tuple(columns), lines


def _shown_process(title: str, text: str) -> str:
    """ps tells memory in units of 1024 bytes."""
    return shown.size(int(text) * 1024) if title == "RSS" and text.isdigit() else text


def _number(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdecimal() else None


def timeline_steps(value: Mapping[str, Any], row: Container) -> list[tuple[str, int]]:
    """The steps of the last start as words and durations."""
    steps = []
    for step in value.get("Timeline") or ():
        name = str(step.get("Name", ""))
        if name == "end":
            continue
        words = STEP_WORDS.get(name, name)
        if name == "address":
            address = next((each.address for each in row.networks if each.address), "")
            words = f"address {address}".rstrip()
        steps.append((words, int(step.get("DurationNs") or 0)))
    return steps


def ended_words(row: Container) -> str:
    """The seventh step: how it ended, and after how long."""
    if row.status not in ("exited", "dead") or not row.finished:
        return ""
    after = f" after {shown.age(row.finished - row.started)}" if row.started else ""
    why = "out of memory" if row.oom_killed else f"exit {row.exit_code}"
    if row.stopped and not row.oom_killed:
        why += ", as asked"
    return f"{why}{after}"


def history_rows(history: Sequence[Mapping[str, Any]], now_ns: int) -> list[Line]:
    """The steps that made an image, the newest first, as `history` lists them."""
    rows = []
    for at, entry in enumerate(history):
        size = int(entry.get("Size") or 0)
        created = int(entry.get("Created") or 0)
        by = str(entry.get("CreatedBy") or entry.get("Comment") or "")
        rows.append(
            Line(
                str(at),
                (
                    Cell(shown.age(now_ns - created * 1_000_000_000) if created else "", "muted"),
                    Cell(shown.size(size), "" if size else "muted"),
                    " ".join(by.split()),
                ),
                (-created, size, by),
            )
        )
    return rows


def user_table(row: Row, model: ViewModel) -> tuple[Sequence[Column], list[Line]]:
    """Who uses a volume or is in a network."""
    by_name = {each.name: each for each in model.containers().values()}
    lines = []
    if isinstance(row, Volume):
        for name in row.users:
            user = by_name.get(name)
            places = [
                f"{mount.destination}{' (read-only)' if mount.read_only else ''}"
                for mount in (user.mounts if user else ())
                if mount.name == row.name
            ]
            lines.append(Line(name, (name, _state(user, model), " ".join(places))))
    elif isinstance(row, Network):
        for name, address in row.members:
            lines.append(Line(name, (name, _state(by_name.get(name), model), address)))
    return USER_COLUMNS, lines


def _state(container: Container | None, model: ViewModel) -> Cell:
    return shown.state(container, model.clock()) if container is not None else Cell("")
