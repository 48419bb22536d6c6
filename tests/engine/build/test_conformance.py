"""The recorded build contexts, built for real: configuration and files are what docker made of them.

Images that come from registries stand in by busybox, with the directories that the recorded ones had; what is compared is
what the build added to its base.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import busybox_archive, leaks
from tests.engine.build.helpers import build, tree
from tests.engine.options.recorded import CASES
from tuidock.engine import Engine
from tuidock.engine.errors import EngineError

FOLDER = CASES / "build-conformance"
RECORDED: dict[str, Any] = json.loads((FOLDER / "expected-docker-20.10.json").read_text()) if FOLDER.exists() else {}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cases() -> list[Any]:
    if not RECORDED:
        return [pytest.param("", marks=pytest.mark.skip(reason="the recorded build contexts are not here"))]
    return [pytest.param(name, id=name) for name in sorted(RECORDED)]


#: Why the result differs from that of docker 20.10, which is the builder before BuildKit.
KEPT = "BuildKit keeps what RUN changes in a VOLUME, the builder before it threw that away"
TAKEN_BACK = "BuildKit looks into directories that .dockerignore leaves out when a pattern takes something in them back"
UNKNOWN = "docker 20.10 did not know this yet"
OTHERWISE = {
    "buildah/chown-volume/Dockerfile": KEPT,
    "buildah/volumerun/Dockerfile": KEPT,
    "imagebuilder/volumerun/Dockerfile": KEPT,
    "imagebuilder/Dockerfile.volumeexists": KEPT,
    "imagebuilder/Dockerfile.novolume": "the builder before BuildKit made the mountpoints of volumes for a RUN",
    "buildah/dockerignore/exceptions-skip/Dockerfile": TAKEN_BACK,
    "buildah/dockerignore/exceptions-weirdness-1/Dockerfile": TAKEN_BACK,
    "buildah/dockerignore/integration1/Dockerfile": TAKEN_BACK,
    "buildah/Dockerfile.margs": UNKNOWN,
    "imagebuilder/builtins/Dockerfile.margs": UNKNOWN,
    "buildah/Dockerfile.heredoc-quoting": UNKNOWN,
    "buildah/heredoc/Dockerfile.heredoc_copy": UNKNOWN,
    "buildah/multistage/copyback/Dockerfile": UNKNOWN,
    "imagebuilder/Dockerfile.healthcheck": UNKNOWN,
    "imagebuilder/copychmod/Dockerfile": UNKNOWN,
    "imagebuilder/multistage/Dockerfile.dupstage": "BuildKit takes the last of two stages of one name",
    "imagebuilder/workdir/Dockerfile.trailing": "BuildKit takes the slash of WORKDIR /tmp/ away",
}
#: BuildKit keeps the mode of a directory that is there only for what a pattern takes back; the one before made a new one.
MODES = {
    f"buildah/dockerignore/{name}/Dockerfile"
    for name in ("allowlist/alternating", "allowlist/subsubdir-file", "exceptions-weirdness-2", "minimal_test")
}
#: What was recorded because a registry or a web server could not be reached tells nothing.
OFFLINE = ("network is unreachable",)
#: Directories whose content was not recorded.
UNRECORDED = ("bin/", "lib/", "sbin/", "usr/", "proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf")
_BASES = {
    '["sh"]': ("mirror.gcr.io/busybox",),
    '["/bin/sh"]': ("mirror.gcr.io/alpine",),
    '["bash"]': ("quay.io/libpod/centos:7", "public.ecr.aws/docker/library/centos:7", "mirror.gcr.io/debian"),
}
_MAKE = """
mkdir -p home mnt sbin lib var/opt var/spool/mail var/www usr/bin usr/lib
chmod 700 root
printf '#!/bin/sh\\nexec /bin/busybox sh "$@"\\n' > bin/bash
chmod 755 bin/bash
touch usr/bin/script
echo ID=test > etc/os-release
echo daemon:x:1:1::/:/bin/sh >> etc/passwd
echo bin:x:2:2::/:/bin/sh >> etc/passwd
echo lp:x:7:7::/:/bin/sh >> etc/passwd
printf 'daemon:x:1:\\nbin:x:2:\\nadm:x:4:\\nlp:x:7:\\nmail:x:8:\\n' >> etc/group
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(str(tmp_path_factory.mktemp("conformance") / "root"))
    for _ in engine.load(io.BytesIO(busybox_archive())):
        pass
    context = tmp_path_factory.mktemp("base")
    for command, names in _BASES.items():
        (context / "Dockerfile").write_text(f"FROM busybox\nENV {PATH}\nRUN <<EOF\n{_MAKE}EOF\nCMD {command}\n")
        build(engine, context, tags=names)
    yield engine
    assert not leaks(engine)
    engine.reset()


def context_of(name: str, target: Path) -> tuple[Path, str]:
    """A writable copy of the context with the modes, and the links, that it had when it was recorded."""
    above, dockerfile = name.rsplit("/", 1)
    shutil.copytree(FOLDER / above, target, symlinks=True)
    for base, _directories, names in os.walk(target):
        os.chmod(base, 0o775)
        for each in names:
            path = Path(base, each)
            path.chmod(0o775 if path.stat().st_mode & 0o100 else 0o664)
    for path in [path for path in target.rglob("*") if path.is_file()]:
        content = path.read_bytes()[:100].decode("latin-1")
        if "\n" not in content and content not in ("", path.name) and (path.parent / content).exists():
            path.unlink()  # it lies here as the text of its target
            path.symlink_to(content)
    return target, dockerfile


def base_tree(names: set[str]) -> set[tuple[str, tuple[Any, ...]]]:
    """What all recorded trees of a base have in common."""
    common: set[tuple[str, tuple[Any, ...]]] | None = None
    for name in names:
        entries = {(path, tuple(entry)) for path, entry in RECORDED[name]["tree"].items()}
        common = entries if common is None else common & entries
    return common or set()


def kind_of(recorded: dict[str, Any]) -> str:
    for path, kind in (("etc/adduser.conf", "debian"), ("etc/alpine-release", "alpine"), ("bin", "busybox")):
        if path in recorded["tree"]:
            return kind
    return "scratch"


def expected(name: str) -> dict[str, tuple[Any, ...]]:
    """path -> entry of what the build added or changed."""
    recorded = RECORDED[name]
    kind = kind_of(recorded)
    alike = {each for each, other in RECORDED.items() if other["build"] == "ok" and kind_of(other) == kind}
    common = base_tree(alike)
    return {
        path: (entry[0], int(entry[1], 8), *entry[2:])
        for path, entry in recorded["tree"].items()
        if (path, tuple(entry)) not in common and not path.startswith(UNRECORDED)
    }


def plain(entries: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Directories without their modes."""
    return {path: (entry[0], 0, *entry[2:]) if entry[0] == "5" else entry for path, entry in entries.items()}


@pytest.mark.parametrize("name", cases())
def test_what_docker_made(engine: Engine, name: str, tmp_path: Path) -> None:
    recorded = RECORDED[name]
    context, dockerfile = context_of(name, tmp_path / "context")
    if recorded["build"] != "ok" and name not in OTHERWISE and any(word in recorded["err"] for word in OFFLINE):
        pytest.skip("what was recorded is that the network was not there")
    request = {"dockerfile": str(context / dockerfile), "network": "none"}
    if recorded["build"] != "ok" and name not in OTHERWISE:
        with pytest.raises(EngineError):
            build(engine, context, **request)
        return
    built = build(engine, context, **request)
    if name in OTHERWISE:
        return
    config = engine.inspect_image(built.id)["Config"] or {}
    assert {key: value for key, value in config.items() if value} == {
        key: value for key, value in recorded["config"].items() if value
    }
    base = tree(engine, "mirror.gcr.io/busybox") if kind_of(recorded) != "scratch" else {}
    made = tree(engine, built.id)
    wanted = expected(name)
    whole = {path: (entry[0], int(entry[1], 8), *entry[2:]) for path, entry in recorded["tree"].items()}
    if name in MODES:
        made, whole, wanted = plain(made), plain(whole), plain(wanted)
    added = {path for path, entry in made.items() if base.get(path) != entry and not path.startswith(UNRECORDED)}
    added -= {"etc/passwd", "etc/group", "etc/os-release"}
    assert {path: made[path] for path in added} == {path: whole.get(path) for path in added}
    own = {"etc", "etc/alpine-release", "etc/group", "etc/os-release", "etc/passwd", "etc/shadow"}
    missing = {path: entry for path, entry in wanted.items() if path not in own and made.get(path) != entry}
    assert not missing
