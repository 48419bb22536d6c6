"""Forms that talk to registries: pull, push, log in."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from tuidock.app import registry_names, tasks
from tuidock.app.model import IMAGES, row_name
from tuidock.app.screens.form import Field, Form, Tick
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Image


class PullForm(Form):
    """The name of an image, and for which machine."""

    TITLE_TEXT, VERB = mark("Pull an image"), "pull"
    FIELDS = (
        Field("name", "Name", "nginx:1.27, registry.example/team/app, host/base"),
        Field("platform", "Platform", "this machine's own, or linux/arm64", "--platform"),
    )
    TICKS = (Tick("all", "all tags (-a)"),)
    NOTE = mark("host/base is a small image made from this machine's own programs, without any network.")
    KEYS = (("pull", "enter", mark("pull")), ("search", "ctrl+f", mark("search")), ("copy", "ctrl+c", mark("copy")))
    ENTER_GOES = True

    def known(self, key: str) -> list[str]:
        if key == "platform":
            return ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64"]
        return ["host/base", *(clean(row_name(row)) for row in self.tuidock.model.rows[IMAGES].values())]

    def argv(self) -> list[str]:
        name = self.values()["name"].strip()
        return [*(["-a"] if self.ticks().get("all") else []), *super().argv(), *([name] if name else [])]

    def hint(self) -> str:
        meaning = registry_names.meaning(self.values()["name"])
        return f"({meaning})" if meaning else ""

    def problem(self) -> str:
        return registry_names.problem(self.values()["name"])

    def go(self, what: str) -> None:
        name = self.values()["name"].strip()
        if what == "search":
            from tuidock.app.screens.search import SearchScreen

            self.dismiss(None)
            self.tuidock.push_screen(SearchScreen(name.partition(":")[0]))
            return
        if self.missing("name", tr("Which image? host/base is made from this machine's programs.")) or self.problem():
            return
        self.dismiss(None)
        job = tasks.pull(self.tuidock, name, self.values()["platform"].strip(), self.ticks().get("all", False))
        self.tuidock.show_jobs(job)


class PushForm(Form):
    """Under which of its names an image is sent; a new name is given to it first."""

    TITLE_TEXT, VERB = mark("Push an image"), "push"
    FIELDS = (Field("name", "Name", "registry.example/team/app:1.0"),)
    TICKS = (Tick("all", "all tags of the name (-a)"),)
    NOTE = mark(
        "A name that the image does not have yet is given to it first; the registry is the part before the first /."
    )
    KEYS = (("push", "enter", mark("push")), ("login", "ctrl+l", mark("log in")), ("copy", "ctrl+c", mark("copy")))
    ENTER_GOES = True

    def __init__(self, image: Image) -> None:
        super().__init__({"name": image.references[0]} if image.references else {})
        self._image = image

    def first_field(self) -> str:
        return "name"

    def known(self, key: str) -> list[str]:
        return [clean(each) for each in self._image.references]

    def _new_name(self) -> bool:
        name = self.values()["name"].strip()
        return name not in self._image.references and f"{name}:latest" not in self._image.references

    def argv(self) -> list[str]:
        name = self.values()["name"].strip()
        return [*(["-a"] if self.ticks().get("all") else []), *([name] if name else [])]

    def command_text(self) -> str:
        name = self.values()["name"].strip()
        first = f"tuidock tag {self._image.short_id} {shlex.quote(name)} && " if name and self._new_name() else ""
        return first + super().command_text()

    def problem(self) -> str:
        return registry_names.problem(self.values()["name"])

    def go(self, what: str) -> None:
        name = self.values()["name"].strip()
        if what == "login":
            self.tuidock.push_screen(LoginForm(registry_names.server(name)))
            return
        if self.missing("name", tr("Under which name?")) or self.problem():
            return
        self.dismiss(None)
        source = self._image.id if self._new_name() else ""
        job = tasks.push(self.tuidock, name, source, self.ticks().get("all", False))
        self.tuidock.show_jobs(job)


class LoginForm(Form):
    """Credentials for a registry; they are tried before they are kept, and shown nowhere."""

    TITLE_TEXT, VERB = mark("Log in to a registry"), "login"
    FIELDS = (
        Field("server", "Server", "docker.io"),
        Field("user", "User", "", "-u"),
        Field("password", "Password", "or an access token", secret=True),
    )
    NOTE = mark(
        "They are tried first, then kept where docker keeps them: a credential helper, or ~/.docker/config.json."
    )
    KEYS = (("login", "ctrl+r", mark("log in")),)

    def __init__(self, server: str = "", then: Callable[[], None] | None = None, why: str = "") -> None:
        super().__init__({"server": server} if server else {})
        self._then, self._why = then, why

    def first_field(self) -> str:
        return "user" if self._given.get("server") or self._then is not None else "server"

    def problem(self) -> str:
        return "" if self.values()["user"] else self._why

    def argv(self) -> list[str]:
        server = self.values()["server"].strip()
        return [*super().argv(), *([server] if server else [])]

    def go(self, what: str) -> None:
        if self.missing("user", tr("Which user?")) or self.missing("password", tr("The password is missing.")):
            return
        values = self.values()
        server, user, password = values["server"].strip(), values["user"].strip(), values["password"]
        self.busy(tr("asking {server} …", server=registry_names.shown(server)))

        def done(login: Any) -> None:
            self.tuidock.say(
                tr(
                    "Logged in to {server} as {username}.",
                    server=clean(registry_names.shown(login.server)),
                    username=clean(login.username),
                )
            )
            if self.is_attached:
                self.field("password").value = ""
            if self.is_current:
                self.dismiss(None)
            if self._then is not None:
                self._then()

        self.tuidock.engine_workers.ask_apart(
            lambda engine: engine.login(server, user, password), done, lambda error, text: self.failed(text)
        )


def ask_for_login(app: Any, subject: str, then: Callable[[], None], why: str = "") -> None:
    """The login form for the registry of an image, and what to do when it has worked."""
    app.push_screen(LoginForm(registry_names.server(subject), then, why))


def names_of(image: Image) -> Sequence[str]:
    """What an image can be called by, its id when it has no name."""
    return image.references or (image.short_id,)
