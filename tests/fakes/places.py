"""The part of the engine in memory that is about networks, files of volumes and containers, limits, and the trash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fakes.values import ALIVE, NOW, SECOND, identity
from tuidock.engine.errors import Conflict, EngineError, NameTaken, NotFound, WrongState
from tuidock.engine.image_types import TreeEntry
from tuidock.engine.types import Member, Network, NetworkMap, Progress, RemovedEntry, Restored, UsageRow

VOLUME_FILES = {
    "": [
        TreeEntry("base", "dir", "", 0, 0o700, 999, 999, "", NOW - 86400 * SECOND),
        TreeEntry("PG_VERSION", "file", "", 3, 0o600, 999, 999, "", NOW - 3 * 86400 * SECOND),
        TreeEntry("latest", "link", "", 0, 0o777, 999, 999, "base/1", NOW - 3600 * SECOND),
        TreeEntry("postgresql.conf", "file", "", 29_000, 0o600, 999, 999, "", NOW - 60 * SECOND),
    ],
    "base": [TreeEntry("base/1", "file", "", 8192, 0o600, 999, 999, "", NOW - 5 * SECOND)],
}


class PlaceDoors:
    """Mixed into the engine in memory."""

    rows: dict[str, Any]
    image_rows: list[Any]
    volume_rows: list[Any]
    network_rows: list[Network]
    _enter: Any
    emit: Any
    _find: Any
    remove: Any

    def _make_places(self) -> None:
        self.removed: list[tuple[RemovedEntry, Any]] = []
        self.looks = 0

    def disk_usage(self) -> list[UsageRow]:
        self._enter("disk_usage")
        rows = [
            UsageRow("Images", 5, 3, 1_240_000_000, 310_000_000),
            UsageRow("Containers", len(self.rows), 4, 96_000_000, 12_000_000),
            UsageRow("Local Volumes", 2, 1, 812_000_000, 172_000_000),
            UsageRow("Build Cache", 9, 0, 530_000_000, 530_000_000),
        ]
        return [*rows, UsageRow("Trash", len(self.removed), 0, 1_000_000, 1_000_000)] if self.removed else rows

    # -- networks -------------------------------------------------------------------------------------------------

    def _network(self, reference: str) -> Network:
        for row in self.network_rows:
            if reference in (row.id, row.name):
                return row
        raise NotFound("network", reference)

    def network_map(self) -> list[NetworkMap]:
        """Each look finds more traffic: a second apart web gets 1.2 MB and db 3 kB."""
        self._enter("network_map")
        self.looks += 1
        maps = []
        for network in self.network_rows:
            members = []
            for name, address in network.members:
                row = self._find(name)
                busy = self.looks * (1_200_000 if name == "web" else 3_000)
                members.append(
                    Member(
                        row.id, name, row.status in ALIVE, "eth0", address, "", "02:42:0a:58:00:07", (), row.ports, busy,
                        busy // 10, 1, 1,
                    )
                )  # fmt: skip
            maps.append(NetworkMap(network, bool(members), tuple(members)))
        return maps

    def create_network(self, name: str, **options: Any) -> Network:
        self._enter("create_network", name, options, changes=True)
        if any(row.name == name for row in self.network_rows):
            raise NameTaken(f"Network {name} exists already; choose another name.")
        subnets = tuple(options.get("subnets") or ("10.89.0.0/24",))
        row = Network(identity(93), name, options.get("driver", "bridge"), subnets[0], "10.89.0.1", "tdk93", NOW)
        self.network_rows.append(row)
        self.emit("network", "create", row.id, row.name)
        return row

    def remove_network(self, reference: str) -> str:
        self._enter("remove_network", reference, changes=True)
        row = self._network(reference)
        if row.name in ("bridge", "host", "none"):
            raise WrongState(f"Network {row.name} always exists, so it cannot be removed.")
        self.network_rows.remove(row)
        self.emit("network", "destroy", row.id, row.name)
        return row.name

    def unused_networks(self) -> list[Network]:
        self._enter("unused_networks")
        return [row for row in self.network_rows if row.name not in ("bridge", "host", "none") and not row.members]

    def connect_network(self, network: str, container: str, **options: Any) -> None:
        self._enter("connect_network", network, container, options, changes=True)
        row = self._network(network)
        if any(name == container for name, _ in row.members):
            raise Conflict(f"Container {container} is in network {network} already.")
        at = self.network_rows.index(row)
        self.network_rows[at] = row._replace(members=(*row.members, (container, options.get("ip") or "10.88.0.9")))
        self.emit("network", "connect", row.id, row.name)

    def disconnect_network(self, network: str, container: str, force: bool = False) -> None:
        self._enter("disconnect_network", network, container, changes=True)
        row = self._network(network)
        at = self.network_rows.index(row)
        self.network_rows[at] = row._replace(members=tuple(each for each in row.members if each[0] != container))
        self.emit("network", "disconnect", row.id, row.name)

    # -- limits, files --------------------------------------------------------------------------------------------

    def update(self, ref: str, resources: Mapping[str, Any], restart_policy: Mapping[str, Any] | None = None) -> None:
        self._enter("update", self._find(ref).name, dict(resources), restart_policy, changes=True)

    def copy_out(self, ref: str, path: str, target: str, **options: Any) -> Iterator[Progress]:
        self._enter("copy_out", self._find(ref).name, path, target, options)
        yield Progress(path, "copying", 1_000)
        yield Progress(path, "copied", 2_000, 2_000)

    def copy_in(self, ref: str, source: str, path: str, **options: Any) -> Iterator[Progress]:
        self._enter("copy_in", self._find(ref).name, source, path, options, changes=True)
        yield Progress(path, "copied", 2_000, 2_000)

    def volume_files(self, name: str, path: str = "") -> list[TreeEntry]:
        self._enter("volume_files", name, path)
        return VOLUME_FILES[path]

    def read_volume_file(self, name: str, path: str, limit: int = 1 << 20) -> bytes:
        self._enter("read_volume_file", name, path)
        return b"listen_addresses = '*'\n"

    def copy_out_of_volume(self, name: str, path: str, target: str, **options: Any) -> Iterator[Progress]:
        self._enter("copy_out_of_volume", name, path, target)
        yield Progress(path, "copied", 2_000, 2_000)

    def copy_into_volume(self, name: str, source: str, path: str) -> Iterator[Progress]:
        self._enter("copy_into_volume", name, source, path, changes=True)
        yield Progress(path, "copied", 2_000, 2_000)

    # -- trash ----------------------------------------------------------------------------------------------------

    def put_in_trash(self, kind: str, subject: str, name: str, row: Any, now: bool, batch: str) -> None:
        if not now:
            entry = RemovedEntry(identity(300 + len(self.removed)), batch, kind, name, subject, NOW, 12_000_000)
            self.removed.insert(0, (entry, row))

    def remove_many(
        self, references: Sequence[str], *, force: bool = False, volumes: bool = False, now: bool = False, batch: str = ""
    ) -> list[tuple[str, EngineError | None]]:  # fmt: skip
        found: list[tuple[str, EngineError | None]] = []
        for ref in references:
            try:
                row = self._find(ref)
                self.remove(ref, force=force, volumes=volumes)
                self.put_in_trash("container", row.id, row.name, row, now, batch)
                found.append((ref, None))
            except EngineError as error:
                found.append((ref, error))
        return found

    def trash(self, sizes: bool = False) -> list[RemovedEntry]:
        self._enter("trash")
        return [entry for entry, _ in self.removed]

    def undo(self, references: Sequence[str] = ()) -> list[Restored]:
        self._enter("undo", tuple(references), changes=True)
        if not self.removed:
            raise Conflict("The trash is empty, so there is nothing to bring back.")
        batch = self.removed[0][0].batch
        chosen = [
            each for each in self.removed
            if (each[0].id in references or each[0].name in references if references else each[0].batch == batch)
        ]  # fmt: skip
        done = []
        for entry, row in chosen:
            self.removed.remove((entry, row))
            if entry.kind == "container":
                self.rows[row.id] = row
            elif entry.kind == "volume":
                self.volume_rows.append(row)
            else:
                self.image_rows.append(row)
            self.emit(entry.kind, "undo", entry.subject, entry.name)
            done.append(Restored(entry.kind, entry.subject, entry.name))
        return done

    def empty_trash(self, references: Sequence[str] = ()) -> tuple[int, int]:
        self._enter("empty_trash", tuple(references), changes=True)
        gone = [each for each in self.removed if not references or each[0].id in references]
        self.removed = [each for each in self.removed if each not in gone]
        return len(gone), sum(entry.size for entry, _ in gone)
