"""What concerns registries themselves: `login`, `logout`, `search`, `push` (`pull` is among the archives)."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.cli.images import check_platform
from tuidock.engine.clean import clean
from tuidock.engine.errors import AuthFailed, InvalidArgument
from tuidock.engine.image_types import SearchResult
from tuidock.engine.options.flags import Values, listed, number, switch, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tuidock.engine.image_types import Login

_HUB = "docker.io"
#: docker's name for its own registry, in what it prints.
_HUB_SHOWN = "https://index.docker.io/v1/"
_DEFAULT_LIMIT = 25
_DESCRIPTION = 45

#: docker's words for the actions of `Engine.push`.
_PUSH = {
    "preparing": "Preparing",
    "waiting": "Waiting",
    "pushing": "Pushing",
    "pushed": "Pushed",
    "exists": "Layer already exists",
    "mounted": "Mounted from",
    "skipped": "Skipped foreign layer",
    "retrying": "Retrying",
}


def login(context: Context, values: Values, arguments: list[str]) -> int:
    server = arguments[0] if arguments else ""
    username, password = values["username"], values["password"]
    if values.on("password-stdin"):
        if password:
            raise InvalidArgument("conflicting options: cannot specify both --password and --password-stdin")
        if not username:
            raise InvalidArgument("the --password-stdin option requires --username to be set")
        password = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        if not password:
            raise InvalidArgument("password is empty")
    elif values.given("password"):
        output.note("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    done = None
    if not username and not password:
        done = _stored(context, server)
    if done is None:
        username, password = _asked(server, username, password)
        done = context.engine.login(server, username, password)
    if not done.helper:
        output.note(
            f"\nWARNING! Your credentials are stored unencrypted in '{done.path}'.\n"
            "Configure a credential helper (credsStore or credHelpers in that file) to remove this warning.\n"
        )
    output.line("Login Succeeded")
    return 0


def _stored(context: Context, server: str) -> Login | None:
    """What comes of the credentials that are there already; None when there are none, or they are not good any more."""
    host = _host(server)
    known = next((one for one in context.engine.logins() if one.server == host), None)
    if known is None:
        return None
    output.line(f"Authenticating with existing credentials... [Username: {clean(known.username)}]")
    output.flush()
    try:
        return context.engine.login(server)
    except AuthFailed as error:
        output.note(f"Login did not succeed, error: {error}")
        return None


def _asked(server: str, username: str, password: str) -> tuple[str, str]:
    """What is missing, from the person at the terminal."""
    if username and password:
        return username, password
    if not output.is_terminal(0):
        raise InvalidArgument("Cannot perform an interactive login from a non TTY device")
    if not username:
        if _host(server) == _HUB:
            output.line("Log in with your Docker ID or email address to push and pull images from Docker Hub.")
        sys.stdout.write("Username: ")
        sys.stdout.flush()
        username = sys.stdin.readline().strip()
        if not username:
            raise InvalidArgument("username is required")
    if not password:
        import getpass

        password = getpass.getpass("Password: ", sys.stdout)
        if not password:
            raise InvalidArgument("password is required")
    return username, password


def _host(server: str) -> str:
    """HOST[:PORT] of what a person calls a server."""
    host = server.partition("://")[2] if "://" in server else server
    host = host.partition("/")[0].lower()
    return _HUB if host in ("", _HUB, "index.docker.io", "registry-1.docker.io") else host


def logout(context: Context, _: Values, arguments: list[str]) -> int:
    host = _host(arguments[0] if arguments else "")
    context.engine.logout(host)
    output.line(f"Removing login credentials for {_HUB_SHOWN if host == _HUB else host}")  # docker says so in any case
    return 0


def search(context: Context, values: Values, arguments: list[str]) -> int:
    limit = values.number("limit") or _DEFAULT_LIMIT
    found = context.engine.search(arguments[0], limit=limit, filters=values.items("filter"))
    full = values.on("no-trunc")
    template = values["format"]
    if template and template != "table":
        from tuidock.cli import formats

        columns = _columns(full, words=template in ("json", "{{json .}}"))
        formats.write(template, found, columns, _HEADERS)
        return 0
    columns = _columns(full)
    order = ("Name", "Description", "StarCount", "IsOfficial")
    output.table([[_HEADERS[name] for name in order], *([columns[name](one) for name in order] for one in found)])
    return 0


_HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}


def _columns(full: bool, *, words: bool = False) -> dict[str, Callable[[SearchResult], str]]:
    """words: booleans as true and false, as docker's JSON has them."""

    def mark(value: bool) -> str:
        return str(value).lower() if words else "[OK]" if value else ""

    def description(result: SearchResult) -> str:
        one_line = result.description.replace("\n", " ").replace("\r", " ")
        return one_line if full else output.ellipsis(one_line, _DESCRIPTION)

    return {
        "Name": lambda result: result.name,
        "Description": description,
        "StarCount": lambda result: str(max(0, result.stars)),
        "IsOfficial": lambda result: mark(result.official),
        "IsAutomated": lambda result: mark(result.automated),
    }


def push(context: Context, values: Values, arguments: list[str]) -> int:
    reference, every, quiet = arguments[0], values.on("all-tags"), values.on("quiet")
    named = reference if every or ":" in reference.rpartition("/")[2] else reference + ":latest"
    repository, _ = send(context, reference, every=every, quiet=quiet, default_tag=named != reference)
    if quiet:
        output.line(repository if every else f"{repository}:{named.rpartition(':')[2]}")
    return 0


def send(
    context: Context, reference: str, *, every: bool = False, quiet: bool = False, default_tag: bool = False
) -> tuple[str, str]:
    """Pushes an image as docker shows it; answers the repository and the digest that it has there."""
    from tuidock.cli.progress import parts

    steps = context.engine.push(reference, all_tags=every)
    if not quiet and default_tag:
        output.line("Using default tag: latest")
    repository = digest = ""
    for step in parts(steps, _PUSH, quiet=quiet):
        if step.action == "pushing-to":
            repository = step.subject
            if not quiet:
                output.line(f"The push refers to repository [{repository}]")
        elif step.action == "digest":
            digest = step.message
            if not quiet:
                output.line(f"{step.subject}: digest: {digest} size: {step.total}")
        elif step.action == "warning":
            output.note(f"WARNING: {step.message}")
        output.flush()
    return repository, digest


LOGIN = Command(
    "[OPTIONS] [SERVER]",
    "Authenticate to a registry (Docker Hub if no server is given)",
    login,
    (
        text("password", "p", "Password or Personal Access Token (PAT)"),
        switch("password-stdin", "", "Take the Password or Personal Access Token (PAT) from stdin"),
        text("username", "u", "Username"),
    ),
    most=1,
)
LOGOUT = Command("[SERVER]", "Log out from a registry (Docker Hub if no server is given)", logout, most=1)
SEARCH = Command(
    "[OPTIONS] TERM",
    "Search Docker Hub for images, or HOST/TERM in the catalog of a registry",
    search,
    (
        listed("filter", "f", "Show only what fits (stars=3, is-official=true)", kind="filter"),
        text("format", "", "'table', 'json', or a Go template, with 'table ' before it for headers"),
        number("limit", "", "Max number of search results"),
        switch("no-trunc", "", "Show everything in full"),
    ),
    least=1,
    most=1,
)
PUSH = Command(
    "[OPTIONS] NAME[:TAG]",
    "Upload an image to a registry",
    push,
    (
        switch("all-tags", "a", "Push all tags of an image to the repository"),
        switch("disable-content-trust", "", "Accepted for scripts, without effect", on=True, hidden=True),
        text("platform", "", "Accepted where it names this machine", parse=check_platform, hidden=True),
        switch("quiet", "q", "Do not show progress"),
    ),
    least=1,
    most=1,
)
