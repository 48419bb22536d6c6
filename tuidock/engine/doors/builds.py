"""Builds: images from Dockerfiles, and the cache that they fill."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from tuidock.engine.doors.registries import Registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from tuidock.engine.build.exporting import Target
    from tuidock.engine.image_types import BuildEvent, BuildRequest, CacheEntry
    from tuidock.engine.types import Progress


class Builds(Registries):
    """Images from Dockerfiles."""

    def build(
        self, request: BuildRequest, source: BinaryIO | None = None, target: Target | None = None
    ) -> Generator[BuildEvent, None, None]:
        """News of the build as it goes on; the last one is `built` with the image's id. Closing it cancels the build.

        source: a context or Dockerfile given as "-". target: where the files of the result go, a directory or what opens
        a file for their tar; without a name no image is kept then. Raises BuildFailed when a step fails.
        """
        from tuidock.engine.build.building import build

        self._change("build")
        return self._built(build(self.instance, request, source, self._pulled, self._note, target))

    def _built(self, work: Generator[BuildEvent, None, None]) -> Generator[BuildEvent, None, None]:
        from tuidock.engine.files import refuse

        try:
            yield from work
        except OSError as error:
            raise refuse(error, "build") from error

    def _pulled(self, reference: str, platform: str) -> Iterator[Progress]:
        return self.pull(reference, platform=platform)

    def keep_step(self, key: str) -> str:
        """The id of an untagged image of the last good state of a build: `keep` of BuildFailed. Raises NotFound."""
        from tuidock.engine.build.result import keep

        self._change("keep a build step")
        image_id = keep(self.instance, key)
        self._note()
        return image_id

    def build_cache(self) -> list[CacheEntry]:
        """What builds have left for the next ones, last used first."""
        from tuidock.engine.build.cache import entries

        return entries(self.instance.state, self.instance.paths)

    def prune_builds(
        self, *, all: bool = False, keep_bytes: int = 0, older_than: int = 0, filters: Sequence[str] = ()
    ) -> tuple[list[str], int]:
        """Removes cache entries, the longest unused first; answers their ids and the bytes. What images or builds use
        stays (all: only what builds use). older_than: seconds without use; filters: `type=RUN` and so on, `until=...`."""
        from tuidock.engine.build import pruning
        from tuidock.engine.events import append

        self._change("prune the build cache")
        done = pruning.prune(self.instance, all_=all, keep_bytes=keep_bytes, older_than=older_than, filters=filters)
        append(self.instance.paths.journal, "builder", "prune", "", reclaimed=str(done[1]))
        return done
