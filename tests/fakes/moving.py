"""The part of the engine in memory that is about moving in from another engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from tests.fakes.values import identity
from tuidock.engine.errors import SystemFailure
from tuidock.engine.types import MigrationItem, Progress

THEIRS = (
    MigrationItem("image", "nginx:1.27", "sha256:" + identity(301), "present", 192_000_000),
    MigrationItem("image", "shop/front:2.4", "sha256:" + identity(302), "take", 412_000_000, (), ("shop/front:2.4",)),
    MigrationItem(
        "image", "registry.example/platform/postgres-with-extensions:16.4-bookworm", "sha256:" + identity(303), "take",
        651_000_000, ("also postgres:16",), ("postgres:16",),
    ),
    MigrationItem("network", "shop_default", "shop_default", "take", 0, ("subnet 172.20.0.0/16",)),
    MigrationItem("network", "swarm", "swarm", "skip", 0, ("its driver is overlay, not bridge",)),
    MigrationItem(
        "volume", "shop_pgdata", "shop_pgdata", "take", 2_400_000_000,
        ("shop-db-1 may write to it meanwhile; stop it there for an exact copy",),
    ),
    MigrationItem(
        "container", "shop-db-1", "shop-db-1", "take", 0, ("it runs there; stop it there before you start it here",)
    ),
    MigrationItem("container", "shop-front-1", "shop-front-1", "take"),
    MigrationItem("container", "web", "web", "present"),
    MigrationItem("container", "one-off", "one-off", "skip", 0, ("it goes at its end by itself (--rm)",)),
)  # fmt: skip


class MovingDoors:
    """Mixed into the engine in memory."""

    _enter: Any
    directory: str

    def _make_moving(self) -> None:
        self.theirs: list[MigrationItem] = list(THEIRS)
        self.sockets = {"docker": "/var/run/docker.sock", "podman": ""}
        self.refused: set[str] = set()

    @property
    def root(self) -> str:
        return self.directory

    def migration_sockets(self) -> dict[str, str]:
        self._enter("migration_sockets")
        return self.sockets

    @contextmanager
    def migration_source(self, kind: str, host: str = "") -> Iterator[Any]:
        self._enter("migration_source", kind, host)
        yield SimpleNamespace(kind=kind, path=host.removeprefix("unix://") or self.sockets.get(kind))

    def migration_plan(self, source: Any) -> tuple[None, list[MigrationItem]]:
        self._enter("migration_plan", source.kind)
        return None, list(self.theirs)

    def migrate(self, source: Any, inventory: None, items: Sequence[MigrationItem]) -> Iterator[Progress]:
        wanted = [item for item in items if item.action == "take"]
        self._enter("migrate", tuple(item.name for item in wanted), changes=True)
        for item in wanted:
            subject = f"{item.kind} {item.name}"
            yield Progress(subject, "taking", 0, item.size)
            if item.name in self.refused:
                yield Progress(subject, "failed", 0, item.size, str(SystemFailure("there is no room for it")))
                continue
            self.theirs = [one._replace(action="present") if one == item else one for one in self.theirs]
            yield Progress(subject, "taken", item.size, item.size)
