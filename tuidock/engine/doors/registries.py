"""Registries: pull, push, search, login, logout."""

from __future__ import annotations

from tuidock.engine.doors.images import Images
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Registries(Images):
    """What comes from registries and goes to them."""

    def pull(self, reference: str, *, platform: str = "", all_tags: bool = False) -> Iterator[Progress]:
        """An image by its name, tag or digest; host/base is made from this machine's own programs.

        subject is the first 12 digits of a layer's digest, action what docker shows in other words: waiting, downloading,
        verifying, downloaded, extracting, pulled, exists, retrying (message: why). Before them comes `pulling` (tag or
        digest; message: repository), behind them `digest` (full reference; message: the digest) and `pulled-image`
        (familiar reference; message: "Downloaded newer image" or "Image is up to date").
        """
        from tuidock.engine.transfer import operations

        self._change("pull an image")
        return self._noted(
            operations.pull(self.instance.state, self.instance.paths, reference, platform=platform, all_tags=all_tags)
        )
