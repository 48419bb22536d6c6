"""Hostile tars whose headers lie: pax records, numbers, sparse maps, names, attributes."""

from __future__ import annotations

from tests.rawtar import BLOCK, archive, entry, header, long_name, padded, pax, record
from tests.security.tar_case import UP, Case, directory, either, link, refused, taken

_PLAIN = entry("f", content=b"x")


def _pax_tricks(outside: str) -> dict[str, Case]:
    cases = {
        f"pax {key} {value[:24]!r} {len(value)}": refused(pax({key: value}), _PLAIN)
        for key, value in (
            ("size", "-1"), ("size", " 1"), ("size", "0x1"), ("size", "1 "), ("size", "9" * 20), ("size", "9" * 5000),
            ("size", "1537"), ("size", str((1 << 63) - 1)), ("uid", "-1"), ("uid", str(1 << 32)), ("gid", str(1 << 63)),
            ("gid", "abc"), ("mtime", "1e9"), ("mtime", "nan"), ("mtime", "1.2.3"), ("mtime", "9" * 30),
            ("mtime", "-9223372036854775808.5"), ("path", "../evil"), ("path", "a\0b"), ("path", "a/../../evil"),
            ("path", "n" * 256), ("path", "n/" * 2049), ("path", UP + "tmp/evil"),
        )
    }  # fmt: skip
    huge = bytes(BLOCK * 2049)
    return cases | {
        "pax path wins": taken(pax({"path": "p"}), _PLAIN, tree={"p": "file x", "f": ""}),
        "pax path is absolute": taken(pax({"path": "/etc/evil"}), _PLAIN, tree={"etc/evil": "file x"}),
        "pax link with a zero": refused(pax({"linkpath": "a\0b"}), link("l", "x")),
        "pax values that are empty": taken(
            pax({"path": "", "size": "", "uid": "", "mtime": "", "linkpath": ""}), entry("f", content=b"x", uid=4),
            tree={"f": "file x 0644 4:0"},
        ),
        "pax size wins": taken(
            pax({"size": "1"}), header("f", size=0), padded(b"x"), entry("g", content=b"y"),
            tree={"f": "file x", "g": "file y"},
        ),
        "pax size that hides entries": taken(
            pax({"size": "1024"}), header("f", size=0), entry("hidden", content=b"y"), entry("g", content=b"y"),
            tree={"hidden": "", "g": "file y"},
        ),
        "pax twice": taken(pax({"path": "a"}), pax({"uid": "7"}), _PLAIN, tree={"f": "file x 0644 7:0", "a": ""}),
        "pax for all is read over": taken(pax({"path": "../evil", "size": "9"}, b"g"), _PLAIN, tree={"f": "file x"}),
        "pax before the end": refused(_PLAIN, pax({"path": "a"})),
        "GNU name before the end": refused(_PLAIN, long_name("a")),
        "pax header beyond a megabyte": refused(header("p", b"x", size=len(huge)), huge, _PLAIN),
        "pax size beyond the archive": refused(header("p", b"x", size=1 << 40), _PLAIN),
        "pax records that lie": refused(header("p", b"x", size=12), padded(b"99 path=evil"), _PLAIN),
        "pax record of no length": refused(header("p", b"x", size=8), padded(b"0 path=x"), _PLAIN),
        "pax record inside another": refused(
            header("p", b"x", size=20), padded(b"8 path=a" + record("path", "b")), _PLAIN
        ),
        "fifty thousand records": taken(pax([("k", "v")] * 50_000), _PLAIN, tree={"f": "file x"}),
        "GNU name beats pax": taken(pax({"path": "p"}), long_name("g"), _PLAIN, tree={"g": "file x", "p": ""}),
        "GNU name before pax": taken(long_name("g"), pax({"path": "p"}), _PLAIN, tree={"g": "file x", "p": ""}),
        "GNU name of nothing": taken(long_name(""), _PLAIN, tree={"f": "file x"}),
        "GNU name that climbs": refused(long_name("../evil"), _PLAIN),
        "GNU name that is too long": refused(long_name("n/" * 2100), _PLAIN),
        "GNU name of a gigabyte": refused(header("././@LongLink", b"L", size=1 << 30), _PLAIN),
        "GNU names one after another": taken(
            *(long_name(f"n{n}") for n in range(2000)), _PLAIN, tree={"n1999": "file x"}
        ),
        "prefix that climbs": refused(entry("evil", prefix="a/../..", content=b"x")),
    }  # fmt: skip


def _numbers(outside: str) -> dict[str, Case]:
    cases = {
        f"size {number}": refused(entry("f", size=size), _PLAIN)
        for number, size in enumerate(
            ((1 << 63) - 1, 1 << 62, -1, b"\x80" + b"\xff" * 11, b"\xff" * 12, b"99999999999", b"7777777777x", b"-1")
        )
    }
    return cases | {
        "checksum": refused(header("f", raw={148: b"0000000 "}), _PLAIN),
        "owner beyond 32 bits": refused(entry("f", content=b"x", uid=1 << 33)),
        "owner that means no change": refused(entry("f", content=b"x", uid=(1 << 32) - 1, mode=0o4755)),
        "group that means no change": refused(pax({"gid": str((1 << 32) - 1)}), _PLAIN),
        "owner below zero": refused(entry("f", content=b"x", gid=-2)),
        "times beyond all clocks": taken(
            entry("f", content=b"x", mtime=(1 << 62)), entry("g", content=b"y", mtime=-(1 << 62)),
            directory("d", mtime=1 << 60), tree={"f": "file x", "g": "file y"},
        ),
        "fields of blanks": taken(
            entry("f", size=b" " * 12, mode=b" " * 8, uid=bytes(8), mtime=b" " * 12), tree={"f": "file"}
        ),
        "something behind one empty block": refused(_PLAIN, bytes(BLOCK), entry("g", content=b"y")),
        "something behind the end": Case(archive(_PLAIN) + b"trailer" * 99, False, {"f": "file x"}),
        "only an end": taken(tree={"": "directory"}),
    }  # fmt: skip


def _old_sparse(real: int, stored: bytes, *pairs: tuple[int, int], more: bool = False) -> bytes:
    fields = b"".join(b"%011o\0%011o\0" % pair for pair in pairs)
    raw = {386: fields, 482: b"\1" if more else b"\0", 483: b"%011o\0" % real}
    return header("s", b"S", size=len(stored), magic=b"ustar  \0", raw=raw) + padded(stored)


def _new_sparse(data: bytes, version: str = "1.0", **more: str) -> bytes:
    major, minor = version.split(".")
    records = {"major": major, "minor": minor, **more}
    return pax({"GNU.sparse." + key: value for key, value in records.items()}) + entry("s", content=data)


def _sparse(outside: str) -> dict[str, Case]:
    size, good = "4096", padded(b"1\n0\n2\n") + b"ab"
    old, new = _old_sparse, _new_sparse
    return {
        "sparse as it should be": taken(old(4096, b"abcde", (0, 2), (9, 3)), tree={"s": "file ab"}),
        "sparse pieces that overlap": refused(old(4096, b"abcde", (0, 3), (2, 2))),
        "sparse pieces in disorder": refused(old(4096, b"abcde", (9, 3), (0, 2))),
        "sparse pieces beyond the end": refused(old(4, b"abcde", (0, 2), (9, 3))),
        "sparse pieces of more than is stored": refused(old(4096, b"abc", (0, 2), (9, 3))),
        "sparse pieces of less than is stored": refused(old(4096, b"abcdefgh", (0, 2), (9, 3))),
        "sparse map that goes on for ever": Case(
            old(4096, b"", (0, 0), more=True) + header("", b"\1", raw={504: b"\1"}) * 99, refused=True
        ),
        "sparse 1.0 as it should be": taken(new(good, realsize=size, name="n"), tree={"n": "file ab"}),
        "sparse 1.0 of a billion pieces": refused(new(padded(b"999999999\n0\n2\n") + b"ab", realsize=size)),
        "sparse 1.0 without numbers": refused(new(padded(b"a\nb\n") + b"ab", realsize=size)),
        "sparse 1.0 that is cut off": refused(new(b"1\n0", realsize=size)),
        "sparse 1.0 whose name climbs": refused(new(good, realsize=size, name="../evil")),
        "sparse 1.1": refused(new(b"ab", "1.1", realsize=size)),
        "sparse 0.1 as it should be": taken(new(b"ab", "0.1", size=size, map="0,2"), tree={"s": "file ab"}),
        "sparse 0.1 of half a pair": refused(new(b"ab", "0.1", size=size, map="0,2,4")),
        "sparse 0.1 with negative pieces": refused(new(b"ab", "0.1", size=size, map="-1,2")),
        "sparse 0.1 of a negative size": refused(new(b"ab", "0.1", size="-5", map="0,2")),
        "sparse directory": either(pax({"GNU.sparse.size": size, "GNU.sparse.map": "0,2"}), directory("d")),
    }


def _names(outside: str) -> dict[str, Case]:
    long = "/".join(["n" * 250] * 16)
    odd = {
        "newline": "a\nb", "escape": "\x1b[2J\x1b]52;c;aGk=\x07", "bidi": "\u202etxt.exe", "not unicode": "\udcff\udcfe",
        "blank": " ", "dash": "-rf", "backslash": "a\\..\\b", "percent": "%s%n", "tab": "a\tb", "c1": "\x9b31m",
    }  # fmt: skip
    cases = {f"name with {what}": taken(entry(name, content=b"x"), tree={name: "file x"}) for what, name in odd.items()}
    return cases | {
        "hostile name that is refused": refused(entry("\x1b[2J\n\udcff/../../x", content=b"x")),
        "name of 255 bytes": taken(entry("n" * 255, content=b"x"), tree={"n" * 255: "file x"}),
        "name of 256 bytes": refused(entry("n" * 256, content=b"x")),
        "path of 4095 bytes": taken(directory(f"{long}/{'m' * 79}"), tree={long[:250]: "directory"}),
        "path of 4096 bytes": either(directory(f"{long}/{'m' * 80}")),
        "path of 4097 bytes": refused(directory(f"{long}/{'m' * 81}")),
        "link of 4095 bytes": either(link("l", "t" * 4095)),
        "link of 4097 bytes": refused(link("l", "t" * 4097)),
        "link to nothing": refused(link("l", "")),
        "link with escapes": taken(link("l", "\x1b[2J\n"), tree={"l": "link \x1b[2J\n"}),
    }


def _attributes(outside: str) -> dict[str, Case]:
    forged = {
        f"SCHILY.xattr.{space}.overlay.{name}": value
        for space in ("trusted", "user", "trusted.overlay")
        for name, value in (
            ("opaque", "y"), ("redirect", "/etc"), ("metacopy", ""), ("origin", "\0\xfb!"), ("whiteout", "y"), ("upper", "x"),
            ("overlay.opaque", "y"), ("protattr", "i"), ("impure", "y"), ("uuid", "0" * 16),
        )
    }  # fmt: skip
    capability = b"\x01\0\0\x02\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0"
    odd = [("SCHILY.xattr." + name, "v") for name in ("", "a", "user.", "user." + "n" * 300, "bogus.x", "system.x")]
    return {
        "attributes of overlay": taken(
            pax(forged), directory("d"), pax(forged), entry("f", content=b"x"), pax(forged), link("l", "f"),
            tree={"d": "directory 0755 0:0", "f": "file x 0644 0:0"},
        ),
        "attributes of overlay for the root": taken(pax(forged), directory("./"), tree={"": "directory 0755 0:0"}),
        "capabilities of another user's file": taken(
            pax([("SCHILY.xattr.security.capability", capability)]), entry("f", content=b"x", mode=0o4755, uid=1000),
            tree={"f": "file x 4755 1000:0 security.capability"},
        ),
        "attributes with odd names": taken(pax(odd), entry("f", content=b"x"), tree={"f": "file x"}),
        "an attribute of a megabyte": either(pax({"SCHILY.xattr.user.big": "v" * 900_000}), entry("f", content=b"x")),
        "an attribute that is a path": taken(
            pax({"SCHILY.xattr.user./../../x": "v", "SCHILY.xattr.user.\x1b[2J": "v"}), entry("f", content=b"x"),
            tree={"f": "file x"},
        ),
    }  # fmt: skip


GROUPS = (_pax_tricks, _numbers, _sparse, _names, _attributes)
