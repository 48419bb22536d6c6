"""COPY, ADD and WORKDIR as steps: what they take, the key of it, and doing it on the merged tree of the stage.

The tree is a detached overlay whose upper directory is the next layer, so the layer holds what differs and nothing has
to be compared afterwards.
"""

from __future__ import annotations

import os
import stat
import time

from tuidock.engine.build import globbing
from tuidock.engine.build.hashing import Content
from tuidock.engine.dockerfile import history
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.errors import EngineError
from tuidock.engine.files import refuse
from tuidock.engine.image_types import BuildEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tuidock.engine.build.copying import Copier, Wish
    from tuidock.engine.build.fetching import Download, Repository
    from tuidock.engine.build.trees import Tree
    from tuidock.engine.build.workshop import StageState, Workshop
    from tuidock.engine.dockerfile.ast import Instruction

_TOGETHER = 0.2


def absolute(directory: str, path: str) -> str:
    """A destination below the working directory; a slash at its end stays, because it says that it is a directory."""
    joined = os.path.normpath("/" + os.path.join(directory, path).lstrip("/"))
    is_directory = path.endswith(("/", "/.", "/..")) or path in (".", "..")
    return joined + "/" if is_directory and joined != "/" else joined


class Copying:
    """One COPY or ADD."""

    def __init__(self, workshop: Workshop, state: StageState, instruction: Instruction, stage: int) -> None:
        self._workshop, self._state, self._instruction, self._stage = workshop, state, instruction, stage
        self._destination = absolute(state.config.get("WorkingDir") or "/", instruction.destination)
        self._is_add = instruction.word == "ADD"
        self._files: list[str] = []
        self._described: dict[str, str] = {}  # the sources of a tree that may change, as the key has them
        self._relative: dict[str, str] = {}  # for --parents: what of a path is kept
        self._downloads: list[Download | Repository] = []
        self.parts: list[object] = []
        self.created_by = history.created_by(instruction, state.config)

    @property
    def _tree(self) -> Tree:
        origin = self._instruction.flag("from")
        return self._workshop.origin(origin, self._stage) if origin else self._workshop.context.tree

    def close(self) -> None:
        for download in self._downloads:
            download.close()

    # ---- what is taken ----

    def prepare(self, number: int) -> Iterator[BuildEvent]:
        """Finds the sources and their digest. Raises DockerfileError for one that is not there."""
        instruction = self._instruction
        local = [source for source in instruction.sources if not (self._is_add and is_remote(source))]
        for source in instruction.sources:
            if source not in local:
                yield from self._download(number, source)
        flags = [[name, list(instruction.values(name))] for name in sorted(instruction.flags) if name != "from"]
        inline = [[heredoc.name, heredoc.text] for heredoc in instruction.inline]
        digest = self._digest(local) if local else ""
        self.parts = [
            flags, self._destination, digest, inline, [download.digest for download in self._downloads],
            [download.name for download in self._downloads],
        ]  # fmt: skip
        count = len(self._files) + len(inline) + len(self._downloads)
        if (len(local) > 1 or count > 1) and not self._destination.endswith("/"):
            raise instruction.error(
                f"When using {instruction.word} with more than one source file, the destination must be a directory and "
                "end with a /",
                at=instruction.destination,
            )

    def _digest(self, local: list[str]) -> str:
        tree, files = self._tree, self._workshop.files
        known = ""
        if tree.identity and not self._parents:  # layers do not change, so nobody has to look into them twice
            known = f"copy {tree.identity} {local!r} {self._instruction.values('exclude')!r}"
            stored = files.known(known)
            if stored:
                digest, _, found = stored.partition("\n")
                self._files = found.split("\n") if found else []
                return digest
        content = Content(files)
        for source in local:
            matched = self._matches(tree, source)
            content.add_text(f"source {len(matched)}")
            pivot = os.path.normpath("/" + source.partition("/./")[0]).lstrip("/") if "/./" in source else ""
            for path in matched:
                self._relative[path] = path[len(pivot) :].lstrip("/")
                content.add_text(self._relative[path] if self._parents else os.path.basename(path))
                self._described[path] = content.add_source(tree, path, self._excluded)
            self._files += matched
        if known and not any("\n" in path for path in self._files):
            files.remember(known, "\n".join([content.hexdigest(), *self._files]))
        return content.hexdigest()

    def _matches(self, tree: Tree, source: str) -> list[str]:
        try:
            found = tree.matches(source)
        except DockerfileError:
            raise
        except EngineError as error:
            raise self._instruction.error(str(error), at=source) from None
        if self._excluded is not None:
            found = [
                path for path in found if not self._excluded(os.path.basename(path)) or self._is_directory(tree, path)
            ]
        elif not found and not globbing.has_meta(source):
            where = self._instruction.flag("from")
            place = f"in {where}" if where else "in the build context (or .dockerignore leaves it out)"
            raise self._instruction.error(f"{source!r:.200} is not {place}", at=source)
        return found

    @staticmethod
    def _is_directory(tree: Tree, path: str) -> bool:
        status = tree.status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    @property
    def _parents(self) -> bool:
        return self._instruction.switch("parents")

    @property
    def _excluded(self) -> Callable[[str], bool] | None:
        patterns = self._instruction.values("exclude")
        if not patterns:
            return None
        from tuidock.engine.dockerfile.ignore import Patterns

        return Patterns(patterns, "--exclude").excluded

    def _download(self, number: int, source: str) -> Iterator[BuildEvent]:
        from tuidock.engine.build.fetching import fetch_file

        download = fetch_file(self._workshop, self._instruction, source, self._destination)
        self._downloads.append(download)
        for done, total in download.run():
            yield BuildEvent("bytes", number, done=done, total=total, message="downloading")

    # ---- where it goes ----

    def execute(self, number: int, key: str) -> Iterator[BuildEvent]:
        """Does it."""
        from contextlib import ExitStack

        from tuidock.engine.build import merging
        from tuidock.engine.build.copying import Copier

        workshop, state, instruction = self._workshop, self._state, self._instruction
        draft = workshop.draft(state)
        try:
            with ExitStack() as stack:
                lower = () if instruction.switch("link") else tuple(state.lower)
                root = merging.open_writable(lower, draft.path + "/fs", draft.path + "/work")
                stack.callback(os.close, root)
                copier = Copier(root, self._wish())
                stack.callback(copier.close)
                yield from self._place(copier, number)
                copier.finish()
            for done in workshop.keep_layer(state, draft, key, instruction.word, instruction.text):
                yield BuildEvent("bytes", number, done=done, message="writing the layer")
        except OSError as error:
            draft.close()
            raise refuse(error, f"do {instruction.text[:100]!r}") from error
        except BaseException:
            draft.close()
            raise

    def _wish(self) -> Wish:
        from tuidock.engine.build.copying import Wish
        from tuidock.engine.store.owners import owner_of

        instruction, state = self._instruction, self._state
        owner = None
        if chown := instruction.flag("chown"):
            tree = self._workshop.tree_of(tuple(state.lower), state.chain_id)
            try:
                owner = owner_of(tree.root, chown)
            except EngineError as error:
                raise instruction.error(str(error), at=chown) from None
        return Wish(owner, self._permissions(), self._excluded)

    def _permissions(self) -> Callable[[int], int] | None:
        from tuidock.engine.build import permissions

        text = self._instruction.flag("chmod")
        try:
            return permissions.parse(text) if text else None
        except ValueError as error:
            raise self._instruction.error(f"--chmod cannot be {text!r:.40}: {error}", at=text) from None

    def _place(self, copier: Copier, number: int) -> Iterator[BuildEvent]:
        reported = time.monotonic()
        tree = self._tree if self._files else None
        for path in self._files:
            assert tree is not None
            for _ in self._one(copier, tree, path):
                if time.monotonic() - reported > _TOGETHER:
                    reported = time.monotonic()
                    yield BuildEvent("bytes", number, done=copier.done)
        for heredoc in self._instruction.inline:
            target = self._destination
            if target.endswith("/") or copier.is_directory(target):
                target = f"{target.rstrip('/')}/{os.path.basename(heredoc.name)}"
            copier.write_file(target, heredoc.text.encode("utf-8", "surrogateescape"), mtime_ns=self._heredoc_time())
        for download in self._downloads:
            download.place(copier, self._destination)
        yield BuildEvent("bytes", number, done=copier.done)

    def _heredoc_time(self) -> int:
        return self._workshop.epoch or 0

    def _one(self, copier: Copier, tree: Tree, path: str) -> Iterator[None]:
        destination = self._destination
        if self._is_add:
            from tuidock.engine.build import unpacking
        if self._is_add and self._instruction.flag("unpack", "true") == "true":
            archive = unpacking.open_archive(tree, path)
            if archive >= 0:
                try:
                    if not tree.identity:
                        mutable = archive
                        archive, found = unpacking.settled(tree, path, mutable, self._workshop.instance.paths.ingest)
                        os.close(mutable)
                        self._check(path, found)
                    yield from unpacking.unpack(copier, archive, destination, self._workshop.instance.paths.snapshots)
                finally:
                    os.close(archive)
                return
        if self._parents:
            destination = f"{destination.rstrip('/')}/{self._relative[path]}"
            if self._is_directory(tree, path):
                os.close(copier.directory(os.path.dirname(destination)))
        yield from copier.copy(tree, path, destination)
        if not tree.identity:
            self._check(path, copier.arrived)

    def _check(self, path: str, found: str) -> None:
        """Raises DockerfileError when what was taken is not what the key was made of."""
        if found != self._described[path]:
            self._workshop.files.forget()
            raise self._instruction.error(f"{path!r:.200} changed while it was copied; build again")


def is_remote(source: str) -> bool:
    """Whether ADD has to fetch it."""
    return source.startswith(("http://", "https://", "git://", "git@", "ssh://"))


class WorkingDirectory:
    """WORKDIR: makes the directory when the image lacks it, for the user that the image names."""

    def __init__(self, workshop: Workshop, state: StageState, instruction: Instruction) -> None:
        self._workshop, self._state, self._instruction = workshop, state, instruction
        self._path = str(state.config.get("WorkingDir") or "/")
        self._user = str(state.config.get("User") or "")
        self.parts: list[object] = [self._path, self._user]
        self.created_by = history.created_by(instruction, state.config)

    def close(self) -> None:
        """Nothing stays open."""

    def prepare(self, number: int) -> Iterator[BuildEvent]:
        yield from ()

    def execute(self, number: int, key: str) -> Iterator[BuildEvent]:
        """Makes it, or nothing at all."""
        from tuidock.engine.build import merging
        from tuidock.engine.build.copying import Copier, Wish

        workshop, state = self._workshop, self._state
        tree = workshop.tree_of(tuple(state.lower), state.chain_id)
        status = tree.status(self._path.lstrip("/"))
        if status is not None and stat.S_ISDIR(status.st_mode):
            return
        draft = workshop.draft(state)
        try:
            root = merging.open_writable(tuple(state.lower), draft.path + "/fs", draft.path + "/work")
            try:
                copier = Copier(root, Wish(self._owner(tree.root)))
                try:
                    os.close(copier.directory(self._path))
                finally:
                    copier.close()
            finally:
                os.close(root)
            for done in workshop.keep_layer(state, draft, key, "WORKDIR", self._instruction.text):
                yield BuildEvent("bytes", number, done=done, message="writing the layer")
        except OSError as error:
            draft.close()
            raise refuse(error, f"make {self._path!r:.100}") from error
        except BaseException:
            draft.close()
            raise

    def _owner(self, root: int) -> tuple[int, int] | None:
        from tuidock.engine.store.owners import owner_of

        try:
            return owner_of(root, self._user) if self._user else None
        except EngineError:
            return None  # a user that is made later, or never: docker minds only when something is to run
