"""Layers: commit, export, differences, what is in which layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuidock.engine.doors.base import Door
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from tuidock.engine.containers.copying import PathStat
    from tuidock.engine.image_types import Change, LayerInfo, TreeEntry
    from tuidock.engine.store.images import ImageRecord


class Layers(Door):
    """The files of containers and images, seen as layers."""

    def commit(
        self, reference: str, target: str = "", *, author: str = "", message: str = "", changes: Sequence[str] = (),
        pause: bool = True,
    ) -> Iterator[Progress]:  # fmt: skip
        """A container becomes an image, named `target` when that is given; the last progress is `committed` with its id.

        changes: Dockerfile lines (CMD, ENV, LABEL ...). pause: its processes stand still while its files are read.
        """
        from tuidock.engine.containers import committing
        from tuidock.engine.store import index

        self._change("commit a container")
        container = self.container(reference)
        work = committing.commit(
            self.instance, container, target, author=author, message=message, changes=changes, pause=pause
        )

        def noted() -> Iterator[Progress]:
            try:
                yield from work
            finally:
                index.write(self.instance.state, self.instance.paths)

        return noted()

    def export(self, reference: str, target: BinaryIO) -> None:
        """The whole tree of a container as a tar, of a running one too; volumes are not in it."""
        from tuidock.engine.containers.exporting import export

        export(self.instance, self.container(reference), target)

    def stat_path(self, reference: str, path: str) -> PathStat:
        """What a path in a container is, running or not; a link at its end is not followed. Raises NotFound."""
        from tuidock.engine.containers.copying import stat_path

        return stat_path(self.instance, self.container(reference), path)

    def copy_out(
        self, reference: str, path: str, target: str | BinaryIO, *, follow: bool = False, archive: bool = False
    ) -> Iterator[Progress]:
        """Files of a container to a path of this machine, by docker's rules for directories, or as a tar to a stream.

        A running container stands still meanwhile. follow: a link at the end of the path; archive: owners stay.
        """
        from tuidock.engine.containers.copying import copy_out

        return copy_out(self.instance, self.container(reference), path, target, follow=follow, archive=archive)

    def copy_in(
        self, reference: str, source: str | BinaryIO, path: str, *, follow: bool = False, archive: bool = False
    ) -> Iterator[Progress]:
        """Files of this machine, or a tar from a stream, into a container; archive: they become its user's."""
        from tuidock.engine.containers.copying import copy_in

        self._change("copy into a container")
        return copy_in(self.instance, self.container(reference), source, path, follow=follow, archive=archive)

    def diff(self, reference: str) -> list[Change]:
        """What a container has changed of its image."""
        from tuidock.engine.containers.comparing import diff

        return diff(self.instance, self.container(reference))

    def diff_images(self, old: str, new: str) -> list[Change]:
        """What has to be done to the first to have the second: images, or containers. Raises NotFound."""
        from tuidock.engine.containers.comparing import diff_images

        return diff_images(self.instance, old, new)

    def _record(self, image: str) -> ImageRecord:
        from tuidock.engine.store import images

        return images.resolve(self.instance.state, self.instance.paths, image)

    def layers(self, image: str) -> list[LayerInfo]:
        """The layers of an image, lowest first."""
        from tuidock.engine.store import layer_tree

        return layer_tree.layers(self.instance.paths, self._record(image))

    def layer_tree(self, image: str, index: int) -> list[TreeEntry]:
        """The names in one layer, sorted, with what it does to each: A added, C changed, D deleted.

        Raises InvalidArgument for an index that the image does not have.
        """
        from tuidock.engine.store import layer_tree

        return layer_tree.tree(self._record(image), index)

    def read_image_file(self, image: str, path: str, limit: int = 65536, index: int | None = None) -> bytes:
        """The beginning of a regular file: as the image shows it, or as one of its layers has it.

        Raises NotFound, InvalidArgument.
        """
        from tuidock.engine.store import layer_tree

        return layer_tree.read_file(self.instance.paths, self._record(image), path, limit, index)
