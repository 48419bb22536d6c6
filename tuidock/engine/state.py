"""state.db: what people decided - image references, containers, networks, volumes, addresses, port claims - and what
builds have made already.

SQLite in WAL mode with synchronous=FULL: one change is one transaction and survives a power cut. What the kernel did
(pids, exits, restarts) is not here but in small files that the shim writes, so a dead database loses no exit code.
`system rebuild` makes this file anew from the containers' create.json and the content store.

Columns that `ps` needs are plain text and not JSON, because `import json` alone would take a third of the time that a
short command has.
"""

from __future__ import annotations

import errno
import os
from _thread import _local

from tuidock.engine.errors import Conflict, InvalidArgument, SystemFailure, Unsupported
from tuidock.engine.files import refuse
from tuidock.engine.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
else:
    import _sqlite3 as sqlite3  # the package around it brings datetime and adapters that nothing here uses

SCHEMA_VERSION = 4

#: SQLite's primary result codes; the module _sqlite3 has no names for them.
_READ_ONLY, _IO_ERROR, _CORRUPT, _FULL, _CANNOT_OPEN, _NO_DATABASE = 8, 10, 11, 13, 14, 26

SCHEMA = """
CREATE TABLE images(
    id TEXT PRIMARY KEY, manifest_digest TEXT NOT NULL, created INTEGER NOT NULL, size INTEGER NOT NULL,
    config TEXT NOT NULL, layers TEXT NOT NULL, loaded INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE image_references(
    reference TEXT PRIMARY KEY, image_id TEXT NOT NULL, digest TEXT NOT NULL, tagged INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX image_references_by_image ON image_references(image_id);
CREATE TABLE containers(
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, image TEXT NOT NULL, image_id TEXT NOT NULL,
    created INTEGER NOT NULL, command TEXT NOT NULL, generation INTEGER NOT NULL DEFAULT 0,
    restart_policy TEXT NOT NULL, auto_remove INTEGER NOT NULL, tty INTEGER NOT NULL, open_stdin INTEGER NOT NULL,
    exposed TEXT NOT NULL, labels TEXT NOT NULL, mounts TEXT NOT NULL, request TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '', error_code INTEGER NOT NULL DEFAULT 0, removing INTEGER NOT NULL DEFAULT 0)
    WITHOUT ROWID;
CREATE TABLE networks(
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL, bridge TEXT NOT NULL, subnet TEXT NOT NULL,
    gateway TEXT NOT NULL, options TEXT NOT NULL DEFAULT '{}', labels TEXT NOT NULL DEFAULT '{}',
    created INTEGER NOT NULL, internal INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE addresses(
    network_id TEXT NOT NULL, address INTEGER NOT NULL, container_id TEXT NOT NULL,
    PRIMARY KEY(network_id, address)) WITHOUT ROWID;
CREATE INDEX addresses_by_container ON addresses(container_id);
CREATE TABLE port_claims(
    protocol TEXT NOT NULL, host_ip TEXT NOT NULL, host_port INTEGER NOT NULL, container_id TEXT NOT NULL,
    container_port INTEGER NOT NULL, PRIMARY KEY(protocol, host_ip, host_port)) WITHOUT ROWID;
CREATE INDEX port_claims_by_container ON port_claims(container_id);
CREATE TABLE volumes(
    name TEXT PRIMARY KEY, driver TEXT NOT NULL, created INTEGER NOT NULL, labels TEXT NOT NULL DEFAULT '{}',
    options TEXT NOT NULL DEFAULT '{}', anonymous INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE volume_uses(
    volume TEXT NOT NULL, container_id TEXT NOT NULL, PRIMARY KEY(volume, container_id)) WITHOUT ROWID;
CREATE INDEX volume_uses_by_container ON volume_uses(container_id);
"""

_BUILD_CACHE = """
CREATE TABLE build_cache(
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, text TEXT NOT NULL, layers TEXT NOT NULL, config TEXT NOT NULL DEFAULT '',
    size INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID
"""

# An address row is a container's place in a network: position is the number of its interface, settings what was asked for
# (docker's EndpointSettings). configured: 1 when a person chose the IPv4 subnet, 2 the IPv6 one.
_PLACES = """
ALTER TABLE networks ADD COLUMN ip_range TEXT NOT NULL DEFAULT '';
ALTER TABLE networks ADD COLUMN subnet6 TEXT NOT NULL DEFAULT '';
ALTER TABLE networks ADD COLUMN gateway6 TEXT NOT NULL DEFAULT '';
ALTER TABLE networks ADD COLUMN configured INTEGER NOT NULL DEFAULT 0;
ALTER TABLE addresses ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE addresses ADD COLUMN address6 TEXT NOT NULL DEFAULT '';
ALTER TABLE addresses ADD COLUMN mac TEXT NOT NULL DEFAULT '';
ALTER TABLE addresses ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
CREATE UNIQUE INDEX addresses_by_address6 ON addresses(network_id, address6) WHERE address6 != ''
"""

# What was removed and can come back (store/removed.py). batch: what one command removed together; subject: the id or name
# of the thing; image_id: the image that must stay for it; document: its rows, as JSON.
_REMOVED = """
CREATE TABLE removed(
    id TEXT PRIMARY KEY, batch TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL,
    image_id TEXT NOT NULL, time INTEGER NOT NULL, size INTEGER NOT NULL DEFAULT -1, document TEXT NOT NULL)
    WITHOUT ROWID
"""

#: What leads from the version before to this one, and from an empty file to the newest.
STEPS = {1: SCHEMA, 2: _BUILD_CACHE, 3: _PLACES, 4: _REMOVED}


def refusal(error: sqlite3.Error, tried: str, path: str) -> SystemFailure:
    """The sentence for what SQLite refused: what was tried, why it failed, what to do."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    reason, advice = str(error), ""
    if code == _FULL:
        return refuse(OSError(errno.ENOSPC, ""), tried)
    if code in (_READ_ONLY, _CANNOT_OPEN, _IO_ERROR):
        reason, advice = _why(path, reason)
    elif code in (_CORRUPT, _NO_DATABASE):
        advice = "; `tuidock system rebuild` makes it anew from the containers' own files"
    return SystemFailure(f"cannot {tried}: {reason}{advice}")


def _why(path: str, reason: str) -> tuple[str, str]:
    try:
        state = os.statvfs(os.path.dirname(path))
    except OSError:
        return reason, ""
    if state.f_flag & os.ST_RDONLY:
        return "its file system is read-only", "; mount it writable"
    return (reason, "; free some space (tuidock system df) and try again") if not state.f_bavail else (reason, "")


def _data_version(connection: sqlite3.Connection) -> int:
    """Another number whenever somebody else has committed."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


class State:
    """The database of one data root; every thread gets a connection of its own.

    existing: it was made together with the data root. When it is missing or empty it was lost, and a new one in its
    place would let the next collection take all images for garbage. file: another name than the data root's, for a
    database that is to take its place.
    """

    def __init__(self, paths: Paths, *, read_only: bool = False, existing: bool = False, file: str = "") -> None:
        self.paths, self.read_only, self.existing = paths, read_only, existing
        self.file = file or paths.database
        self._local = _local()

    def read(self) -> sqlite3.Connection:
        """A connection for queries; each statement sees one committed state.

        Raises SystemFailure when the file cannot be opened.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or (not connection.in_transaction and self._is_other_file()):
            self.close()
            connection = self._local.connection = self._open()
        older: sqlite3.Connection | None = getattr(self._local, "older", None)
        if older is not None and self._local.seen != _data_version(older):
            connection.close()
            connection = self._local.connection = self._copy(older)
        return connection

    def _is_other_file(self) -> bool:
        """Whether `system rebuild` has put another database in this one's place."""
        try:
            found = os.stat(self.file)
        except OSError:
            return False
        return bool((found.st_dev, found.st_ino) != self._local.file)

    def write(self, *, durable: bool = True) -> Transaction:
        """One IMMEDIATE transaction: committed when the block ends, rolled back when it raises.

        durable=False leaves out the wait for the disk, for changes that may be lost in a power cut because what they say
        is gone then anyway (port claims), or because a sweep does them again (rows of a removed directory). Nothing can be
        torn: the next durable commit brings the earlier ones to disk first.

        Raises Conflict in read-only mode, SystemFailure when the disk is full or the file damaged.
        """
        if self.read_only:
            raise Conflict("this session is read-only; start tuidock without --read-only to change something")
        connection = self.read()
        if getattr(self._local, "too_new", False):
            raise Unsupported(f"{self.file} is from a newer tuidock and only read; upgrade tuidock to change it")
        return Transaction(connection, self.file, durable)

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
        older = getattr(self._local, "older", None)
        if older is not None:
            older.close()
            self._local.older = None

    def _open(self) -> sqlite3.Connection:
        path = self.file
        if self.existing and not os.path.exists(path):
            raise self._lost("it is missing")
        try:
            connection = sqlite3.connect(path, timeout=30, isolation_level=None, cached_statements=64)
            connection.execute("PRAGMA synchronous=FULL")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            found = os.stat(path)
            self._local.file = (found.st_dev, found.st_ino)
            if version > SCHEMA_VERSION:
                self._local.too_new = True
                connection.execute("PRAGMA query_only=1")
            elif version == 0 and self.existing:
                connection.close()
                raise self._lost("it is empty")
            elif version and version < SCHEMA_VERSION and self.read_only:
                self._local.older = connection
                connection = self._copy(connection)
            elif version < SCHEMA_VERSION:
                self._upgrade(connection)
                os.chmod(path, 0o600)
        except sqlite3.Error as error:
            raise refusal(error, f"open {path}", path) from error
        return connection

    def _lost(self, how: str) -> SystemFailure:
        return SystemFailure(
            f"cannot open {self.file}: {how}; `tuidock system rebuild` makes it anew from the containers' own files"
        )

    def _copy(self, older: sqlite3.Connection) -> sqlite3.Connection:
        """An older version's database as the newest one would be, in memory: who only looks changes no file."""
        try:
            self._local.seen = _data_version(older)
            copy = sqlite3.connect(":memory:", isolation_level=None, cached_statements=64)
            older.backup(copy)
            self._upgrade(copy)
            copy.execute("PRAGMA query_only=1")
        except sqlite3.Error as error:
            raise refusal(error, f"read {self.file}", self.file) from error
        return copy

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        """Makes an empty file or an older version's the newest; what an older tuidock knows of it stays as it is."""
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN EXCLUSIVE")
        known = connection.execute("PRAGMA user_version").fetchone()[0]  # another process may have been faster
        for version in range(known + 1, SCHEMA_VERSION + 1):
            for statement in STEPS[version].split(";"):
                if statement.strip():
                    connection.execute(statement)
        if known < SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")


class Transaction:
    """The block of `State.write`."""

    __slots__ = ("_connection", "_durable", "_path")

    def __init__(self, connection: sqlite3.Connection, path: str, durable: bool) -> None:
        self._connection, self._path, self._durable = connection, path, durable

    def __enter__(self) -> sqlite3.Connection:
        try:
            if not self._durable:
                self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise refusal(error, f"change {self._path}", self._path) from error
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            if error is not None:
                self._roll_back()
                if isinstance(error, sqlite3.Error):
                    raise refusal(error, f"change {self._path}", self._path) from error
                return
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error as refused:
                self._roll_back()
                raise refusal(refused, f"commit to {self._path}", self._path) from refused
        finally:
            if not self._durable:
                self._connection.execute("PRAGMA synchronous=FULL")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def pack(items: dict[str, str]) -> str:
    """A map of strings as one text column. Raises InvalidArgument for a NUL, which would shift all that follows."""
    for key, value in items.items():
        if "\0" in key or "\0" in value:
            raise InvalidArgument(f"{key!r:.60}={value!r:.60} contains a NUL byte; leave it out")
    return "\0".join(f"{key}\0{value}" for key, value in items.items())


def unpack(text: str) -> dict[str, str]:
    """The map that `pack` wrote."""
    if not text:
        return {}
    parts = text.split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=False))  # a damaged row must not hide all others
