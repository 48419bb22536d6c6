"""host/base: an image made from this machine's own programs, with no network and no package.

So that there is something to run on a machine that is cut off. Gathered twice from an unchanged machine it is the same
image, byte for byte: entries are sorted, owners are root, times are those of the newest program.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile

from tuidock.engine.events import append
from tuidock.engine.oci.reference import Reference
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection
from tuidock.engine.store.assembly import Assembly
from tuidock.engine.store.content import ContentStore, Ingest
from tuidock.engine.store.host_files import HostFiles, gather
from tuidock.engine.store.importing import single_layer_config
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = "host/base"

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DIRECTORIES = {
    "dev": 0o755, "etc": 0o755, "home": 0o755, "mnt": 0o755, "opt": 0o755, "proc": 0o755, "root": 0o700, "run": 0o755,
    "srv": 0o755, "sys": 0o755, "tmp": 0o1777, "usr": 0o755, "usr/bin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755,
    "usr/local": 0o755, "usr/local/bin": 0o755, "usr/sbin": 0o755, "usr/share": 0o755, "var": 0o755, "var/log": 0o755,
    "var/tmp": 0o1777,
}  # fmt: skip
_LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin", "var/run": "../run"}
_TEXTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\n"
        "www-data:x:33:33:www-data:/srv:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    ),
    "etc/group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n",
    "etc/os-release": 'NAME="tuidock host/base"\nID=tuidock-host-base\nPRETTY_NAME="tuidock host/base"\n',
}


def make(state: State, paths: Paths, reference: Reference) -> Iterator[Progress]:
    """Makes the image and names it; the last progress is `pulled` with the reference. Raises OSError, BadContent."""
    collection.sweep(paths)
    yield Progress(NAME, "collecting")
    found, newest = _gathered()
    with ContentStore(paths).ingests() as ingests, Assembly(state, paths) as assembly:
        blob = ingests.new()
        yield from _write(blob, found, newest)
        yield from assembly.add(blob)
        config = single_layer_config(
            assembly.diff_ids, _config(found), "made from this machine's own programs", newest * 1_000_000_000
        )
        yield Progress(NAME, "committing")
        assembly.commit(config, [reference])
    if not found.busybox:
        missing = "this machine has no static busybox, so the image has no httpd and nc: install busybox-static"
        yield Progress(NAME, "warning", message=missing)
    append(paths.journal, "image", "pull", config.id, reference.familiar, labels=config.labels)
    yield Progress(reference.familiar, "pulled", message=config.id)


def write_layer(blob: Ingest) -> None:
    """Its layer as it would be made now; the same bytes as before when the machine's programs are the same."""
    for _ in _write(blob, *_gathered()):
        pass


def _gathered() -> tuple[HostFiles, int]:
    """The programs, and the time of the newest."""
    found = gather()
    return found, max((int(os.stat(path).st_mtime) for path in found.files.values()), default=0)


def _config(found: HostFiles) -> dict[str, Any]:
    env = [_PATH, "LANG=C.UTF-8"] if found.locale else [_PATH]
    return {
        "Env": env,
        "Cmd": ["sh"],
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": NAME,
            "org.opencontainers.image.description": "Programs and libraries of the machine that made it",
            "org.opencontainers.image.vendor": "tuidock",
        },
    }


class _Sink(io.RawIOBase):
    """What tarfile writes goes into the ingest."""

    def __init__(self, blob: Ingest) -> None:
        self._blob = blob

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._blob.write(data)
        return len(data)


def _entry(name: str, mtime: int, kind: bytes, mode: int, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime, entry.size, entry.linkname = kind, mode, mtime, size, link
    return entry


def _parents(names: Iterator[str]) -> set[str]:
    found = set()
    for name in names:
        while name := name.rpartition("/")[0]:
            found.add(name)
    return found


def _write(blob: Ingest, found: HostFiles, mtime: int) -> Iterator[Progress]:
    links = {**_LINKS, **found.links}
    directories = dict.fromkeys(_parents(iter([*found.files, *found.links, *_TEXTS])), 0o755) | _DIRECTORIES
    written: dict[str, str] = {}
    with tarfile.open(fileobj=_Sink(blob), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
        tar.addfile(_entry("./", mtime, tarfile.DIRTYPE, 0o755))
        for name in sorted(directories):
            tar.addfile(_entry(name + "/", mtime, tarfile.DIRTYPE, directories[name]))
        for name, text in sorted(_TEXTS.items()):
            raw = text.encode()
            tar.addfile(_entry(name, mtime, tarfile.REGTYPE, 0o644, size=len(raw)), io.BytesIO(raw))
        for name, target in sorted(links.items()):
            tar.addfile(_entry(name, mtime, tarfile.SYMTYPE, 0o777, link=target))
        total, done = sum(os.stat(path).st_size for path in set(found.files.values())), 0
        for number, (name, path) in enumerate(sorted(found.files.items())):
            if path in written:
                tar.addfile(_entry(name, mtime, tarfile.LNKTYPE, 0o755, link=written[path]))
                continue
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                # no setuid of the host: nobody asked for privileged programs
                mode = 0o755 if stat.S_IMODE(status.st_mode) & 0o111 or ".so" in name else 0o644
                tar.addfile(_entry(name, mtime, tarfile.REGTYPE, mode, size=status.st_size), file)
            written[path] = name
            done += status.st_size
            if number % 16 == 0:
                yield Progress(NAME, "collecting", done, total)
    blob.finish()
