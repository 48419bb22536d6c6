"""The half of the engine in memory that is about images: store, registries, builds, layers.

Long operations are scripts: lists of progress with HOLD in between, where they wait for a test that has put a gate
there, so that a picture is taken of a pull that is half done.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from tests.fakes.scripts import (
    BASE_TREE,
    BUILD_SOURCE,
    HOLD,
    build_events,
    pull_progress,
    push_progress,
    sample_cache,
    sample_history,
    sample_layers,
    sample_search,
    sample_trees,
)
from tests.fakes.values import NOW, SECOND, identity
from tuidock.engine.errors import AuthFailed, BuildFailed, InUse, NotFound, RegistryRefused
from tuidock.engine.image_types import BuildRequest, CacheEntry, Change, LayerInfo, Login, SearchResult, TreeEntry
from tuidock.engine.types import Image, Progress, Removed

__all__ = ["BASE_TREE", "BUILD_SOURCE", "IMAGE_NUMBERS", "ImageDoors"]

IMAGE_NUMBERS = {"nginx:1.27": 200, "postgres:16": 201, "app:dev": 202, "redis:7": 203, "busybox:latest": 204}


def sample_images() -> list[Image]:
    rows = [
        ("nginx:1.27", 187, 1),
        ("postgres:16", 432, 1),
        ("app:dev", 243, 3),
        ("redis:7", 117, 1),
        ("busybox:latest", 4, 1),
        ("", 88, 0),
    ]
    return [
        Image(
            "sha256:" + identity(200 + at),
            (name,) if name else (),
            (),
            NOW - (at + 2) * 86400 * SECOND,
            size * 1_000_000,
            {},
            users,
        )
        for at, (name, size, users) in enumerate(rows)
    ]


class ImageDoors:
    """Mixed into the engine in memory."""

    image_rows: list[Image]
    rows: dict[str, Any]
    _enter: Any
    emit: Any
    _find: Any
    put_in_trash: Any

    def _make_images(self, empty: bool) -> None:
        self.image_rows = [] if empty else sample_images()
        self.login_rows = [] if empty else [Login("registry.example", "dev"), Login("", "octo", "pass")]
        self.cache_rows = [] if empty else sample_cache()
        self.gates: dict[str, threading.Event] = {}
        self.files = {"etc/nginx/nginx.conf": b"worker_processes auto;\nhttp {\n\tserver { listen 80; }\n}\n"}

    def _play(self, method: str, steps: Sequence[Any]) -> Iterator[Any]:
        for step in steps:
            if step is HOLD:
                if method in self.gates:
                    assert self.gates[method].wait(30)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step

    # -- store ------------------------------------------------------------------------------------------------

    def images(self, all: bool = False) -> list[Image]:
        self._enter("images")
        return list(self.image_rows)

    def images_size(self) -> int:
        self._enter("images_size")
        return sum(row.size for row in self.image_rows)

    def image(self, ref: str) -> Image:
        for row in self.image_rows:
            if ref in (row.id, row.short_id, *row.references):
                return row
        raise NotFound("image", ref)

    def inspect_image(self, ref: str) -> dict[str, Any]:
        self._enter("inspect_image", ref)
        row = self.image(ref)
        return {"Id": row.id, "RepoTags": list(row.references), "Size": row.size, "Config": {"Env": ["A=1"]}}

    def history(self, ref: str) -> list[dict[str, Any]]:
        self._enter("history", ref)
        return sample_history(self.image(ref))

    def _put_image(self, number: int, reference: str, size: int = 9_000_000, action: str = "pull") -> Image:
        row = Image("sha256:" + identity(number), (reference,) if reference else (), (), NOW, size)
        self.image_rows.append(row)
        self.emit("image", action, reference or row.id, reference or row.id)
        return row

    def tag(self, source: str, target: str) -> None:
        self._enter("tag", source, target, changes=True)
        row = self.image(source)
        at = self.image_rows.index(row)
        self.image_rows[at] = row._replace(references=(*row.references, target))
        self.emit("image", "tag", row.id, target)

    def remove_image(
        self, ref: str, force: bool = False, no_prune: bool = False, *, now: bool = False, batch: str = ""
    ) -> list[Removed]:
        self._enter("remove_image", ref, force, changes=True)
        row = self.image(ref)
        if ref in row.references and len(row.references) > 1:
            at = self.image_rows.index(row)
            self.image_rows[at] = row._replace(references=tuple(each for each in row.references if each != ref))
            self.emit("image", "untag", row.id, ref)
            return [Removed("Untagged", ref)]
        if row.containers and not force:
            raise InUse(f"Image {ref} is used by {row.containers} containers; remove them first or use force.")
        self.image_rows.remove(row)
        self.put_in_trash("image", row.id, row.references[0] if row.references else "", row, now, batch)
        self.emit("image", "delete", row.id, ref)
        return [Removed("Deleted", row.id)]

    def load(self, source: Any) -> Iterator[Progress]:
        self._enter("load", source.name, changes=True)
        yield Progress("589b7251471a", "extracting", 1_000, 4_000)
        self._put_image(240, "loaded:1", action="load")
        yield Progress("loaded:1", "loaded")

    def import_image(self, source: Any, reference: str = "", message: str = "", changes: Sequence[str] = ()) -> Any:
        self._enter("import_image", reference, message, tuple(changes), changes=True)
        row = self._put_image(241, reference, action="import")
        yield Progress(row.id, "imported")

    def save(self, refs: Sequence[str], out: Any) -> None:
        self._enter("save", tuple(refs))
        for _ in range(3):
            out.write(b"x" * (1 << 20))

    def export(self, ref: str, target: Any) -> None:
        self._enter("export", self._find(ref).name)
        target.write(b"tar")

    def commit(self, ref: str, reference: str = "", **options: Any) -> Iterator[Progress]:
        self._enter("commit", self._find(ref).name, reference, options, changes=True)
        yield Progress("layer", "writing", 1_000_000, 2_000_000)
        row = self._put_image(242, reference, action="commit")
        yield Progress(row.id, "committed")

    # -- registries -------------------------------------------------------------------------------------------

    def _authorised(self, reference: str) -> None:
        server = reference.partition("/")[0]
        if server == "private.example" and not any(each.server == server for each in self.login_rows):
            raise AuthFailed(f"Cannot reach {reference}: private.example wants credentials; log in first.", 401)

    def pull(self, reference: str, *, platform: str = "", all_tags: bool = False) -> Iterator[Progress]:
        self._enter("pull", reference, *([platform] if platform else []), changes=True)
        self._authorised(reference)
        if reference in ("host/base", "host/base:latest"):
            yield Progress("programs", "gathering", 1, 2)
            yield Progress("programs", "gathering", 2, 2)
        elif reference.startswith("nowhere"):
            raise RegistryRefused(f"Cannot pull {reference}: docker.io does not know it; check the name.", 404)
        else:
            yield from self._play("pull", pull_progress(reference))
        name = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        self._put_image(250 - len(self.image_rows), name)

    def push(self, reference: str, *, all_tags: bool = False) -> Iterator[Progress]:
        self._enter("push", reference)
        self._authorised(reference)
        yield from self._play("push", push_progress(reference))

    def search(self, term: str, *, limit: int = 25, filters: Sequence[str] = ()) -> list[SearchResult]:
        self._enter("search", term)
        return sample_search(term)[:limit]

    def catalog(self, server: str) -> list[str]:
        self._enter("catalog", server)
        return ["team/app", "team/web"]

    def tags(self, repository: str) -> list[str]:
        self._enter("tags", repository)
        return ["latest", "1.27", "1.27-alpine", "stable"]

    def login(self, server: str = "", username: str = "", password: str = "") -> Login:
        self._enter("login", server, username)
        if password != "secret":
            raise AuthFailed(
                f"{server or 'docker.io'} does not accept these credentials of {username}; try again.", 401
            )
        row = Login(server, username)
        self.login_rows = [each for each in self.login_rows if each.server != server] + [row]
        return row

    def logout(self, server: str = "") -> bool:
        self._enter("logout", server)
        before = len(self.login_rows)
        self.login_rows = [each for each in self.login_rows if each.server != server]
        return len(self.login_rows) < before

    def logins(self) -> list[Login]:
        self._enter("logins")
        return list(self.login_rows)

    # -- builds -----------------------------------------------------------------------------------------------

    def build(self, request: BuildRequest, source: Any = None) -> Iterator[Any]:
        self._enter("build", request, changes=True)
        broken = request.target == "broken"
        yield from self._play("build", build_events(broken))
        if broken:
            raise BuildFailed(
                'The command "make" returned a non-zero code: 2 (Dockerfile:7).', exit_code=2, step=4, line=7, keep="k3"
            )
        self._put_image(243, request.tags[0] if request.tags else "", 243_000_000, "build")

    def keep_step(self, key: str) -> str:
        self._enter("keep_step", key)
        return self._put_image(244, "", action="build").id

    def build_cache(self) -> list[CacheEntry]:
        self._enter("build_cache")
        return list(self.cache_rows)

    def prune_builds(self, *, all: bool = False, keep_bytes: int = 0, older_than: int = 0, filters: Any = ()) -> Any:
        self._enter("prune_builds", all, tuple(filters), changes=True)
        wanted = {each.removeprefix("id=") for each in filters}
        gone = [each for each in self.cache_rows if each.id in wanted]
        self.cache_rows = [each for each in self.cache_rows if each.id not in wanted]
        return [each.id for each in gone], sum(each.size for each in gone)

    # -- layers -----------------------------------------------------------------------------------------------

    def layers(self, ref: str) -> list[LayerInfo]:
        self._enter("layers", ref)
        self.image(ref)
        return sample_layers()

    def layer_tree(self, ref: str, index: int) -> list[TreeEntry]:
        self._enter("layer_tree", ref, index)
        return sample_trees()[index]

    def read_image_file(self, ref: str, path: str, limit: int = 65_536, index: int | None = None) -> bytes:
        self._enter("read_image_file", ref, path, index)
        return self.files.get(path, b"\x7fELF\x02\x01\x01\0" + bytes(range(200)))[:limit]

    def diff(self, ref: str) -> list[Change]:
        self._enter("diff", self._find(ref).name)
        return [
            Change("C", "/etc"), Change("C", "/etc/nginx"), Change("A", "/etc/nginx/site.conf"), Change("C", "/var"),
            Change("A", "/var/run.pid"), Change("D", "/var/cache"),
        ]  # fmt: skip

    def diff_images(self, one: str, other: str) -> list[Change]:
        self._enter("diff_images", one, other)
        return [Change("A", "/usr/bin/new"), Change("C", "/etc/passwd"), Change("D", "/usr/share/doc/old")]
