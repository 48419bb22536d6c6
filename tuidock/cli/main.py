"""The way from an argument list to an exit code.

Only the table of verbs is imported here; a verb's module, and with it the engine, comes when it was chosen.
"""

from __future__ import annotations

import os
import sys

from tuidock.cli import output, verbs
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import EngineError, InvalidArgument, StartFailed
from tuidock.engine.options.flags import (
    BadOptions,
    CannotAttach,
    HelpWanted,
    UsageError,
    Values,
    WrongArguments,
    parse,
    truth,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Opens the app over a data root, read-only or not, by its face and the port of that; the command line does not
    #: know the app.
    OpenApp = Callable[[str, bool, str, int | None], int]

#: docker's global options that carry a value and have no meaning here.
_IGNORED = ("--config", "--context", "-c", "--log-level", "-l")
_DAEMON = ("--host", "-H", "--tlscacert", "--tlscert", "--tlskey")


def main(argv: Sequence[str], open_app: OpenApp | None = None) -> int:
    """Runs one command line and answers its exit code; open_app is called when there is no verb."""
    output.prepare()
    try:
        code = _dispatch(list(argv), open_app)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # the reader has gone, as in `tuidock ps | head -1`: end quietly, and keep the interpreter from flushing again
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130


def _dispatch(argv: list[str], open_app: OpenApp | None) -> int:
    context = Context()
    try:
        words, wanted = _globals(argv, context)
    except UsageError as error:
        return _usage(error, "tuidock", "")
    if wanted == "version":
        from tuidock import __version__

        output.line(f"tuidock version {__version__}")
        return 0
    if wanted == "help":
        return _help([])
    if context.port is not None and context.face != "web":
        return _usage(UsageError("--port belongs to --web"), "tuidock", "")
    if context.face and words:
        return _usage(UsageError(f"--{context.face} opens the app, so it takes no command"), "tuidock", "")
    if not words:
        return _app(context, open_app)
    if words[0] == "help":
        return _help(words[1:])
    found = verbs.find(words)
    context.path = found.path
    if not found.target:
        return _no_command(found)
    if found.path not in verbs.WITHOUT_ENGINE and found.rest[:1] != ["--help"] and not _become_root():
        return 1
    return _run(verbs.load(found.target), found, context)


def _globals(argv: list[str], context: Context) -> tuple[list[str], str]:
    """Consumes the options before the verb; answers the rest and whether help or version was asked for."""
    index = 0
    while index < len(argv) and argv[index].startswith("-") and argv[index] != "-":
        name, equals, value = argv[index].partition("=")
        index += 1
        if name in ("--help", "-h"):
            return [], "help"
        if name in ("--version", "-v"):
            return [], "version"
        if name in ("--web", "--plain") and not equals:
            context.face = name[2:]
        elif name in ("--read-only", "--debug", "-D"):
            try:
                on = truth(value) if equals else True
            except ValueError as error:
                raise UsageError(f'invalid argument "{value}" for "{name}" flag: {error}') from None
            if name == "--read-only":
                context.read_only = on
            else:
                context.debug = output.debug = on
        elif name in ("--root", "--port") or name in _IGNORED:
            if not equals:
                if index >= len(argv):
                    raise UsageError(f"flag needs an argument: {name}")
                value, index = argv[index], index + 1
            if name == "--port":
                if not (value.isascii() and value.isdecimal() and int(value) < 65536):
                    raise UsageError(f"--port needs a number up to 65535, not {value!r}")
                context.port = int(value)
            if name == "--root":
                if not value:
                    raise UsageError("--root needs a directory")
                context.root = os.path.abspath(value)
        elif name == "--":
            break
        elif name in _DAEMON or name[:2] == "-H":
            raise UsageError(
                f"{name} has no meaning here: there is no daemon to connect to; --root chooses a data root"
            )
        else:
            raise UsageError(f"unknown flag: {name}")
    return argv[index:], ""


def _app(context: Context, open_app: OpenApp | None) -> int:
    # A web page has its own terminal (app/web.py), and the plain face needs lines only.
    shown = context.face or os.environ.get("TEXTUAL_DRIVER")
    if open_app is None or not (shown or (output.is_terminal(0) and output.is_terminal(1))):
        output.error("without a command the app opens, which needs a terminal; see 'tuidock --help'")
        return 1
    return open_app(context.root, context.read_only, context.face, context.port) if _become_root() else 1


def _become_root() -> bool:
    """An ordinary user goes on as root of a user namespace; says why when that cannot be."""
    if os.geteuid() == 0:
        return True
    from tuidock.engine import rootless

    try:
        sentence = rootless.enter()
    except EngineError as error:
        output.error(str(error))
        return False
    if sentence:
        output.note(f"tuidock: {sentence}")
    return True


def _help(words: list[str]) -> int:
    from tuidock.cli import help as pages

    if not words:
        sys.stdout.write(pages.of_everything())
        return 0
    found = verbs.find(words)
    if found.target:
        sys.stdout.write(pages.of_command(found.path, found.target, verbs.load(found.target)))
        return 0
    return _no_command(found)


def _no_command(found: verbs.Found) -> int:
    from tuidock.cli import help as pages

    group = found.path.partition(" ")[0]
    if found.path in verbs.GROUPS:
        if found.rest and found.rest[0] not in ("--help", "-h"):
            return _usage(UsageError(f"unknown flag: {found.rest[0]}"), found.path, "COMMAND")
        (sys.stdout if found.rest else sys.stderr).write(pages.of_group(found.path))
        return 0
    where = group if group in verbs.GROUPS else ""
    output.error(f"unknown command: tuidock {found.path}{_meant(found.path, where)}")
    output.note(f"\nRun 'tuidock {where}{' ' if where else ''}--help' for more information")
    return 1


def _meant(path: str, group: str) -> str:
    """What was perhaps mistyped."""
    from difflib import get_close_matches

    known = verbs.GROUPS[group][1] if group else {**verbs.VERBS, **verbs.GROUPS}
    near = get_close_matches(path.rpartition(" ")[2], known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _run(command: Command, found: verbs.Found, context: Context) -> int:
    try:
        if command.raw and "--help" not in found.rest:
            return command.run(context, Values(()), found.rest)
        values, arguments = parse(command.flags, found.rest, interspersed=not command.options_first)
        _count(command, arguments, found.path)
        code = command.run(context, values, arguments)
        for sentence in context.notices():
            output.note(f"tuidock: {sentence}")
        _say_new(context, found)
        return code
    except HelpWanted:
        return _help(found.path.split(" "))
    except UsageError as error:
        return _usage(error, found.path, command.usage)
    except EngineError as error:
        output.error(str(error).removesuffix(error.excerpt))
        _say_new(context, found)
        if error.excerpt:
            output.note(error.excerpt.removeprefix("\n"))
        if isinstance(error, BadOptions) or (isinstance(error, InvalidArgument) and command.failure == 125):
            output.note(f"\nSee 'tuidock {found.path} --help'.")
        return _code(error, command)
    except BrokenPipeError:
        raise
    except Exception as error:
        sentence = _unforeseen(error)
        if not sentence or context.debug:
            raise
        output.error(sentence)
        return command.failure


def _say_new(context: Context, found: verbs.Found) -> None:
    """Who only looks and finds nothing has perhaps mistyped the data root."""
    if verbs.plain(found.path) in verbs.LOOKING and context.made_root:
        output.note(f"tuidock: {context.made_root} held no data root; an empty one was made there")


def _unforeseen(error: Exception) -> str:
    """The sentence for what the kernel or SQLite refused where no door has turned it into one, "" for a bug of ours."""
    if isinstance(error, OSError) and error.errno:
        from tuidock.engine.files import refuse

        return str(refuse(error, f"do that with {error.filename}" if error.filename else "do that"))
    if type(error).__module__ == "sqlite3":
        return f"cannot use the database of the data root: {error}; see `tuidock system check`"
    return ""


def _code(error: EngineError, command: Command) -> int:
    if isinstance(error, (BadOptions, CannotAttach)):
        return error.exit_code
    if command.failure == 125 and isinstance(error, StartFailed) and error.step != "mount-notdir":
        return error.exit_code  # the container keeps 127 for a file over a directory, docker's client says 125
    return command.failure


def _count(command: Command, arguments: list[str], path: str) -> None:
    given, least, most = len(arguments), command.least, command.most
    if given >= least and (most is None or given <= most):
        return
    if most == 0:
        raise WrongArguments(f"'tuidock {path}' accepts no arguments")
    plural = "" if (least if given < least else most) == 1 else "s"
    if most == least:
        raise WrongArguments(f"'tuidock {path}' requires {least} argument{plural}")
    bound = f"at least {least}" if given < least else f"at most {most}"
    raise WrongArguments(f"'tuidock {path}' requires {bound} argument{plural}")


def _usage(error: UsageError, path: str, usage: str) -> int:
    output.error(str(error))
    if path == "tuidock":
        output.note("\nSee 'tuidock --help'.")
    else:
        output.note(f"\nUsage:  tuidock {path} {usage}".rstrip() + f"\n\nSee 'tuidock {path} --help'.")
    return error.exit_code
