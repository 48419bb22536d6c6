"""From a seccomp profile in docker's JSON format to a classic BPF program.

The system calls of an architecture become ranges of numbers with one decision each, and the ranges a binary tree of
comparisons: about eight instructions per call, whatever the profile's length. Names are looked up in a table of our own
(syscalls.json), because a library knows only the calls of the day when it was built.
"""

from __future__ import annotations

import json
import os
import struct

from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.named import Named
from tuidock.engine.runtime.defaults import names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Final

_HERE: Final = os.path.dirname(os.path.abspath(__file__))

ENOSYS: Final = 38
_RET_KILL_PROCESS: Final = 0x80000000
_RET_ERRNO: Final = 0x00050000
_RET_ALLOW: Final = 0x7FFF0000
_RET_LOG: Final = 0x7FFC0000
_ACTIONS: Final = {
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": _RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": _RET_ERRNO,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": _RET_LOG,
    "SCMP_ACT_ALLOW": _RET_ALLOW,
}
_WITH_ERRNO: Final = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")

X32_BIT: Final = 0x40000000
#: Our names -> (AUDIT_ARCH_*, bits of an argument); x32 shares the architecture word of x86_64.
ARCHITECTURES: Final = {
    "x86_64": (0xC000003E, 64),
    "x86": (0x40000003, 32),
    "x32": (0xC000003E, 64),
    "aarch64": (0xC00000B7, 64),
    "arm": (0x40000028, 32),
}
_SECCOMP_NAMES: Final = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_X86": "x86",
    "SCMP_ARCH_X32": "x32",
    "SCMP_ARCH_AARCH64": "aarch64",
    "SCMP_ARCH_ARM": "arm",
}
#: The names by which includes and excludes call the machine.
_DOCKER_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}

#: The newest call that docker's profile decides about. Later ones do not exist (ENOSYS) instead of being forbidden, so
#: that a C library that tries them falls back, as with runc.
_NEWEST: Final = "removexattrat"

_LOAD: Final = 0x20
_AND: Final = 0x54
_JUMP: Final = 0x05
_JEQ: Final = 0x15
_JGT: Final = 0x25
_JGE: Final = 0x35
_RETURN: Final = 0x06
_OFFSET_NUMBER: Final = 0
_OFFSET_ARCHITECTURE: Final = 4
_OFFSET_ARGUMENTS: Final = 16
_LONGEST_JUMP: Final = 255
_LIMIT: Final = 4096


class Instruction(Named):
    """A struct sock_filter; true and false are how many instructions to skip."""

    code: int
    true: int
    false: int
    k: int


class Condition(Named):
    """A comparison of an argument as an unsigned number; bits 32 looks at the lower half only."""

    argument: int
    op: str
    value: int
    value_two: int
    bits: int


class Rule(Named):
    """What to do with a call when all conditions hold."""

    action: int
    conditions: tuple[Condition, ...]


class Profile(Named):
    """A profile without what does not concern this machine and these capabilities."""

    default: int
    architectures: tuple[str, ...]
    rules: tuple[tuple[tuple[str, ...], Rule], ...]


def build(profile: str, capabilities: int, machine: str, release: str) -> bytes:
    """The program for a profile's text ("" is the default profile)."""
    if machine not in _DOCKER_ARCHITECTURES:
        raise Unsupported(f"no seccomp filter for {machine}: run with --security-opt seccomp=unconfined")
    if not profile:
        with open(f"{_HERE}/seccomp.json", encoding="utf-8") as file:
            profile = file.read()
    try:
        document = json.loads(profile)
        if not isinstance(document, dict):
            raise InvalidArgument("the seccomp profile is not a JSON object")
        resolved = resolve(document, capabilities, machine, release)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidArgument(f"decoding seccomp profile failed: {error}") from None
    return encode(program(resolved, tables()))


def tables() -> Mapping[str, Mapping[str, int]]:
    """Numbers of the system calls by architecture and name."""
    with open(f"{_HERE}/syscalls.json", encoding="utf-8") as file:
        loaded: Mapping[str, Mapping[str, int]] = json.load(file)
    return loaded


def resolve(document: Mapping[str, Any], capabilities: int, machine: str, release: str) -> Profile:
    """Evaluate architectures, includes and excludes."""
    if document.get("architectures") and document.get("archMap"):
        raise InvalidArgument("the seccomp profile has both 'architectures' and 'archMap'; use one of them")
    listed = list(document.get("architectures") or ())
    for entry in document.get("archMap") or ():
        if _SECCOMP_NAMES.get(entry["architecture"]) == machine:
            listed = [entry["architecture"], *(entry.get("subArchitectures") or ())]
    known = [_SECCOMP_NAMES[name] for name in listed if name in _SECCOMP_NAMES]
    # the machine's own architecture is always in, or nothing could run
    architectures = tuple(dict.fromkeys([machine, *(name for name in known if _runs_on(name, machine))]))

    names = frozenset(names_of(capabilities))
    rules = []
    for entry in document.get("syscalls") or ():
        if not _applies(entry, names, _DOCKER_ARCHITECTURES[machine], release):
            continue
        if entry.get("name") and entry.get("names"):
            raise InvalidArgument("a rule of the seccomp profile has both 'name' and 'names'; use one of them")
        called = tuple(str(name) for name in entry.get("names") or [entry["name"]])
        rules.append((called, Rule(_action(entry), tuple(_condition(arg) for arg in entry.get("args") or ()))))
    default = {"action": document.get("defaultAction"), "errnoRet": document.get("defaultErrnoRet")}
    return Profile(_action(default), architectures, tuple(rules))


def _runs_on(architecture: str, machine: str) -> bool:
    return architecture in {"x86_64": ("x86_64", "x86", "x32"), "aarch64": ("aarch64", "arm")}[machine]


def _applies(entry: Mapping[str, Any], capabilities: frozenset[str], architecture: str, release: str) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if architecture in (excludes.get("arches") or ()):
        return False
    if capabilities.intersection(excludes.get("caps") or ()):
        return False
    if (least := excludes.get("minKernel")) and _version(release) >= _version(least):
        return False
    if includes.get("arches") and architecture not in includes["arches"]:
        return False
    if not capabilities.issuperset(includes.get("caps") or ()):
        return False
    least = includes.get("minKernel")
    return not least or _version(release) >= _version(least)


def _version(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    minor = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return int(major), int(minor or 0)


def _action(entry: Mapping[str, Any]) -> int:
    name = entry.get("action")
    if name == "SCMP_ACT_NOTIFY":
        raise Unsupported("the seccomp profile wants SCMP_ACT_NOTIFY, which needs an agent; use another action")
    if name not in _ACTIONS:
        raise InvalidArgument(f"the seccomp profile has the unknown action {name!r}")
    value = _ACTIONS[name]
    if name in _WITH_ERRNO:
        number = entry.get("errnoRet")
        number = 1 if number is None else int(number)
        if not 0 <= number < 4096:
            raise InvalidArgument(f"the seccomp profile has the impossible errno {number}")
        value |= number
    return value


def _condition(arg: Mapping[str, Any]) -> Condition:
    index, value, two = int(arg["index"]), int(arg["value"]), int(arg.get("valueTwo") or 0)
    if not 0 <= index < 6 or not 0 <= value < 1 << 64 or not 0 <= two < 1 << 64:
        raise InvalidArgument(f"the seccomp profile has an impossible argument condition: {dict(arg)}")
    op = str(arg["op"]).removeprefix("SCMP_CMP_")
    if op not in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"):
        raise InvalidArgument(f"the seccomp profile has the unknown operator {arg['op']!r}")
    return Condition(index, op, value, two, 32 if arg.get("bits") == 32 else 64)


def program(profile: Profile, numbers: Mapping[str, Mapping[str, int]]) -> list[Instruction]:
    """The whole filter: architecture, then number, then arguments."""
    words: dict[int, list[str]] = {}
    for name in profile.architectures:
        words.setdefault(ARCHITECTURES[name][0], []).append(name)
    code = [Instruction(_LOAD, 0, 0, _OFFSET_ARCHITECTURE)]
    for word, names in words.items():
        ranges: list[tuple[int, Decision]] = []
        for name in sorted(names, key="x32".__eq__):
            base = X32_BIT if name == "x32" else 0
            ranges += [(base + start, decision) for start, decision in _ranges(profile, name, numbers[name])]
        if names == ["x86_64"]:
            ranges.append((X32_BIT, _single(_RET_ERRNO | ENOSYS)))
        block = [Instruction(_LOAD, 0, 0, _OFFSET_NUMBER), *_tree(_merged(ranges))]
        code += [Instruction(_JEQ, 1, 0, word), Instruction(_JUMP, 0, 0, len(block)), *block]
    code.append(Instruction(_RETURN, 0, 0, _RET_ERRNO | ENOSYS))
    if len(code) > _LIMIT:
        raise InvalidArgument(f"the seccomp profile needs {len(code)} instructions, the kernel takes {_LIMIT}")
    return code


def encode(code: Iterable[Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


#: Rules in the order in which they are tried; the last one has no conditions.
Decision = tuple[Rule, ...]


def _single(action: int) -> Decision:
    return (Rule(action, ()),)


def _ranges(profile: Profile, architecture: str, numbers: Mapping[str, int]) -> list[tuple[int, Decision]]:
    """(first number, decision) from 0 on, for every number there is."""
    bits = ARCHITECTURES[architecture][1]
    rules: dict[int, list[Rule]] = {}
    for names, rule in profile.rules:
        fitted = Rule(rule.action, tuple(c._replace(bits=min(bits, c.bits)) for c in rule.conditions))
        for name in names:
            if name in numbers:
                rules.setdefault(numbers[name], []).append(fitted)
    default = _single(profile.default)
    unknown = default if profile.default in (_RET_ALLOW, _RET_LOG) else _single(_RET_ERRNO | ENOSYS)
    newest = max([numbers[_NEWEST], *(number for number in rules if number < 0x1000)])
    ranges = [(0, default), (newest + 1, unknown)]
    for number, found in rules.items():
        ranges.append((number, _decision(found, profile.default)))
        if number + 1 not in rules:
            ranges.append((number + 1, default if number + 1 <= newest else unknown))
    # of two that start at one number the later one, a rule, counts
    return sorted(dict(ranges).items())


def _decision(rules: Sequence[Rule], default: int) -> Decision:
    """As in libseccomp, a rule without conditions makes the conditional ones pointless."""
    for rule in rules:
        if not rule.conditions:
            return (rule,)
    return (*rules, Rule(default, ()))


def _merged(ranges: Iterable[tuple[int, Decision]]) -> list[tuple[int, Decision]]:
    merged: list[tuple[int, Decision]] = []
    for start, decision in ranges:
        if not merged or merged[-1][1] != decision:
            merged.append((start, decision))
    return merged


def _tree(ranges: Sequence[tuple[int, Decision]]) -> list[Instruction]:
    if len(ranges) == 1:
        return [instruction for rule in ranges[0][1] for instruction in _rule(rule)]
    middle = len(ranges) // 2
    below, above = _tree(ranges[:middle]), _tree(ranges[middle:])
    pivot = ranges[middle][0]
    if len(below) <= _LONGEST_JUMP:
        return [Instruction(_JGE, len(below), 0, pivot), *below, *above]
    return [Instruction(_JGE, 0, 1, pivot), Instruction(_JUMP, 0, 0, len(below)), *below, *above]


def _rule(rule: Rule) -> list[Instruction]:
    """Return the action if all conditions hold, else fall out at the end."""
    code = [Instruction(_RETURN, 0, 0, rule.action)]
    for condition in reversed(rule.conditions):
        code = _compare(condition, len(code)) + code
    return code


def _compare(condition: Condition, rest: int) -> list[Instruction]:
    """Fall through when it holds, else skip `rest` instructions more."""
    low = Instruction(_LOAD, 0, 0, _OFFSET_ARGUMENTS + 8 * condition.argument)
    high = low._replace(k=low.k + 4)
    value, two = condition.value, condition.value_two
    value_low, value_high = value & 0xFFFFFFFF, value >> 32
    wide = condition.bits == 64
    op = condition.op
    if op == "MASKED_EQ":
        code = [low, Instruction(_AND, 0, 0, value_low), Instruction(_JEQ, 0, rest, two & 0xFFFFFFFF)]
        if wide and (value_high or two >> 32):
            code = [high, Instruction(_AND, 0, 0, value_high), Instruction(_JEQ, 0, rest + 3, two >> 32), *code]
        return code
    if op == "EQ":
        code = [low, Instruction(_JEQ, 0, rest, value_low)]
        return [high, Instruction(_JEQ, 0, rest + 2, value_high), *code] if wide else code
    if op == "NE":
        code = [low, Instruction(_JEQ, rest, 0, value_low)]
        return [high, Instruction(_JEQ, 0, 2, value_high), *code] if wide else code
    last = _JGE if op in ("GE", "LT") else _JGT
    if op in ("GT", "GE"):
        code = [low, Instruction(last, 0, rest, value_low)]
        if not wide:
            return code
        return [high, Instruction(_JGT, 3, 0, value_high), Instruction(_JEQ, 0, rest + 2, value_high), *code]
    code = [low, Instruction(last, rest, 0, value_low)]
    if not wide:
        return code
    return [high, Instruction(_JGT, rest + 3, 0, value_high), Instruction(_JEQ, 0, 2, value_high), *code]
