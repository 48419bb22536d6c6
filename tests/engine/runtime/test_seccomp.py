"""The seccomp compiler against the profile that it compiled, by interpretation and in the kernel."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import platform
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.runtime import defaults, seccomp
from tuidock.engine.runtime import seccomp_compiler as compiler

ROOM = Path(compiler.__file__).parent
DEFAULT = json.loads((ROOM / "seccomp.json").read_text())
TABLES = compiler.tables()
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
RELEASE = "6.1.0-18-amd64"


def run_bpf(code: bytes, arch: int, number: int, args: tuple[int, ...] = ()) -> int:
    """What the kernel's interpreter would return."""
    return interpret(code, arch, number, args)[0]


def interpret(code: bytes, arch: int, number: int, args: tuple[int, ...] = ()) -> tuple[int, int]:
    """(what is returned, how many instructions it took)."""
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(args + (0,) * 6)[:6])
    program = [struct.unpack_from("=HBBI", code, at) for at in range(0, len(code), 8)]
    accumulator = at = 0
    for step in range(len(program)):
        op, true, false, k = program[at]
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, k)
        elif op == 0x54:
            accumulator &= k
        elif op == 0x05:
            at += k
        elif op == 0x06:
            return int(k), step + 1
        else:
            taken = {0x15: accumulator == k, 0x25: accumulator > k, 0x35: accumulator >= k}[op]
            at += true if taken else false
    raise AssertionError("ran off the end")


def holds(arg: dict[str, Any], given: int, bits: int) -> bool:
    mask = (1 << min(bits, arg.get("bits", 64))) - 1
    given, value, two = given & mask, arg["value"] & mask, arg.get("valueTwo", 0) & mask
    result: dict[str, bool] = {
        "SCMP_CMP_EQ": given == value,
        "SCMP_CMP_NE": given != value,
        "SCMP_CMP_LT": given < value,
        "SCMP_CMP_LE": given <= value,
        "SCMP_CMP_GT": given > value,
        "SCMP_CMP_GE": given >= value,
        "SCMP_CMP_MASKED_EQ": given & value == two,
    }
    return result[arg["op"]]


def expected(
    profile: dict[str, Any], caps: int, arch: str, machine: str, name: str, number: int, args: tuple[int, ...]
) -> int:
    """The decision read straight off the JSON, written without a look at the compiler."""
    have = set(defaults.names_of(caps))
    bits = 32 if arch in ("x86", "arm") else 64
    rules = []
    for rule in profile["syscalls"]:
        inc, exc = rule.get("includes", {}), rule.get("excludes", {})
        skip = machine in exc.get("arches", []) or have & set(exc.get("caps", []))
        skip = skip or (inc.get("arches") and machine not in inc["arches"]) or set(inc.get("caps", [])) - have
        if not skip and name in rule["names"]:
            rules.append(rule)
    rules.sort(key=lambda r: bool(r.get("args")))
    for rule in rules:
        if all(holds(a, (args + (0,) * 6)[a["index"]], bits) for a in rule.get("args", [])):
            return ALLOW if rule["action"].endswith("ALLOW") else ERRNO | rule.get("errnoRet", 1)
    newest = TABLES[arch]["removexattrat"]
    named = {TABLES[arch][n] for r in profile["syscalls"] for n in r["names"] if n in TABLES[arch]}
    newest = max([newest, *(n for n in named if n < 0x1000)])
    return ERRNO | (38 if number > newest else 1)


ARGUMENTS: tuple[tuple[int, ...], ...] = (
    (0,), (8,), (0x20000,), (0x20008,), (0xFFFFFFFF,), (0xFFFFFFFFFFFFFFFF,), (9,), (1 << 32,), (8 | 1 << 40,),
    (0x7E020000,), (0x10000000,), (0x00020000 | 1 << 35,), (0x01200011,),
    (38,), (39,), (40,), (41,), (2,), (38 | 1 << 32,), (40 | 1 << 33,),
)  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "docker", "arches"),
    [("x86_64", "amd64", ("x86_64", "x86", "x32")), ("aarch64", "arm64", ("aarch64", "arm"))],
)
@pytest.mark.parametrize(
    "caps",
    [
        defaults.DEFAULT_CAPABILITY_MASK,
        0,
        (1 << 41) - 1,
        defaults.mask_of(["CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_BPF"]),
    ],
)
def test_every_call_of_every_architecture_gets_the_profiles_decision(
    machine: str, docker: str, arches: tuple[str, ...], caps: int
) -> None:
    code = compiler.build("", caps, machine, RELEASE)
    assert len(code) // 8 < 1000
    for arch in arches:
        word = compiler.ARCHITECTURES[arch][0]
        bit = compiler.X32_BIT if arch == "x32" else 0
        by_number = {number: name for name, number in TABLES[arch].items() if name != "arm_sync_file_range"}
        for number in {*range(600), *by_number}:
            name = by_number.get(number, "")
            conditional = name in ("clone", "clone3", "socket", "personality")
            for args in ARGUMENTS if conditional else ARGUMENTS[:1]:
                want = expected(DEFAULT, caps, arch, docker, name, number, args)
                assert run_bpf(code, word, number | bit, args) == want, (arch, name, number, args)


def test_unknown_architectures_and_numbers_do_not_exist() -> None:
    code = compiler.build("", defaults.DEFAULT_CAPABILITY_MASK, "x86_64", RELEASE)
    assert run_bpf(code, 0xC00000B7, 0) == ERRNO | 38
    for number in (467, 100_000, 0x3FFFFFFF, 0x40000000 | 5000, 0xFFFFFFFF):
        assert run_bpf(code, 0xC000003E, number) == ERRNO | 38


def test_a_call_takes_few_instructions() -> None:
    code = compiler.build("", defaults.DEFAULT_CAPABILITY_MASK, "x86_64", RELEASE)
    assert len(code) // 8 < 700
    for name in ("read", "write", "openat", "futex", "epoll_wait", "recvmsg", "execve"):
        assert interpret(code, 0xC000003E, TABLES["x86_64"][name])[1] < 20, name


@pytest.mark.parametrize("op", ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"])
@pytest.mark.parametrize("bits", [64, 32])
def test_comparisons_are_unsigned_and_of_all_64_bits(op: str, bits: int) -> None:
    edges = [0, 1, 5, 0xFFFFFFFF, 1 << 32, (1 << 32) + 5, (5 << 32) + 1, (1 << 64) - 1]
    for value in edges:
        for two in (0, 5, (1 << 32) + 1) if op == "MASKED_EQ" else (0,):
            arg = {"index": 3, "value": value, "valueTwo": two, "op": f"SCMP_CMP_{op}", "bits": bits}
            profile = {
                "defaultAction": "SCMP_ACT_ERRNO",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [arg]}],
            }
            code = compiler.build(json.dumps(profile), 0, "x86_64", RELEASE)
            for given in edges:
                want = ALLOW if holds(arg, given, 64) else ERRNO | 1
                if op == "MASKED_EQ" and bits == 64 and two & ~value:
                    want = ERRNO | 1
                assert run_bpf(code, 0xC000003E, 0, (0, 0, 0, given)) == want, (value, two, given)


def test_a_profile_may_deny_single_calls_and_list_its_architectures() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{"name": "mkdir", "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": None}],
    }
    code = compiler.build(json.dumps(profile), 0, "x86_64", RELEASE)
    assert run_bpf(code, 0xC000003E, TABLES["x86_64"]["mkdir"]) == ERRNO | 13
    assert run_bpf(code, 0x40000003, TABLES["x86"]["mkdir"]) == ERRNO | 13
    assert run_bpf(code, 0xC000003E, 9999) == ALLOW
    assert run_bpf(code, 0xC000003E, 0x40000000) == ERRNO | 38


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"defaultAction":"SCMP_ACT_JUMP"}',
        '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":5000}',
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ALLOW"}]}',
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]}',
        '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"x"}]}',
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"read","action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}',
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"read","action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":0,"op":"X"}]}]}',
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[7]}',
        "[" * 100_000,
    ],
)  # fmt: skip
def test_a_profile_without_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        compiler.build(text, 0, "x86_64", RELEASE)


def test_what_cannot_be_had_is_said() -> None:
    with pytest.raises(Unsupported, match="SCMP_ACT_NOTIFY"):
        compiler.build('{"defaultAction":"SCMP_ACT_NOTIFY"}', 0, "x86_64", RELEASE)
    with pytest.raises(Unsupported, match="riscv64"):
        compiler.build("", 0, "riscv64", RELEASE)


def test_the_numbers_agree_with_the_kernel_headers() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("no kernel headers for x86_64 here")
    for line in header.read_text().splitlines():
        if line.startswith("#define __NR_"):
            _, name, number = line.split()
            assert TABLES["x86_64"][name.removeprefix("__NR_")] == int(number)


def test_the_generation_follows_what_is_compiled() -> None:
    """Cached filters are found by the generation, so it must change whenever the compiler's output does."""
    every: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    every["syscalls"] = [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 5 << 32 | 7, "op": f"SCMP_CMP_{op}"}]}
        for op in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")
    ]  # fmt: skip
    machines = ("x86_64", "aarch64")
    programs = [compiler.build("", caps, m, RELEASE) for m in machines for caps in (0, (1 << 41) - 1)]
    programs += [compiler.build(json.dumps(every), 0, machine, RELEASE) for machine in machines]
    digest = hashlib.sha256(b"".join(programs)).hexdigest()[:12]
    assert digest == seccomp.GENERATION, f"the compiled filters changed: set seccomp.GENERATION to {digest!r}"


def test_the_filter_is_compiled_once_and_a_damaged_one_again(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    path = seccomp.filter_path(cache, defaults.DEFAULT_CAPABILITY_MASK)
    inode = os.stat(path).st_ino
    assert seccomp.filter_path(cache, defaults.DEFAULT_CAPABILITY_MASK) == path
    assert os.stat(path).st_ino == inode
    assert seccomp.filter_path(cache, 0) != path
    assert seccomp.filter_path(cache, 0, '{"defaultAction":"SCMP_ACT_ALLOW"}') != seccomp.filter_path(cache, 0)
    Path(path).write_bytes(b"")
    assert os.stat(seccomp.filter_path(cache, defaults.DEFAULT_CAPABILITY_MASK)).st_size > 0


def test_a_profile_file_is_read_and_its_absence_told(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"defaultAction":"SCMP_ACT_ALLOW"}')
    assert seccomp.read_profile(str(tmp_path / "p.json")).startswith("{")
    with pytest.raises(InvalidArgument, match="opening seccomp profile"):
        seccomp.read_profile(str(tmp_path / "absent"))


def in_child_with_filter(code: bytes, calls: list[tuple[int, tuple[int, ...]]]) -> list[int]:
    """errno of each system call made by a child that has loaded the filter (0: it went through)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    filters = ctypes.create_string_buffer(code, len(code))
    fprog = struct.pack("@HP", len(code) // 8, ctypes.addressof(filters))
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, fprog, 0, 0):
                os._exit(2)
            results = []
            for number, args in calls:
                ctypes.set_errno(0)
                value = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(a) for a in args))
                results.append(ctypes.get_errno() if value < 0 else 0)
            os.write(write, struct.pack(f"{len(results)}i", *results))
        finally:
            os._exit(0)
    os.close(write)
    raw = os.read(read, 4096)
    os.close(read)
    _, status = os.waitpid(pid, 0)
    assert status == 0
    return list(struct.unpack(f"{len(raw) // 4}i", raw))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers below are those of x86_64")
def test_the_kernel_takes_the_filter_and_obeys_it() -> None:
    code = compiler.build("", defaults.DEFAULT_CAPABILITY_MASK, "x86_64", os.uname().release)
    number = TABLES["x86_64"]
    new_user = 0x10000000
    calls = {
        "getpid": (0, (number["getpid"], ())),
        "unshare": (errno.EPERM, (number["unshare"], (new_user,))),
        "mount": (errno.EPERM, (number["mount"], (0, 0, 0, 0, 0))),
        "clone3": (errno.ENOSYS, (number["clone3"], (0, 0))),
        "clone of a namespace": (errno.EPERM, (number["clone"], (new_user | 17, 0, 0, 0, 0))),
        "inet socket": (0, (number["socket"], (socket.AF_INET, socket.SOCK_STREAM, 0))),
        "alg socket": (errno.EPERM, (number["socket"], (38, socket.SOCK_SEQPACKET, 0))),
        "alg socket in disguise": (errno.EPERM, (number["socket"], (1 << 32 | 38, socket.SOCK_SEQPACKET, 0))),
        "personality query": (0, (number["personality"], (0xFFFFFFFF,))),
        "personality change": (errno.EPERM, (number["personality"], (0x40000,))),
        "keyctl": (errno.EPERM, (number["keyctl"], (0, 0))),
        "a call of the future": (errno.ENOSYS, (600, ())),
        "getpid by the x32 table": (errno.ENOSYS, (0x40000000 | 600, ())),
    }
    results = in_child_with_filter(code, [call for _, call in calls.values()])
    assert dict(zip(calls, results, strict=True)) == {name: want for name, (want, _) in calls.items()}
