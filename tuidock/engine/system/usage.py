"""`system df` and `info`: what is there, and how much room it takes."""

from __future__ import annotations

import os
import platform

from tuidock import __version__
from tuidock.engine.build import cache
from tuidock.engine.containers.rows import list_containers, writable_size
from tuidock.engine.files import every_file
from tuidock.engine.instance import Instance
from tuidock.engine.options.platforms import architecture_of
from tuidock.engine.runtime import apparmor
from tuidock.engine.store import expiring, partial, removed, sharing
from tuidock.engine.types import Container, Image, UsageRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tree_size(directory: str) -> int:
    """Bytes of all files below a directory, links not followed, hard links counted once."""
    total, seen = 0, set()
    for status in every_file(directory):
        if status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        total += status.st_size
    return total


def disk_usage(instance: Instance, images: list[Image]) -> list[UsageRow]:
    """docker's four lines, and the trash's when there is something in it.

    Layers that images share count once, and with the images the downloads that were cut off. What images stand on counts
    with them and not with the build cache.
    """
    containers = list_containers(instance)
    used_images = {container.image_id for container in containers}
    active_images = sum(image.id in used_images for image in images)
    layers = sharing.sizes(instance.state, instance.paths, used_images)
    trash = expiring.measured(instance.state, instance.paths, removed.entries(instance.state))
    kept_layers = sum(entry.size for entry in trash if entry.kind == removed.IMAGE)
    total = layers.total - kept_layers + partial.left(instance.paths)[1]
    rows = [UsageRow("Images", len(images), active_images, total, total - layers.used)]
    sizes = {container.id: writable_size(instance, container.id) for container in containers}
    active = [container for container in containers if container.status in ("running", "paused", "restarting")]
    idle = sum(sizes.values()) - sum(sizes[container.id] for container in active)
    rows.append(UsageRow("Containers", len(containers), len(active), sum(sizes.values()), idle))
    used_volumes = {mount.name for container in containers for mount in container.mounts if mount.type == "volume"}
    names = [row[0] for row in instance.state.read().execute("SELECT name FROM volumes")]
    volume_sizes = {name: tree_size(f"{instance.paths.volumes}/{name}") for name in names}
    free = sum(size for name, size in volume_sizes.items() if name not in used_volumes)
    rows.append(UsageRow("Local Volumes", len(names), len(used_volumes & set(names)), sum(volume_sizes.values()), free))
    kept = cache.entries(instance.state, instance.paths)
    idle = sum(entry.size for entry in kept if not entry.in_use)
    own = idle + sum(entry.size for entry in kept if entry.in_use and entry.kind == cache.MOUNT)
    rows.append(UsageRow("Build Cache", len(kept), sum(entry.in_use for entry in kept), own, idle))
    if trash:
        size = sum(entry.size for entry in trash)
        rows.append(UsageRow("Trash", len(trash), 0, size, size))
    return rows


def info(instance: Instance, containers: list[Container], images: int) -> dict[str, Any]:
    """docker's `info` keys as far as they mean something without a daemon."""
    from tuidock.engine.runtime.cgroup import detect

    running = sum(container.status in ("running", "restarting") for container in containers)
    paused = sum(container.status == "paused" for container in containers)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "ID": instance.id,
        "Containers": len(containers),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(containers) - running - paused,
        "Images": images,
        "Driver": "overlay",
        "LoggingDriver": "file",
        "CgroupVersion": str(detect(instance.id).version),
        "CgroupDriver": "cgroupfs",
        "KernelVersion": os.uname().release,
        "OperatingSystem": _operating_system(),
        "OSType": "linux",
        "Architecture": platform.machine(),
        "NCPU": os.cpu_count() or 1,
        "MemTotal": memory,
        "DockerRootDir": instance.paths.root,
        "RunDir": instance.paths.run,
        "Name": os.uname().nodename,
        "ServerVersion": __version__,
        "SecurityOptions": [
            *(["name=apparmor"] if apparmor.is_enabled() else []),
            "name=seccomp,profile=builtin",
            *(["name=rootless"] if instance.rootless else []),
        ],
    }


def _operating_system() -> str:
    try:
        return str(platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"))
    except OSError:
        return "Linux"


def version() -> dict[str, Any]:
    """Version of the program and of what it stands on."""
    return {
        "Version": __version__,
        "ApiVersion": "1",
        "Os": "linux",
        "Arch": architecture_of(platform.machine()),
        "KernelVersion": os.uname().release,
        "PythonVersion": platform.python_version(),
    }
