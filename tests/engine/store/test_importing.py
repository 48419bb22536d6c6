"""Root file systems become images, with changes in Dockerfile words."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from tests.engine.store.archives import layer
from tests.engine.store.conftest import Store
from tuidock.engine.errors import BadContent, InvalidArgument
from tuidock.engine.store import changes, images, operations


def import_image(store: Store, raw: bytes, *arguments: Any) -> str:
    progress = list(operations.import_image(store.state, store.paths, io.BytesIO(raw), *arguments))
    assert progress[-1].action == "imported"
    return progress[-1].subject


def template() -> bytes:
    """As OpenVZ templates are: rooted at ./, device nodes, numeric owners, a whiteout look-alike nowhere."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, mode, owner in (
            ("./", tarfile.DIRTYPE, 0o750, 0), ("./dev/", tarfile.DIRTYPE, 0o755, 0),
            ("./dev/null", tarfile.CHRTYPE, 0o666, 0), ("./home/", tarfile.DIRTYPE, 0o700, 1234),
            ("./sbin/init", tarfile.REGTYPE, 0o4755, 0),
        ):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.uid, entry.gid = kind, mode, owner, owner
            entry.devmajor, entry.devminor = 1, 3
            tar.addfile(entry)
    return raw.getvalue()


def test_a_template_keeps_modes_owners_and_devices(store: Store) -> None:
    image_id = import_image(store, template(), "ubuntu:14.04", "from a template", ['CMD ["/sbin/init"]'])
    record = images.resolve(store.state, store.paths, "ubuntu:14.04")
    assert record.id == image_id and record.container_config == {"Cmd": ["/sbin/init"]}
    (root,) = record.lower
    assert stat.S_IMODE(os.stat(root).st_mode) == 0o750
    assert os.stat(root + "/dev/null").st_rdev == os.makedev(1, 3)
    assert os.stat(root + "/home").st_uid == 1234
    assert stat.S_IMODE(os.stat(root + "/sbin/init").st_mode) == 0o4755
    assert record.config["history"][0]["comment"] == "from a template"
    assert store.problems() == []


@pytest.mark.parametrize(
    "compress",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)
def test_any_compression_is_recognised(store: Store, compress: Callable[[bytes], bytes]) -> None:
    image_id = import_image(store, compress(layer({"file": b"x"})))
    record = images.resolve(store.state, store.paths, image_id)
    with open(record.lower[0] + "/file", "rb") as file:
        assert file.read() == b"x"
    assert record.config["history"][0]["comment"] == "Imported from -" and record.container_config == {}
    assert store.problems() == []


def test_garbage_and_bad_changes_leave_nothing(store: Store) -> None:
    for raw in (b"junk" * 1000, b"hello\n", gzip.compress(b"junk" * 1000)):
        with pytest.raises(BadContent, match="is no tar archive") as refused:
            import_image(store, raw)
        assert "layer" not in str(refused.value)
    with pytest.raises(InvalidArgument):
        import_image(store, template(), "UPPER")
    with pytest.raises(InvalidArgument):
        import_image(store, template(), "", "", ["RUN rm -rf /"])
    assert store.is_empty()


@pytest.mark.parametrize(
    ("words", "config"),
    [
        (['CMD ["a", "b c"]'], {"Cmd": ["a", "b c"]}),
        (["cmd echo $HOME"], {"Cmd": ["/bin/sh", "-c", "echo $HOME"]}),
        (['ENTRYPOINT ["/init"]', "CMD x"], {"Entrypoint": ["/init"], "Cmd": ["/bin/sh", "-c", "x"]}),
        (["ENV A=1 B='two words'", "ENV A=3"], {"Env": ["A=3", "B=two words"]}),
        (["ENV OLD some value"], {"Env": ["OLD=some value"]}),
        (
            ["EXPOSE 80 53/udp 9000-9001"],
            {"ExposedPorts": {port: {} for port in ("80/tcp", "53/udp", "9000/tcp", "9001/tcp")}},
        ),
        (["LABEL a=b c='d e'"], {"Labels": {"a": "b", "c": "d e"}}),
        (["USER 1000:1000", "WORKDIR /srv", "WORKDIR www"], {"User": "1000:1000", "WorkingDir": "/srv/www"}),
        (['VOLUME ["/a", "/b"]', "VOLUME /c"], {"Volumes": {"/a": {}, "/b": {}, "/c": {}}}),
        (["STOPSIGNAL SIGPWR", "ONBUILD RUN x"], {"StopSignal": "SIGPWR", "OnBuild": ["RUN x"]}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (
            ["HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f http://localhost/"],
            {"Healthcheck": {"Interval": 90 * 10**9, "Retries": 3, "Test": ["CMD-SHELL", "curl -f http://localhost/"]}},
        ),
    ],
)
def test_changes_are_read_like_a_dockerfile(words: list[str], config: dict[str, Any]) -> None:
    assert changes.apply({}, words) == config


@pytest.mark.parametrize(
    "word",
    ["", "CMD", "COPY a b", "EXPOSE x", "EXPOSE 70000", "ENV A", "LABEL a=b c", "HEALTHCHECK ls", "ONBUILD FROM x",
     "HEALTHCHECK --interval=soon CMD x", "ENV A='open"],
)  # fmt: skip
def test_bad_changes_are_refused(word: str) -> None:
    with pytest.raises(InvalidArgument):
        changes.apply({}, [word])


def test_changes_do_not_touch_what_they_were_given() -> None:
    base = {"Env": ["A=1"], "Labels": {"a": "b"}}
    changes.apply(base, ["ENV B=2", "LABEL c=d"])
    assert base == {"Env": ["A=1"], "Labels": {"a": "b"}}
