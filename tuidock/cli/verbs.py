"""The table of verbs: which module holds a command. Nothing is imported until a verb is chosen.

A target is "module:NAME" below tuidock.cli. Verbs that begin with an underscore are for tuidock itself.
"""

from __future__ import annotations

from tuidock.engine.named import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.cli.command import Command

CONTAINER = {
    "attach": "attach:ATTACH",
    "commit": "commit:COMMIT",
    "cp": "copy:CP",
    "create": "run:CREATE",
    "debug": "debug:DEBUG",
    "diff": "files:DIFF",
    "exec": "execute:EXEC",
    "export": "files:EXPORT",
    "inspect": "inspect:INSPECT_CONTAINER",
    "kill": "lifecycle:KILL",
    "logs": "logs:LOGS",
    "ls": "ps:PS",
    "pause": "lifecycle:PAUSE",
    "port": "port:PORT",
    "prune": "prune:PRUNE_CONTAINERS",
    "rename": "lifecycle:RENAME",
    "restart": "lifecycle:RESTART",
    "rm": "lifecycle:RM",
    "run": "run:RUN",
    "start": "start:START",
    "stats": "stats:STATS",
    "stop": "lifecycle:STOP",
    "top": "top:TOP",
    "unpause": "lifecycle:UNPAUSE",
    "update": "update:UPDATE",
    "wait": "lifecycle:WAIT",
}
IMAGE = {
    "build": "build:BUILD",
    "diff": "files:DIFF_IMAGES",
    "history": "images:HISTORY",
    "import": "archives:IMPORT",
    "inspect": "inspect:INSPECT_IMAGE",
    "layers": "files:LAYERS",
    "load": "archives:LOAD",
    "ls": "images:IMAGES",
    "prune": "prune:PRUNE_IMAGES",
    "pull": "archives:PULL",
    "push": "registry:PUSH",
    "rm": "images:RMI",
    "save": "archives:SAVE",
    "tag": "images:TAG",
}
TRASH = {"empty": "trash:EMPTY", "ls": "trash:LS", "undo": "trash:UNDO"}
VOLUME = {
    "create": "volumes:CREATE",
    "export": "volume_archives:EXPORT",
    "import": "volume_archives:IMPORT",
    "inspect": "inspect:INSPECT_VOLUME",
    "ls": "volumes:LS",
    "prune": "prune:PRUNE_VOLUMES",
    "rm": "volumes:RM",
}
NETWORK = {
    "connect": "networks:CONNECT",
    "create": "networks:CREATE",
    "disconnect": "networks:DISCONNECT",
    "inspect": "inspect:INSPECT_NETWORK",
    "ls": "networks:LS",
    "prune": "prune:PRUNE_NETWORKS",
    "rm": "networks:RM",
}
BUILDER = {"build": "build:BUILD", "du": "builder:DU", "prune": "builder:PRUNE"}
BUILDX = BUILDER
SYSTEM = {
    "check": "system:CHECK",
    "df": "usage:DF",
    "doctor": "doctor:DOCTOR",
    "events": "events:EVENTS",
    "info": "system:INFO",
    "prune": "prune:PRUNE_SYSTEM",
    "rebuild": "system:REBUILD",
    "reset": "system:RESET",
}

#: Management words: summary and subcommands.
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "builder": ("Manage builds", BUILDER),
    "buildx": ("Manage builds, in docker's newer words", BUILDX),
    "container": ("Manage containers", CONTAINER),
    "image": ("Manage images", IMAGE),
    "network": ("Manage networks", NETWORK),
    "system": ("Manage tuidock", SYSTEM),
    "trash": ("Manage what was removed", TRASH),
    "volume": ("Manage volumes", VOLUME),
}

VERBS: dict[str, str] = {
    **{name: target for name, target in CONTAINER.items() if name not in ("inspect", "ls", "prune")},
    **{name: IMAGE[name] for name in ("history", "import", "load", "pull", "push", "save", "tag")},
    "boot": "boot:BOOT",
    "build": "build:BUILD",
    "completion": "completion:COMPLETION",
    "demo": "demo:DEMO",
    "events": "events:EVENTS",
    "images": "images:IMAGES",
    "info": "system:INFO",
    "inspect": "inspect:INSPECT",
    "login": "registry:LOGIN",
    "logout": "registry:LOGOUT",
    "man": "manual:MAN",
    "migrate": "migrate:MIGRATE",
    "ps": "ps:PS",
    "rmi": "images:RMI",
    "search": "registry:SEARCH",
    "undo": "trash:UNDO",
    "version": "system:VERSION",
    "_complete": "completion:COMPLETE",
    "_reap": "lifecycle:REAP",
    "_rules": "networks:RULES",
}

#: Other names of subcommands.
ALIASES = {
    ("container", "list"): "ls",
    ("container", "ps"): "ls",
    ("container", "remove"): "rm",
    ("image", "list"): "ls",
    ("image", "remove"): "rm",
    ("trash", "list"): "ls",
    ("trash", "prune"): "empty",
    ("volume", "list"): "ls",
    ("volume", "remove"): "rm",
    ("network", "list"): "ls",
    ("network", "remove"): "rm",
}

#: Verbs that open no data root, so that an ordinary user needs no user namespace for them.
WITHOUT_ENGINE = frozenset(("completion", "man", "system doctor"))

#: Verbs that only look: a data root that they have to make first was perhaps mistyped.
LOOKING = frozenset(
    (
        "diff",
        "history",
        "images",
        "inspect",
        "logs",
        "network ls",
        "port",
        "ps",
        "stats",
        "top",
        "trash ls",
        "volume ls",
    )
)

#: The verbs that the first screen of help names.
COMMON = ("run", "exec", "ps", "logs", "stop", "rm", "images", "pull", "inspect", "version", "info")


class Found(Named):
    """path: the words of the verb ("container ls"); target "" when it is a group or unknown."""

    path: str
    target: str
    rest: list[str]


def find(words: list[str]) -> Found:
    """The verb at the beginning of the words."""
    first, rest = words[0], words[1:]
    if first not in GROUPS:
        return Found(first, VERBS.get(first, ""), rest)
    if not rest or rest[0].startswith("-"):
        return Found(first, "", rest)
    name = ALIASES.get((first, rest[0]), rest[0])
    path = f"{first} {rest[0]}"
    return Found(path, GROUPS[first][1].get(name, ""), rest[1:])


def plain(path: str) -> str:
    """A verb in its short form: "container stop" is stop, "image rm" stays."""
    group, _, name = path.partition(" ")
    return name if name and VERBS.get(name) == GROUPS[group][1].get(name) else path


def load(target: str) -> Command:
    """The command of a table entry."""
    module, _, name = target.partition(":")
    command: Command = getattr(__import__(f"tuidock.cli.{module}", fromlist=[name]), name)
    return command


def spellings(target: str) -> list[str]:
    """Every way to say a verb."""
    names = [
        f"{group} {name}"
        for group, (_, table) in GROUPS.items()
        for name in [*table, *(alias for (of, alias) in ALIASES if of == group)]
        if table[ALIASES.get((group, name), name)] == target
    ]
    return names + [name for name, other in VERBS.items() if other == target]
