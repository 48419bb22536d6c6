"""Single values that people type: sizes, durations, CPUs, addresses, names. Pure, one function per kind.

Each takes the text and returns what docker's API carries, or raises InvalidArgument with the reason. Without `re`,
`ipaddress` or `fractions`: these three would cost `run` more than the container's start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tuidock.engine.errors import InvalidArgument

_SIZE_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def parse_size(raw: str) -> int:
    """`128m`, `1.5GiB`, `64 kb`: bytes, units are powers of 1024 as docker reads them."""
    last = max((at for at, char in enumerate(raw) if char in "0123456789. "), default=-1)
    if last < 0:
        raise InvalidArgument(f"invalid size: '{raw}'")
    number = raw[:last] if raw[last] == " " else raw[: last + 1]
    suffix = raw[last + 1 :].lower()
    plain = number.removeprefix("+")
    if not (plain.replace(".", "", 1).isdecimal() and plain.isascii()):
        raise InvalidArgument(f"invalid size: '{raw}'")
    unit = 1
    if suffix and suffix != "b":
        unit = _SIZE_UNITS.get(suffix[0], 0)
        if not unit or suffix[1:] not in ("", "b", "ib"):
            raise InvalidArgument(f"invalid suffix: '{suffix}'")
    return int(float(number) * unit) if "." in number else int(number) * unit


def parse_swap(raw: str) -> int:
    """--memory-swap: a size, or -1 for no limit."""
    return -1 if raw == "-1" else parse_size(raw)


def parse_duration(raw: str) -> int:
    """Go's duration (`1h30m`, `4.5s`, `-300s`) in nanoseconds."""
    text = raw.removeprefix("-") if raw.startswith("-") else raw.removeprefix("+")
    if text == "0":
        return 0
    total, at = 0, 0
    while at < len(text):
        start = at
        while at < len(text) and (text[at] in "0123456789."):
            at += 1
        number = text[start:at]
        start = at
        while at < len(text) and text[at] not in "0123456789.":
            at += 1
        unit = _DURATION_UNITS.get(text[start:at], 0)
        whole, _, fraction = number.partition(".")
        if not unit or not (whole + fraction).isdecimal():
            raise InvalidArgument(f'invalid duration "{raw}": it is written like 1h30m, 4.5s or 200ms')
        total += int(whole or "0") * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
    if not text:
        raise InvalidArgument(f'invalid duration "{raw}": it is written like 1h30m, 4.5s or 200ms')
    return -total if raw.startswith("-") else total


def parse_positive_duration(raw: str) -> int:
    """A duration of the health check: not negative, at least a millisecond when set."""
    value = parse_duration(raw)
    if value < 0:
        raise InvalidArgument("duration cannot be negative")
    if 0 < value < 1_000_000:
        raise InvalidArgument("duration cannot be less than 1ms")
    return value


def _decimal(raw: str) -> tuple[int, int]:
    """A decimal text with optional exponent as (digits, power of ten)."""
    mantissa, _, exponent = raw.lower().partition("e")
    sign = -1 if mantissa.startswith("-") else 1
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    power = exponent.lstrip("+-") or "0"
    if not (whole + fraction).isdecimal() or not power.isdecimal() or ("e" in raw.lower() and not exponent):
        raise InvalidArgument(f"failed to parse {raw} as a rational number")
    return sign * int(whole + fraction), int(power) * (-1 if exponent.startswith("-") else 1) - len(fraction)


def parse_cpus(raw: str) -> int:
    """--cpus in billionths of a CPU: `1.5`, `1e-3`, `3/2`; finer than a billionth is an error, not rounded."""
    over, slash, under = raw.partition("/")
    digits, power = _decimal(over)
    divisor, divisor_power = _decimal(under) if slash else (1, 0)
    power += 9 - divisor_power
    if not divisor or abs(power) > 100:
        raise InvalidArgument("value is too precise" if divisor else f"failed to parse {raw} as a rational number")
    if power >= 0:
        digits *= 10**power
    else:
        divisor *= 10**-power
    if digits % divisor:
        raise InvalidArgument("value is too precise")
    return digits // divisor


def parse_ip(raw: str) -> str | None:
    """The address in its canonical form, None when it is none."""
    import socket

    family = socket.AF_INET6 if ":" in raw else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, raw))
    except (OSError, ValueError):
        return None


def parse_address(raw: str) -> str:
    """--ip, --dns and the like: an IPv4 or IPv6 address."""
    address = parse_ip(raw.strip())
    if address is None:
        raise InvalidArgument(f"IP address is not correctly formatted: {raw}")
    return address


def parse_mac(raw: str) -> str:
    """A MAC address of 6, 8 or 20 bytes, with colons, dashes or dots."""
    separator = next((char for char in raw if char in ":-."), "")
    width = 4 if separator == "." else 2
    parts = raw.split(separator) if separator else []
    if len(parts) * width // 2 not in (6, 8, 20) or not all(
        len(part) == width and all(char in "0123456789abcdefABCDEF" for char in part) for part in parts
    ):
        raise InvalidArgument(f"{raw} is not a valid mac address")
    return raw


def parse_restart_policy(raw: str) -> dict[str, object]:
    """--restart: `no`, `always`, `unless-stopped`, `on-failure[:N]`."""
    name, colon, count = raw.partition(":")
    if colon and not name:
        raise InvalidArgument("invalid restart policy format: no policy provided before colon")
    digits = count.removeprefix("-")
    if count and not (digits.isascii() and digits.isdecimal()):
        raise InvalidArgument("invalid restart policy format: maximum retry count must be an integer")
    return {"Name": name, "MaximumRetryCount": int(count) if count else 0}


def parse_link(raw: str) -> tuple[str, str]:
    """--link as (container, alias)."""
    if not raw:
        raise InvalidArgument("empty string specified for links")
    parts = raw.split(":", 2)
    if len(parts) > 2:
        raise InvalidArgument(f"bad format for links: {raw}")
    if len(parts) == 1:
        return raw, raw
    if parts[0].startswith("/"):
        return parts[0][1:], parts[1].rpartition("/")[2]
    return parts[0], parts[1]


def check_link(raw: str) -> str:
    parse_link(raw)
    return raw


def parse_extra_host(raw: str) -> str:
    """--add-host `name:address` or `name=address` as `name:address`; `host-gateway` means the bridge's address."""
    name, separator, address = raw.partition("=")
    if not separator:
        name, separator, address = raw.partition(":")
    if not separator or not name or ":" in name:
        raise InvalidArgument(f'bad format for add-host: "{raw}"')
    if address == "host-gateway":
        return f"{name}:{address}"
    if len(address) > 2 and address[0] == "[" and address[-1] == "]":
        address = address[1:-1]
    if parse_ip(address.strip()) is None:
        raise InvalidArgument(f'invalid IP address in add-host: "{address}"')
    return f"{name}:{address}"


def parse_dns_search(raw: str) -> str:
    """--dns-search: a domain without its last dot, or "." for none."""
    domain = raw.strip(" ")
    if domain == ".":
        return domain
    name = domain.removesuffix(".")
    good = len(name) < 255 and any(char.isalpha() for char in name)
    for part in name.split("."):
        good = good and bool(part) and part.isascii() and part.replace("-", "a").isalnum()
        good = good and part[0] != "-" and part[-1] != "-"
    if not good:
        raise InvalidArgument(f"{raw.strip(' ')} is not a valid domain")
    return name


def check_label(raw: str) -> str:
    """A label `key[=value]`, unchanged; its key may not be empty or hold blanks."""
    key = raw.partition("=")[0].lstrip(" \t")
    if not key:
        raise InvalidArgument(f"invalid label '{raw}': empty name")
    if " " in key or "\t" in key:
        raise InvalidArgument(f"label '{key}' contains whitespaces")
    return raw


def check_env(raw: str) -> str:
    """A variable `NAME[=value]`, unchanged; its name may not be empty."""
    if not raw.partition("=")[0]:
        raise InvalidArgument(f"invalid environment variable: {raw}")
    return raw


def expand_env(raw: str, environ: Mapping[str, str]) -> str:
    """`NAME` alone takes its value from our own environment; unknown there it stays, and unsets it inside."""
    check_env(raw)
    if "=" not in raw and raw in environ:
        return f"{raw}={environ[raw]}"
    return raw


def to_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """`key=value` texts as a mapping; a key alone has an empty value."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        mapping[key] = value
    return mapping


def check_attach(raw: str) -> str:
    """-a: stdin, stdout or stderr."""
    stream = raw.lower()
    if stream not in ("stdin", "stdout", "stderr"):
        raise InvalidArgument("valid streams are STDIN, STDOUT and STDERR")
    return stream


def check_pull(raw: str) -> str:
    """--pull: always, missing or never."""
    if raw not in ("always", "missing", "never"):
        raise InvalidArgument(f'invalid pull option: \'{raw}\': must be one of "always", "missing" or "never"')
    return raw


def check_platform(raw: str) -> str:
    """--platform: `os[/architecture[/variant]]`."""
    if raw:
        from tuidock.engine.options.platforms import parse_platform

        parse_platform(raw, "")
    return raw


def check_sysctl(raw: str) -> str:
    """--sysctl: `name=value`."""
    if "=" not in raw:
        raise InvalidArgument(f"sysctl '{raw}' is not a name=value pair")
    return raw
