"""What the app has done, as the command lines that would have done the same: to learn from, and to paste into scripts.

The app changes nothing but through methods of the engine, so these are written down where they are called, whichever key,
form or job calls them: `Recorded` stands between the threads of `workers.py` and the engine. Passwords are in no method that
is written down with its arguments.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: Commands that are kept.
KEPT = 1000

Words = list[str]


class Entry:
    """A command: when it began and ended (ns since the epoch, 0 while it runs), and the error as a sentence."""

    __slots__ = ("ended", "error", "number", "time", "words")

    def __init__(self, number: int, words: Words, now: int) -> None:
        self.number, self.words, self.time = number, words, now
        self.ended, self.error = 0, ""

    @property
    def text(self) -> str:
        """As a shell reads it."""
        return shlex.join(self.words)


class CommandLog:
    """The last commands of this session, the newest last. Filled from threads; `changed` is called in them."""

    def __init__(self, name_of: Callable[[str], str] = str, clock: Callable[[], int] = time.time_ns) -> None:
        self.name_of = name_of  # what a person calls the object with this id
        self.changed: Callable[[], Any] = lambda: None
        self._clock = clock
        self._lock = threading.Lock()
        self._count = 0
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def begin(self, words: Words) -> Entry:
        with self._lock:
            self._count += 1
            entry = Entry(self._count, words, self._clock())
            self._entries.append(entry)
        self.changed()
        return entry

    def end(self, entry: Entry, error: str = "") -> None:
        entry.error, entry.ended = error, self._clock()
        self.changed()


class Recorded:
    """An engine whose changes are written down."""

    def __init__(self, engine: Any, log: CommandLog) -> None:
        self.inner, self._log = engine, log

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        words = WORDS.get(name)
        if words is None:
            return method

        def call(*arguments: Any, **options: Any) -> Any:
            entry = self._log.begin([*_PROGRAMS.get(name, ("tuidock",)), *self._named(words, arguments, options)])
            try:
                answer = method(*arguments, **options)
            except BaseException as error:
                self._log.end(entry, str(error) or type(error).__name__)
                raise
            if isinstance(answer, Iterator):
                return self._followed(answer, entry)
            failed = [str(error) for _, error in answer if error is not None] if name == "remove_many" else []
            self._log.end(entry, failed[0] if failed else "")
            return answer

        return call

    def _named(self, words: Callable[..., Words], arguments: tuple[Any, ...], options: dict[str, Any]) -> Words:
        """The words with names in the place of ids."""
        name_of = self._log.name_of

        def named(each: Any) -> Any:
            if isinstance(each, str):
                return name_of(each)
            texts = isinstance(each, (list, tuple)) and all(isinstance(one, str) for one in each)
            return [name_of(one) for one in each] if texts else each

        return words(*(named(each) for each in arguments), **options)

    def _followed(self, news: Iterator[Any], entry: Entry) -> Iterator[Any]:
        """A long operation: it has ended when all its news were taken, or when it was given up."""
        try:
            yield from news
        except GeneratorExit:
            self._log.end(entry, "given up")
            raise
        except BaseException as error:
            self._log.end(entry, str(error) or type(error).__name__)
            raise
        self._log.end(entry)


def _flags(*wanted: tuple[str, Any]) -> Words:
    """A flag is left out when its value is nothing, stands alone when it is True, and comes again for each of many."""
    found: Words = []
    for flag, value in wanted:
        if value is True:
            found.append(flag)
        elif isinstance(value, Mapping):
            for key, each in value.items():
                found += [flag, f"{key}={each}" if each else str(key)]
        elif isinstance(value, (list, tuple)):
            for each in value:
                found += [flag, str(each)]
        elif value:
            found += [flag, str(value)]
    return found


def _file(value: Any) -> str:
    name = getattr(value, "name", value)
    return name if isinstance(name, str) and name else "FILE"


def _update(ref: str, resources: Mapping[str, Any], restart_policy: Mapping[str, Any] | None = None) -> Words:
    known = (
        ("Memory", "-m"), ("MemorySwap", "--memory-swap"), ("MemoryReservation", "--memory-reservation"),
        ("PidsLimit", "--pids-limit"), ("CpuShares", "--cpu-shares"), ("CpusetCpus", "--cpuset-cpus"),
        ("CpusetMems", "--cpuset-mems"), ("CpuPeriod", "--cpu-period"), ("CpuQuota", "--cpu-quota"),
    )  # fmt: skip
    flags: Words = []
    for key, flag in known:
        if resources.get(key) not in (None, ""):
            flags += [flag, str(resources[key])]
    if resources.get("NanoCpus"):
        flags += ["--cpus", f"{resources['NanoCpus'] / 1e9:g}"]
    if restart_policy:
        retries = restart_policy.get("MaximumRetryCount")
        flags += ["--restart", f"{restart_policy.get('Name')}{f':{retries}' if retries else ''}"]
    return ["update", *flags, ref]


def _build(request: Any, source: Any = None, target: Any = None) -> Words:
    flags = _flags(
        ("-t", list(request.tags)), ("-f", getattr(request, "dockerfile", "")),
        ("--target", getattr(request, "target", "")), ("--build-arg", getattr(request, "build_args", {})),
        ("--no-cache", bool(getattr(request, "no_cache", False))), ("--pull", bool(getattr(request, "pull", False))),
        ("-o", target if isinstance(target, str) else ""),
    )  # fmt: skip
    return ["build", *flags, request.context or "-"]


def _exec(ref: str, request: Any) -> Words:
    flags = _flags(
        ("-i", request.interactive), ("-t", request.tty), ("-e", list(request.env)), ("-w", request.working_dir),
        ("-u", request.user), ("--privileged", request.privileged),
    )  # fmt: skip
    return ["exec", *flags, ref, *request.command]


def _remove_image(ref: str, force: bool = False, no_prune: bool = False, **_: Any) -> Words:
    return ["rmi", *_flags(("-f", force), ("--no-prune", no_prune)), ref]


def _create_network(name: str, **options: Any) -> Words:
    driver = options.get("driver", "bridge")
    flags = _flags(
        ("-d", driver if driver != "bridge" else ""), ("--subnet", options.get("subnets")),
        ("--gateway", options.get("gateways")), ("--ip-range", options.get("ranges")),
        ("--internal", options.get("internal")), ("--ipv6", options.get("ipv6")), ("--label", options.get("labels")),
        ("-o", options.get("options")),
    )  # fmt: skip
    return ["network", "create", *flags, name]


def _connect(network: str, container: str, **options: Any) -> Words:
    flags = _flags(
        ("--ip", options.get("ip")), ("--ip6", options.get("ip6")), ("--alias", options.get("aliases")),
        ("--link", options.get("links")), ("--driver-opt", options.get("driver_options")),
    )  # fmt: skip
    return ["network", "connect", *flags, network, container]


def _commit(ref: str, target: str = "", **options: Any) -> Words:
    flags = _flags(
        ("-a", options.get("author")), ("-m", options.get("message")), ("-c", options.get("changes")),
        ("--pause=false", options.get("pause", True) is False),
    )  # fmt: skip
    return ["commit", *flags, ref, *([target] if target else [])]


def _import(source: Any, reference: str = "", message: str = "", changes: Any = (), **_: Any) -> Words:
    flags = _flags(("-m", message), ("-c", changes))
    return ["import", *flags, _file(source), *([reference] if reference else [])]


#: Methods of the engine that change something or write files -> the words of the command line.
WORDS: Mapping[str, Callable[..., Words]] = {
    "start": lambda ref, **_: ["start", ref],
    "stop": lambda ref, timeout=None, signal="", **_: ["stop", *_flags(("-t", timeout), ("-s", signal)), ref],
    "restart": lambda ref, timeout=None, signal="", **_: ["restart", *_flags(("-t", timeout), ("-s", signal)), ref],
    "kill": lambda ref, signal="KILL": ["kill", *_flags(("-s", signal if signal != "KILL" else "")), ref],
    "kill_process": lambda ref, pid, signal="TERM": ["-s", signal, str(pid)],
    "pause": lambda ref: ["pause", ref],
    "unpause": lambda ref: ["unpause", ref],
    "rename": lambda ref, name: ["rename", ref, name],
    "update": _update,
    "remove": lambda ref, force=False, volumes=False, **_: ["rm", *_flags(("-f", force), ("-v", volumes)), ref],
    "remove_many": lambda refs, force=False, volumes=False, now=False, batch="": [
        "rm", *_flags(("-f", force), ("-v", volumes), ("--now", now)), *refs
    ],
    "prune_containers": lambda *_: ["container", "prune", "-f"],
    "exec_argv": _exec,
    "attach": lambda ref: ["attach", ref],
    "export": lambda ref, target: ["export", "-o", _file(target), ref],
    "copy_in": lambda ref, source, path, **_: ["cp", _file(source), f"{ref}:{path}"],
    "copy_out": lambda ref, path, target, **_: ["cp", f"{ref}:{path}", _file(target)],
    "commit": _commit,
    "pull": lambda ref, platform="", all_tags=False: ["pull", *_flags(("-a", all_tags), ("--platform", platform)), ref],
    "push": lambda ref, all_tags=False: ["push", *_flags(("-a", all_tags)), ref],
    "build": _build,
    "tag": lambda source, target: ["tag", source, target],
    "save": lambda refs, target: ["save", "-o", _file(target), *refs],
    "load": lambda source: ["load", "-i", _file(source)],
    "import_image": _import,
    "remove_image": _remove_image,
    "prune_builds": lambda **options: ["builder", "prune", "-f", *_flags(("-a", options.get("all")))],
    "login": lambda server="", username="", password="": ["login", *_flags(("-u", username)), *([server] if server else [])],
    "logout": lambda server="": ["logout", *([server] if server else [])],
    "create_volume": lambda name="", labels=None, options=None: [
        "volume", "create", *_flags(("--label", labels), ("-o", options)), *([name] if name else [])
    ],
    "remove_volume": lambda name, force=False, **_: ["volume", "rm", *_flags(("-f", force)), name],
    "export_volume": lambda name, target: ["volume", "export", "-o", _file(target), name],
    "import_volume": lambda name, source, **_: ["volume", "import", name, _file(source)],
    "create_network": _create_network,
    "remove_network": lambda ref: ["network", "rm", ref],
    "connect_network": _connect,
    "disconnect_network": lambda network, container, force=False: [
        "network", "disconnect", *_flags(("-f", force)), network, container
    ],
    "undo": lambda refs=(): ["undo", *refs],
    "empty_trash": lambda refs=(): ["trash", "empty", "-f", *refs],
    "migrate": lambda source, *_: ["migrate", source.kind],
}  # fmt: skip
#: Methods that tuidock has no command for -> how that of another program begins.
_PROGRAMS: Mapping[str, Words] = {"kill_process": ["kill"]}
