"""What the engine in memory plays: progress of transfers, events of a build, layers and their files."""

from __future__ import annotations

from typing import Any

from tests.fakes.values import NOW, SECOND, identity
from tuidock.engine.image_types import BuildEvent, BuildStep, CacheEntry, LayerInfo, SearchResult, TreeEntry
from tuidock.engine.types import Image, Progress

#: Here a script waits when a test has put a gate there.
HOLD = object()

LAYERS = (("a2abf6c4d29d", 28_400_000), ("a9edb18cadd1", 39_900_000), ("589b7251471a", 1_200_000))
DIGEST = "sha256:" + identity(171)


def pull_progress(reference: str) -> list[Any]:
    (first, one), (second, two), (third, three) = LAYERS
    return [
        *(Progress(layer, "waiting", 0, size) for layer, size in LAYERS),
        Progress(first, "downloading", one // 2, one),
        Progress(second, "downloading", 3_000_000, two),
        Progress(first, "downloading", one, one),
        Progress(first, "verifying", one, one),
        Progress(first, "extracting", one // 3, one),
        Progress(first, "pulled", one, one),
        Progress(second, "downloading", 25_100_000, two),
        HOLD,
        Progress(second, "downloaded", two, two),
        Progress(third, "downloading", three, three),
        Progress(second, "pulled", two, two),
        Progress(third, "pulled", three, three),
        Progress(reference, "digest", message=DIGEST),
        Progress(reference, "pulled-image", message="Downloaded newer image"),
    ]


def push_progress(reference: str) -> list[Any]:
    (first, _), (second, two), (third, _) = LAYERS
    return [
        *(Progress(layer, "waiting", 0, size) for layer, size in LAYERS),
        Progress(first, "exists"),
        Progress(third, "mounted", message="library/debian"),
        Progress(second, "pushing", two // 4, two),
        HOLD,
        Progress(second, "pushed", two, two),
        Progress(reference.rpartition(":")[2], "digest", 0, 1_570, DIGEST),
    ]


def sample_search(term: str) -> list[SearchResult]:
    return [
        SearchResult(term, f"Official build of {term}.", 20_511, True),
        SearchResult(f"bitnami/{term}", f"Bitnami container image for {term}", 203),
        SearchResult(f"{term}inc/{term}-unprivileged", f"Unprivileged {term} Dockerfiles", 158),
        SearchResult(f"registry.example/team/{term}", "ours", -1),
    ]


def sample_cache() -> list[CacheEntry]:
    day = 86_400 * SECOND
    return [
        CacheEntry(
            "k1", "RUN", "RUN apt-get update && apt-get install -y gcc", 212_000_000, NOW - 9 * day, NOW - 3 * day
        ),
        CacheEntry("k2", "COPY", "COPY . /src", 4_200_000, NOW - 2 * day, NOW - 2 * day),
        CacheEntry("k3", "cache-mount", "/root/.cache", 31_000_000, NOW - 9 * day, NOW - day, True),
    ]


BUILD_SOURCE = """\
# syntax=docker/dockerfile:1
FROM debian:bookworm AS build
RUN apt-get update && \\
    apt-get install -y gcc make
WORKDIR /src
COPY . /src
RUN make -j2
RUN make test

FROM debian:bookworm-slim
COPY --from=build /src/app /usr/bin/app
EXPOSE 8080
CMD ["app"]
"""

STEPS = (
    BuildStep(1, "build", "FROM debian:bookworm AS build", 2, 2),
    BuildStep(2, "build", "RUN apt-get update && apt-get install -y gcc make", 3, 4),
    BuildStep(3, "build", "COPY . /src", 6, 6),
    BuildStep(4, "build", "RUN make -j2", 7, 7),
    BuildStep(5, "build", "RUN make test", 8, 8),
    BuildStep(6, "stage-1", "FROM debian:bookworm-slim", 10, 10),
    BuildStep(7, "stage-1", "COPY --from=build /src/app /usr/bin/app", 11, 11),
    BuildStep(8, "stage-1", "EXPOSE 8080", 12, 12),
    BuildStep(9, "stage-1", 'CMD ["app"]', 13, 13),
)


def build_events(broken: bool = False) -> list[Any]:
    def state(step: int, name: str, seconds: float = 0.0, total: int = 0) -> BuildEvent:
        return BuildEvent("state", step, name, seconds, total=total)

    lines = [f"cc -O2 -c -o part{at}.o part{at}.c\n" for at in range(40)]
    running = [
        BuildEvent("plan", steps=STEPS, source=BUILD_SOURCE),
        state(1, "cached"),
        state(2, "cached", total=212_000_000),
        state(6, "cached"),
        state(3, "running"),
        BuildEvent("bytes", 3, done=1_000_000, total=4_200_000),
        state(3, "done", 0.3, 4_200_000),
        state(4, "running"),
        *(BuildEvent("output", 4, stream="stdout", output=line.encode()) for line in lines),
    ]
    if broken:
        return [
            *running,
            HOLD,
            BuildEvent(
                "output", 4, stream="stderr", output=b"part40.c:3: error: expected ';'\nmake: *** [app] Error 1"
            ),
            state(4, "failed", 2.5),
        ]
    return [
        *running,
        BuildEvent("output", 4, stream="stderr", output=b"\x1b[1;33mpart7.c:12: warning:\x1b[0m unused variable"),
        HOLD,
        state(4, "done", 12.4, 1_900_000),
        state(5, "running"),
        BuildEvent("output", 5, stream="stdout", output=b"all 12 tests passed\n"),
        state(5, "done", 1.2),
        state(7, "running"),
        state(7, "done", 0.1, 900_000),
        state(8, "done"),
        state(9, "done"),
        BuildEvent("built", message="sha256:" + identity(243)),
    ]


def sample_history(row: Image) -> list[dict[str, Any]]:
    created = row.created // SECOND
    return [
        {"Id": row.id, "Created": created, "CreatedBy": 'CMD ["app"]', "Size": 0, "Comment": ""},
        {"Id": "<missing>", "Created": created, "CreatedBy": "ADD rootfs.tar /", "Size": row.size, "Comment": ""},
    ]


def sample_layers() -> list[LayerInfo]:
    rows = [
        ("/bin/sh -c #(nop) ADD file:b4987bca8c4c4c640d6b71dcccfd7172b44771e0f851a47d05c00c2bdd8a7f8e in /", 74_800_000, 0),
        ("RUN /bin/sh -c apt-get update && apt-get install -y nginx # buildkit", 108_000_000, 3_100_000),
        ("COPY nginx.conf /etc/nginx/nginx.conf # buildkit", 4_600, 0),
    ]  # fmt: skip
    return [
        LayerInfo(
            at, "sha256:" + identity(30 + at), "sha256:" + identity(40 + at), "sha256:" + identity(50 + at), size,
            size // 3, command, NOW - 5 * 86_400 * SECOND, "", wasted,
        )
        for at, (command, size, wasted) in enumerate(rows)
    ]  # fmt: skip


def _file(path: str, mark: str, size: int, mode: int = 0o644) -> TreeEntry:
    return TreeEntry(path, "file", mark, size, mode, mtime=NOW // SECOND)


def _directory(path: str, mark: str = "") -> TreeEntry:
    return TreeEntry(path, "dir", mark, 0, 0o755)


BASE_TREE = [
    TreeEntry("bin", "link", "A", 0, 0o777, target="usr/bin"),
    _directory("etc", "A"),
    _file("etc/hostname", "A", 9),
    _file("etc/passwd", "A", 1_024),
    _directory("tmp", "A")._replace(mode=0o1777),
    _directory("usr", "A"),
    _directory("usr/bin", "A"),
    _file("usr/bin/bash", "A", 1_265_648, 0o755),
    _file("usr/bin/passwd", "A", 68_248, 0o4755),
    _directory("usr/share", "A"),
    _directory("usr/share/doc", "A"),
    _file("usr/share/doc/copyright", "A", 3_100_000),
]


def sample_trees() -> list[list[TreeEntry]]:
    return [
        BASE_TREE,
        [
            _directory("etc"),
            _directory("etc/nginx", "A"),
            _file("etc/nginx/mime.types", "A", 5_349),
            _file("etc/nginx/nginx.conf", "A", 648),
            _file("etc/passwd", "C", 1_070),
            _directory("usr"),
            _directory("usr/sbin", "A"),
            _file("usr/sbin/nginx", "A", 1_480_000, 0o755),
            _directory("usr/share"),
            TreeEntry("usr/share/doc", "dir", "D"),
        ],
        [_directory("etc"), _directory("etc/nginx"), _file("etc/nginx/nginx.conf", "C", 4_600)],
    ]
