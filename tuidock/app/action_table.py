"""The table of everything that a person can do: keys, words, where it makes sense, whether it changes anything.

Apart from `bindings.py`, which reads keymaps, labels and the line at the foot from it. What an action does is in
`actions/`, under the same id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tuidock.app.model import CONTAINERS, IMAGES, KINDS, NETWORKS, VOLUMES, Row
from tuidock.engine.types import Container


class Situation(NamedTuple):
    """What decides whether an action is possible: the pane in use, the row under its cursor, and so on."""

    kind: str = CONTAINERS
    row: Row | None = None
    marked: int = 0
    read_only: bool = False
    in_detail: bool = False
    filtered: bool = False


Condition = Callable[[Situation], bool]


class Action(NamedTuple):
    """Something a person can do. keys are Textual's names, separated by commas; command is the word after `:`."""

    id: str
    keys: str
    label: str
    help: str
    command: str = ""
    group: str = "Containers"
    kinds: tuple[str, ...] = KINDS
    when: Condition | None = None
    changes: bool = False
    footer: bool | tuple[str, ...] = False  # at the foot of every pane where it makes sense, or of these
    bulk: bool = False
    arguments: str = ""
    screen: bool = True  # False: the widget that has the focus owns the key, it is listed here for help and keymap


def _any(situation: Situation) -> bool:
    return situation.row is not None or situation.marked > 0


def _state(*statuses: str) -> Condition:
    def fits(situation: Situation) -> bool:
        if situation.marked:
            return True
        return isinstance(situation.row, Container) and situation.row.status in statuses

    return fits


def _with_ports(situation: Situation) -> bool:
    return isinstance(situation.row, Container) and bool(situation.row.ports)


ALIVE = ("running", "paused", "restarting")
_IDLE = ("created", "exited", "dead")
_C, _I, _CI = (CONTAINERS,), (IMAGES,), (CONTAINERS, IMAGES)
_CN = (CONTAINERS, NETWORKS)

# fmt: off
ACTIONS: tuple[Action, ...] = (
    # containers
    Action("container.toggle", "s", "start/stop", "Start the container, or stop it when it runs",
           kinds=_C, when=_state(*ALIVE, *_IDLE), changes=True, footer=True, bulk=True),
    Action("container.start", "", "start", "Start the container",
           command="start", kinds=_C, when=_state(*_IDLE), changes=True, bulk=True, arguments="[NAME...]"),
    Action("container.stop", "", "stop", "Stop the container: its stop signal, then SIGKILL after 10 s",
           command="stop", kinds=_C, when=_state(*ALIVE), changes=True, bulk=True, arguments="[NAME...]"),
    Action("container.restart", "r", "restart", "Stop and start the container again",
           command="restart", kinds=_C, when=_state(*ALIVE, *_IDLE), changes=True, footer=True, bulk=True,
           arguments="[NAME...]"),
    Action("container.pause", "p", "pause", "Pause the container, or let it go on",
           command="pause", kinds=_C, when=_state("running", "paused"), changes=True, bulk=True, arguments="[NAME...]"),
    Action("container.unpause", "", "unpause", "Let a paused container go on",
           command="unpause", kinds=_C, when=_state("paused"), changes=True, bulk=True, arguments="[NAME...]"),
    Action("container.kill", "ctrl+k", "kill", "Send SIGKILL to the container",
           command="kill", kinds=_C, when=_state(*ALIVE), changes=True, bulk=True, arguments="[NAME...]"),
    Action("container.logs", "l", "logs", "Logs over the whole screen",
           command="logs", kinds=_C, when=_any, footer=True, arguments="[NAME]"),
    Action("container.merged", "L", "merged logs", "Logs of the marked containers, or of a project, merged by time",
           command="merged", kinds=_C, when=_any, arguments="[PROJECT | -l LABEL | NAME...]"),
    Action("log.grep", "ctrl+g", "search logs", "Search the logs of all containers, or of those that are marked",
           command="grep", arguments="[RE]"),
    Action("container.exec", "e", "shell",
           "A shell in the container, on a terminal of its own; back to the one that was left",
           command="exec", kinds=_C, when=_state("running"), changes=True, footer=True, arguments="[NAME [COMMAND...]]"),
    Action("container.exec_as", "E", "shell as", "Choose the command, user and directory of the shell",
           kinds=_C, when=_state("running"), changes=True),
    Action("container.debug", "", "debug shell", "A shell for a container that has none: host/base in its namespaces",
           command="debug", kinds=_C, when=_state("running"), changes=True, arguments="[NAME [IMAGE]]"),
    Action("container.attach", "a", "attach", "Attach to the container's own process (leave with ctrl+p ctrl+q)",
           command="attach", kinds=_C, when=_state("running"), changes=True, arguments="[NAME]"),
    Action("container.open", "w", "open port", "Open a published port, or copy its address",
           command="open", kinds=_C, when=_with_ports),
    Action("container.rename", "", "rename", "Give the container another name",
           command="rename", kinds=_C, when=_any, changes=True, arguments="[NAME] NEW"),
    Action("container.run", "R", "run", "Run a new container from an image",
           command="run", kinds=_CI, changes=True, footer=True, arguments="[OPTIONS] IMAGE [COMMAND...]"),
    Action("container.commit", "", "commit", "Make an image of the container as it is now",
           command="commit", kinds=_C, when=_any, changes=True, arguments="[NAME [REFERENCE]]"),
    Action("container.export", "", "export", "Write all files of the container or volume to a tar",
           command="export", kinds=(CONTAINERS, VOLUMES), when=_any, arguments="[NAME [FILE]]"),
    Action("container.update", "S", "limits", "Change memory, processor and process limits, and the restart policy",
           command="update", kinds=_C, when=_any, changes=True, arguments="[NAME]"),
    Action("container.copy", "V", "copy files", "Copy files out of the container, or into it",
           command="cp", kinds=_C, when=_any, arguments="[NAME]"),
    Action("container.all", "A", "all/running", "Show all containers, or only those that run", command="all", kinds=_C),
    # every pane
    Action("row.remove", "d,delete", "remove", "Remove, after asking",
           command="rm", group="Rows", when=_any, changes=True, footer=True, bulk=True,
           arguments="[NAME...]"),
    Action("row.force", "D", "force remove", "Remove even when it runs or is in use, after asking",
           group="Rows", when=_any, changes=True, bulk=True),
    Action("row.inspect", "i,y", "inspect", "Everything that is known about it",
           command="inspect", group="Rows", when=_any, arguments="[NAME]"),
    Action("row.copy", "c", "copy", "Copy a part of the row: id, name, address, command line",
           command="copy", group="Rows", when=_any),
    Action("row.copy_line", "Y", "copy row", "Copy the row as it is shown", group="Rows", when=_any),
    Action("row.new", "ctrl+n", "new", "Create a container, a volume or a network",
           command="create", group="Rows", kinds=(CONTAINERS, VOLUMES, NETWORKS), changes=True,
           footer=(VOLUMES, NETWORKS), arguments="[NAME]"),
    Action("app.undo", "u", "undo", "Bring back what was removed last",
           command="undo", group="Rows", changes=True, arguments="[NAME...]"),
    Action("app.trash", "T", "trash", "What was removed and can come back; removing it for good",
           command="trash", group="Rows"),
    # images
    Action("image.pull", "P", "pull", "Get an image from a registry; host/base is made from this machine's programs",
           command="pull", group="Images", kinds=_CI, changes=True, arguments="[-a] [--platform P] [REFERENCE]"),
    Action("image.push", "U", "push", "Send the image to a registry",
           command="push", group="Images", kinds=_I, when=_any, changes=True, arguments="[NAME]"),
    Action("image.search", "", "search", "Search a registry for images",
           command="search", group="Images", kinds=KINDS, arguments="[TERM]"),
    Action("image.build", "B", "build", "Build an image from a Dockerfile, and watch it",
           command="build", group="Images", kinds=_CI, changes=True, footer=True, arguments="[OPTIONS] [PATH]"),
    Action("image.tag", "t", "tag", "Give the image another name",
           command="tag", group="Images", kinds=_I, when=_any, changes=True, footer=True, arguments="[SOURCE] TARGET"),
    Action("image.untag", "", "untag", "Take one of its names from the image",
           command="untag", group="Images", kinds=_I, when=_any, changes=True, arguments="[NAME]"),
    Action("row.files", "F", "files", "Layers and files of an image; what a container has changed; the files of a volume",
           command="files", group="Images", kinds=(*_CI, VOLUMES), when=_any, footer=True, arguments="[NAME]"),
    Action("image.diff", "", "compare", "What differs between two marked images, or a container and its image",
           command="diff", group="Images", kinds=_CI, when=_any, arguments="[NAME [OTHER]]"),
    Action("image.save", "", "save", "Write images to an archive that docker, podman and skopeo read",
           command="save", group="Images", kinds=_I, when=_any, arguments="[FILE]"),
    Action("image.load", "", "load", "Read images from an archive",
           command="load", group="Images", kinds=_CI, changes=True, arguments="[FILE]"),
    Action("image.import", "", "import",
           "Make an image of a tar of a root file system; on volumes, a volume of a tar",
           command="import", group="Images", kinds=(*_CI, VOLUMES), changes=True, arguments="[FILE [REFERENCE]]"),
    Action("registry.login", "", "log in", "Log in to a registry",
           command="login", group="Images", changes=True, arguments="[SERVER]"),
    Action("registry.logout", "", "log out", "Forget the credentials for a registry",
           command="logout", group="Images", changes=True, arguments="[SERVER]"),
    Action("registry.logins", "", "logins", "The registries that one is logged in to", command="logins", group="Images"),
    # networks, volumes
    Action("network.map", "m", "map", "Bridges, containers, addresses, ports and traffic as a diagram that lives",
           command="map", group="Networks and volumes", footer=(NETWORKS,)),
    Action("network.ports", "W", "ports", "All published ports, and whether they answer",
           command="ports", group="Networks and volumes"),
    Action("network.connect", "I", "connect", "Give a container a place in a network",
           command="connect", group="Networks and volumes", kinds=_CN, when=_any, changes=True,
           footer=(NETWORKS,), arguments="[NETWORK CONTAINER]"),
    Action("network.disconnect", "Z", "disconnect", "Take a container out of a network, after asking",
           command="disconnect", group="Networks and volumes", kinds=_CN, when=_any, changes=True,
           arguments="[NETWORK CONTAINER]"),
    # marks and bulk
    Action("table.mark", "space", "mark", "Mark the row for an action on many",
           group="Marks", when=_any, footer=True, screen=False),
    Action("table.range", "v,ctrl+@", "mark range", "Mark from here to where it is pressed again",
           group="Marks", screen=False),
    Action("table.mark_all", "asterisk", "mark all", "Mark all rows that are shown", group="Marks", screen=False),
    Action("table.clear_marks", "backslash,ctrl+backslash", "clear marks", "Clear the marks",
           group="Marks", screen=False),
    Action("row.bulk", "b", "bulk", "Act on all marked rows, or on all that are not in use",
           command="bulk", group="Marks", changes=True),
    Action("app.prune", "X", "prune", "What may go - images, build cache, volumes, networks - to choose from, with sizes",
           command="prune", group="Marks", changes=True),
    # lists
    Action("list.filter", "slash", "filter", "Filter: re, !re, -f fuzzy, -l label=v, state:running, image:x",
           command="filter", group="Lists", footer=True, arguments="[TEXT]"),
    Action("list.next", "n", "next", "Next row that the filter lets through",
           group="Lists", when=lambda situation: situation.filtered),
    Action("list.previous", "N", "previous", "Previous row that the filter lets through",
           group="Lists", when=lambda situation: situation.filtered),
    Action("table.sort", "o", "sort", "Sort by the next column",
           command="sort", group="Lists", arguments="[COLUMN]", screen=False),
    Action("table.reverse", "O", "reverse", "Sort the other way round", command="reverse", group="Lists", screen=False),
    Action("list.columns", "C", "columns", "Choose the columns and their order", command="columns", group="Lists"),
    Action("list.group", "z", "group", "Group by project, network, state, image ...; by any label after `:group`",
           command="group", group="Lists", arguments="[WORD|LABEL|none]"),
    Action("list.fold", "minus", "fold", "Fold all groups to their counts and sums, or unfold them",
           command="fold", group="Lists"),
    # where to be
    Action("pane.containers", "1", "containers", "Containers", command="containers", group="Panes"),
    Action("pane.images", "2", "images", "Images", command="images", group="Panes"),
    Action("pane.volumes", "3", "volumes", "Volumes", command="volumes", group="Panes"),
    Action("pane.networks", "4", "networks", "Networks", command="networks", group="Panes"),
    Action("app.overview", "7", "overview", "What runs, what fails, the machine, space, the busiest, the last events",
           command="overview", group="Panes"),
    Action("app.events", "6", "events", "What happens, as it happens",
           command="events", group="Panes", arguments="[FILTER]"),
    Action("app.log", "H", "commands", "What this session has done, as commands to copy", command="commands", group="Panes"),
    Action("pane.next", "tab", "next pane", "Next pane", group="Panes"),
    Action("pane.previous", "shift+tab", "previous pane", "Previous pane", group="Panes"),
    Action("tab.next", "right_square_bracket,right", "next tab", "Next tab of the details", group="Panes"),
    Action("tab.previous", "left_square_bracket,left", "previous tab", "Previous tab of the details", group="Panes"),
    Action("table.select", "enter", "details", "Into the details", group="Panes", screen=False),
    Action("nav.back", "escape", "back", "Back to the list; clears the filter and the marks", group="Panes"),
    Action("view.full", "f", "full", "The list or the details over the whole screen", group="Panes"),
    Action("view.grow", "plus", "bigger", "More room for the list or the details", group="Panes"),
    Action("view.shrink", "underscore", "smaller", "Less room for the list or the details", group="Panes"),
    # the program
    Action("app.command", "colon", "command", "Type a command: run, stop web, images, theme nord ...",
           group="Program", footer=True),
    Action("app.palette", "x", "menu", "Everything that can be done, to search in (ctrl+p, too)", group="Program"),
    Action("app.help", "question_mark,f1", "help", "The keys, to search in",
           command="help", group="Program", footer=True),
    Action("app.theme", "", "theme", "Choose a theme", command="theme", group="Program", arguments="[NAME]"),
    Action("app.keys", "", "keys", "Choose a keymap: tuidock, lazydocker, k9s, vim",
           command="keys", group="Program", arguments="[PRESET]"),
    Action("app.plugins", "", "own commands", "Commands of your own: plugins: in the configuration file",
           command="plugins", group="Program"),
    Action("app.tour", "", "tour", "A walk through the screen, in a few steps", command="tour", group="Program"),
    Action("app.jobs", "J", "jobs", "What goes on in the background: pulls, builds, saves; give up, retry, look into",
           command="jobs", group="Program"),
    Action("app.migrate", "", "move in", "Take over images, volumes, networks and containers of docker or podman",
           command="migrate", group="Program", arguments="[docker|podman [SOCKET]]"),
    Action("app.doctor", "", "doctor", "What this machine lacks for containers, and the command that mends it",
           command="doctor", group="Program"),
    Action("app.df", "", "disk usage", "What takes room on the disk, by kind, and what of it can go",
           command="df", group="Program"),
    Action("app.mouse", "M", "mouse", "Give the mouse to the terminal, or take it", command="mouse", group="Program"),
    Action("app.suspend", "ctrl+z", "suspend", "Give the terminal to the shell; `fg` comes back", group="Program",
           screen=False),
    Action("app.refresh", "ctrl+r", "refresh", "Read everything again", command="refresh", group="Program"),
    Action("app.quit", "q", "quit", "Quit; containers go on", command="quit", group="Program"),
    # keys of the widget that has the focus, listed for help and keymap
    Action("table.down", "down,j", "down", "Down", group="Moving", screen=False),
    Action("table.up", "up,k", "up", "Up", group="Moving", screen=False),
    Action("table.top", "home,g", "top", "First row", group="Moving", screen=False),
    Action("table.bottom", "end,G", "bottom", "Last row", group="Moving", screen=False),
    Action("table.page_down", "pagedown,ctrl+f", "page down", "Page down", group="Moving", screen=False),
    Action("table.page_up", "pageup,ctrl+b", "page up", "Page up", group="Moving", screen=False),
    Action("table.half_down", "ctrl+d", "half down", "Half a page down", group="Moving", screen=False),
    Action("table.half_up", "ctrl+u", "half up", "Half a page up", group="Moving", screen=False),
)
# fmt: on
