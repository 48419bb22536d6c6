"""`man`: the manual page tuidock(1), written from the tables that also parse the command line, so it is never older than
the program."""

from __future__ import annotations

import sys

from tuidock import __version__
from tuidock.cli import help as pages
from tuidock.cli import output, verbs
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Flag, Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ENVIRONMENT = (
    ("TUIDOCK_ROOT", "The data root, when --root is not given."),
    ("DOCKER_CONFIG", "The directory of config.json with the credentials for registries, instead of ~/.docker."),
    ("BUILDKIT_PROGRESS", "How build shows its progress, when --progress is not given."),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "Proxies on the way to registries."),
    ("NO_COLOR", "When it is set the app shows no colours."),
)
_FILES = (
    ("/var/lib/tuidock", "The data root: images, containers, volumes, networks."),
    ("/run/tuidock", "What runs: sockets, locks, pids. Inside another data root it is the directory run."),
    ("~/.local/share/tuidock", "The data root of an ordinary user."),
    ("~/.config/tuidock/config.yaml", "Settings of the app, of registries and of the ports for -P."),
    ("~/.docker/config.json", "Credentials for registries, shared with docker."),
)
_CODES = (
    ("125", "tuidock itself could not do it."),
    ("126", "The command of the container cannot be executed."),
    ("127", "The command of the container is not there."),
    ("130", "It was interrupted."),
    ("others", "run, exec, start -a and wait: those of the container's command. All else: 1."),
)


def manual(_: Context, __: Values, ___: list[str]) -> int:
    text = page()
    if output.is_terminal():
        import shutil
        import subprocess

        reader = shutil.which("man")
        if reader is not None:
            return subprocess.run([reader, "--local-file", "-"], input=text, text=True, check=False).returncode
    sys.stdout.write(text)
    return 0


def page() -> str:
    """The whole page, for man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH TUIDOCK 1 "" "tuidock {escaped(__version__)}" "User Commands"'
    yield from (".SH NAME", r"tuidock \- containers in the terminal, with an engine of their own")
    yield from (".SH SYNOPSIS", r".B tuidock", r"[\fIOPTIONS\fR] [\fICOMMAND\fR [\fIARGUMENTS\fR]]")
    yield ".SH DESCRIPTION"
    yield escaped(
        "Without a command tuidock opens a full-screen, keyboard-driven app; ? shows its keys. With a command it is a "
        "command line with docker's verbs, flags, output and exit codes. There is no daemon: each container is looked after "
        "by a small program of its own, and goes on when tuidock ends."
    )
    yield ".SH OPTIONS"
    yield from _flags(pages.GLOBAL_FLAGS)
    yield ".SH COMMANDS"
    for name in sorted(name for name in verbs.VERBS if not name.startswith("_")):
        yield from _verb(name, verbs.VERBS[name])
    for group in sorted(verbs.GROUPS):
        summary, table = verbs.GROUPS[group]
        yield f".SH {escaped(group.upper())} COMMANDS"
        yield escaped(f"{summary}.")
        for name in sorted(table):
            yield from _verb(f"{group} {name}", table[name])
    for title, rows in (("EXIT STATUS", _CODES), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        yield f".SH {title}"
        for term, text in rows:
            yield from (".TP", rf"\fB{escaped(term)}\fR", escaped(text))
    yield from (
        ".SH SEE ALSO",
        r"\fBdocker\fR(1), \fBpodman\fR(1), \fBnft\fR(8), \fBnamespaces\fR(7), \fBcgroups\fR(7)",
    )


def _verb(path: str, target: str) -> Iterator[str]:
    """A verb with its flags where it is told first, which is its shortest name; else where to look."""
    command = verbs.load(target)
    yield f".SS {escaped(f'{path} {command.usage}'.strip())}"
    yield escaped(f"{command.summary}.")
    first = min(verbs.spellings(target), key=lambda name: (name.count(" "), name))
    if path != first:
        yield escaped(f"The same as {first}.")
    else:
        yield from _flags(command.flags)


def _flags(flags: Iterable[Flag]) -> Iterator[str]:
    for flag in sorted(flags, key=lambda flag: flag.name):
        if flag.hidden:
            continue
        short = rf"\fB{escaped('-' + flag.short)}\fR, " if flag.short else ""
        kind = "" if flag.kind == "bool" else rf" \fI{escaped(flag.kind)}\fR"
        yield from (".TP", rf"{short}\fB{escaped('--' + flag.name)}\fR{kind}", escaped(pages.told(flag)))


def escaped(text: str) -> str:
    """Plain text as roff: backslashes and hyphens stay what they are, and no line begins a request."""
    found = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + found if found.startswith((".", "'")) else found


MAN = Command("", "Show the manual page, or print it where there is no terminal", manual, most=0)
