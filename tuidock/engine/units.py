"""Numbers and states in docker's words: "4.26MB", "3 minutes ago", "Up 2 hours (healthy)", "0.0.0.0:80->80/tcp"."""

from __future__ import annotations

import time

from tuidock.engine.types import Container, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_SECOND = 1_000_000_000


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size /= base
        index += 1
    return f"{size:.{digits}g}{units[index]}"


def human_size(size: float, digits: int = 3) -> str:
    """Powers of 1000, as image and volume sizes are shown."""
    return _scaled(size, 1000.0, _DECIMAL, digits)


def human_memory(size: float) -> str:
    """Powers of 1024, as memory is shown."""
    return _scaled(size, 1024.0, _BINARY, 4)


def human_duration(nanoseconds: int) -> str:
    """How long, roughly: "Less than a second", "About an hour", "3 weeks"."""
    seconds = max(0, nanoseconds) // _SECOND
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes = seconds // 60
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    hours = (seconds + 1800) // 3600
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, size, word in ((24 * 14, 24, "days"), (24 * 60, 168, "weeks"), (24 * 730, 720, "months")):
        if hours < limit:
            return f"{hours // size} {word}"
    return f"{seconds // 3600 // 24 // 365} years"


def ago(moment: int, now: int = 0) -> str:
    """The age of a moment, both in nanoseconds since the epoch."""
    return human_duration((now or time.time_ns()) - moment) + " ago"


def status_text(container: Container, now: int = 0) -> str:
    """The STATUS column of `ps`."""
    now = now or time.time_ns()
    status = container.status
    if status in ("running", "paused"):
        up = f"Up {human_duration(now - container.started)}"
        if status == "paused":
            return up + " (Paused)"
        if container.health and container.health != "none":
            return f"{up} ({'health: starting' if container.health == 'starting' else container.health})"
        return up
    code = 0 if container.exit_code is None else container.exit_code
    if status == "restarting":
        return f"Restarting ({code}) {ago(container.finished, now)}"
    if status == "removing":
        return "Removal In Progress"
    if status == "dead":
        return "Dead"
    if status == "created":
        return "Created"
    return f"Exited ({code}) {ago(container.finished, now)}"


def ports_text(ports: Iterable[PortBinding], exposed: Iterable[str] = ()) -> str:
    """The PORTS column of `ps`, as docker draws it: neighbours become a range where the host has the same numbers."""
    published = list(ports)
    taken = {(binding.container_port, binding.protocol) for binding in published}
    rows: list[tuple[int, str, int, str]] = []
    for binding in published:
        for ip in (binding.host_ip,) if binding.host_ip else ("0.0.0.0", "::"):
            rows.append((binding.container_port, ip, binding.host_port, binding.protocol))
    for text in exposed:
        port, _, protocol = text.partition("/")
        if port.isdecimal() and (int(port), protocol or "tcp") not in taken:
            rows.append((int(port), "", 0, protocol or "tcp"))
    groups: dict[tuple[str, str], tuple[int, int]] = {}
    done: list[str] = []
    mapped: list[str] = []
    for number, ip, host_port, protocol in sorted(rows):
        if ip and host_port != number:
            mapped.append(f"{_host(ip)}:{host_port}->{number}/{protocol}")
            continue
        key = (ip, protocol)
        first, last = groups.get(key, (number, number - 1))
        if number != last + 1:
            done.append(_group(key, first, last))
            first = number
        groups[key] = (first, number)
    return ", ".join([*done, *(_group(key, *ends) for key, ends in groups.items()), *mapped])


def _host(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _group(key: tuple[str, str], first: int, last: int) -> str:
    ip, protocol = key
    numbers = str(first) if first == last else f"{first}-{last}"
    return f"{_host(ip)}:{numbers}->{numbers}/{protocol}" if ip else f"{numbers}/{protocol}"


def rfc3339(moment: int) -> str:
    """A moment as docker's API writes it, UTC with nanoseconds; 0 is Go's zero time."""
    if not moment:
        return "0001-01-01T00:00:00Z"
    seconds, fraction = divmod(moment, _SECOND)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{fraction:09d}Z"


def rfc3339_local(moment: int) -> str:
    """A moment in local time to the second, as `history --human=false` shows it: 2026-11-24T09:00:00+01:00."""
    local = time.localtime(moment // _SECOND)
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + ("Z" if zone in ("", "+0000") else f"{zone[:3]}:{zone[3:]}")


def local_time(moment: int) -> str:
    """A moment in local time as `ps --format {{.CreatedAt}}` shows it: 2026-11-24 08:00:00 +0000 UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment // _SECOND))


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since the epoch of a time in docker's JSON; 0 when there is none."""
    if len(text) < 19 or text.startswith("0001-"):
        return 0
    import calendar

    try:
        seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
    zone, digits = text[19:], ""
    if zone.startswith("."):
        zone = zone[1:].lstrip("0123456789")
        digits = text[20 : len(text) - len(zone)]
    if len(zone) == 6 and zone[0] in "+-":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    return seconds * _SECOND + int((digits + "0" * 9)[:9])
