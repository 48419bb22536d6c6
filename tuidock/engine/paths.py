"""Every path that tuidock uses, in one place.

The data root (/var/lib/tuidock, `--root` or TUIDOCK_ROOT) is durable; the run directory (/run/tuidock, or `run` inside
another root) holds sockets, FIFOs, locks and pids and may vanish with a reboot. Both are 0710: a traversable data root
let local users run setuid files of images (CVE-2021-41091).
"""

from __future__ import annotations

import os

DEFAULT_ROOT = "/var/lib/tuidock"
DEFAULT_RUN = "/run/tuidock"


class Paths:
    """Names below one data root; nothing here touches the disk."""

    __slots__ = ("root", "run")

    def __init__(self, root: str = "") -> None:
        chosen = root or os.environ.get("TUIDOCK_ROOT", "") or DEFAULT_ROOT
        self.root = os.path.abspath(chosen)
        self.run = DEFAULT_RUN if self.root == DEFAULT_ROOT else self.root + "/run"

    @property
    def is_default(self) -> bool:
        return self.root == DEFAULT_ROOT

    @property
    def database(self) -> str:
        return self.root + "/state.db"

    @property
    def instance(self) -> str:
        return self.root + "/instance"

    @property
    def blobs(self) -> str:
        return self.root + "/content/blobs/sha256"

    @property
    def ingest(self) -> str:
        return self.root + "/content/ingest"

    @property
    def leases(self) -> str:
        return self.root + "/content/leases"

    @property
    def snapshots(self) -> str:
        return self.root + "/snapshots"

    @property
    def init_layers(self) -> str:
        """Shared mountpoint stubs below every container's upper layer, so that they never show in diff or commit."""
        return self.root + "/init"

    @property
    def volumes(self) -> str:
        return self.root + "/volumes"

    @property
    def networks(self) -> str:
        """What people defined, a file for each network, for `system rebuild`."""
        return self.root + "/networks"

    @property
    def trash(self) -> str:
        """Where directories are renamed to before they are unlinked outside of any lock."""
        return self.root + "/trash"

    @property
    def removed(self) -> str:
        """What was removed and can come back: containers under their ids, volumes in a directory of their entry's."""
        return self.root + "/removed"

    @property
    def cache(self) -> str:
        return self.root + "/cache"

    @property
    def events(self) -> str:
        """The one directory that live views watch; it holds the journal and nothing else."""
        return self.root + "/events"

    @property
    def journal(self) -> str:
        return self.root + "/events/journal"

    @property
    def containers(self) -> str:
        return self.root + "/containers"

    def container(self, container_id: str) -> str:
        return f"{self.root}/containers/{container_id}"

    def zone(self, network_id: str) -> str:
        """The names of a network's running members, a file for each."""
        return f"{self.run}/n/{network_id}"

    def container_run(self, container_id: str) -> str:
        return f"{self.run}/c/{container_id}"
