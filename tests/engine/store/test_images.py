"""Names, ids and docker's rules of removal."""

from __future__ import annotations

import pytest

from tests.engine.store.archives import docker_archive, layer
from tests.engine.store.conftest import Store
from tuidock.engine.errors import AmbiguousId, Conflict, InUse, InvalidArgument, NotFound
from tuidock.engine.oci import reference as references
from tuidock.engine.store import images, operations
from tuidock.engine.types import Removed

ONE, TWO, THREE = (layer({"file": text}) for text in (b"one", b"two2", b"three"))


@pytest.fixture
def demo(store: Store) -> str:
    """One image under one name; its id."""
    store.load(docker_archive([([ONE, TWO], ["demo:1"])]))
    return images.resolve(store.state, store.paths, "demo:1").id


def remove(
    store: Store, text: str, users: list[tuple[str, str, bool]] | None = None, force: bool = False
) -> list[Removed]:
    return operations.remove(store.state, store.paths, text, users or [], force=force)


def add_container(store: Store, image_id: str) -> None:
    columns = [row[1] for row in store.state.read().execute("PRAGMA table_info(containers)")]
    values = {"id": "c" * 64, "name": "user", "image_id": image_id}
    with store.state.write() as db:
        db.execute(
            f"INSERT INTO containers({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [values.get(column, 0 if column in ("created", "generation") else "") for column in columns],
        )


# --- resolving


def test_an_image_is_found_by_every_name_it_has(store: Store, demo: str) -> None:
    digest = images.resolve(store.state, store.paths, demo).manifest_digest
    for text in ("demo:1", "docker.io/library/demo:1", demo, demo[7:], demo[7:19], demo[:15], f"demo@{digest}"):
        assert images.resolve(store.state, store.paths, text).id == demo


@pytest.mark.parametrize("text", ["demo", "demo:2", "", "f" * 64, "sha256:" + "f" * 64, "UPPER", "../x", "zzz"])
def test_what_names_nothing_is_not_found(store: Store, demo: str, text: str) -> None:
    with pytest.raises(NotFound):
        images.resolve(store.state, store.paths, text)


def test_the_message_tells_the_tag_that_was_meant(store: Store) -> None:
    with pytest.raises(NotFound, match="No such image: nothing:latest"):
        images.resolve(store.state, store.paths, "nothing")


def test_a_prefix_of_several_ids_is_ambiguous(store: Store) -> None:
    store.load(docker_archive([([layer({"f": b"%d" % number})], []) for number in range(20)]))
    ids = [image.id for image in images.list_images(store.state, {})]
    twice = next(prefix for prefix in "0123456789abcdef" if sum(one[7:].startswith(prefix) for one in ids) > 1)
    with pytest.raises(AmbiguousId):
        images.resolve(store.state, store.paths, twice)


def test_a_name_wins_over_an_id_that_starts_the_same(store: Store, demo: str) -> None:
    store.load(docker_archive([([THREE], ["other"])]))
    other = images.resolve(store.state, store.paths, "other").id
    operations.tag(store.state, store.paths, "other", demo[7:13])
    assert images.resolve(store.state, store.paths, demo[7:13]).id == other


# --- tagging


def test_a_tag_is_another_name(store: Store, demo: str) -> None:
    operations.tag(store.state, store.paths, "demo:1", "registry.example:5000/a/b")
    assert images.list_images(store.state, {demo: 3})[0].references == ("demo:1", "registry.example:5000/a/b:latest")
    assert images.list_images(store.state, {demo: 3})[0].containers == 3


@pytest.mark.parametrize("target", ["UPPER", "a b", "demo@sha256:" + "0" * 64])
def test_a_bad_tag_is_refused(store: Store, demo: str, target: str) -> None:
    with pytest.raises(InvalidArgument):
        operations.tag(store.state, store.paths, "demo:1", target)


# --- views


def test_inspect_has_dockers_keys(store: Store, demo: str) -> None:
    document = images.inspect(store.state, store.paths, "demo:1")
    assert document["Id"] == demo and document["RepoTags"] == ["demo:1"]
    assert document["Config"]["Cmd"] == ["sh"] and document["Architecture"] == "amd64" and document["Os"] == "linux"
    assert document["Created"] == "2024-01-02T03:04:05.678Z" and document["Size"] == 7
    assert document["RootFS"]["Type"] == "layers" and len(document["RootFS"]["Layers"]) == 2
    assert document["Descriptor"]["digest"] == document["RepoDigests"][0].partition("@")[2]


def test_history_is_newest_first_with_the_sizes_of_its_layers(store: Store, demo: str) -> None:
    steps = images.history(store.state, store.paths, "demo:1")
    assert [(step["CreatedBy"], step["Size"]) for step in steps] == [("step 1", 4), ("step 0", 3)]
    assert (steps[0]["Id"], steps[0]["Tags"], steps[1]["Id"]) == (demo, ["demo:1"], "<missing>")


def test_history_without_entries_still_shows_the_layers(store: Store) -> None:
    store.load(docker_archive([([ONE, TWO], ["bare"])], history=[]))
    assert [step["Size"] for step in images.history(store.state, store.paths, "bare")] == [4, 3]


# --- removing by reference


def test_the_last_name_takes_the_image_and_its_files(store: Store, demo: str) -> None:
    chain = [layer.chain_id for layer in images.resolve(store.state, store.paths, "demo:1").layers]
    assert remove(store, "demo:1") == [
        Removed("Untagged", "demo:1"),
        Removed("Deleted", demo),
        Removed("Deleted", chain[1]),
        Removed("Deleted", chain[0]),
    ]
    assert store.is_empty()


def test_one_of_several_names_is_only_untagged(store: Store, demo: str) -> None:
    operations.tag(store.state, store.paths, "demo:1", "demo:2")
    assert remove(store, "demo:1") == [Removed("Untagged", "demo:1")]
    assert images.resolve(store.state, store.paths, "demo:2").id == demo


def test_shared_layers_stay_for_the_other_image(store: Store, demo: str) -> None:
    store.load(docker_archive([([ONE], ["base"])]))
    top = images.resolve(store.state, store.paths, "demo:1").top_chain_id
    assert [one.what for one in remove(store, "demo:1")][2:] == [top]
    assert len(store.names("snapshots")) == 1
    assert store.problems() == []


@pytest.mark.parametrize("running", [True, False])
def test_the_last_name_of_a_used_image_needs_force(store: Store, demo: str, running: bool) -> None:
    with pytest.raises(
        InUse, match=r"unable to remove repository reference \"demo:1\" \(must force\) - container user"
    ):
        remove(store, "demo:1", [("user", demo, running)])
    assert images.resolve(store.state, store.paths, "demo:1").id == demo


@pytest.mark.parametrize("by_digest", [True, False])
def test_the_last_name_of_an_image_that_runs_stays(store: Store, demo: str, by_digest: bool) -> None:
    if by_digest:  # such a name does not count beside the last tag of its repository
        with store.state.write() as db:
            images.set_reference(db, references.parse(f"demo@sha256:{'ab' * 32}"), demo, f"sha256:{'ab' * 32}")
    names = images.list_images(store.state, {})[0].references
    with pytest.raises(
        InUse, match=r"cannot be forced\) - running container user is using its image .*; stop it first"
    ):
        remove(store, "demo:1", [("user", demo, True)], force=True)
    assert images.list_images(store.state, {})[0].references == names
    operations.tag(store.state, store.paths, "demo:1", "other:1")
    assert remove(store, "demo:1", [("user", demo, True)])[0] == Removed("Untagged", "demo:1")


def test_force_hides_an_image_from_people_but_not_from_its_stopped_container(store: Store, demo: str) -> None:
    add_container(store, demo)
    done = remove(store, "demo:1", [("user", demo, False)], force=True)
    assert done == [Removed("Untagged", "demo:1"), Removed("Deleted", demo)]
    assert images.list_images(store.state, {}) == []
    with pytest.raises(NotFound):
        images.resolve(store.state, store.paths, demo[:20])
    assert images.resolve(store.state, store.paths, demo).lower
    assert store.problems() == []
    with store.state.write() as db:
        db.execute("DELETE FROM containers")
    assert operations.collect(store.state, store.paths)[0] > 0
    assert store.is_empty()


def test_loading_a_hidden_image_again_shows_it(store: Store, demo: str) -> None:
    add_container(store, demo)
    remove(store, "demo:1", [("user", demo, False)], force=True)
    store.load(docker_archive([([ONE, TWO], ["demo:1"])]))
    assert [image.id for image in images.list_images(store.state, {})] == [demo]


# --- removing by id


def test_an_id_takes_all_tags_of_one_repository(store: Store, demo: str) -> None:
    operations.tag(store.state, store.paths, "demo:1", "demo:2")
    assert [one.what for one in remove(store, demo[7:19])][:3] == ["demo:1", "demo:2", demo]
    assert store.is_empty()


def test_an_id_with_several_repositories_needs_force(store: Store, demo: str) -> None:
    operations.tag(store.state, store.paths, "demo:1", "other:1")
    with pytest.raises(Conflict, match="referenced in multiple repositories: demo:1, other:1"):
        remove(store, demo)
    assert [one.kind for one in remove(store, demo, force=True)[:3]] == ["Untagged", "Untagged", "Deleted"]
    assert store.is_empty()


@pytest.mark.parametrize("force", [True, False])
def test_an_id_in_use_by_a_running_container_is_never_removed(store: Store, demo: str, force: bool) -> None:
    with pytest.raises(InUse, match="cannot be forced"):
        remove(store, demo, [("user", demo, True)], force=force)


def test_an_id_in_use_by_a_stopped_container_needs_force(store: Store, demo: str) -> None:
    with pytest.raises(InUse, match="must be forced"):
        remove(store, demo, [("user", demo, False)])
    add_container(store, demo)
    assert remove(store, demo, [("user", demo, False)], force=True)[-1] == Removed("Deleted", demo)


def test_nothing_is_collected_while_somebody_loads(store: Store, demo: str) -> None:
    from tuidock.engine.store.content import ContentStore

    content = ContentStore(store.paths)
    with content.lease():
        orphan = content.put(b"not yet referred to")
        remove(store, "demo:1")
        assert content.has(orphan)
    operations.collect(store.state, store.paths)
    assert store.is_empty()
