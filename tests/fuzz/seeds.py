"""Writes the seeds of the fuzzers: one archive for each feature of tar that the extractor knows, the hostile tars of the
tests, a launch record, and messages of names."""

from __future__ import annotations

import io
import struct
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.security.hostile_tars import corpus

#: Longer ones make a fuzzer slow (bytes).
LONGEST = 16_384


def entry(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: object) -> bytes:
    """One entry and the end of the archive."""
    archive = io.BytesIO()
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), 0o4755
    for key, value in more.items():
        setattr(info, key, value)
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(content))
    return archive.getvalue()[: -(-archive.tell() // 512) * 512]


def joined(*archives: bytes) -> bytes:
    """Several archives as one."""
    parts = [archive.rstrip(b"\0") for archive in archives]
    return b"".join(part + b"\0" * (-len(part) % 512) for part in parts) + b"\0" * 1024


def tars() -> dict[str, bytes]:
    """Names and archives."""
    link = entry("a", tarfile.SYMTYPE, linkname="../outside")
    sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "4096", "GNU.sparse.map": "0,2,9,3"}
    return {
        "file": entry("etc/passwd", content=b"root:x:0:0\n"),
        "directory": joined(
            entry("d", tarfile.DIRTYPE), entry("d/f", content=b"x"), entry("d", tarfile.SYMTYPE, linkname="/")
        ),
        "through-link": joined(link, entry("a/witness", content=b"changed")),
        "link-to-link": joined(link, entry("b", tarfile.LNKTYPE, linkname="a"), entry("b/witness", content=b"changed")),
        "hard-link-out": entry("b", tarfile.LNKTYPE, linkname="../outside/witness"),
        "dangling": joined(entry("a", tarfile.SYMTYPE, linkname="b/c"), entry("a/d/e", content=b"x")),
        "whiteouts": joined(entry("d", tarfile.DIRTYPE), entry("d/.wh.x"), entry("d/.wh..wh..opq"), entry(".wh...")),
        "device": entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        "fifo": entry("pipe", tarfile.FIFOTYPE),
        "xattr": entry(
            "f", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/../outside", "SCHILY.xattr.user.a": "b"}
        ),
        "pax": entry("x" * 300 + "/y", pax_headers={"mtime": "-1.5", "uid": "4294967296", "path": "p/../q"}),
        "sparse": entry("s", content=b"abcde", pax_headers=sparse),
    }


def record() -> bytes:
    """Pairs of most kinds."""
    pairs = [
        ("id", "a" * 64), ("lower", "/l"), ("mount", "bind"), ("source", "/s"), ("target", "/t"), ("flags", "4096"),
        ("cgroup-bind", "cpu=/c"), ("device", "c 1 3 666 0 0 /dev/null"), ("cgroup", "/c"), ("set", "pids.max"),
        ("value", "1"), ("interface", "eth0"), ("address", "10.0.0.2/8"), ("port", "tcp"), ("host-port", "80"),
        ("rlimit", "nofile 1 -1 user"), ("caps", "ff"), ("umask", "22"), ("arg", "sh"), ("env", "A=b"),
    ]  # fmt: skip
    return "".join(f"{key}\0{value}\0" for key, value in pairs).encode()


def hostile() -> dict[str, bytes]:
    """Those of the corpus that are short."""
    found = enumerate(corpus("/../outside").values())
    return {f"hostile-{number}": case.tar for number, case in found if len(case.tar) <= LONGEST}


def names() -> dict[str, bytes]:
    """A question and its echo as an answer, the length of the first in front, for each kind that the resolver knows."""
    found = {}
    for name, kind in (("web", 1), ("www.example.org", 28), ("4.3.2.1.in-addr.arpa", 12), ("0." * 32 + "ip6.arpa", 12)):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        message = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">B2H", 0, kind, 1)
        found[name] = struct.pack(">H", len(message)) + message + message[:2] + b"\x81" + message[3:]
    edns = found["web"][2:23][:11] + b"\1" + found["web"][14:23] + struct.pack(">BHHIH", 0, 41, 1232, 0, 0)
    return {**found, "edns": struct.pack(">H", len(edns)) + edns}


def main() -> None:
    directory = Path(sys.argv[1])
    for name, content in (tars() | hostile()).items():
        (directory / "extract" / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / "extract" / name).write_bytes(content)
    (directory / "dns").mkdir(exist_ok=True)
    for name, content in names().items():
        (directory / "dns" / name).write_bytes(content)
    (directory / "record").mkdir(exist_ok=True)
    (directory / "record" / "pairs").write_bytes(record())


if __name__ == "__main__":
    main()
