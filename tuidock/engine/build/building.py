"""The whole of a build: context, Dockerfile, plan, stages, image - as one generator of what happens.

Whatever ends it, failure, cancel or success, the layers that were finished are stored with their cache rows, so that the
next build goes on from there; only then does it raise.
"""

from __future__ import annotations

import os

from tuidock.engine.build import result
from tuidock.engine.build.context import Context
from tuidock.engine.build.planner import make_plan
from tuidock.engine.build.scheduling import Schedule
from tuidock.engine.build.workshop import Workshop
from tuidock.engine.dockerfile.arguments import platform_arguments, unused
from tuidock.engine.dockerfile.parser import parse
from tuidock.engine.errors import EngineError, Unsupported
from tuidock.engine.events import append
from tuidock.engine.image_types import BuildEvent
from tuidock.engine.instance import Instance
from tuidock.engine.options.platforms import architecture_of, parse_platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import BinaryIO

    from tuidock.engine.build.exporting import Target
    from tuidock.engine.build.workshop import Pull
    from tuidock.engine.image_types import BuildRequest

_STEP_OF_CONTEXT = 0
#: Build arguments that speak to the builder.
_OWN_ARGUMENTS = ("BUILDKIT_INLINE_CACHE", "SOURCE_DATE_EPOCH")


def build(
    instance: Instance,
    request: BuildRequest,
    source: BinaryIO | None,
    pull: Pull,
    stored: Callable[[], None],
    target: Target | None = None,
) -> Generator[BuildEvent, None, None]:
    """The last event is `built`; stored is called when images or their names are new.

    target: where the files of the result go; then an image is stored only under the names that it is to have.
    Raises BuildFailed for a step, InvalidArgument and others for what comes before one.
    """
    if request.squash:
        raise Unsupported("cannot build with --squash: join the RUN lines, or take the result with COPY --from")
    tags = result.full_names(instance, request.tags)
    machine = os.uname().machine
    own = f"linux/{architecture_of(machine)}"
    wanted = str(parse_platform(request.platform, machine)) if request.platform else own
    build_args = _build_args(request)
    with Context(instance, request, source) as context:
        for done, total in context.open():
            yield BuildEvent("bytes", _STEP_OF_CONTEXT, done=done, total=total, message="context")
        dockerfile = parse(context.dockerfile, context.name)
        predefined = platform_arguments(wanted, own, request.target)
        plan = make_plan(dockerfile, request.target, build_args, predefined, request.contexts)
        text = context.dockerfile.decode("utf-8", "replace")
        yield BuildEvent("plan", steps=plan.lines, source=text, message=context.name)
        for warning in dockerfile.warnings:
            yield BuildEvent("warning", message=f"{context.name}:{warning.line}: {warning.message}")
        if forgotten := [name for name in unused(dockerfile, build_args) if name not in _OWN_ARGUMENTS]:
            yield BuildEvent("warning", message=f"One or more build-args {forgotten} were not consumed")
        with Workshop(instance, request, dockerfile, plan, context, build_args, pull) as workshop:
            try:
                for reference in request.cache_from:
                    yield from _carried(workshop, reference)
                yield from Schedule(workshop).run()
                image = result.of_stage(workshop, workshop.results[plan.target], tags)
            except BaseException:
                _save(workshop)
                raise
            named = target is None or bool(tags)
            if not named or image.is_there():
                if workshop.has_news or workshop.hits:
                    workshop.publish()
            else:
                workshop.publish(image.documents(workshop.put), image.insert)
                stored()
                for tag in tags:
                    append(instance.paths.journal, "image", "tag", image.id, result.familiar(tag), labels=image.labels)
            if target is not None:
                from tuidock.engine.build import exporting

                yield BuildEvent("exporting")
                _ = workshop.store  # from now on nobody collects the layers
                layers = workshop.results[plan.target].layers
                exporting.export([workshop.directory_of(layer) for layer in reversed(layers)], target)
        if workshop.replaced:
            from tuidock.engine.store import collection

            collection.collect(instance.state, instance.paths)
        if named:
            name = result.familiar(tags[0]) if tags else ""
            append(instance.paths.journal, "image", "build", image.id, name, labels=image.labels)
    yield BuildEvent("built", state="stored" if named else "", message=image.id)


def _save(workshop: Workshop) -> None:
    """What a build that failed got done. When that cannot be stored either, the build's own failure says more."""
    try:
        if workshop.has_news:
            workshop.publish()
    except EngineError:
        pass


def _carried(workshop: Workshop, reference: str) -> Generator[BuildEvent, None, None]:
    """What an image of --cache-from brings along; one that cannot be had is only worth a remark."""
    from tuidock.engine.build import inline
    from tuidock.engine.build.bases import local_image

    reference = reference.removeprefix("type=registry,ref=")
    try:
        if local_image(workshop, reference) is None:
            for progress in workshop.pull(reference, workshop.request.platform):
                yield BuildEvent("bytes", _STEP_OF_CONTEXT, done=progress.done, total=progress.total, message="cache")
        workshop.carry(inline.rows(workshop, reference))
    except EngineError as error:
        yield BuildEvent("warning", message=f"--cache-from {reference}: {error}")


def _build_args(request: BuildRequest) -> dict[str, str]:
    """The values; one without comes from the environment, and is none when it has none."""
    found = {}
    for name, value in request.build_args.items():
        given = os.environ.get(name) if value is None else value
        if given is not None:
            found[name] = given
    return found
