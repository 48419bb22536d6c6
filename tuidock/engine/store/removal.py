"""rmi by docker's rules: what is only untagged, what goes, and who stands in the way.

A reference is untagged; with the last one the image goes too, unless a container needs it. An id removes the image with
all its tags when they are of one repository. -f overrides what stopped containers and several repositories object to,
never a running container. Images do not need the images that they were made from: what they share is their layers, which
are counted, so no child keeps a parent and no untagged parent goes with its child.
"""

from __future__ import annotations

from tuidock.engine.clean import clean
from tuidock.engine.errors import Conflict, InUse, NotFound
from tuidock.engine.events import append
from tuidock.engine.named import Named
from tuidock.engine.oci.reference import Reference, parse
from tuidock.engine.paths import Paths
from tuidock.engine.state import State
from tuidock.engine.store import collection, images, removed
from tuidock.engine.types import Removed, RemovedEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

_ACTIONS = {"Untagged": "untag", "Deleted": "delete"}


class User(Named):
    """A container that stands on an image."""

    name: str
    image_id: str
    running: bool


def remove(
    state: State, paths: Paths, text: str, users: Sequence[tuple[str, str, bool]], *, force: bool = False,
    keeping: removed.Keeping | None = None,
) -> list[Removed]:  # fmt: skip
    """Untags or removes. users: (container name, image id, running). Raises NotFound, InUse, Conflict.

    keeping: what goes stays in the trash, from which `restore` takes it back: the image is hidden, its layers stay.
    """
    known = [User(*user) for user in users]
    with state.write() as db:
        named = images.find_reference(db, text)
        if named is not None:
            image_id, done = named[0], _by_reference(state, db, named[0], named[1], known, force, keeping)
        else:
            image_id = images.find(db, text)
            if not db.execute("SELECT 1 FROM images WHERE id = ? AND loaded > 0", (image_id,)).fetchone():
                raise NotFound("image", text)
            done = _by_id(state, db, image_id, text, known, force, keeping)
    for one in done:
        if one.kind == "Untagged" or one.what == image_id:  # layers are nobody's news
            append(paths.journal, "image", _ACTIONS[one.kind], image_id, one.what)
    if keeping is None and any(one.kind == "Deleted" for one in done):
        collection.collect(state, paths)
    return done


def _by_reference(
    state: State, db: sqlite3.Connection, image_id: str, reference: Reference, users: Sequence[User], force: bool,
    keeping: removed.Keeping | None,
) -> list[Removed]:  # fmt: skip
    standing = [user for user in users if user.image_id == image_id]
    remaining = [one for one in images.references_of(db, image_id) if one != reference]
    taken = [reference]
    if all(one.digest for one in remaining if one.name == reference.name):
        # names by digest only stand beside the tags of their repository
        taken += [one for one in remaining if one.name == reference.name]
        remaining = [one for one in remaining if one.name != reference.name]
    tried = f'conflict: unable to remove repository reference "{reference.familiar}"'
    running = next((user for user in standing if user.running), None)
    if not remaining and standing and not force:
        raise InUse(
            f"{tried} (must force) - container {clean(standing[0].name)} is using its referenced image {image_id[7:19]}"
        )
    if not remaining and running is not None:  # docker would untag it, and leave an image that nobody can name
        raise InUse(
            f"{tried} (cannot be forced) - running container {clean(running.name)} is using its image"
            f" {image_id[7:19]}; stop it first"
        )
    if keeping is not None:
        _keep(db, keeping, image_id, taken, whole=not remaining)
    done = [_untag(db, one) for one in taken]
    if not remaining:
        done += _delete(state, db, image_id, hidden=bool(standing))
    return done


def _by_id(
    state: State, db: sqlite3.Connection, image_id: str, text: str, users: Sequence[User], force: bool,
    keeping: removed.Keeping | None,
) -> list[Removed]:  # fmt: skip
    standing = [user for user in users if user.image_id == image_id]
    tried = f"conflict: unable to delete {clean(text)}"
    running = next((user for user in standing if user.running), None)
    if running is not None:
        raise InUse(
            f"{tried} (cannot be forced) - image is being used by running container {clean(running.name)}; stop it first"
        )
    tags = images.references_of(db, image_id)
    if not force and len({tag.name for tag in tags}) > 1:
        named = ", ".join(tag.familiar for tag in tags)
        raise Conflict(f"{tried} (must be forced) - image is referenced in multiple repositories: {named}")
    if not force and standing:
        raise InUse(f"{tried} (must be forced) - image is being used by stopped container {clean(standing[0].name)}")
    if keeping is not None:
        _keep(db, keeping, image_id, tags, whole=True)
    return [_untag(db, tag) for tag in tags] + _delete(state, db, image_id, hidden=bool(standing))


def _untag(db: sqlite3.Connection, reference: Reference) -> Removed:
    db.execute("DELETE FROM image_references WHERE reference = ?", (str(reference),))
    return Removed("Untagged", reference.familiar)


def _keep(
    db: sqlite3.Connection, keeping: removed.Keeping, image_id: str, tags: Sequence[Reference], *, whole: bool
) -> None:
    """The entry in the trash: these references, and with `whole` the image."""
    references = [row for tag in tags for row in removed.rows_of(db, "image_references", "reference", str(tag))]
    loaded = db.execute("SELECT loaded FROM images WHERE id = ?", (image_id,)).fetchone()[0]
    name = tags[0].familiar if tags else image_id[7:19]
    document = {"image_references": references, "loaded": loaded if whole else 0}
    removed.add(db, keeping, removed.IMAGE, name, image_id, document, image_id=image_id)


def restore(db: sqlite3.Connection, entry: RemovedEntry, document: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Inside a transaction: an image or a tag of one that comes back from the trash; answers its name, and sentences about
    the names that belong to another image now. Raises Conflict when the image itself has gone."""
    if not db.execute("SELECT 1 FROM images WHERE id = ?", (entry.subject,)).fetchone():
        raise Conflict(f"image {entry.name} cannot come back: it has gone; pull it again")
    if document["loaded"]:
        db.execute("UPDATE images SET loaded = ? WHERE id = ? AND loaded = 0", (document["loaded"], entry.subject))
    name, remarks = "", []
    for row in document["image_references"]:
        known = parse(str(row["reference"])).familiar
        query = "SELECT image_id FROM image_references WHERE reference = ?"
        if removed.put_back(db, "image_references", [row]) or db.execute(query, (row["reference"],)).fetchone()[0] == (
            entry.subject
        ):
            db.execute("UPDATE images SET loaded = 1 WHERE id = ? AND loaded = 0", (entry.subject,))
            name = name or known
        else:
            remarks.append(f"the name {known} belongs to another image now, so it stays without")
    removed.forget(db, entry.id)
    return name or entry.subject[7:19], remarks


def _delete(state: State, db: sqlite3.Connection, image_id: str, *, hidden: bool) -> list[Removed]:
    """The image, and the layers that nothing else has, topmost first.

    hidden: stopped containers stand on it, so its row stays unseen until they have gone, as for the trash.
    """
    done = [Removed("Deleted", image_id)]
    if hidden:
        db.execute("UPDATE images SET loaded = 0 WHERE id = ?", (image_id,))
        return done
    layers = images.get(state, state.paths, image_id).layers
    rows = removed.rows_of(db, "images", "id", image_id)
    db.execute("DELETE FROM images WHERE id = ?", (image_id,))
    _, needed = collection.roots(state)
    if db.execute("SELECT 1 FROM removed WHERE image_id = ?", (image_id,)).fetchone():
        removed.put_back(db, "images", [{**row, "loaded": 0} for row in rows])
    return done + [Removed("Deleted", one.chain_id) for one in reversed(layers) if one.chain_id not in needed]
