"""The 168 recorded build contexts: their Dockerfiles are read, and the configs that docker made of them come out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engine.dockerfile.evaluate import configs
from tests.engine.options.recorded import CASES
from tuidock.engine.dockerfile import parser
from tuidock.engine.dockerfile.errors import DockerfileError

FOLDER = CASES / "build-conformance"

#: Docker 20.10's builder refused these texts for what it does not know yet.
LATER = {
    "buildah/Dockerfile.heredoc-quoting": "heredocs",
    "buildah/heredoc/Dockerfile.heredoc_copy": "heredocs",
    "imagebuilder/Dockerfile.healthcheck": "--start-interval",
}

#: What the recorded builder, the one before BuildKit, says otherwise.
CHANGED = {
    "imagebuilder/workdir/Dockerfile.trailing": {"WorkingDir": "/tmp"},  # it kept the slash of WORKDIR /tmp/
}


def load() -> dict[str, Any]:
    path = FOLDER / "expected-docker-20.10.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


RECORDED = load()


def cases() -> list[Any]:
    if not RECORDED:
        return [pytest.param(None, marks=pytest.mark.skip(reason="the recorded build contexts are not here"))]
    return [pytest.param(name, id=name) for name in RECORDED]


@pytest.mark.parametrize("name", cases())
def test_the_dockerfile_is_read_or_refused_as_docker_does(name: str) -> None:
    text = (FOLDER / name).read_bytes()
    refused = "dockerfile parse error" in RECORDED[name].get("err", "") and name not in LATER
    if refused:
        with pytest.raises(DockerfileError):
            parser.parse(text)
    else:
        assert parser.parse(text).stages


class Bases(dict[str, Mapping[str, Any]]):
    """The images those files build on are all busybox; of others nothing is recorded."""

    def __missing__(self, reference: str) -> dict[str, Any]:
        if "busybox" not in reference:
            pytest.skip(f"the config of {reference} is not recorded")
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"Cmd": ["sh"], "Env": [path]}


@pytest.mark.parametrize(
    "name", [case for case in cases() if not case.values[0] or RECORDED[case.values[0]]["build"] == "ok"]
)
def test_the_config_is_what_docker_made(name: str) -> None:
    dockerfile = parser.parse((FOLDER / name).read_bytes(), Path(name).name)
    made = configs(dockerfile, Bases())[-1]
    expected = {key: value for key, value in RECORDED[name]["config"].items() if value}
    expected |= CHANGED.get(name, {})
    assert {key: value for key, value in made.items() if value} == expected
