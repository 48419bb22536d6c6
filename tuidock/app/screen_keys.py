"""Keys of the screens beside the main one, as one table: bindings, the line at the foot, help and README read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuidock.app.bindings import keys_of, show_keys
from tuidock.app.spans import Item
from tuidock.app.words import mark, tr


class Key(NamedTuple):
    """id is also the name of the screen's action: `jobs.retry` calls action_retry. footer "" leaves it out there."""

    id: str
    keys: str
    footer: str
    help: str
    changes: bool = False
    rank: int = 0


def _help(screen: str) -> Key:
    return Key(f"{screen}.help", "question_mark,f1", "help", "The keys")


JOBS = (
    Key(
        "jobs.open",
        "enter",
        "open",
        "Look into it: the steps of a build, the image that came, the login that is wanted",
    ),
    Key("jobs.fold", "space", "layers", "Show or hide the layers of the job", False, 4),
    Key("jobs.give_up", "d,delete,ctrl+k", "give up", "Give it up when it goes on, else take it off the list"),
    Key("jobs.retry", "r", "retry", "Try again what has failed", True),
    Key("jobs.login", "L", "log in", "Log in to its registry", True, 1),
    Key("jobs.copy", "c", "copy", "Copy its error, or the digest", False, 2),
    Key("jobs.clear", "C", "clear", "Take everything off the list that has ended", False, 3),
    _help("jobs"),
    Key("jobs.back", "escape,q", "back", "Back; the jobs go on"),
)
BUILD = (
    Key("build.open", "enter", "output", "The output of the step; a shell in the last good state when it has failed"),
    Key("build.run", "R", "run", "Run the image", True),
    Key("build.inspect", "i", "inspect", "The image in its list"),
    Key("build.files", "F", "files", "The layers of the image and their files", False, 2),
    Key("build.shell", "e", "shell", "A shell in the last good state of a step that has failed", True),
    Key("build.follow", "s", "follow", "Follow the step that runs", False, 3),
    Key("build.source", "f", "Dockerfile", "The Dockerfile in the place of the output", False, 4),
    Key("build.next", "tab", "other side", "Between steps, output and Dockerfile", False, 5),
    Key("build.give_up", "ctrl+k", "give up", "Give the build up, after asking"),
    Key("build.retry", "r", "again", "Build again with the same options", True, 6),
    Key("build.copy", "y", "", "Copy the command line or the error"),
    _help("build"),
    Key("build.back", "escape,q", "back", "Back; the build goes on"),
)
LAYERS = (
    Key("layers.open", "enter", "open", "From the layer to its files; unfold a directory; look into a file"),
    Key("layers.next", "tab", "other side", "Between layers and files", False, 4),
    Key(
        "layers.whole",
        "a",
        "whole/layer",
        "The files up to this layer, or only what the layer itself changes",
        False,
        1,
    ),
    Key("layers.added", "A", "added", "Show or hide what was added", False, 3),
    Key("layers.changed", "C", "changed", "Show or hide what was changed", False, 3),
    Key("layers.deleted", "D", "deleted", "Show or hide what was deleted", False, 3),
    Key("layers.filter", "slash", "filter", "Only paths that fit a regular expression"),
    Key("layers.unfold", "plus,asterisk", "", "Unfold everything"),
    Key("layers.fold", "minus", "", "Fold everything"),
    Key("layers.sort", "o", "sort", "Sort by size, or by name", False, 5),
    Key("layers.copy", "c", "", "Copy the path"),
    _help("layers"),
    Key("layers.back", "escape,q", "back", "Back; clears the filter first"),
)
FILE = (
    Key("file.hex", "x", "hex/text", "Bytes or text"),
    Key("file.wrap", "w", "wrap", "Wrap long lines"),
    Key("file.copy", "c", "copy", "Copy what is shown"),
    Key("file.back", "escape,q,enter", "back", "Back"),
)
OUTPUT = (
    Key("output.wrap", "w", "wrap", "Wrap long lines"),
    Key("output.copy", "c", "copy", "Copy what is shown"),
    Key("output.retry", "r", "again", "Run it again", True),
    Key("output.give_up", "ctrl+k", "give up", "Give it up: SIGTERM, then SIGKILL after 3 s"),
    _help("output"),
    Key("output.back", "escape,q", "back", "Back; it goes on"),
)
SEARCH = (
    Key("search.pull", "enter", "pull", "Get the image", True),
    Key("search.tags", "t", "tags", "The tags of the image, to choose one", False, 1),
    Key("search.again", "slash", "search", "Search for something else"),
    Key("search.copy", "c", "copy", "Copy the name", False, 2),
    Key("search.back", "escape,q", "back", "Back"),
)
GREP = (
    Key("grep.open", "enter", "to the line", "To the line in its log"),
    Key("grep.fold", "space", "more/fewer", "All lines of the container that are kept, or its last few"),
    Key("grep.ask", "slash", "search", "Search for something else"),
    Key("grep.again", "r,ctrl+r", "again", "Search again, in what was written since, too", False, 1),
    Key("grep.stop", "s,ctrl+k", "stop", "Give the search up; what was found stays", False, 2),
    Key("grep.copy", "c", "copy", "Copy the line", False, 3),
    _help("grep"),
    Key("grep.back", "escape,q", "back", "Back; gives the search up"),
)
LOGINS = (
    Key("logins.login", "n,enter", "log in", "Log in to a registry", True),
    Key("logins.logout", "d,delete", "log out", "Forget the credentials", True),
    Key("logins.back", "escape,q", "back", "Back"),
)
PRUNE = (
    Key("prune.tick", "space", "toggle", "Take it, or leave it"),
    Key("prune.dangling", "a", "all dangling", "Only images without a name"),
    Key(
        "prune.unused",
        "A",
        "all unused",
        "Images that no container has, unused build cache and networks, too; volumes never",
    ),
    Key("prune.none", "backslash", "none", "Nothing", False, 1),
    Key("prune.go", "enter", "remove", "Remove what is ticked, after asking", True),
    Key("prune.back", "escape,q", "back", "Back"),
)
MAP = (
    Key("map.open", "enter", "go to", "To the container or the network in its list"),
    Key("map.connect", "I", "connect", "Give a container a place in the network", True),
    Key("map.disconnect", "Z,d", "disconnect", "Take the container out of the network, after asking", True, 1),
    Key("map.port", "w", "open port", "Open a port of the container, or copy its address"),
    Key("map.copy", "c", "copy", "Copy the address, or the subnet of a network", False, 2),
    _help("map"),
    Key("map.back", "escape,q", "back", "Back"),
)
PORTS = (
    Key("ports.open", "enter,w", "open", "Open the address, or copy it where there is no browser"),
    Key("ports.copy", "c", "copy", "Copy the address"),
    Key("ports.again", "r,ctrl+r", "ask again", "Connect to all of them again"),
    _help("ports"),
    Key("ports.back", "escape,q", "back", "Back"),
)
VOLUME = (
    Key("volume.open", "enter", "open", "Open the directory, or look into the file"),
    Key("volume.up", "backspace,left,h", "up", "The directory above"),
    Key("volume.files", "V", "copy files", "Copy it out of the volume, or something into the volume"),
    Key("volume.copy", "c", "copy path", "Copy the path", False, 2),
    Key("volume.again", "r,ctrl+r", "read again", "Read the directory again", False, 3),
    _help("volume"),
    Key("volume.back", "escape,q", "back", "The directory above, then back"),
)
MIGRATE = (
    Key("migrate.tick", "space", "toggle", "Take it, or leave it; on the line of a kind all of it"),
    Key("migrate.all", "a,asterisk", "all", "Everything that can be taken"),
    Key("migrate.none", "backslash", "none", "Nothing", False, 1),
    Key("migrate.go", "enter", "take over", "Take over what is ticked, after asking", True),
    Key("migrate.copy", "c", "copy", "Copy the note, or the command line", False, 3),
    Key("migrate.again", "r,ctrl+r", "read again", "Ask the other engine again", False, 2),
    _help("migrate"),
    Key("migrate.back", "escape,q", "back", "Back"),
)
DOCTOR = (
    Key("doctor.mend", "enter,c", "copy the command", "Copy the command that mends it"),
    Key("doctor.copy", "y", "copy", "Copy the finding", False, 1),
    Key("doctor.again", "r,ctrl+r", "look again", "Look at everything again"),
    _help("doctor"),
    Key("doctor.back", "escape,q", "back", "Back"),
)
SPACE = (
    Key("space.go", "enter", "go to", "To where something can be done about it: prune, the trash, the containers"),
    Key("space.prune", "X", "prune", "What may go, to choose from", True),
    Key("space.trash", "T", "trash", "What was removed and can come back"),
    Key("space.again", "r,ctrl+r", "measure again", "Measure everything again", False, 1),
    Key("space.back", "escape,q", "back", "Back"),
)
TRASH = (
    Key("trash.undo", "enter,u", "bring back", "Bring it back", True),
    Key("trash.delete", "d,delete", "for good", "Remove it for good, after asking", True),
    Key("trash.empty", "E", "empty", "Empty the trash, after asking", True, 1),
    Key("trash.back", "escape,q", "back", "Back"),
)
EVENTS = (
    Key("events.open", "enter", "go to", "To the container, image, volume or network in its list"),
    Key("events.filter", "slash", "filter", "Filter: re, !re, type:image, action:die, -l image=nginx"),
    Key(
        "events.since",
        "0,1,2,3,4,5,6",
        "all, 1-6 since",
        "All, or the last 1, 5, 15 minutes, 1 hour, 6 hours, a day",
    ),
    Key("events.copy", "c", "copy", "Copy the event", rank=1),
    _help("events"),
    Key("events.back", "escape,q", "back", "Back; clears the filter first"),
)
OVERVIEW = (
    Key("overview.open", "enter", "go to", "To what the line is about"),
    Key("overview.next", "tab", "other side", "To the other side", rank=2),
    Key("overview.again", "r,ctrl+r", "measure again", "Measure the space again", rank=1),
    _help("overview"),
    Key("overview.back", "escape,q", "back", "Back"),
)
COMMANDS = (
    Key("commands.copy", "enter,c", "copy", "Copy the command, as it works in a shell"),
    Key("commands.all", "Y", "copy all", "Copy all commands that went well, as a script", rank=1),
    Key("commands.filter", "slash", "filter", "Only commands that fit a regular expression"),
    _help("commands"),
    Key("commands.back", "escape,q", "back", "Back; clears the filter first"),
)

#: Title in help and README -> its keys.
SCREENS: Mapping[str, tuple[Key, ...]] = {
    "Jobs": JOBS,
    "Build": BUILD,
    "Layers and files": LAYERS,
    "File": FILE,
    "Output of a command": OUTPUT,
    "Search": SEARCH,
    "Search in all logs": GREP,
    "Logins": LOGINS,
    "Prune": PRUNE,
    "Network map": MAP,
    "Ports": PORTS,
    "Files of a volume": VOLUME,
    "Trash": TRASH,
    "Overview": OVERVIEW,
    "Events": EVENTS,
    "Commands": COMMANDS,
    "Moving in": MIGRATE,
    "Doctor": DOCTOR,
    "Room on the disk": SPACE,
}


READ_ONLY = mark("This session is read-only, so nothing may be changed.")


def items(
    keys: Sequence[Key], read_only: bool = False, hidden: Sequence[str] = (), keymap: Mapping[str, str] = {}
) -> list[Item]:
    """The line at the foot."""
    return [
        Item(key.id, tr(key.footer), shown, True, key.rank)
        for key in keys
        if key.footer and key.id not in hidden and not (key.changes and read_only)
        if (shown := show_keys(keys_of(key, keymap)).split(" ")[0])
    ]


def refused(keys: Sequence[Key], pressed: str, keymap: Mapping[str, str] = {}) -> bool:
    """Whether the key would change something."""
    return any(key.changes and pressed in keys_of(key, keymap).split(",") for key in keys)


def help_lines(keys: Sequence[Key], keymap: Mapping[str, str] = {}) -> list[tuple[str, str]]:
    return [(show_keys(keys_of(key, keymap)), key.help) for key in keys]
