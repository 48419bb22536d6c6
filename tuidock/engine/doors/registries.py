"""Registries: pull, push, search, login, logout.

config.yaml and the credentials are read anew by each call, so an app that stays open sees what changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuidock.engine.doors.images import Images
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.types import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tuidock.engine.image_types import Login, SearchResult
    from tuidock.engine.oci.reference import Reference
    from tuidock.engine.registry.client import Registry


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

    def push(self, reference: str, *, all_tags: bool = False) -> Iterator[Progress]:
        """Sends an image to the registry in its name; the last progress of each tag has action `digest`.

        all_tags: every local tag of the repository. Raises NotFound, RegistryRefused, AuthFailed, BadContent.
        """
        from tuidock.engine.transfer import operations

        self._change("push an image")
        return self._noted(operations.push(self.instance.state, self.instance.paths, reference, all_tags=all_tags))

    def search(self, term: str, *, limit: int = 25, filters: Sequence[str] = ()) -> list[SearchResult]:
        """Repositories of docker.io for `TERM`, of another registry for `HOST/TERM`. Raises RegistryRefused."""
        from tuidock.engine.registry import searching
        from tuidock.engine.registry.session import Session

        if not 1 <= limit <= searching.LARGEST:
            raise InvalidArgument(f"limit {limit} is outside the range of [1, {searching.LARGEST}]")
        fits = searching.test_of(filters)
        host, words = searching.split(term)
        if host != "docker.io":
            with self._registry(host) as registry:
                found = searching.in_catalog(registry, words, limit)
        else:
            session = Session(searching.INDEX)
            try:
                found = searching.in_index(session, words, limit)
            finally:
                session.close()
        return [result for result in found if fits(result)]

    def catalog(self, server: str) -> list[str]:
        """Every repository of a registry that lists them. Raises RegistryRefused."""
        with self._registry(server) as registry:
            return registry.catalog()

    def tags(self, repository: str) -> list[str]:
        """Every tag of a repository, in order. Raises RegistryRefused."""
        wanted = _parse(repository)
        with self._registry(wanted.domain) as registry:
            return registry.tags(wanted.path)

    def login(self, server: str = "", username: str = "", password: str = "") -> Login:
        """Keeps credentials where docker keeps them, after the registry has accepted them ("" = docker.io).

        Without a name the stored ones are tried. Raises AuthFailed, RegistryRefused.
        """
        from tuidock.engine.registry import logging_in

        return logging_in.login(server, username, password)

    def logout(self, server: str = "") -> bool:
        """Forgets them; False when there were none."""
        from tuidock.engine.registry.keyring import Keyring, host_of

        return Keyring().forget(host_of(server or "docker.io"))

    def logins(self) -> list[Login]:
        """The registries that there are credentials for."""
        from tuidock.engine.registry.keyring import Keyring

        return Keyring().logins()

    def _registry(self, server: str) -> Registry:
        from tuidock.engine.registry.client import Registry
        from tuidock.engine.registry.keyring import host_of

        return Registry(host_of(server))


def _parse(text: str) -> Reference:
    from tuidock.engine.oci import Invalid
    from tuidock.engine.oci.reference import parse

    try:
        return parse(text)
    except Invalid as error:
        raise InvalidArgument(str(error)) from None
