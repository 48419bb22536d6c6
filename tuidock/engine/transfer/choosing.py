"""Which of an index's manifests fits a machine.

Pure. The rules are containerd's: the same system and architecture; of several variants the best that the machine runs
(arm v7 also runs v6 and v5, amd64 every lower level, 32 bits where nothing else is there); attestations, which are of
the platform unknown/unknown, are no images.
"""

from __future__ import annotations

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.oci.descriptor import INDEXES, MANIFESTS, Descriptor, Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What a level of x86-64 needs of /proc/cpuinfo, lowest first.
_LEVELS = (
    ("v2", ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")),
    ("v3", ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave")),
    ("v4", ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
)
_DEFAULT_VARIANTS = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_ALSO_RUNS = {"amd64": "386", "arm64": "arm"}


def host() -> Platform:
    """This machine, with its level of x86-64."""
    from tuidock.engine.store.loading import host_platform

    platform = host_platform()
    return platform._replace(variant=_level()) if platform.architecture == "amd64" else platform


def _level(path: str = "/proc/cpuinfo") -> str:
    try:
        with open(path) as file:
            flags = next((set(line.split()) for line in file if line.startswith("flags")), set())
    except OSError:
        flags = set()
    found = "v1"
    for level, needed in _LEVELS:
        if not flags.issuperset(needed):
            break
        found = level
    return found


def wanted(text: str) -> Platform:
    """What --platform means; this machine when it is silent. Raises InvalidArgument."""
    if not text:
        return host()
    from tuidock.engine.options.platforms import parse_platform

    asked, here = Platform(*parse_platform(text, host().architecture)), host()
    if asked[:2] == here[:2] and not asked.variant:
        return here
    return asked


def _number(variant: str) -> int:
    digits = variant.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 4 else -1


def rank(offered: Platform, machine: Platform) -> int:
    """How well it fits, 0 is best; -1 when it does not."""
    if offered.os != machine.os:
        return -1
    architecture = machine.architecture
    if offered.architecture == architecture:
        most = _number(machine.variant or _DEFAULT_VARIANTS.get(architecture, ""))
        level = _number(offered.variant or _DEFAULT_VARIANTS.get(architecture, ""))
        if offered.variant == machine.variant:
            return 0
        return most - level if 0 <= level <= most else -1
    if _ALSO_RUNS.get(architecture) == offered.architecture:
        return 1000 if offered.architecture != "arm" else 1000 + max(0, 8 - _number(offered.variant or "v7"))
    return -1


def choose(manifests: Sequence[Descriptor], machine: Platform) -> Descriptor | None:
    """The manifest, or a nested index, to take; None when nothing fits."""
    best: tuple[int, int] | None = None
    for number, one in enumerate(manifests):
        if one.media_type not in (*MANIFESTS, *INDEXES):
            continue
        # who does not say what it is for comes last, but comes
        fit = 5000 if one.platform is None else rank(one.platform, machine)
        if fit >= 0 and (best is None or fit < best[0]):
            best = (fit, number)
    return manifests[best[1]] if best else None


def offers(manifests: Iterable[Descriptor]) -> str:
    """What there is, for the sentence that says that nothing fits."""
    names = {str(one.platform) for one in manifests if one.platform and one.platform.os != "unknown"}
    return ", ".join(sorted(names)) or "nothing that is an image"


def check(found: Platform, asked: str, what: str) -> None:
    """Refuses an image that is for another platform than somebody asked for. Raises InvalidArgument."""
    if asked and rank(found, wanted(asked)) < 0:
        raise InvalidArgument(
            f"{what} is for {found} and not for the platform {asked}; leave out --platform to take it"
        )
