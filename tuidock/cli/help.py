"""Help, printed from the same tables that parse the command line."""

from __future__ import annotations

import textwrap

from tuidock.cli import verbs
from tuidock.cli.command import Command
from tuidock.engine.options.flags import Flag, switch, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

GLOBAL_FLAGS: tuple[Flag, ...] = (
    text("root", "", "Data root (default /var/lib/tuidock, or $TUIDOCK_ROOT)", kind="dir"),
    switch("read-only", "", "Change nothing"),
    switch("web", "", "The app as a web page on 127.0.0.1, under an address that is told once"),
    text("port", "", "Port of --web (default 4780; 0 takes a free one)"),
    switch("plain", "", "The app as plain lines with numbers to choose by, for screen readers"),
    switch("debug", "D", "Show where an error came from"),
    switch("help", "h", "Show this"),
    switch("version", "v", "Show the version"),
)


def options(flags: Iterable[Flag]) -> str:
    """The Options paragraph."""
    rows: list[tuple[str, str]] = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        if flag.hidden:
            continue
        left = f"  -{flag.short}, --{flag.name}" if flag.short else f"      --{flag.name}"
        if flag.kind != "bool":
            left += " " + flag.kind
        rows.append((left, told(flag)))
    width = max((len(left) for left, _ in rows), default=0) + 3
    lines = []
    for left, shown in rows:
        wrapped = textwrap.wrap(shown, max(30, 100 - width)) or [""]
        lines.append(left.ljust(width) + wrapped[0])
        lines += [" " * width + more for more in wrapped[1:]]
    return "\n".join(lines)


def told(flag: Flag) -> str:
    """What a flag does, and its value when it is not given."""
    if not flag.default or flag.many or flag.default == -1:
        return flag.help
    default = f'"{flag.default}"' if flag.kind == "string" else str(flag.default).lower()
    return f"{flag.help} (default {default})"


def of_command(path: str, target: str, command: Command) -> str:
    """The page of one verb."""
    parts = [f"Usage:  tuidock {path} {command.usage}".rstrip(), command.summary]
    names = verbs.spellings(target)
    if len(names) > 1:
        parts.append("Aliases:\n  " + ", ".join("tuidock " + name for name in names))
    if command.flags:
        parts.append("Options:\n" + options(command.flags))
    return "\n\n".join(parts) + "\n"


def _listing(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"  {name:<11} {summary}" for name, summary in entries)


def _summaries(table: dict[str, str], names: Iterable[str]) -> str:
    return _listing((name, verbs.load(table[name]).summary) for name in names)


def of_group(group: str) -> str:
    """The page of a management word."""
    summary, table = verbs.GROUPS[group]
    return (
        f"Usage:  tuidock {group} COMMAND\n\n{summary}\n\nCommands:\n{_summaries(table, sorted(table))}\n\n"
        f"Run 'tuidock {group} COMMAND --help' for more information on a command.\n"
    )


def of_everything() -> str:
    """The first page."""
    others = sorted(name for name in verbs.VERBS if name not in verbs.COMMON and not name.startswith("_"))
    return (
        "Usage:  tuidock [OPTIONS] [COMMAND]\n\n"
        "Containers with an engine of its own. Without a command it opens the full-screen app.\n\n"
        f"Common Commands:\n{_summaries(verbs.VERBS, verbs.COMMON)}\n\n"
        f"Management Commands:\n{_listing((name, verbs.GROUPS[name][0]) for name in sorted(verbs.GROUPS))}\n\n"
        f"Commands:\n{_summaries(verbs.VERBS, others)}\n\n"
        f"Global Options:\n{options(GLOBAL_FLAGS)}\n\n"
        "Run 'tuidock COMMAND --help' for more information on a command.\n"
    )
