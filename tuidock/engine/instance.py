"""One data root with its random instance id: the ground that all rooms of the engine stand on.

The id is part of the names of the cgroup parent, the nftables table, links and sockets, so that instances live side by
side and a sweep touches only its own.
"""

from __future__ import annotations

import os

from tuidock.engine import idmap, rootless
from tuidock.engine.errors import SystemFailure, Unsupported
from tuidock.engine.files import read_text, refuse, write_atomic
from tuidock.engine.paths import Paths
from tuidock.engine.state import State

#: Version of the directory layout; a newer one is not touched.
LAYOUT_VERSION = 1


class Instance:
    """Paths, database and identity of one data root. Opening it makes the directories when they are missing."""

    def __init__(self, root: str = "", *, read_only: bool = False) -> None:
        self.paths = Paths(root)
        self.read_only = read_only
        self.port_range = range(49000, 49901)  # for -P and -p without a host port; the configuration may say otherwise
        self.notices: list[
            str
        ] = []  # sentences for people about what went on in another way than usual; they are taken off
        self.rootless = rootless.is_active()
        self.idmap = idmap.current()
        self.is_new = False  # nobody had used this data root before
        self.id = self._identify()
        self.state = State(self.paths, read_only=read_only, existing=True)

    @property
    def bridge(self) -> str:
        """Name of the default network's bridge; only the default root shows `tuidock0`."""
        return "tuidock0" if self.paths.is_default else f"tdk{self.id}"

    @property
    def nft_table(self) -> str:
        return f"tuidock_{self.id}"

    def veth(self, container_id: str, index: int = 0) -> str:
        """Host side name of a container's interface: at most 15 bytes, findable by the instance's sweep."""
        return f"t{self.id[:4]}{container_id[:8]}{index:x}"

    def _identify(self) -> str:
        try:
            text = read_text(self.paths.instance)
        except PermissionError as error:
            raise SystemFailure(
                f"cannot open the data root {self.paths.root}: {os.strerror(error.errno or 0)}; run as root or choose "
                "another with --root DIR"
            ) from error
        if text is None:
            return self._make()
        version, _, identity = text.strip().partition(" ")
        if not version.isdigit() or int(version) > LAYOUT_VERSION:
            raise Unsupported(
                f"{self.paths.root} has layout version {version}, newer than this tuidock; upgrade it first"
            )
        if not os.path.isdir(self.paths.run + "/c"):
            self._make_run()
        return identity

    def _make(self) -> str:
        paths = self.paths
        try:
            os.makedirs(paths.root, mode=0o710, exist_ok=True)
            if os.stat(paths.root).st_uid not in (0, os.geteuid()):
                raise SystemFailure(
                    f"{paths.root} belongs to another user, who could exchange what lies in it; choose another with "
                    "--root DIR"
                )
            os.chmod(paths.root, 0o710)
            for directory in (
                paths.blobs, paths.ingest, paths.snapshots, paths.init_layers, paths.volumes, paths.trash,
                paths.cache, paths.events, paths.containers,
            ):  # fmt: skip
                os.makedirs(directory, mode=0o700, exist_ok=True)
            # overlay shows the modes of these directories inside containers only below fs/, so 0710 is enough here
            self._make_run()
            database = State(paths)
            database.read()  # before the root has its name, so that a missing database is known to be a lost one
            database.close()
            identity = os.urandom(4).hex()
            temporary = f"{paths.instance}.{os.getpid()}"
            write_atomic(temporary, f"{LAYOUT_VERSION} {identity}\n", 0o600)
            try:
                os.link(temporary, paths.instance)  # two first commands at once: one of them names the instance
            except FileExistsError:
                pass
            os.unlink(temporary)
            self.is_new = True
        except PermissionError as error:
            raise SystemFailure(
                f"cannot make the data root {paths.root}: {os.strerror(error.errno or 0)}; run as root or choose another "
                "with --root DIR"
            ) from error
        except OSError as error:
            raise refuse(error, f"make the data root {paths.root}") from error
        return (read_text(paths.instance) or "").strip().partition(" ")[2]

    def _make_run(self) -> None:
        os.makedirs(self.paths.run, mode=0o710, exist_ok=True)
        os.makedirs(self.paths.run + "/c", mode=0o710, exist_ok=True)
