"""What a person does with images: load, save, import, tag, remove. One door over the rooms that do it."""

from __future__ import annotations

from tuidock.engine.events import append
from tuidock.engine.files import refuse
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import images
from tuidock.engine.types import Progress, Removed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from tuidock.engine.store.removed import Keeping


def _told(work: Iterator[Progress], tried: str) -> Iterator[Progress]:
    """The work, with a refusal of the system (a full disk, an unreadable source) as a sentence."""
    try:
        yield from work
    except OSError as error:
        raise refuse(error, tried) from error


def load(state: State, paths: Paths, source: BinaryIO) -> Iterator[Progress]:
    """See `loading.load`."""
    from tuidock.engine.store import loading

    return _told(loading.load(state, paths, source), "load the archive")


def save(state: State, paths: Paths, references: Sequence[str], target: BinaryIO) -> None:
    """See `saving.save`."""
    from tuidock.engine.store import saving

    try:
        saving.save(state, paths, references, target)
    except BrokenPipeError:  # who reads the archive has had enough, and knows it
        raise
    except OSError as error:
        raise refuse(error, f"save {', '.join(references)}") from error


def import_image(
    state: State, paths: Paths, source: BinaryIO, reference: str = "", message: str = "", changes: Sequence[str] = (),
    *, platform: str = "",
) -> Iterator[Progress]:  # fmt: skip
    """See `importing.import_image`."""
    from tuidock.engine.store import importing

    work = importing.import_image(state, paths, source, reference, message, changes, platform=platform)
    return _told(work, "import the tar")


def tag(state: State, paths: Paths, source: str, target: str) -> None:
    """Another name for an image. Raises NotFound, AmbiguousId, InvalidArgument."""
    record = images.resolve(state, paths, source)
    reference = images.parse_reference(target)
    if reference.digest:
        from tuidock.engine.errors import InvalidArgument

        raise InvalidArgument(f"cannot tag with {target}: a digest cannot be chosen, give name:tag")
    with state.write() as db:
        images.set_reference(db, reference, record.id, images.digest_of(db, source) or record.manifest_digest)
    append(paths.journal, "image", "tag", record.id, reference.familiar, labels=record.labels)


def remove(
    state: State,
    paths: Paths,
    reference: str,
    users: Sequence[tuple[str, str, bool]],
    *,
    force: bool = False,
    no_prune: bool = False,
    keeping: Keeping | None = None,
) -> list[Removed]:
    """See `removal.remove`."""
    from tuidock.engine.store import removal

    return removal.remove(state, paths, reference, users, force=force, keeping=keeping)


def collect(state: State, paths: Paths) -> tuple[int, int]:
    """See `collection.collect`."""
    from tuidock.engine.store import collection

    return collection.collect(state, paths)
