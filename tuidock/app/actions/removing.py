"""Removing rows: what goes is said in words before it goes, by docker's rules for each kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuidock.app.actions.changes import ALIVE, listed, named, targets, with_status
from tuidock.app.model import CONTAINERS, IMAGES, NETWORKS, VOLUMES, Row, row_id, row_name
from tuidock.app.panes import NOUNS
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Container, Image, Volume

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.screens.main import MainScreen

#: Behind what a removal takes along.
BACK, GONE = mark("u brings it back."), mark("It is gone for good: the trash keeps nothing.")
REMOVED = mark("removed; u undoes it")


def afterwards() -> str:
    """Whether it can come back, by `trash:` in config.yaml."""
    from tuidock.engine.options.settings import trash_limits

    return tr(BACK if trash_limits()[0] > 0 else GONE)


def new_batch() -> str:
    """A name under which all that one removal takes comes back together."""
    return os.urandom(6).hex()


class Removing:
    """See `actions/__init__.py`."""

    screen: MainScreen
    app: TuidockApp

    def row_remove(self, rows: list[Row]) -> None:
        self._remove(rows, force=False)

    def row_force(self, rows: list[Row]) -> None:
        self._remove(rows, force=True)

    def image_untag(self, rows: list[Row]) -> None:
        """Takes one name from an image; the last one takes the image along, so that is asked."""
        row = rows[0]
        assert isinstance(row, Image)
        if len(row.references) > 1:
            self._which_name(row, False)
        else:
            self._remove_images([row], False)

    def _remove(self, rows: list[Row], force: bool) -> None:
        kind = self.screen.kind if rows and row_id(rows[0]) in self.app.model.rows[self.screen.kind] else kind_of(rows)
        if kind == NETWORKS:
            self._remove_networks(rows)
        elif kind == IMAGES:
            images = [row for row in rows if isinstance(row, Image)]
            if len(images) == 1 and len(images[0].references) > 1 and not force:
                self._which_name(images[0], True)
            else:
                self._remove_images(images, force)
        elif kind == VOLUMES:
            self._remove_volumes(rows, force)
        else:
            self._remove_containers(rows, force)

    def _ask(
        self, rows: list[Row], kind: str, force: bool, lines: list[str], choices: list[Any], expect: str,
        refuse: Callable[[frozenset[str]], str], then: Callable[[frozenset[str]], None],
    ) -> None:  # fmt: skip
        from tuidock.app.screens.confirm import Answer, ConfirmScreen

        def answered(answer: Answer | None) -> None:
            if answer is not None:
                then(answer.ticked)

        verb = "Force remove" if force else "Remove"
        noun = NOUNS[kind] if len(rows) == 1 else ""
        title = f"{verb} {noun} {named(rows, kind)}?".replace("  ", " ")
        self.app.push_screen(
            ConfirmScreen(title, lines, yes=tr("remove"), choices=choices, expect=expect, refuse=refuse), answered
        )

    # -- containers, volumes --------------------------------------------------------------------------------------

    def _remove_containers(self, rows: list[Row], force: bool) -> None:
        from tuidock.app.screens.confirm import Choice

        alive = with_status(rows, *ALIVE)
        lines = listed(rows) if len(rows) > 1 else []
        if len(rows) == 1 and isinstance(rows[0], Container):
            lines.append(
                tr(
                    "It is {status}; its writable layer and its logs go with it. {afterwards}",
                    status=rows[0].status,
                    afterwards=afterwards(),
                )
            )
        elif alive:
            lines.append(tr("{count} of them still run.", count=len(alive)))
        if len(rows) > 1:
            lines.append(afterwards())
        choices = [
            Choice("f", "force: stop what runs (SIGKILL)", force),
            Choice("v", "remove its anonymous volumes, too"),
            Choice("g", "for good, without the trash"),
        ]

        def refuse(ticked: frozenset[str]) -> str:
            if not alive or "f" in ticked:
                return ""
            state = getattr(alive[0], "status", "running")
            who = f"{clean(row_name(alive[0]))} is {state}" if len(alive) == 1 else f"{len(alive)} still run"
            return tr("{who}: press f to remove by force, or stop it first.", who=who)

        def remove(ticked: frozenset[str]) -> None:
            hard, volumes, now = "f" in ticked, "v" in ticked, "g" in ticked
            batch = new_batch()

            def call(engine: Any, ref: str) -> None:
                for _, error in engine.remove_many([ref], force=hard, volumes=volumes, now=now, batch=batch):
                    if error is not None:
                        raise error

            self.app.engine_workers.move("removed" if now else REMOVED, targets(rows), call)

        self._ask(rows, CONTAINERS, force, lines, choices, "", refuse, remove)

    def _remove_volumes(self, rows: list[Row], force: bool) -> None:
        # Force does not help: the engine removes no volume from under a container, so that nobody need type its name.
        used = [row for row in rows if isinstance(row, Volume) and row.users]
        if used and len(used) == len(rows):
            users = ", ".join(dict.fromkeys(clean(user) for row in used for user in row.users))
            self.app.say(
                tr("{name} is in use by {users}: remove them first.", name=named(rows, VOLUMES), users=users), "warning"
            )
            return
        lines = listed(rows) if len(rows) > 1 else []
        if used:
            names = ", ".join(clean(row.name) for row in used)
            lines.append(tr("In use, so they stay: {names}.", names=names))
        lines.append(afterwards())
        expect = clean(row_name(rows[0])) if len(rows) == 1 else str(len(rows))
        if len(rows) > 1:
            lines.append(tr("Type {count} to confirm.", count=len(rows)))

        def remove(ticked: frozenset[str]) -> None:
            batch = new_batch()
            self.app.engine_workers.move(
                REMOVED, targets(rows), lambda engine, ref: engine.remove_volume(ref, force=force, batch=batch)
            )

        self._ask(rows, VOLUMES, force, lines, [], expect, lambda ticked: "", remove)

    def _remove_networks(self, rows: list[Row]) -> None:
        lines = listed(rows) if len(rows) > 1 else []
        lines.append(
            tr("Containers that do not run lose their places in it.")
            if len(rows) == 1
            else tr("Containers that do not run lose their places in them.")
        )

        def remove(ticked: frozenset[str]) -> None:
            self.app.engine_workers.move("removed", targets(rows), lambda engine, ref: engine.remove_network(ref))

        self._ask(rows, NETWORKS, False, lines, [], "", lambda ticked: "", remove)

    # -- images ---------------------------------------------------------------------------------------------------

    def _which_name(self, image: Image, whole: bool) -> None:
        """An image with several names: which of them goes, or the image with all of them."""
        from tuidock.app.screens.picker import Choice, PickerScreen

        choices = [Choice(clean(each), each, tr("only this name; the image stays")) for each in image.references]
        if whole:
            choices.append(Choice(tr("all names and the image"), "", tr("{count} names", count=len(image.references))))

        def chosen(reference: str | None) -> None:
            if reference == "":
                self._remove_images([image], True)
            elif reference:
                self.app.engine_workers.move(
                    "untagged", [(reference, clean(reference))], lambda engine, ref: engine.remove_image(ref)
                )

        self.app.push_screen(
            PickerScreen(tr("Remove which name of {short_id}?", short_id=image.short_id), choices), chosen
        )

    def _remove_images(self, images: list[Image], force: bool) -> None:
        from tuidock.app.screens.confirm import Choice

        users = {row.id: self._users_of(row) for row in images}
        running = [each for row in images for each in users[row.id] if each.status in ALIVE]
        stopped = [each for row in images for each in users[row.id] if each.status not in ALIVE]
        rows: list[Row] = list(images)
        lines = listed(rows) if len(images) > 1 else [image_words(images[0])]
        if stopped and len(images) == 1:
            names = ", ".join(clean(each.name) for each in stopped[:4])
            lines.append(
                tr(
                    "It is in use by containers: {names}. With force they stay, but cannot be started again.",
                    names=names,
                )
            )
        elif any(row.containers for row in images):
            count = sum(1 for row in images if row.containers)
            lines.append(
                tr("It is in use by containers.")
                if len(images) == 1
                else tr("{count} are in use by containers.", count=count)
            )
        choices = [Choice("f", "force: every name goes, also when stopped containers use it", force)]

        def refuse(ticked: frozenset[str]) -> str:
            if running:
                return tr(
                    "{name} runs on it: stop and remove that first; force does not help.", name=clean(running[0].name)
                )
            return ""

        def remove(ticked: frozenset[str]) -> None:
            hard, batch = "f" in ticked, new_batch()
            self.app.engine_workers.move(
                REMOVED, removal_targets(images, hard),
                lambda engine, ref: engine.remove_image(ref, force=hard, batch=batch),
            )  # fmt: skip

        self._ask(rows, IMAGES, force, lines, choices, "", refuse, remove)

    def _users_of(self, image: Image) -> list[Container]:
        return [row for row in self.app.model.containers().values() if row.image_id == image.id]


def image_words(image: Image) -> str:
    """What removing it takes along."""
    if not image.references:
        return tr("It has no name; its layers go unless other images share them.")
    if len(image.references) == 1:
        return tr("This is its only name, so the image goes with it; layers that other images share stay.")
    return tr("It has {count} names, and all of them go with it.", count=len(image.references))


def removal_targets(images: list[Image], force: bool) -> list[tuple[str, str]]:
    """An image is removed by its name, so that the name is what goes; by its id when all names are to go."""
    found = []
    for row in images:
        single = len(row.references) == 1 and not force
        found.append((row.references[0] if single else row.id, clean(row_name(row))))
    return found


def kind_of(rows: list[Row]) -> str:
    if not rows or isinstance(rows[0], Container):
        return CONTAINERS
    return IMAGES if isinstance(rows[0], Image) else VOLUMES if isinstance(rows[0], Volume) else NETWORKS
