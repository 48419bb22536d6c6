"""What RUN --mount puts into a step: binds from trees, caches that outlive the build, secrets, tmpfs.

A bind's source is a copy made through descriptors (or the layer itself, which never changes), so the command sees what the
key was made from, without what .dockerignore leaves out, and writes to it are gone afterwards. Caches lie below cache/,
named by a digest of their id, with a lock that tells who uses them.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time

from tuidock.engine.build import cache
from tuidock.engine.build.digests import sha256
from tuidock.engine.build.hashing import Content
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.types import MountPoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from tuidock.engine.build.trees import Tree
    from tuidock.engine.build.workshop import StageState, Workshop
    from tuidock.engine.containers.hidden import HiddenContainer
    from tuidock.engine.dockerfile.ast import Instruction
    from tuidock.engine.dockerfile.mounts import RunMount

_SECRETS = "/run/secrets/"
_WAIT = 0.05
_LINKS = 40


def source_tree(workshop: Workshop, mount: RunMount, stage: int) -> Tree:
    """Where a bind's source lies."""
    return workshop.origin(mount.origin, stage) if mount.origin else workshop.context.tree


def part(workshop: Workshop, instruction: Instruction, mount: RunMount, stage: int) -> list[object]:
    """What of a mount the step depends on. Raises DockerfileError for a source that is not there."""
    if mount.type == "ssh":
        raise instruction.error("--mount=type=ssh is not possible: there is no agent to pass on", at="--mount")
    digest = ""
    if mount.type == "bind" or (mount.type == "cache" and mount.origin):
        digest = source_digest(workshop, instruction, source_tree(workshop, mount, stage), mount.source)
    return [
        mount.type, mount.target, mount.origin, mount.source, mount.readonly, mount.id, mount.sharing, mount.mode,
        mount.uid, mount.gid, mount.size, mount.env, digest,
    ]  # fmt: skip


def source_digest(workshop: Workshop, instruction: Instruction, tree: Tree, source: str) -> str:
    """The digest of a path of a tree."""
    path = os.path.normpath("/" + source).lstrip("/")
    if path in tree.described:
        return tree.described[path]
    known = f"bind {tree.identity} {path}" if tree.identity else ""
    if known and (digest := workshop.files.known(known)):
        return digest
    if tree.status(path) is None:
        raise instruction.error(f"{source or '/'!r:.200} is not there to be mounted", at=source or "--mount")
    digest = Content(workshop.files).add_source(tree, path)
    if not known:  # all steps of this build mean the same by it
        return tree.described.setdefault(path, digest)
    workshop.files.remember(known, digest)
    return digest


def plain_path(root: int, path: str) -> str:
    """A path of a tree that nobody changes, with its links resolved inside; what is missing stays as it is written."""
    left = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            del done[-1:]
            continue
        try:
            target = os.readlink("/".join([*done, name]), dir_fd=root)
        except OSError:
            done.append(name)
            continue
        links += 1
        if links > _LINKS:
            break
        if target.startswith("/"):
            done.clear()
        left += target.split("/")[::-1]
    return "/".join(done)


class Places:
    """The mounts of one step: points for the container, stubs that it needs, variables from secrets."""

    def __init__(self, workshop: Workshop, state: StageState, container: HiddenContainer, stack: ExitStack) -> None:
        self._workshop, self._state, self._container, self._stack = workshop, state, container, stack
        self.points: list[MountPoint] = []
        self.stubs: list[tuple[str, bool]] = []
        self.environment: list[str] = []
        self._count = 0

    def add(self, instruction: Instruction, mount: RunMount, stage: int) -> Iterator[None]:
        """Yields while it waits for a cache that another step holds. Raises DockerfileError, OSError."""
        if mount.type == "tmpfs":
            options = f"size={mount.size}" if mount.size else ""
            self._point(MountPoint("tmpfs", "", "", self._target(mount.target), options=options), is_file=False)
        elif mount.type == "secret":
            self._secret(instruction, mount)
        elif mount.type == "cache":
            yield from self._cache(mount, stage)
        else:
            self._bind(mount, source_tree(self._workshop, mount, stage))

    def script(self, target: str, text: str) -> None:
        """An executable file for the time of the step."""
        path = self._new_name("script")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, text.encode("utf-8", "surrogateescape"))
            os.fchmod(fd, 0o755)
        finally:
            os.close(fd)
        self.points.append(MountPoint("bind", "", path, target, True, "rprivate", "file"))

    def _new_name(self, word: str) -> str:
        self._count += 1
        return f"{self._container.directory}/{word}-{self._count}"

    def _target(self, target: str) -> str:
        from tuidock.engine.containers.mounting import check_target

        return check_target(os.path.join("/", self._state.config.get("WorkingDir") or "/", target))

    def _point(self, point: MountPoint, *, is_file: bool) -> None:
        tree = self._workshop.tree_of(tuple(self._state.lower), self._state.chain_id)
        plain = plain_path(tree.root, point.destination)
        if plain and plain.partition("/")[0] not in ("dev", "proc", "sys"):  # file systems of their own in a container
            self.stubs.append((plain, is_file))
        self.points.append(point)

    def _bind(self, mount: RunMount, tree: Tree) -> None:
        path = os.path.normpath("/" + mount.source).lstrip("/")
        target = self._target(mount.target)
        fd = tree.open(path)
        try:
            status = os.fstat(fd)
            is_file = not stat.S_ISDIR(status.st_mode)
            place = os.readlink(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        layer = self._workshop.instance.paths.snapshots + "/"
        if not (mount.readonly and tree.identity and place.startswith(layer) and _is_at(place, status)):
            place = self._copy(tree, path, is_file)
        options = "file" if is_file else ""
        self._point(MountPoint("bind", "", place, target, mount.readonly, "rprivate", options), is_file=is_file)

    def _copy(self, tree: Tree, path: str, is_file: bool) -> str:
        place = self._new_name("bind")
        os.mkdir(place, 0o755)
        fill(self._workshop, tree, path, place, None)
        return f"{place}/{os.path.basename(path)}" if is_file else place

    def _cache(self, mount: RunMount, stage: int) -> Iterator[None]:
        name = mount.id or self._target(mount.target)
        place = ""
        for number in range(1000):
            place = self._cache_place(f"{name}\0{number}" if number else name, name)
            fd = os.open(place + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._stack.callback(os.close, fd)
            mode = fcntl.LOCK_SH if mount.sharing in ("", "shared") else fcntl.LOCK_EX
            while not _locked(fd, mode) and mount.sharing != "private":
                time.sleep(_WAIT)
                yield
            if mount.sharing != "private" or _locked(fd, mode):
                break
        data = place + "/data"
        if not os.path.isdir(data):
            self._new_cache(mount, stage, data)
        os.utime(place)
        target = self._target(mount.target)
        self._point(MountPoint("bind", "", data, target, mount.readonly, "rprivate"), is_file=False)

    def _cache_place(self, identity: str, shown: str) -> str:
        digest = sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        place = f"{cache.mounts_directory(self._workshop.instance.paths)}/{digest}"
        if not os.path.isdir(place):
            os.makedirs(place, mode=0o700, exist_ok=True)
            with open(place + "/id", "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(shown)
        return place

    def _new_cache(self, mount: RunMount, stage: int, data: str) -> None:
        partial = f"{data}.{os.urandom(4).hex()}"
        os.mkdir(partial, 0o755)
        owner = (max(mount.uid, 0), max(mount.gid, 0))
        if mount.origin:
            tree = source_tree(self._workshop, mount, stage)
            path = os.path.normpath("/" + mount.source).lstrip("/")
            fill(self._workshop, tree, path, partial, owner if mount.uid >= 0 else None)
        os.chown(partial, *owner)
        os.chmod(partial, mount.mode if mount.mode >= 0 else 0o755)
        try:
            os.rename(partial, data)
        except OSError:  # another step was faster; both would hold the same
            from tuidock.engine.files import remove_tree

            remove_tree(partial)

    def _secret(self, instruction: Instruction, mount: RunMount) -> None:
        request = self._workshop.request
        name = mount.id or mount.source or os.path.basename(mount.target)
        if name in request.secret_values:
            value = request.secret_values[name].encode("utf-8", "surrogateescape")
        elif name in request.secrets:
            with open(request.secrets[name], "rb") as file:
                value = file.read(1 << 20)
        elif mount.required:
            raise instruction.error(
                f"secret {name!r:.60} was not given (--secret id={name:.60},src=FILE)", at="--mount"
            )
        else:
            return
        if mount.env:
            self.environment.append(f"{mount.env}={value.decode('utf-8', 'surrogateescape')}")
            if not mount.target:
                return
        self._count += 1
        path = f"{self._container.run_directory}/secret-{self._count}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, value)
            os.fchown(fd, max(mount.uid, 0), max(mount.gid, 0))
            os.fchmod(fd, mount.mode if mount.mode >= 0 else 0o400)
        finally:
            os.close(fd)
        target = self._target(mount.target) if mount.target else _SECRETS + os.path.basename(name)
        self._point(MountPoint("bind", "", path, target, True, "rprivate", "file"), is_file=True)


def _is_at(path: str, status: os.stat_result) -> bool:
    """Whether a path of the host is that very file. The name of a descriptor is only a path of its own tree: in a merged
    one whoever made the image chooses it."""
    try:
        return os.path.realpath(path) == path and os.path.samestat(os.stat(path), status)
    except OSError:
        return False


def _locked(fd: int, mode: int) -> bool:
    try:
        fcntl.flock(fd, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def fill(workshop: Workshop, tree: Tree, path: str, directory: str, owner: tuple[int, int] | None) -> None:
    """A path of a tree into a directory of ours. Raises OSError, and InvalidArgument when it is not what the key was
    made of."""
    from tuidock.engine.build.copying import Copier, Wish

    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    copier = Copier(root, Wish(owner))
    try:
        for _ in copier.copy(tree, path, "/"):
            pass
        if not tree.identity and tree.described.get(path, "") != copier.arrived:
            workshop.files.forget()
            raise InvalidArgument(f"{path or '.'!r:.200} changed while it was copied; build again")
        copier.finish()
    finally:
        copier.close()
        os.close(root)
