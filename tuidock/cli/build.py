"""`build` and `builder`: images from Dockerfiles, and the cache that they leave."""

from __future__ import annotations

import os
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import BuildFailed, InvalidArgument, Unsupported
from tuidock.engine.image_types import BuildRequest
from tuidock.engine.options.build import read_contexts, read_pairs, read_secrets
from tuidock.engine.options.flags import BadOptions, Values, listed, number, switch, text
from tuidock.engine.options.values import parse_size, parse_swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence
    from typing import BinaryIO
else:
    import _signal as signal  # the module around it turns numbers into enums

_PROGRESS = ("auto", "plain", "tty", "rawjson", "quiet")


def build(context: Context, values: Values, arguments: list[str]) -> int:
    from tuidock.cli.build_view import show

    target = _Target(values.items("output"))
    request = _request(values, arguments[0])
    source: BinaryIO | None = sys.stdin.buffer if "-" in (request.context, request.dockerfile) else None
    if source is not None and output.is_terminal(0):
        raise BadOptions("standard input is a terminal; give it a tar or a Dockerfile, or name a directory")
    chosen = values.text("progress") if values.given("progress") else os.environ.get("BUILDKIT_PROGRESS", "")
    progress = "quiet" if values.on("quiet") else chosen or "auto"
    if progress not in _PROGRESS:
        raise InvalidArgument(f"invalid progress mode {progress!r}: it is one of {', '.join(_PROGRESS)}")
    for name in ("iidfile", "metadata-file"):
        if os.path.isdir(values.text(name)):
            raise BadOptions(f"cannot write {values.text(name)}: it is a directory")
    if values.on("push") and not request.tags:
        raise BadOptions("--push needs a name to push the image to: -t HOST/NAME:TAG")
    with _ended_by_signals():
        image_id = show(context.engine.build(request, source, target.files), progress, request.tags)
    if values.text("iidfile"):
        _write(values.text("iidfile"), image_id)
    target.save(context, request.tags or (image_id,))
    pushed = _push(context, request.tags, quiet=progress == "quiet") if values.on("push") else ""
    if values.text("metadata-file"):
        _write(values.text("metadata-file"), _metadata(context, request.tags, image_id, pushed))
    if progress == "quiet" and not target.is_stdout and (target.files is None or request.tags):
        output.line(image_id)
    return 0


def _push(context: Context, tags: Sequence[str], *, quiet: bool) -> str:
    """Sends every name of the image; answers the digest that the last registry knows it by."""
    from tuidock.cli.registry import send

    digest = ""
    for tag in tags:
        _, digest = send(context, tag, quiet=quiet)
    return digest


def _metadata(context: Context, tags: Sequence[str], image_id: str, digest: str) -> str:
    """What buildx writes about an image, as far as it is known here."""
    from tuidock.cli.template_functions import to_json
    from tuidock.engine.errors import NotFound

    known = {"containerimage.config.digest": image_id}
    try:
        found = [named.partition("@")[2] for named in context.engine.image(image_id).digests]
    except NotFound:  # only its files were wanted
        found = []
    if digest or found:
        known["containerimage.digest"] = digest or found[0]
    if tags:
        known["image.name"] = ",".join(tags)
    return to_json(known) + "\n"


def _resources(values: Values) -> dict[str, int | str]:
    """Limits of the steps that were given, by docker's keys."""
    keys = {
        "cpu-period": "CpuPeriod", "cpu-shares": "CpuShares", "cpuset-cpus": "CpusetCpus",
        "cpuset-mems": "CpusetMems", "memory-swap": "MemorySwap",
    }  # fmt: skip
    return {key: values[name] for name, key in keys.items() if values[name]}


def _request(values: Values, place: str) -> BuildRequest:
    secrets, secret_values = read_secrets(values.items("secret"))
    for name in ("ssh", "allow"):
        if values.items(name):
            raise Unsupported(f"--{name} is not possible: steps always run confined, and no agent is passed on")
    return BuildRequest(
        context=place,
        dockerfile=values.text("file"),
        tags=tuple(values.items("tag")),
        target=values.text("target"),
        build_args=_build_args(values),
        labels={key: value or "" for key, value in read_pairs(values.items("label")).items()},
        no_cache=values.on("no-cache"),
        pull=values.on("pull"),
        platform=values.text("platform"),
        network="" if values.text("network") == "default" else values.text("network"),
        secrets=secrets,
        secret_values=secret_values,
        extra_hosts=tuple(host.replace("=", ":", 1) for host in values.items("add-host")),
        cache_from=tuple(values.items("cache-from")),
        squash=values.on("squash"),
        memory=values["memory"] or 0,
        cpu_quota=values["cpu-quota"],
        shm_size=values["shm-size"] or 0,
        ulimits=tuple(values.items("ulimit")),
        security_options=tuple(values.items("security-opt")),
        contexts=read_contexts(values.items("build-context")),
        resources=_resources(values),
        no_cache_stages=tuple(name.lower() for item in values.items("no-cache-filter") for name in item.split(",")),
    )


def _build_args(values: Values) -> dict[str, str | None]:
    inline = {"BUILDKIT_INLINE_CACHE": "1"} if "type=inline" in values.items("cache-to") else {}
    return {**inline, **read_pairs(values.items("build-arg"))}


class _Target:
    """--output: the store, which is the default, or the files of the result beside it."""

    def __init__(self, given: Sequence[str]) -> None:
        from tuidock.engine.options.fields import split_fields

        self._kind, self._place = "image", ""
        for item in given[-1:]:
            if "=" not in item:
                self._kind, self._place = ("tar", "-") if item == "-" else ("local", item)
                continue
            fields = dict(field.partition("=")[::2] for field in split_fields(item))
            self._kind, self._place = fields.get("type", ""), fields.get("dest", "")
        if self._kind not in ("image", "docker", "oci", "tar", "local", "cacheonly"):
            raise Unsupported(f"--output type={self._kind} is not possible: docker, oci, tar or local")
        if self._kind == "oci" and not self._place:
            raise BadOptions("--output type=oci needs a file: dest=FILE")
        to_stdout = self._place == "-" or (self._kind == "tar" and not self._place)
        if to_stdout and output.is_terminal():
            raise BadOptions("cowardly refusing to write a tar to a terminal: name a file with dest=FILE, or redirect")
        if self._kind == "local" and not self._place:
            raise BadOptions("--output type=local needs a directory: dest=DIR")

    @property
    def is_stdout(self) -> bool:
        return self._kind in ("tar", "docker", "oci") and self._place == "-"

    @property
    def files(self) -> str | Callable[[], BinaryIO] | None:
        """Where the files of the result go, when it is not an image that is wanted."""
        if self._kind == "local":
            return self._place
        return self._open if self._kind == "tar" else None

    def save(self, context: Context, names: Sequence[str]) -> None:
        """type=docker and type=oci with a place: the image as an archive, which is both."""
        if self._kind in ("docker", "oci") and self._place:
            with self._open() as file:
                context.engine.save(names, file)

    def _open(self) -> BinaryIO:
        sys.stdout.flush()
        try:
            return os.fdopen(os.dup(1), "wb") if self._place in ("", "-") else open(self._place, "wb")
        except OSError as error:
            raise InvalidArgument(f"cannot write {self._place}: {error.strerror}") from None


class _ended_by_signals:
    """SIGTERM and SIGHUP cancel the build as Ctrl-C does, so that nothing of it is left."""

    def __enter__(self) -> None:
        def leave(received: int, _: object) -> None:
            raise SystemExit(128 + received)

        for ending in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(ending) is signal.SIG_DFL:
                signal.signal(ending, leave)

    def __exit__(self, *_: object) -> None:
        """The process ends soon; the handlers stay."""


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as error:
        raise BuildFailed(f"cannot write {path}: {error.strerror}") from None


_FLAGS = (
    listed("add-host", "", "Add a line to the hosts file of the steps (host:ip)"),
    listed("allow", "", "Not possible: steps always run confined"),
    listed("attest", "", "Accepted for scripts, without effect"),
    listed("build-arg", "", "Set a value of an ARG"),
    listed("build-context", "", "Add a further build context (name=path)"),
    listed("cache-from", "", "Take steps from an image that carries its cache"),
    listed("cache-to", "", "type=inline: let the image carry its cache"),
    text("cgroup-parent", "", "Accepted for scripts, without effect", hidden=True),
    switch("compress", "", "Accepted for scripts, without effect", hidden=True),
    number("cpu-period", "", "Period over which the CPU time of the steps is limited"),
    number("cpu-quota", "", "Limit the CPU time of the steps"),
    number("cpu-shares", "c", "Weight of the steps when the CPU is short"),
    text("cpuset-cpus", "", "CPUs of the steps (0-3, 0,1)"),
    text("cpuset-mems", "", "Memory nodes of the steps (0-3, 0,1)"),
    switch("disable-content-trust", "", "Accepted for scripts, without effect", on=True, hidden=True),
    text("file", "f", "Name of the Dockerfile (default: PATH/Dockerfile)"),
    switch("force-rm", "", "Accepted for scripts, without effect", hidden=True),
    text("iidfile", "", "Write the image's id to this file"),
    text("builder", "", "Accepted for scripts, without effect", hidden=True),
    text("isolation", "", "Accepted for scripts, without effect", hidden=True),
    listed("label", "", "Set a label of the image"),
    switch("load", "", "Accepted for scripts: the image always goes to the store", hidden=True),
    text("memory", "m", "Limit the memory of the steps", kind="bytes", parse=parse_size),
    text("memory-swap", "", "Limit memory and swap together: -1 for no limit of swap", kind="bytes", parse=parse_swap),
    text("metadata-file", "", "Write what is known of the image to this file, as JSON"),
    text("network", "", "Network of the steps: default, none, host or a name", default="default"),
    switch("no-cache", "", "Do not use what earlier builds have left"),
    listed("no-cache-filter", "", "Do not use what earlier builds have left of these stages"),
    listed("output", "o", "Where the result goes: type=docker|oci|tar|local[,dest=PATH]"),
    text("platform", "", "Build for this platform"),
    text("progress", "", f"Kind of progress: {', '.join(_PROGRESS)}", default="auto"),
    text("provenance", "", "Accepted for scripts, without effect", hidden=True),
    switch("pull", "", "Always ask the registry for newer base images"),
    switch("push", "", "Push the image under its names"),
    switch("quiet", "q", "Print the image's id and nothing else"),
    switch("rm", "", "Accepted for scripts, without effect", on=True, hidden=True),
    text("sbom", "", "Accepted for scripts, without effect", hidden=True),
    listed("secret", "", "A secret for RUN --mount=type=secret (id=name,src=file or id=name,env=variable)"),
    listed("security-opt", "", "Security options of the steps"),
    text("shm-size", "", "Size of /dev/shm of the steps", kind="bytes", parse=parse_size),
    switch("squash", "", "Not possible: see the error"),
    listed("ssh", "", "Not possible: no agent is passed on"),
    listed("tag", "t", "Name of the image (name:tag)"),
    text("target", "", "Stage to build"),
    listed("ulimit", "", "Limits of the steps"),
)
BUILD = Command(
    "[OPTIONS] PATH | URL | -",
    "Build an image from a Dockerfile",
    build,
    _FLAGS,
    least=1,
    most=1,
)
