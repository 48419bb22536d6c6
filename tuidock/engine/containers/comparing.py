"""diff: what a container has changed of its image, and what differs between images (or a container and an image)."""

from __future__ import annotations

import os

from tuidock.engine.containers import rootfs, rows
from tuidock.engine.containers.layers import Place, place_of, stubs_of
from tuidock.engine.errors import NotFound
from tuidock.engine.files import refuse
from tuidock.engine.image_types import Change
from tuidock.engine.instance import Instance
from tuidock.engine.store import differences, images, merged
from tuidock.engine.store.layer_tree import Roots
from tuidock.engine.store.levels import Directory
from tuidock.engine.types import Container


def diff(instance: Instance, container: Container) -> list[Change]:
    """By path, as `docker diff` tells it. Mountpoints that every container has do not count."""
    place = place_of(instance, container)
    with Roots() as roots:
        if place.plain:
            stubs = rootfs.with_init_layer(instance.paths, place.image.top_chain_id, place.lower)
            trees = Directory(roots.of(stubs)), Directory(roots.of((place.plain,)))
            omit = stubs_of(instance, container, place)
            return differences.of_trees(*trees, omit, omit)
        upper = _upper(place, container)
        try:
            below = Directory(roots.of(place.lower)) if place.lower else None
            return differences.of_layer(Directory((upper,)), below, stubs_of(instance, container, place))
        finally:
            os.close(upper)


def _upper(place: Place, container: Container) -> int:
    try:
        return merged.sealed(place.upper)
    except FileNotFoundError:
        raise NotFound("container", container.name) from None
    except OSError as error:
        raise refuse(error, f"look at the files of container {container.name}") from error


def diff_images(instance: Instance, old: str, new: str) -> list[Change]:
    """What has to be done to the one to have the other. Each is an image or, failing that, a container."""
    with Roots() as roots:
        before, omit_old = _tree(instance, roots, old)
        after, omit_new = _tree(instance, roots, new)
        return differences.of_trees(before, after, omit_old, omit_new)


def _tree(instance: Instance, roots: Roots, text: str) -> tuple[Directory, frozenset[str]]:
    try:
        return Directory(roots.of(images.resolve(instance.state, instance.paths, text).lower)), frozenset()
    except NotFound as error:
        try:
            container = rows.one_container(instance, rows.resolve(instance.state.read(), text))
        except NotFound:
            raise error from None
    place = place_of(instance, container)
    directories = (place.plain,) if place.plain else (place.upper, *place.lower)
    return Directory(roots.of(directories)), frozenset(stubs_of(instance, container, place))
