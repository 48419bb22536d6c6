"""`completion`: a short script for the shell, and the hidden verb that it asks at every press of Tab.

What may follow is read off the tables that also parse the command line, so a script that was installed once knows every
later flag, and the names of containers, images, volumes and networks besides. A candidate is a line `WORD<Tab>HELP`; the
line `:files` asks the shell for file names.
"""

from __future__ import annotations

import sys

from tuidock.cli import verbs
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import EngineError, InvalidArgument
from tuidock.engine.options.flags import Flag, Values, completions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Words with their help.
    Candidates = list[tuple[str, str]]

FILES = ":files"
_GLOBAL = (("--root", "Data root"), ("--read-only", "Change nothing"), ("--web", "The app as a web page"),
           ("--port", "Port of --web"), ("--plain", "The app as plain lines"), ("--debug", "Show where an error came from"),
           ("--version", "Show the version"), ("--help", "Show help"))  # fmt: skip
_WORDS = {
    "cgroupns": "host private",
    "ipc": "private host shareable none",
    "log-driver": "file none",
    "output": "type=local,dest= type=tar,dest= type=oci,dest= type=docker",
    "pid": "host",
    "platform": "linux/amd64 linux/arm64 linux/arm/v7 linux/386 linux/ppc64le linux/riscv64 linux/s390x",
    "progress": "auto plain tty rawjson quiet",
    "pull": "always missing never",
    "restart": "no on-failure always unless-stopped",
    "secret": "id=",
    "security-opt": "no-new-privileges seccomp= apparmor= systempaths=unconfined",
    "type": "container image network volume",
    "userns": "host auto remap",
    "uts": "host",
}
_FILES = (
    "cidfile", "device", "env-file", "file", "iidfile", "input", "label-file", "metadata-file", "output", "root", "volume",
    "workdir",
)  # fmt: skip
_RUNNING = ("attach", "debug", "exec", "kill", "pause", "port", "stats", "stop", "top", "unpause")

_BASH = """\
# bash completion for tuidock: source <(tuidock completion bash)
_tuidock() {
    local candidate
    COMPREPLY=()
    while IFS=$'\\t' read -r candidate _; do
        if [[ $candidate == :files ]]; then compopt -o default; else COMPREPLY+=("$candidate"); fi
    done < <("${COMP_WORDS[0]}" _complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o nosort -F _tuidock tuidock
"""
_ZSH = """\
#compdef tuidock
# zsh completion for tuidock: source <(tuidock completion zsh), or a file _tuidock in a directory of $fpath
_tuidock() {
    local -a found
    local line help files=
    while IFS= read -r line; do
        help=${line#*$'\\t'}
        if [[ $line == :files ]]; then files=1; else found+=("${${line%%$'\\t'*}//:/\\\\:}${help:+:$help}"); fi
    done < <("${words[1]}" _complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( $#found )) && _describe tuidock found
    [[ -n $files ]] && _files
}
compdef _tuidock tuidock
"""
_FISH = """\
# fish completion for tuidock: tuidock completion fish | source
function __tuidock_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    for line in (tuidock _complete fish $before[2..] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c tuidock -f -a '(__tuidock_complete)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(_: Context, __: Values, arguments: list[str]) -> int:
    if arguments[0] not in SCRIPTS:
        raise InvalidArgument(f"there is no completion for {arguments[0]}; there are {', '.join(SCRIPTS)}")
    sys.stdout.write(SCRIPTS[arguments[0]])
    return 0


def complete(context: Context, _: Values, arguments: list[str]) -> int:
    """`_complete SHELL WORD...`; bash hands over the line, since it cuts words at colons and equal signs."""
    shell, words = arguments[0], arguments[1:]
    if shell == "bash":
        words = _split(words[0] if words else "")[1:]
    current = words[-1] if words else ""
    found = candidates(context, words[:-1], current)
    cut = max(current.rfind(":"), current.rfind("=")) + 1 if shell == "bash" else 0
    for word, help_ in found:
        sys.stdout.write(FILES + "\n" if word == FILES else f"{word[cut:]}\t{help_}\n")
    return 0


def _split(line: str) -> list[str]:
    """The words of a line that is being typed; the last is empty behind a blank."""
    import shlex

    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return [*words, ""] if not line or line[-1] in " \t" else words


def candidates(context: Context, before: Sequence[str], current: str) -> Candidates:
    """What can stand where the last word is being typed."""
    words = list(before)
    while words and words[0].startswith("-"):
        takes = words[0] in ("--root", "--config", "--context", "-c", "--log-level", "-l")
        if words[0] == "--root" and len(words) > 1:
            context.root = words[1]
        elif words[0].startswith("--root="):
            context.root = words[0][7:]
        words = words[2 if takes else 1 :]
    if not words:
        return _fitting([*_verbs(), *(_GLOBAL if current.startswith("-") else ())], current)
    found = verbs.find(words)
    if not found.target:
        if words[0] in verbs.GROUPS and len(words) == 1:
            return _fitting(_of_group(words[0]), current)
        return []
    return _arguments(context, verbs.load(found.target), found, current)


def _fitting(known: Sequence[tuple[str, str]], current: str) -> Candidates:
    return [(word, help_) for word, help_ in known if word.startswith(current)]


def _verbs() -> Candidates:
    found = [(name, verbs.load(target).summary) for name, target in verbs.VERBS.items() if not name.startswith("_")]
    return sorted([*found, *((name, summary) for name, (summary, _) in verbs.GROUPS.items())])


def _of_group(group: str) -> Candidates:
    return [(name, verbs.load(target).summary) for name, target in sorted(verbs.GROUPS[group][1].items())]


def _arguments(context: Context, command: Command, found: verbs.Found, current: str) -> Candidates:
    flags = {spelling: flag for flag in command.flags for spelling in _spellings(flag)}
    waiting, positional = _state(flags, found.rest)
    if waiting is not None:
        return _values(context, waiting, current, "")
    if command.options_first and positional:
        return [(FILES, "")]
    name, equals, value = current.partition("=")
    if equals and name in flags:
        return _values(context, flags[name], value, name + "=")
    if current.startswith("-"):
        return _fitting([*completions(command.flags), ("--help", "Show help")], current)
    return _positional(context, command, verbs.plain(found.path), current)


def _spellings(flag: Flag) -> list[str]:
    return [f"--{name}" for name in (flag.name, *flag.aliases)] + ([f"-{flag.short}"] if flag.short else [])


def _state(flags: dict[str, Flag], words: Sequence[str]) -> tuple[Flag | None, int]:
    """The flag that waits for its value, and how many positional arguments there are."""
    waiting: Flag | None = None
    positional = 0
    for word in words:
        if waiting is not None:
            waiting = None
        elif not word.startswith("-") or word == "-":
            positional += 1
        elif "=" not in word:
            # the last letter of a cluster may take a value
            flag = flags.get(word) or (flags.get("-" + word[-1]) if word[1] != "-" else None)
            waiting = flag if flag is not None and flag.kind != "bool" else None
    return waiting, positional


def _values(context: Context, flag: Flag, current: str, lead: str) -> Candidates:
    found: Candidates = []
    if flag.name == "output" and not flag.many:  # of save and export: a file
        return [(FILES, "")]
    if flag.name in _WORDS:
        found = [(word, "") for word in _WORDS[flag.name].split(" ")]
        if flag.name in _FILES:
            return [*_fitting([(lead + word, "") for word, _ in found], lead + current), (FILES, "")]
    elif flag.name == "network":
        found = [*_names(context, "network"), ("bridge", ""), ("host", ""), ("none", "")]
    elif flag.name in ("link", "volumes-from"):
        found = _names(context, "container")
    elif flag.name in ("signal", "stop-signal"):
        found = [(name, "") for name in ("TERM", "KILL", "HUP", "INT", "QUIT", "USR1", "USR2")]
    elif flag.name in _FILES:
        more = _names(context, "volume") if flag.name == "volume" and not current.startswith(("/", ".", "~")) else []
        return [*_fitting([(lead + word, help_) for word, help_ in more], lead + current), (FILES, "")]
    unique = dict(found)
    return _fitting([(lead + word, help_) for word, help_ in unique.items()], lead + current)


def _positional(context: Context, command: Command, path: str, current: str) -> Candidates:
    """By the words of the usage line."""
    usage = command.usage.replace("[OPTIONS]", "")
    if path == "completion":
        return _fitting([(name, "") for name in SCRIPTS], current)
    if any(word in usage for word in ("file|", "PATH |")):
        return [(FILES, "")]
    found: Candidates = []
    for word, kind in (
        ("CONTAINER", "container"), ("IMAGE", "image"), ("VOLUME", "volume"), ("NETWORK", "network"),
        ("NAME|ID", "object"), ("REPOSITORY", "image"), ("NAME[:TAG", "image"), ("SERVER", "server"),
        ("ID|NAME", "removal"),
    ):  # fmt: skip
        if word in usage:
            found = _names(context, kind, running=path in _RUNNING)
            break
    return _fitting(found, current)


def _names(context: Context, kind: str, *, running: bool = False) -> Candidates:
    """Names of this data root; none when it cannot be opened, for a shell must not show our errors."""
    from tuidock.engine import Engine

    try:
        engine = Engine(root=context.root, read_only=True)
        looks: dict[str, Callable[[], Candidates]] = {
            "container": lambda: [(c.name, c.image) for c in engine.containers(all=not running)],
            "image": lambda: [(reference, "") for image in engine.images() for reference in image.references],
            "volume": lambda: [(volume.name, "") for volume in engine.volumes()],
            "network": lambda: [(network.name, network.driver) for network in engine.networks()],
        }
        if kind == "object":
            return [pair for look in looks.values() for pair in look()]
        if kind == "removal":
            return [(entry.name, entry.kind) for entry in engine.trash()]
        if kind == "server":
            return [(login.server, login.username) for login in engine.logins()]
        return looks[kind]()
    except (EngineError, OSError):
        return []


COMPLETION = Command("bash|zsh|fish", "Print a script that completes command lines in a shell", script, least=1, most=1)
COMPLETE = Command("SHELL WORD...", "Words that may follow (called by the shell)", complete, least=1, raw=True)
