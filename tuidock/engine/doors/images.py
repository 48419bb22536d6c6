"""Images: list, load, save, import, tag, remove."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from tuidock.engine.doors.base import LIVING, Door
from tuidock.engine.errors import NotFound
from tuidock.engine.events import append
from tuidock.engine.types import Image, Progress, Removed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from tuidock.engine.types import Container


#: How often long work looks whether the disk gets full (s).
_LOOK = 0.5


class Images(Door):
    """The image store of this data root."""

    def images(self, all: bool = False) -> list[Image]:
        """Newest first, dangling ones included."""
        from tuidock.engine.store import images

        used: dict[str, int] = {}
        for (image_id,) in self.instance.state.read().execute("SELECT image_id FROM containers"):
            used[image_id] = used.get(image_id, 0) + 1
        return images.list_images(self.instance.state, used)

    def image(self, reference: str) -> Image:
        """By reference, id or prefix. Raises NotFound."""
        from tuidock.engine.store import images

        found = images.resolve(self.instance.state, self.instance.paths, reference)
        for image in self.images():
            if image.id == found.id:
                return image
        raise NotFound("image", reference)

    def with_current_images(self, containers: Sequence[Container]) -> list[Container]:
        """The same containers, with the image's id in the place of a name that stands for another image now, or for none:
        they go on with what they were made from."""
        from tuidock.engine.store.lookup import normalised

        db, now = self.instance.state.read(), {}
        for name in {container.image for container in containers}:
            row = db.execute(
                "SELECT image_id FROM image_references WHERE reference = ?", (normalised(name),)
            ).fetchone()
            now[name] = str(row[0]) if row else ""

        def is_current(container: Container) -> bool:
            name, image_id = container.image, container.image_id
            return now[name] == image_id or "@" in name or image_id.startswith((name, "sha256:" + name))

        return [one if is_current(one) else one._replace(image=one.image_id) for one in containers]

    def image_sizes(self) -> Mapping[str, tuple[int, int]]:
        """By id: bytes of layers that other images have too, and bytes of its own."""
        from tuidock.engine.store import sharing

        return sharing.sizes(self.instance.state, self.instance.paths).by_image

    def images_size(self) -> int:
        """Bytes of all layers of images; what several images have counts once, as in `system df`."""
        from tuidock.engine.store import sharing

        return sharing.sizes(self.instance.state, self.instance.paths).total

    def inspect_image(self, reference: str) -> dict[str, Any]:
        """docker's JSON."""
        from tuidock.engine.store import images

        return images.inspect(self.instance.state, self.instance.paths, reference)

    def history(self, reference: str) -> list[dict[str, Any]]:
        """Newest step first, docker's keys."""
        from tuidock.engine.store import images

        return images.history(self.instance.state, self.instance.paths, reference)

    def load(self, source: BinaryIO) -> Iterator[Progress]:
        """Images of a docker or OCI archive; the last progress of each has action `loaded`."""
        from tuidock.engine.store import operations

        self._change("load images")
        return self._noted(operations.load(self.instance.state, self.instance.paths, source))

    def save(self, references: Sequence[str], target: BinaryIO) -> None:
        """Writes an archive that docker, podman and skopeo read."""
        from tuidock.engine.store import operations

        operations.save(self.instance.state, self.instance.paths, references, target)

    def import_image(
        self,
        source: BinaryIO,
        reference: str = "",
        message: str = "",
        changes: Sequence[str] = (),
        *,
        platform: str = "",
    ) -> Iterator[Progress]:
        """An image from a tar of a root file system; the last progress has action `imported` and the id."""
        from tuidock.engine.store import operations

        self._change("import an image")
        state, paths = self.instance.state, self.instance.paths
        return self._noted(
            operations.import_image(state, paths, source, reference, message, changes, platform=platform)
        )

    def tag(self, source: str, target: str) -> None:
        """Another name for an image."""
        from tuidock.engine.store import operations

        self._change("tag an image")
        operations.tag(self.instance.state, self.instance.paths, source, target)
        self._note()

    def remove_image(
        self, reference: str, force: bool = False, no_prune: bool = False, *, now: bool = False, batch: str = ""
    ) -> list[Removed]:
        """docker's rules: a tag that is not the last only untags. It goes to the trash; now: for good.

        Raises InUse, Conflict.
        """
        from tuidock.engine.store import operations

        self._change("remove an image")
        keeping = self._keeping(now, batch)
        state, paths = self.instance.state, self.instance.paths
        removed = operations.remove(
            state, paths, reference, self._users(), force=force, no_prune=no_prune, keeping=keeping
        )
        self._note()
        self._limit_trash(keeping)
        return removed

    def _users(self) -> list[tuple[str, str, bool]]:
        from tuidock.engine.containers import rows

        return [(c.name, c.image_id, c.status in LIVING) for c in rows.list_containers(self.instance)]

    def prune_images(self, *, all: bool = False, filters: Sequence[str] = ()) -> tuple[list[Removed], int]:
        """Removes what no container uses: images without a name, with `all` the others too.

        filters: until=, label=, label!=. Answers what went, and the bytes of layers that came free.
        """
        from tuidock.engine.store import pruning

        self._change("prune images")
        done = pruning.prune(self.instance.state, self.instance.paths, self._users(), all=all, filters=filters)
        append(self.instance.paths.journal, "image", "prune", "", reclaimed=str(done[1]))
        self._note()
        return done

    def _noted(self, work: Iterator[Progress]) -> Iterator[Progress]:
        """The work, and then the index beside the blobs, from which a rebuild learns the images' names.

        When it fills the disk the trash makes room meanwhile.
        """
        looked = time.monotonic()
        try:
            for step in work:
                yield step
                if time.monotonic() - looked > _LOOK:
                    looked = time.monotonic()
                    self._make_room()
        finally:
            getattr(work, "close", int)()
            self._note()

    def _note(self) -> None:
        from tuidock.engine.store import index

        index.write(self.instance.state, self.instance.paths)
