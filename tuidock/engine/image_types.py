"""Values about images that only some commands need: registries, builds, layers, differences.

Apart from `types`, because every short command imports that. Sizes are bytes, times nanoseconds since the epoch unless
the name says otherwise; strings that come from images, registries or Dockerfiles are raw.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuidock.engine.named import Named


class SearchResult(Named):
    """A repository that a registry knows. stars -1: the registry does not count them."""

    name: str
    description: str = ""
    stars: int = -1
    official: bool = False
    automated: bool = False


class Login(Named):
    """Credentials kept for a registry; the secret itself stays in the helper, or in the file (path) when that is ""."""

    server: str
    username: str
    helper: str = ""
    path: str = ""


class Change(Named):
    """A path that differs. kind: A added, C changed, D deleted (docker's letters)."""

    kind: str
    path: str


class LayerInfo(Named):
    """A layer of an image, lowest first. command is the history line that made it; wasted: bytes of files that a
    higher layer replaces or deletes."""

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody calls here
    diff_id: str
    chain_id: str
    digest: str
    size: int
    blob_size: int
    command: str
    created: int
    comment: str = ""
    wasted: int = 0


class TreeEntry(Named):
    """One name in the file tree of a layer. kind: file, dir, link, device, fifo, socket; mark: A, C, D or "" (a
    directory that only holds others). size of files; target of links; path has no leading slash."""

    path: str
    kind: str
    mark: str
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""
    mtime: int = 0


class BuildRequest(Named):
    """What `build` asks for.

    context: a directory, "-" (a tar or a Dockerfile comes as `source`) or a URL. dockerfile: "" = Dockerfile in the
    context, "-" = it comes as `source`; a relative path is looked up as docker does. build_args: None takes the value
    from the caller's environment. network: "", host, none or a network's name. secrets: path by id; secret_values: the
    secret itself by id. contexts: directories, URLs or docker-image://NAME by name. resources: more limits of the steps,
    by the keys of docker's HostConfig (CpuShares, CpusetCpus ...). no_cache_stages: names or numbers of stages that are to
    be built again.
    """

    context: str
    dockerfile: str = ""
    tags: tuple[str, ...] = ()
    target: str = ""
    build_args: Mapping[str, str | None] = {}
    labels: Mapping[str, str] = {}
    no_cache: bool = False
    pull: bool = False
    platform: str = ""
    network: str = ""
    secrets: Mapping[str, str] = {}
    extra_hosts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    squash: bool = False
    memory: int = 0
    cpu_quota: int = 0
    shm_size: int = 0
    ulimits: tuple[str, ...] = ()
    security_options: tuple[str, ...] = ()
    contexts: Mapping[str, str] = {}
    secret_values: Mapping[str, str] = {}
    resources: Mapping[str, int | str] = {}
    no_cache_stages: tuple[str, ...] = ()


class BuildStep(Named):
    """A line of the plan. number counts from 1; stage is its name or index; text is the instruction in one line."""

    number: int
    stage: str
    text: str
    line: int = 0
    end_line: int = 0


class BuildEvent(Named):
    """News of a build.

    kind: plan (steps is the whole plan; source the Dockerfile's text), state (of `step`: running, cached, done, failed,
    cancelled; seconds when it ended, total = bytes of its layer; text is the instruction with the values of its
    variables, "" when it has none; message says why it failed), bytes (done/total of what the step fetches or copies;
    while a command is silent it comes as a beat, 0 of 0), output (of its command; stream stdout or stderr), warning
    (message), exporting (before the files of the result go where they are wanted), built (message is the image's id; state is
    "" when no image of it was stored, because only its files were wanted).
    """

    kind: str
    step: int = 0
    state: str = ""
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    stream: str = ""
    output: bytes = b""
    message: str = ""
    steps: tuple[BuildStep, ...] = ()
    source: str = ""
    text: str = ""


class CacheEntry(Named):
    """A result that `build` keeps. kind: the instruction's word, or cache-mount."""

    id: str
    kind: str
    text: str
    size: int
    created: int
    used: int
    in_use: bool = False
