"""Which manifest of an index a machine gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.oci.descriptor import OCI_MANIFEST, Descriptor, Platform
from tuidock.engine.transfer import choosing


def offered(*texts: str) -> list[Descriptor]:
    """Descriptors of platforms; "" names none."""
    return [
        Descriptor(OCI_MANIFEST, f"sha256:{number:064}", 7, {}, Platform(*text.split("/")) if text else None)
        for number, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("machine", "there", "chosen"),
    [
        ("linux/amd64", ("linux/arm64", "linux/amd64"), "linux/amd64"),
        ("linux/amd64/v1", ("linux/amd64", "linux/amd64/v2"), "linux/amd64"),
        ("linux/amd64/v3", ("linux/amd64", "linux/amd64/v2", "linux/amd64/v4"), "linux/amd64/v2"),
        ("linux/amd64/v3", ("linux/amd64/v3", "linux/amd64"), "linux/amd64/v3"),
        ("linux/amd64/v1", ("linux/386", "linux/arm64"), "linux/386"),
        ("linux/amd64/v1", ("linux/386", "linux/amd64"), "linux/amd64"),
        ("linux/arm64/v8", ("linux/arm64", "linux/arm/v7"), "linux/arm64"),
        ("linux/arm64", ("linux/arm64/v8",), "linux/arm64/v8"),
        ("linux/arm64/v8", ("linux/arm/v6", "linux/arm/v7"), "linux/arm/v7"),
        ("linux/arm/v7", ("linux/arm/v5", "linux/arm/v6"), "linux/arm/v6"),
        ("linux/arm/v6", ("linux/arm/v7", "linux/arm/v5"), "linux/arm/v5"),
        ("linux/arm/v6", ("linux/arm/v7",), ""),
        ("linux/amd64", ("windows/amd64", "unknown/unknown"), ""),
        ("linux/amd64", ("windows/amd64", ""), "none"),
        ("linux/amd64", ("", "linux/amd64"), "linux/amd64"),
        ("linux/amd64", (), ""),
    ],
)
def test_the_best_that_the_machine_runs(machine: str, there: tuple[str, ...], chosen: str) -> None:
    found = choosing.choose(offered(*there), Platform(*machine.split("/")))
    assert (str(found.platform or "none") if found else "") == chosen


def test_what_is_no_manifest_is_no_choice() -> None:
    odd = Descriptor("application/octet-stream", "sha256:" + "0" * 64, 7, {}, Platform("linux", "amd64"))
    assert choosing.choose([odd], Platform("linux", "amd64")) is None


def test_what_there_is_is_named_without_attestations() -> None:
    assert choosing.offers(offered("linux/s390x", "unknown/unknown", "linux/arm/v6")) == "linux/arm/v6, linux/s390x"


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("fpu sse2", "v1"),
        ("cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3", "v2"),
        ("cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave", "v3"),
        ("avx avx2 bmi1 bmi2 f16c fma abm movbe xsave", "v1"),
    ],
)
def test_the_level_of_this_machine(tmp_path: Path, flags: str, level: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    assert choosing._level(str(tmp_path / "cpuinfo")) == level


def test_silence_means_this_machine() -> None:
    assert choosing.wanted("") == choosing.host()
    assert choosing.wanted("linux/s390x") == Platform("linux", "s390x")
    with pytest.raises(InvalidArgument):
        choosing.wanted("not a platform")
