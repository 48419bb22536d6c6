"""The view model: what the screens show, as rows by id, changed only by what the engine reports.

Pure data without Textual, so that it can be tested as such. Nobody patches a row after an action of the app: the
engine's event leads to the row being read again and to one of the `replace_*` and `put_*` methods here, the same way
as for the action of another terminal or for a crash. Each change raises the revision of its kind, which tells a
screen whether there is news without comparing rows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tuidock.app.history import History
from tuidock.engine.types import Container, Image, Network, Stats, Volume

if TYPE_CHECKING:
    from tuidock.app.jobs import Job

CONTAINERS, IMAGES, VOLUMES, NETWORKS = "containers", "images", "volumes", "networks"
#: The kinds of rows in the order of their panes; a pane has the name of its kind.
KINDS = (CONTAINERS, IMAGES, VOLUMES, NETWORKS)
#: Looks at the whole machine that are kept for the overview.
HOST_LOOKS = 240

Row = Container | Image | Volume | Network


class HostLoad(NamedTuple):
    """Use of the whole machine. Percent of all cores; -1 where not known yet."""

    cpu_percent: float = -1.0
    memory: int = -1
    memory_total: int = -1
    disk_free: int = -1
    disk_total: int = -1
    load: float = -1.0  # processes that want to run, on average over a minute
    processors: int = 0


def row_id(row: Row) -> str:
    """What identifies the row in its pane and towards the engine."""
    return row.name if isinstance(row, Volume) else row.id


def row_name(row: Row) -> str:
    """The short name by which a person calls the row."""
    if isinstance(row, Image):
        return row.references[0] if row.references else row.short_id
    return row.name or row_id(row)[:12]


class ViewModel:
    """All rows, the latest samples of what runs, and the jobs in the background."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self.clock = clock
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in KINDS}
        self.revision: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.loaded: set[str] = set()
        self.history: dict[str, History] = {}
        self.volume_sizes: dict[str, int] = {}
        self.images_size = -1  # of all layers once, which the sizes of the rows do not tell
        self.jobs: dict[int, Job] = {}
        self.past_jobs: list[Job] = []
        self.host = HostLoad()
        self.host_looks: deque[HostLoad] = deque(maxlen=HOST_LOOKS)
        self.host_name = ""
        self.user = ""

    # -- rows -------------------------------------------------------------------------------------------------

    def replace(self, kind: str, rows: Iterable[Row]) -> bool:
        """Takes over the complete list of a kind; True when anything is different now."""
        fresh = {row_id(row): row for row in rows}
        first = kind not in self.loaded
        self.loaded.add(kind)
        old = self.rows[kind]
        if not first and fresh == old and list(fresh) == list(old):
            return False
        self.rows[kind] = fresh
        self._changed(kind, gone=old.keys() - fresh.keys())
        return True

    def put_containers(self, rows: Iterable[Container], gone: Iterable[str] = ()) -> bool:
        """Takes over single containers that an event named; True when anything is different now."""
        containers = self.rows[CONTAINERS]
        changed = False
        for row in rows:
            known = containers.get(row.id)
            if known == row:
                continue
            changed = True
            containers[row.id] = row
            if known is None:
                self.rows[CONTAINERS] = containers = dict(
                    sorted(containers.items(), key=lambda item: -getattr(item[1], "created", 0))
                )
        lost = [each for each in gone if containers.pop(each, None) is not None]
        if changed or lost:
            self._changed(CONTAINERS, gone=lost)
        return changed or bool(lost)

    def _changed(self, kind: str, gone: Iterable[str]) -> None:
        self.revision[kind] += 1
        if kind == CONTAINERS:
            for each in gone:
                self.history.pop(each, None)

    def get(self, kind: str, identity: str) -> Row | None:
        return self.rows[kind].get(identity)

    def containers(self) -> Mapping[str, Container]:
        return self.rows[CONTAINERS]  # type: ignore[return-value]

    def find(self, kind: str, reference: str) -> Row | None:
        """The row that a person means by a name, an id or the unambiguous start of one."""
        rows = self.rows[kind]
        for row in rows.values():
            if reference in (row_id(row), row_name(row)):
                return row
            if isinstance(row, Image) and (reference in row.references or f"{reference}:latest" in row.references):
                return row
        fitting = [row for key, row in rows.items() if reference and key.removeprefix("sha256:").startswith(reference)]
        return fitting[0] if len(fitting) == 1 else None

    def name_of(self, identity: str) -> str:
        """What a person calls the object with this id; the text itself when there is none."""
        for kind in KINDS:
            row = self.rows[kind].get(identity)
            if row is not None:
                return row_name(row)
        return identity

    def counts(self) -> dict[str, int]:
        """How many containers there are of each status."""
        found: dict[str, int] = {}
        for row in self.containers().values():
            found[row.status] = found.get(row.status, 0) + 1
        return found

    def volume_size(self, volume: Volume) -> int:
        """What was measured last; a list of volumes does not measure them."""
        return volume.size if volume.size >= 0 else self.volume_sizes.get(volume.name, -1)

    # -- samples ----------------------------------------------------------------------------------------------

    def add_samples(self, samples: Iterable[Stats]) -> set[str]:
        """Appends one sample to the history of each container; the ids that now show other numbers."""
        changed = set()
        for sample in samples:
            if sample.id not in self.rows[CONTAINERS]:
                continue
            past = self.history.get(sample.id)
            if past is None:
                past = self.history[sample.id] = History()
            last = past.last
            if last is None or (last.cpu_percent, last.memory) != (sample.cpu_percent, sample.memory):
                changed.add(sample.id)
            past.add(sample)
        return changed

    def sample(self, identity: str) -> Stats | None:
        """The newest sample of a container that runs."""
        past = self.history.get(identity)
        container = self.containers().get(identity)
        if past is None or container is None or container.status not in ("running", "paused"):
            return None
        return past.last

    def sample_before(self, identity: str) -> Stats | None:
        """The sample before the newest one: rates need two."""
        past = self.history.get(identity)
        return past.before if past is not None else None

    # -- jobs -------------------------------------------------------------------------------------------------

    def put_job(self, job: Job) -> None:
        """A job began or ended; those that have ended can be looked at for a while."""
        if not job.ended:
            self.jobs[job.number] = job
        elif self.jobs.pop(job.number, None) is not None:
            self.past_jobs.append(job)

    def every_job(self) -> list[Job]:
        """The newest first."""
        return sorted([*self.jobs.values(), *self.past_jobs], key=lambda job: -job.number)
