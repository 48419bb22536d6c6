"""The form of `tuidock build`: a directory, its Dockerfile, a name."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from tuidock.app import tasks
from tuidock.app.build_words import at_home, dockerfile_problem, parse_build
from tuidock.app.quoting import words
from tuidock.app.screens.form import Field, Form, Tick, flag_words
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError

FIELDS = (
    Field("context", "Context", "the directory that COPY takes files from", path="directory"),
    Field("tag", "Tag", "name:tag, or several", "-t", many=True, half=True),
    Field("target", "Target", "the last stage", "--target", half=True),
    Field("dockerfile", "File", "Dockerfile", "-f", path="file"),
    Field("output", "Files to", "DIR, and no image", "-o", path="directory", half=True),
    Field("platform", "Platform", "linux/amd64", "--platform", half=True),
    Field("secrets", "Secrets", "id=npm,src=~/.npmrc id=token,env=TOKEN", "--secret", many=True),
    Field("args", "Args", "VERSION=1.2 OTHER='two words'", "--build-arg", many=True),
    Field("more", "More", "any other option: --label a=b --network host", words=True),
)


def command_line(values: Mapping[str, str], ticks: Mapping[str, bool]) -> list[str]:
    """The words behind `tuidock build` that the form means."""
    argv = flag_words(FIELDS, {**values, "secrets": at_home(values.get("secrets", ""))})
    if ticks.get("no-cache"):
        argv.append("--no-cache")
    if ticks.get("pull"):
        argv.append("--pull")
    argv += words(values.get("more", ""))
    context = values.get("context", "").strip()
    return [*argv, context] if context else argv


class BuildForm(Form):
    """ctrl+r builds, and goes to where one can watch it."""

    TITLE_TEXT, VERB, FIELDS = mark("Build an image"), "build", FIELDS
    TICKS = (Tick("no-cache", "no cache (--no-cache)"), Tick("pull", "newer base images (--pull)"))
    KEYS = (("build", "ctrl+r", mark("build")), ("copy", "ctrl+c", mark("copy the command")))

    def __init__(self, context: str = "") -> None:
        if not context and os.path.isfile("Dockerfile"):
            context = "."
        super().__init__({"context": context} if context else {})

    def first_field(self) -> str:
        return "tag" if self._given.get("context") else "context"

    def argv(self) -> list[str]:
        return command_line(self.values(), self.ticks())

    def problem(self) -> str:
        return dockerfile_problem(self.values())

    def go(self, what: str) -> None:
        if self.missing("context", tr("Which directory? The context is what COPY takes files from.")):
            return
        problem = self.problem()
        if problem:
            self.complain(problem)
            return
        try:
            wanted = parse_build(self.argv())
        except EngineError as error:
            self.complain(str(error))
            return
        command = f"tuidock build {shlex.join(self.argv())}"

        def go() -> None:
            self.dismiss(None)
            self.tuidock.show_build(tasks.build(self.tuidock, wanted.request, command, wanted.files))

        if wanted.files and os.path.isdir(wanted.files) and os.listdir(wanted.files):
            lines = [tr("Files of the same names are written anew, the others stay.")]
            self.tuidock.confirm(tr("{files} is not empty", files=clean(wanted.files)), lines, tr("build"), go)
        else:
            go()
