"""The texts of /etc/hosts, /etc/hostname and /etc/resolv.conf that a container gets, as docker writes them."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.files import read_text, rewrite
from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Final

_HOSTS_V6: Final = (
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
_WRITTEN: Final = "trusted.tuidock.written"
_FALLBACK: Final = ("8.8.8.8", "8.8.4.4")
#: Where the resolver of a container listens, inside; docker's address.
RESOLVER: Final = "127.0.0.11"
_RESOLVED_STUB: Final = "127.0.0.53"
_RESOLVED_FILE: Final = "/run/systemd/resolve/resolv.conf"


class HostLine(Named):
    """A line of /etc/hosts."""

    address: str
    names: str


def hosts(
    names: str,
    addresses: Iterable[str],
    extra: Iterable[HostLine] = (),
    linked: Iterable[HostLine] = (),
    *,
    ipv6: bool = True,
) -> str:
    """/etc/hosts: localhost, --add-host, links, and the container itself under all its addresses."""
    lines = ["127.0.0.1\tlocalhost\n"]
    if ipv6:
        lines.append(_HOSTS_V6)
    lines += [f"{line.address}\t{line.names}\n" for line in (*extra, *linked)]
    lines += [f"{address}\t{names}\n" for address in addresses]
    return "".join(lines)


def own_names(hostname: str, domainname: str = "") -> str:
    """`web.example.org web`, or `web`."""
    if domainname:
        return f"{hostname}.{domainname} {hostname}"
    short = hostname.partition(".")[0]
    return f"{hostname} {short}" if short and short != hostname else hostname


def extra_hosts(entries: Iterable[str], gateway: str) -> list[HostLine]:
    """--add-host `name:address` or `name=address`; the address host-gateway is that of the host."""
    lines = []
    for entry in entries:
        name, separator, address = entry.partition("=")
        if not separator or ":" in name:
            name, separator, address = entry.partition(":")
        address = address.strip("[]")
        if address == "host-gateway":
            if not gateway:
                raise InvalidArgument(f"--add-host {entry}: this network has no gateway that host-gateway could mean")
            address = gateway
        if not name or not address or any(c.isspace() for c in name + address):
            raise InvalidArgument(f"bad format for add-host: {entry!r}")
        lines.append(HostLine(address, name))
    return lines


def host_resolv_conf(read: Callable[[str], str] | None = None) -> str:
    """The host's resolv.conf; the one with real servers when systemd-resolved shows only its stub."""
    reader = read or _read
    text = reader("/etc/resolv.conf")
    if _servers(text) == [_RESOLVED_STUB]:
        return reader(_RESOLVED_FILE) or text
    return text


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 16)
    except OSError:
        return ""


def servers_of_host() -> list[str]:
    """The servers that the host asks, which can also be asked from the host's network: loopback ones are good here."""
    return _servers(_read("/etc/resolv.conf")) or list(_FALLBACK)


def _lines(text: str) -> list[tuple[str, list[str]]]:
    found = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        if len(words) > 1:
            found.append((words[0], words[1:]))
    return found


def _servers(text: str) -> list[str]:
    return [words[0] for key, words in _lines(text) if key == "nameserver"]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def resolv_conf(
    host: str,
    *,
    servers: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    ipv6: bool = False,
    own_network: bool = True,
    resolver: bool = False,
) -> str:
    """/etc/resolv.conf from the host's and from --dns, --dns-search and --dns-option, which replace its lines.

    A container with a network of its own cannot reach the host's loopback servers. `--dns-search .` means none. With a
    resolver of its own it asks that, which asks the servers in its stead, and a name without a dot is tried as it is.
    """
    lines = _lines(host)
    chosen = list(servers) or [words[0] for key, words in lines if key == "nameserver"]
    if resolver:
        chosen = [RESOLVER]
    elif own_network and not servers:
        reachable = [s for s in chosen if not _is_loopback(s) and (ipv6 or ":" not in s)]
        chosen = reachable or list(_FALLBACK)
    domains = list(search)
    if not domains:
        for key, words in lines:
            if key in ("search", "domain"):
                domains = words
    settings = list(options)
    if not settings:
        settings = [word for key, words in lines if key == "options" for word in words]
    if resolver and not any(setting.startswith("ndots:") for setting in settings):
        settings.append("ndots:0")
    text = "".join(f"nameserver {server}\n" for server in chosen)
    if domains and domains != ["."]:
        text += f"search {' '.join(domains)}\n"
    if settings:
        text += f"options {' '.join(settings)}\n"
    return text


def ipv6_enabled(path: str = "/proc/sys/net/ipv6/conf/default/disable_ipv6") -> bool:
    """Whether new network namespaces have IPv6."""
    return _read(path).strip() == "0"


def host_file(path: str) -> str:
    """The text of a file, "" when there is none; its first 64 KiB, for a container may have made it as long as it likes."""
    return _read(path)


def replace_addresses(directory: str, names: str, old: Sequence[str], new: Sequence[str]) -> None:
    """The container's own lines of /etc/hosts after it has come into or out of a network; all others stay."""
    lines = _host_lines(directory)
    kept = [
        line
        for line in lines
        if not (line.split()[:1] and line.split()[0] in old and line.split()[1:] == names.split())
    ]
    write(directory, "hosts", "".join(kept) + "".join(f"{address}\t{names}\n" for address in new))


def replace_link(directory: str, alias: str, address: str) -> None:
    """The line of a link gets the target's new address."""
    lines = [
        f"{address}\t{' '.join(line.split()[1:])}\n" if line.split()[1:2] == [alias] else line
        for line in _host_lines(directory)
    ]
    write(directory, "hosts", "".join(lines))


def _host_lines(directory: str) -> list[str]:
    text = _read(directory + "/hosts")
    return (text if text.endswith("\n") or not text else text + "\n").splitlines(keepends=True)


def write(directory: str, name: str, text: str) -> None:
    """Put a text where the container's bind mount shows it, in the same file; one that is right already stays."""
    path = f"{directory}/{name}"
    if _length(path) != len(text.encode()) or read_text(path) != text:
        rewrite(path, text)


def _length(path: str) -> int:
    """Asked before a file is read that a container can write to."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def write_unless_edited(directory: str, name: str, text: str) -> None:
    """As write, but what somebody changed inside the container stays.

    When the file was written is noted beside it, in an attribute: a later change moves its time away from that.
    """
    path = f"{directory}/{name}"
    try:
        if os.getxattr(path, _WRITTEN) != str(os.stat(path).st_mtime_ns).encode():
            return
    except OSError:
        pass  # not there yet, or on a file system without attributes: then it is written anew as docker does
    write(directory, name, text)
    try:
        os.setxattr(path, _WRITTEN, str(os.stat(path).st_mtime_ns).encode())
    except OSError:
        pass
