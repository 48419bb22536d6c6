"""What a verb is: its usage, its flags and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tuidock.cli import output
from tuidock.engine.errors import EngineError
from tuidock.engine.named import Named
from tuidock.engine.options.flags import Flag, Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine import Engine
    from tuidock.engine.viewer import Viewer


class Context:
    """What a verb works with. The engine is opened when it is first asked for, so that --help needs no data root."""

    __slots__ = ("_configured", "_engine", "_viewer", "debug", "face", "path", "port", "read_only", "root")

    def __init__(self, root: str = "", read_only: bool = False, debug: bool = False, path: str = "") -> None:
        self.root, self.read_only, self.debug, self.path = root, read_only, debug, path
        self.face = ""  # the app as a web page or as plain lines instead of a full screen
        self.port: int | None = None
        self._engine: Engine | None = None
        self._viewer: Viewer | None = None
        self._configured = False

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            from tuidock.engine import Engine

            instance = self._viewer.instance if self._viewer is not None else None
            self._viewer = self._engine = Engine(self.root, read_only=self.read_only, instance=instance)
        return self._engine

    @property
    def viewer(self) -> Viewer:
        """As much of the engine as a list of containers needs."""
        if self._viewer is None:
            from tuidock.engine.viewer import Viewer

            self._viewer = Viewer(self.root, read_only=self.read_only)
        return self._viewer

    def notices(self) -> list[str]:
        """What the engine has to say beside its result."""
        return self._viewer.notices() if self._viewer is not None else []

    @property
    def made_root(self) -> str:
        """The data root, when it was chosen by hand and has just been made."""
        instance = self._viewer.instance if self._viewer is not None else None
        return instance.paths.root if instance is not None and instance.is_new and not instance.paths.is_default else ""

    @property
    def publisher(self) -> Engine:
        """The engine with the configured range of ports, for verbs that start containers."""
        if not self._configured:
            from tuidock.engine.options.settings import port_range

            self._configured = True
            self.engine.instance.port_range, problem = port_range()
            if problem:
                output.note(problem)
        return self.engine


class Command(Named):
    """A verb. most None = any number of arguments; options_first = flags end at the first argument; raw = it has none.

    failure is the exit code for errors of the engine that do not say otherwise.
    """

    usage: str
    summary: str
    run: Callable[[Context, Values, list[str]], int]
    flags: tuple[Flag, ...] = ()
    least: int = 0
    most: int | None = None
    options_first: bool = False
    failure: int = 1
    raw: bool = False


def each(references: Sequence[str], action: Callable[[str], object], *, echo: bool = True) -> int:
    """Does the action on every reference; prints those that went well, reports the others, 1 when there were any."""
    failed = 0
    for reference in references:
        try:
            action(reference)
        except EngineError as problem:
            output.error(str(problem))
            failed = 1
        else:
            if echo:
                output.line(reference)
                output.flush()
    return failed


def each_parallel(references: Sequence[str], action: Callable[[str], object]) -> int:
    """Like `each`, several at a time: stopping ten containers takes as long as the slowest. Answers keep the order."""
    if len(references) < 2:
        return each(references, action)
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(16, len(references))) as pool:
        results: dict[int, Future[object]] = {
            index: pool.submit(action, reference) for index, reference in enumerate(references)
        }

        def outcome(reference: str) -> object:
            return results[order[reference].pop(0)].result()

        order: dict[str, list[int]] = {}
        for index, reference in enumerate(references):
            order.setdefault(reference, []).append(index)
        return each(references, outcome)
