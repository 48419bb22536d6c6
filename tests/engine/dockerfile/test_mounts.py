"""RUN --mount."""

from __future__ import annotations

import pytest

from tuidock.engine.dockerfile import parser
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.mounts import RunMount, parse_mounts


@pytest.mark.parametrize(
    ("written", "mount"),
    [
        ("target=/x", RunMount("bind", "/x")),
        ("type=bind,src=a,dst=/x,rw", RunMount("bind", "/x", "a", readonly=False)),
        ("from=base,source=/a,destination=/x,ro=false,z", RunMount("bind", "/x", "/a", "base", readonly=False)),
        ("type=cache,target=/x,id=i,sharing=locked,mode=0700,uid=1,gid=2",
         RunMount("cache", "/x", readonly=False, id="i", sharing="locked", mode=0o700, uid=1, gid=2)),
        ("type=cache,target=/x,readonly", RunMount("cache", "/x")),
        ("type=tmpfs,target=/x,size=1m", RunMount("tmpfs", "/x", readonly=False, size=1 << 20)),
        ("type=secret,id=s,required", RunMount("secret", id="s", required=True)),
        ("type=secret,id=s,env=TOKEN", RunMount("secret", id="s", env="TOKEN")),
        ("TYPE=ssh", RunMount("ssh")),
        ('type=bind,"target=/a,b"', RunMount("bind", "/a,b")),
    ],
)  # fmt: skip
def test_mounts(written: str, mount: RunMount) -> None:
    quoted = written.replace('"', '\\"')
    assert parse_mounts(parser.parse_line(f"RUN --mount={quoted} ls", "D")) == (mount,)


@pytest.mark.parametrize(
    "written",
    ["type=nope,target=/x", "type=bind", "type=cache,target=/x,sharing=some", "target=/x,sharing=locked", "target=/x,size=1",
     "type=tmpfs,target=/x,size=big", "type=tmpfs,target=/x,size=" + "9" * 5000, "target=/x,mode=0700",
     "type=cache,target=/x,mode=9", "type=cache,target=/x,uid=-1", "type=cache,target=/x,gid=99999999999",
     "type=secret", "type=secret,id=a,source=b", "target=/x,required", "target=/x,ro=maybe", "target", "nokey=1,target=/x",
     "target=/x,tmpcopyup", "type=tmpfs,from=a,target=/x", 'target=/x,"'],
)  # fmt: skip
def test_what_is_no_mount(written: str) -> None:
    with pytest.raises(DockerfileError):
        quoted = written.replace('"', '\\"')
        parse_mounts(parser.parse_line(f"RUN --mount={quoted} ls", "D"))


def test_several() -> None:
    run = parser.parse_line("RUN --mount=target=/a --mount=target=/b ls", "D")
    assert [mount.target for mount in parse_mounts(run)] == ["/a", "/b"]
    assert parse_mounts(parser.parse_line("RUN ls", "D")) == ()
