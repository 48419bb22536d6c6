"""--userns, --uidmap and --gidmap: which ids of the host stand for a container's. Pure.

docker knows `host` alone; the rest is podman's: `auto[:size=N]`, a range that no other container has, `remap`, the range
that /etc/subuid gives to tuidock, or maps written out.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

#: Ids of a container when nothing else is said: those that images use, and `nobody`.
SIZE = 65_536
_LARGEST = 4_294_967_295
#: The kernel takes so many lines of a map.
_LINES = 340


def check_mode(mode: str) -> str:
    """The value of --userns, as it was given. Raises InvalidArgument in docker's words."""
    if mode in ("", "host", "remap") or auto_size(mode):
        return mode
    if mode.startswith("keep-id"):
        raise InvalidArgument("--userns=keep-id is not supported: use auto, remap, or --uidmap and --gidmap")
    raise InvalidArgument("--userns: invalid USER mode")


def auto_size(mode: str) -> int:
    """How many ids `auto` and `auto:size=N` ask for, 0 when it is something else."""
    word, _, options = mode.partition(":")
    if word != "auto":
        return 0
    if not options:
        return SIZE
    key, _, value = options.partition("=")
    if key != "size" or not value.isdecimal() or not 1 <= int(value) <= 1 << 24:
        raise InvalidArgument(f"--userns={mode:.40}: write it as auto or auto:size=N, with at most {1 << 24} ids")
    return int(value)


def parse_map(text: str) -> str:
    """CONTAINER:HOST:COUNT as it was given. Raises InvalidArgument."""
    words = text.split(":")
    if len(words) == 2:
        words.append("1")
    if len(words) != 3 or not all(word.isdecimal() and len(word) <= 10 for word in words):
        raise InvalidArgument(f"invalid id map {text:.60}: write it as CONTAINER:HOST:COUNT, as in 0:100000:65536")
    inside, outside, count = (int(word) for word in words)
    if not count or inside + count > _LARGEST or outside + count > _LARGEST:
        raise InvalidArgument(f"invalid id map {text:.60}: ids go from 0 to {_LARGEST - 1}, and the count is 1 or more")
    return f"{inside}:{outside}:{count}"


def mappings(mode: str, users: Sequence[str], groups: Sequence[str]) -> dict[str, list[str]]:
    """HostConfig.IDMappings of maps that are written out, {} without any. One list stands for the other too."""
    if not users and not groups:
        return {}
    if mode:
        raise InvalidArgument(f"--userns={mode} and --uidmap or --gidmap cannot be used together")
    found = {"UIDMap": list(users or groups), "GIDMap": list(groups or users)}
    for name, lines in found.items():
        _check_lines(name, lines)
    return found


def _check_lines(name: str, lines: Sequence[str]) -> None:
    if len(lines) > _LINES:
        raise InvalidArgument(f"{name} has {len(lines)} lines, the kernel takes {_LINES}")
    ranges = [tuple(int(word) for word in line.split(":")) for line in lines]
    for side in (0, 1):
        spans = sorted((each[side], each[side] + each[2]) for each in ranges)
        if any(spans[number][1] > spans[number + 1][0] for number in range(len(spans) - 1)):
            raise InvalidArgument(f"{name} maps an id twice: {' '.join(lines)}")
    if not any(inside == 0 for inside, _, _ in ranges):
        raise InvalidArgument(f"{name} has no id 0, without which a container cannot be set up")


def check_together(host: Mapping[str, Any]) -> None:
    """docker's rules for containers with a user namespace of their own. Raises InvalidArgument."""
    if not host.get("IDMappings") and host.get("UsernsMode") in ("", "host", None):
        return
    if host.get("Privileged"):
        raise InvalidArgument(
            "privileged mode is incompatible with user namespaces. You must run the container in the "
            "host namespace when running privileged mode"
        )
    for key, what in (("NetworkMode", "network"), ("PidMode", "pid"), ("IpcMode", "ipc"), ("UTSMode", "UTS")):
        mode = str(host.get(key) or "")
        if mode == "host" or mode.startswith("container:"):
            raise InvalidArgument(
                f"cannot share the {mode.partition(':')[0]}'s {what} namespace when user namespaces are enabled"
            )
