"""Docker's defaults: capability arithmetic, mounts, device rules, sysctls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument, Unsupported
from tuidock.engine.runtime import defaults
from tuidock.engine.runtime.defaults import DEFAULT_CAPABILITY_MASK, capability_mask, mask_of, names_of


def test_the_default_set_is_dockers_mask() -> None:
    assert DEFAULT_CAPABILITY_MASK == 0xA80425FB
    assert capability_mask() == DEFAULT_CAPABILITY_MASK


def test_names_and_numbers_agree_with_the_kernel() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert len(defaults.CAPABILITIES) == last + 1 == 41
    assert defaults.CAPABILITIES[21] == "CAP_SYS_ADMIN"
    assert names_of(mask_of(["CAP_KILL", "CAP_BPF"])) == ("CAP_KILL", "CAP_BPF")


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        (["net_admin"], [], DEFAULT_CAPABILITY_MASK | 1 << 12),
        (["CAP_NET_ADMIN"], ["NET_ADMIN"], DEFAULT_CAPABILITY_MASK | 1 << 12),
        ([], ["KILL"], DEFAULT_CAPABILITY_MASK & ~(1 << 5)),
        ([], ["ALL"], 0),
        (["CHOWN"], ["all"], 1),
        (["ALL"], ["SYS_ADMIN"], (1 << 41) - 1 & ~(1 << 21)),
        (["ALL"], ["ALL"], (1 << 41) - 1),
        (["CAP_ALL"], [], (1 << 41) - 1),
    ],
)
def test_add_and_drop_follow_dockers_order(add: list[str], drop: list[str], expected: int) -> None:
    assert capability_mask(add, drop) == expected


def test_an_unknown_capability_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgument, match='unknown capability: "FLY"'):
        capability_mask(["FLY"])


def test_unspelled_sets_shrink_to_what_we_have_and_named_ones_fail() -> None:
    have = defaults.mask_of(["CAP_CHOWN", "CAP_KILL"])
    assert capability_mask(available=have) == have
    assert capability_mask(["ALL"], available=have) == have
    assert capability_mask(privileged=True, available=have) == have
    with pytest.raises(Unsupported, match="CAP_SYS_RESOURCE"):
        capability_mask(["SYS_RESOURCE"], available=have)


def test_own_capabilities_are_read_from_the_kernel() -> None:
    assert defaults.available_capabilities() & defaults.mask_of(["CAP_CHOWN"])


def test_privileged_opens_sysfs_and_cgroups() -> None:
    plain = {m.target: m for m in defaults.mounts()}
    assert list(plain) == [
        "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
    ]  # fmt: skip
    assert plain["/sys"].flags & defaults.MS_RDONLY
    open_ = {m.target: m for m in defaults.mounts(privileged=True, shm=False, tty_group=None)}
    assert not open_["/sys"].flags & defaults.MS_RDONLY
    assert "/dev/shm" not in open_
    assert "gid=" not in open_["/dev/pts"].data


def test_device_rules_have_the_words_of_the_kernel_and_of_the_record() -> None:
    rule = defaults.parse_device_rule("c 136:* rw")
    assert rule.numbers() == "c 136:* rw"
    assert rule.record() == "allow c 136 * rw"
    assert defaults.device_rules([rule])[-1] == rule
    assert defaults.device_rules([rule], privileged=True)[0].record() == "allow a * * rwm"


@pytest.mark.parametrize("text", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:3 x", "c 1:3 rwmr", "c -1:3 r", "c ١:3 r"])
def test_a_malformed_device_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        defaults.parse_device_rule(text)


def test_throttle_counters_are_masked_where_they_exist(tmp_path: Path) -> None:
    assert defaults.masked_paths(str(tmp_path)) == defaults.MASKED_PATHS
    for cpu in (0, 1, 10):
        (tmp_path / f"cpu{cpu}" / "thermal_throttle").mkdir(parents=True)
    assert defaults.masked_paths(str(tmp_path))[-1] == f"{tmp_path}/cpu10/thermal_throttle"


def test_only_sysctls_of_the_containers_own_namespaces_pass() -> None:
    assert dict(defaults.sysctls([("net.core.somaxconn", "9"), ("kernel.msgmax", "1")]))["kernel.msgmax"] == "1"
    assert defaults.sysctls(private_network=False) == ()
    assert len(defaults.sysctls(user_namespace=True)) == 1
    for key in ("kernel.panic", "vm.swappiness", "kernel.hostname"):
        with pytest.raises(InvalidArgument):
            defaults.sysctls([(key, "1")])
    with pytest.raises(InvalidArgument, match="network namespace of the host"):
        defaults.sysctls([("net.core.somaxconn", "9")], private_network=False)
    with pytest.raises(InvalidArgument):
        defaults.sysctls([("net/../kernel/panic", "9")])
