"""The form of `tuidock volume create`: a directory of its own, or a tmpfs, a network file system, a place of this machine."""

from __future__ import annotations

from typing import Any

from tuidock.app.quoting import words
from tuidock.app.screens.form import Field, Form
from tuidock.app.words import mark, tr
from tuidock.engine.clean import clean
from tuidock.engine.types import Volume


class VolumeForm(Form):
    """Only a name is a directory below the data root; everything else are options of docker's local driver."""

    TITLE_TEXT, VERB, ENTER_GOES = mark("Create a volume"), "volume create", True
    FIELDS = (
        Field("name", "Name", "empty: a random one", half=True),
        Field("type", "Type", "tmpfs, nfs, none, ext4", half=True),
        Field("device", "Device", "/srv/data or :/export", half=True),
        Field("o", "Mounted", "bind, addr=10.0.0.2", half=True),
        Field("size", "Size", "no limit", half=True),
        Field("labels", "Labels", "team=shop", "--label", many=True, half=True),
    )
    KEYS = (("create", "ctrl+r", mark("create")), ("copy", "ctrl+c", mark("copy the command")))

    def first_field(self) -> str:
        return "name"

    def known(self, key: str) -> list[str]:
        return ["tmpfs", "nfs", "none", "ext4"] if key == "type" else []

    def options(self) -> dict[str, str]:
        return {key: text for key in ("type", "device", "o", "size") if (text := self.field(key).value.strip())}

    def argv(self) -> list[str]:
        argv = [word for key, text in self.options().items() for word in ("-o", f"{key}={text}")]
        for label in words(self.field("labels").value):
            argv += ["--label", label]
        name = self.field("name").value.strip()
        return [*argv, *([name] if name else [])]

    def go(self, what: str) -> None:
        name, options = self.field("name").value.strip(), self.options()
        labels = dict(word.partition("=")[::2] for word in words(self.field("labels").value))

        def create(engine: Any) -> Any:
            return engine.create_volume(name, labels or None, options or None)

        def done(volume: Volume) -> None:
            self.tuidock.say(tr("{name} created", name=clean(volume.name)))

        self.ask_engine(create, done, tr("creating …"))
