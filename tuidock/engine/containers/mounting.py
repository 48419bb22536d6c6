"""What is mounted into a container: image volumes, --volumes-from, -v, --mount and --tmpfs, in docker's order."""

from __future__ import annotations

import os

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.named import Named
from tuidock.engine.types import MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

#: Files of /proc that container managers replace to show a container's own share of the machine.
_MOUNTABLE_PROC = tuple(
    f"/proc/{name}"
    for name in ("cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps", "uptime")
)
#: What --tmpfs may say: docker's list.
_TMPFS_SWITCHES = frozenset(
    ("ro", "rw", "noexec", "exec", "nosuid", "suid", "nodev", "dev", "noatime", "atime", "nodiratime", "diratime")
) | {"relatime", "strictatime", "defaults"}
_TMPFS_VALUES = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


class Wanted(Named):
    """A mount that was asked for. A volume with name "" is anonymous; copy says that image content goes in.

    labels and options are for a volume that has to be made.
    """

    point: MountPoint
    copy: bool = True
    labels: Mapping[str, str] = {}
    options: Mapping[str, str] = {}


def collect(
    config: Mapping[str, Any], host_config: Mapping[str, Any], from_container: Callable[[str], tuple[MountPoint, ...]]
) -> list[Wanted]:
    """All mounts, one per destination; later groups win. Raises InvalidArgument for two -v on one destination."""
    found: dict[str, Wanted] = {}
    for target in config.get("Volumes") or {}:
        target = check_target(target)
        found[target] = Wanted(MountPoint("volume", "", "", target))
    for item in host_config.get("VolumesFrom") or ():
        reference, _, mode = item.partition(":")
        for point in from_container(reference):
            read_only = point.read_only or mode == "ro"
            found[point.destination] = Wanted(point._replace(read_only=read_only), copy=False)
    seen: set[str] = set()
    for bind in host_config.get("Binds") or ():
        wanted = parse_bind(bind)
        _once(seen, wanted.point.destination)
        found[wanted.point.destination] = wanted
    for mount in host_config.get("Mounts") or ():
        wanted = _from_mount(mount)
        _once(seen, wanted.point.destination)
        found[wanted.point.destination] = wanted
    for target, options in (host_config.get("Tmpfs") or {}).items():
        target = check_target(target)
        check_tmpfs(options)
        found[target] = Wanted(MountPoint("tmpfs", "", "", target, options=options))
    return list(found.values())


def check_tmpfs(options: str) -> None:
    """Raises InvalidArgument for a word that is no option of a tmpfs."""
    for word in filter(None, options.split(",")):
        if word not in _TMPFS_SWITCHES and word.partition("=")[0] not in _TMPFS_VALUES:
            raise InvalidArgument(
                f'invalid tmpfs option ["{word}"]; there are {", ".join(_TMPFS_VALUES)}, exec, ro ...'
            )


def _once(seen: set[str], target: str) -> None:
    if target in seen:
        raise InvalidArgument(f"Duplicate mount point: {target}; mount only one thing there")
    seen.add(target)


def check_target(path: str) -> str:
    """Where something may be mounted, without dots. Raises InvalidArgument."""
    target = os.path.normpath("/" + path.lstrip("/"))
    if not path.startswith("/"):
        raise InvalidArgument(f"invalid mount path: '{path}' mount path must be absolute")
    if target == "/":
        raise InvalidArgument("invalid specification: destination can't be '/'")
    if any(char < " " or char == "\x7f" for char in target):
        raise InvalidArgument(f"invalid mount path: {path!r:.200} has a control character in it")
    if target.startswith("/proc") and target[5:6] in ("", "/") and target not in _MOUNTABLE_PROC:
        # masks and read-only paths would fall on what lies there instead of on the kernel's files (CVE-2019-16884)
        raise InvalidArgument(f'"{target}" cannot be mounted because it is inside /proc')
    return target


def parse_bind(bind: str) -> Wanted:
    """`[SOURCE:]TARGET[:OPTIONS]` of -v: an absolute source is a path of the host, another one a volume's name."""
    parts = bind.split(":")
    if len(parts) == 1:
        return Wanted(MountPoint("volume", "", "", check_target(parts[0])))
    if len(parts) > 3:
        raise InvalidArgument(f"invalid volume specification: '{bind}'")
    source, target = parts[0], check_target(parts[1])
    read_only, propagation, copy = False, "", True
    for word in filter(None, parts[2].split(",") if len(parts) == 3 else ()):
        if word in ("ro", "rw"):
            read_only = word == "ro"
        elif word in _PROPAGATIONS:
            propagation = word
        elif word == "nocopy":
            copy = False
        elif word not in ("z", "Z", "consistent", "cached", "delegated"):
            raise InvalidArgument(f"invalid volume specification: '{bind}': unknown option {word}")
    if source.startswith("/"):
        point = MountPoint("bind", "", os.path.normpath(source), target, read_only, propagation or "rprivate", "create")
        return Wanted(point, copy=False)
    if propagation:
        raise InvalidArgument(f"invalid volume specification: '{bind}': {propagation} is for host directories only")
    return Wanted(MountPoint("volume", source, "", target, read_only), copy)


def _from_mount(mount: Mapping[str, Any]) -> Wanted:
    """A --mount in the API's form."""
    type_, target = str(mount.get("Type") or "volume"), check_target(str(mount.get("Target") or ""))
    read_only = bool(mount.get("ReadOnly"))
    if type_ == "bind":
        source = str(mount.get("Source") or "")
        options = mount.get("BindOptions") or {}
        create = "create" if options.get("CreateMountpoint") else ""
        recursion = _recursion(options)
        if not create and not os.path.lexists(source):
            raise InvalidArgument(f'invalid mount config for type "bind": bind source path does not exist: {source}')
        propagation = str(options.get("Propagation") or "rprivate")
        kind = ",".join(filter(None, (create, recursion)))
        return Wanted(MountPoint("bind", "", source, target, read_only, propagation, kind), copy=False)
    if type_ == "tmpfs":
        options = mount.get("TmpfsOptions") or {}
        words = [f"size={options['SizeBytes']}"] if options.get("SizeBytes") else []
        if options.get("Mode"):
            words.append(f"mode={int(options['Mode']):o}")
        if read_only:
            words.append("ro")
        return Wanted(MountPoint("tmpfs", "", "", target, options=",".join(words)))
    if type_ == "volume":
        options = mount.get("VolumeOptions") or {}
        labels = {str(k): str(v) for k, v in (options.get("Labels") or {}).items()}
        driver = options.get("DriverConfig") or {}
        if driver.get("Name") not in (None, "", "local"):
            raise InvalidArgument(f"volume driver '{driver['Name']}' does not exist here; there is only local")
        subpath = str(options.get("Subpath") or "")
        name = str(mount.get("Source") or "")
        if subpath and not name:
            raise InvalidArgument(f"volume-subpath {subpath}: a new volume has none; name a volume with source=")
        if subpath.startswith("/") or ".." in subpath.split("/"):
            raise InvalidArgument(f"volume-subpath {subpath} must lie in the volume: a relative path without ..")
        point = MountPoint("volume", name, "", target, read_only, options=f"subpath={subpath}" if subpath else "")
        chosen = {str(k): str(v) for k, v in (driver.get("Options") or {}).items()}
        return Wanted(point, not (options.get("NoCopy") or subpath), labels, chosen)
    raise InvalidArgument(f"mount type {type_} is not supported; use bind, volume or tmpfs")


def _recursion(options: Mapping[str, Any]) -> str:
    """What is said about mounts below the source, as a word of MountPoint.options."""
    if options.get("NonRecursive"):
        return "nonrecursive"
    return "ro-nonrecursive" if options.get("ReadOnlyNonRecursive") else ""


def prepare_bind(point: MountPoint) -> MountPoint:
    """Makes a missing host directory of -v and says whether a file or a directory is mounted."""
    words = [word for word in point.options.split(",") if word]
    if not os.path.lexists(point.source) and "create" in words:
        os.makedirs(point.source, mode=0o755, exist_ok=True)
    if not os.path.isdir(point.source):
        words.append("file")
    return point._replace(options=",".join(word for word in words if word != "create"))


def remarks(host_config: Mapping[str, Any]) -> list[str]:
    """Sentences about what is asked for and has no effect here."""
    ignored = {
        word
        for bind in host_config.get("Binds") or ()
        if bind.count(":") == 2
        for word in bind.rpartition(":")[2].split(",")
        if word in ("z", "Z")
    }
    return [f"-v with :{word} is mounted without it: there are no SELinux labels here" for word in sorted(ignored)]
