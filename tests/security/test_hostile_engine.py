"""migrate reads another engine's answers, and anybody may have made its socket: no answer is more than a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from tuidock.engine.errors import EngineError, SystemFailure
from tuidock.engine.migrate import inventory, planning, taking
from tuidock.engine.types import MigrationItem

_CONTAINER = {"Name": "/box", "Id": "a" * 64, "Image": "sha256:" + "b" * 64, "Config": {}, "HostConfig": {}}
_HERE = planning.Here(frozenset(), {}, {}, {}, frozenset(), lambda _: True, lambda _: "", lambda _: {})


class Answers:
    """An engine that says what it is told to, and has nothing else."""

    kind = "docker"

    def __init__(self, **answers: Any) -> None:
        container = answers.pop("container", _CONTAINER)
        self._answers = {
            "info": {}, "images/json": [], "volumes": {"Volumes": []}, "networks": [],
            "containers/json": [{"Id": "x"}], "containers/x/json": container, **answers,
        }  # fmt: skip

    def get(self, path: str, **_: str) -> Any:
        return self._answers[path.removeprefix("/")]


@pytest.mark.parametrize(
    "answers",
    [
        {"info": []},
        {"containers/json": [{}]},
        {"containers/json": "text"},
        {"container": None},
        {"container": {**_CONTAINER, "Mounts": "text"}},
        {"container": {**_CONTAINER, "Config": {"Env": [1]}}},
        {"container": {**_CONTAINER, "HostConfig": {"Ulimits": [{"Name": "nofile", "Hard": "many"}]}}},
        {"images/json": [{"Id": "x", "Size": float("inf")}]},
        {"volumes": {"Volumes": [{"Name": "v", "Labels": "text"}]}},
        {"networks": [{"Name": "n", "IPAM": "text"}]},
    ],
)
def test_an_answer_of_another_shape_is_a_sentence(answers: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="docker gives an answer that is not understood"):
        planning.plan(inventory.read(Answers(**answers)), _HERE)  # type: ignore[arg-type]


class House:
    """Refuses as Python does, what it is given."""

    def networks(self) -> list[object]:
        return []

    def take_network(self, document: dict[str, Any]) -> str:
        return str(dict(document["Labels"]))

    def create(self, request: object) -> str:
        return "made"


def test_an_item_that_cannot_be_taken_does_not_keep_the_others() -> None:
    source = Answers(networks=[{"Name": "n", "Driver": "bridge", "Labels": "text"}])
    found = inventory.read(source)  # type: ignore[arg-type]
    items = [MigrationItem(kind, name, name, "take", 0) for kind, name in (("network", "n"), ("container", "box"))]
    steps = list(taking.take(House(), source, found, items))  # type: ignore[arg-type]
    assert [(step.subject, step.action) for step in steps if step.action != "taking"] == [
        ("network n", "failed"),
        ("container box", "taken"),
    ]
    with pytest.raises(SystemFailure), inventory.understood("docker"):
        raise KeyError("Id")
