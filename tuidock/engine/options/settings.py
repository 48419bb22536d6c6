"""The configuration file as data, and what of it concerns the engine: where -P publishes, how much the trash keeps.

Importing a YAML parser takes longer than a whole short command, so what was read is kept as JSON beside the modification
time and the size of the file. The app reads everything else in the same data.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DEFAULT_PORTS = (49000, 49900)


def config_path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "tuidock", "config.yaml")


def cache_path(environ: Mapping[str, str] = os.environ) -> str:
    home = environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "tuidock", "config.json")


def load_data(path: str = "", cache: str = "") -> tuple[Any, str]:
    """The file's data, None when there is none, and a sentence about what makes it unreadable."""
    path, cache = path or config_path(), cache or cache_path()
    try:
        stat = os.stat(path)
    except OSError:
        return None, ""
    stamp = [path, stat.st_mtime_ns, stat.st_size]
    try:
        from tuidock.engine import fastjson

        with open(cache, encoding="utf-8") as file:
            kept = fastjson.loads(file.read())
        if kept["stamp"] == stamp:
            return kept["data"], ""
    except (OSError, ValueError, KeyError, TypeError):
        pass
    data, problem = _read_yaml(path)
    if not problem:
        _keep(cache, {"stamp": stamp, "data": data})
    return data, problem


def _keep(cache: str, document: Mapping[str, Any]) -> None:
    import json

    temporary = f"{cache}.{os.getpid()}"
    try:
        text = json.dumps(document)
        os.makedirs(os.path.dirname(cache), mode=0o700, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, cache)
    except (OSError, TypeError, ValueError):
        pass  # a cache that cannot be written, or data that JSON has no words for: only slower


def _read_yaml(path: str) -> tuple[Any, str]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            return yaml.safe_load(file), ""
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" line {mark.line + 1}:" if mark is not None else ""
        reason = str(getattr(error, "problem", "") or "it cannot be read").strip()
        return None, f"config.yaml is not valid YAML,{place} {reason}; the defaults are used"
    except (OSError, ValueError) as error:
        return None, f"config.yaml cannot be read ({error}); the defaults are used"


def parse_ports(value: object) -> tuple[int, int] | None:
    """`49000-49900` as its ends; None when it is no range of ports."""
    first, separator, last = str(value).partition("-")
    low, high = first.strip(), last.strip()
    if not (separator and low.isascii() and low.isdecimal() and high.isascii() and high.isdecimal()):
        return None
    return (int(low), int(high)) if 0 < int(low) <= int(high) < 65536 else None


def port_range() -> tuple[range, str]:
    """Where automatic ports come from, and what to tell the person about a file that does not say it rightly."""
    data, problem = load_data()
    ports = DEFAULT_PORTS
    if isinstance(data, dict) and "ports" in data:
        found = parse_ports(data["ports"])
        if found is None:
            problem = f"config.yaml: ports must be a range such as 49000-49900, not {data['ports']!r}"
        ports = found or ports
    return range(ports[0], ports[1] + 1), problem


#: How long the trash keeps what was removed (s), and how much of the disk it may take: a number, and whether it is percent.
DEFAULT_TRASH = (86_400.0, (10, True))


def parse_trash(value: object) -> tuple[float, tuple[int, bool]] | None:
    """`{keep: 24h, size: 10%}` or `{keep: 0}`, which keeps nothing; None when it is not that."""
    from tuidock.engine.errors import InvalidArgument
    from tuidock.engine.options.values import parse_duration, parse_size

    if not isinstance(value, dict) or set(value) - {"keep", "size"}:
        return None
    keep, size = DEFAULT_TRASH
    try:
        if "keep" in value:
            written = str(value["keep"])
            keep = float(written) if written.isdecimal() else parse_duration(written) / 1e9
        if "size" in value:
            written = str(value["size"])
            share = written.removesuffix("%").strip()
            if written.endswith("%"):
                if not share.isdecimal() or int(share) > 100:
                    return None
                size = int(share), True
            else:
                size = parse_size(written), False
    except InvalidArgument:
        return None
    return (keep, size) if keep >= 0 else None


def trash_limits() -> tuple[float, tuple[int, bool], str]:
    """What the file says of the trash, and what to tell the person when it does not say it rightly."""
    data, problem = load_data()
    limits = DEFAULT_TRASH
    if isinstance(data, dict) and "trash" in data:
        found = parse_trash(data["trash"])
        if found is None:
            problem = f"config.yaml: trash must be as {{keep: 24h, size: 10%}}, not {data['trash']!r}"
        limits = found or limits
    return (*limits, problem)
