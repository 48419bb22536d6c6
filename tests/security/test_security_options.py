"""--security-opt: profiles of system calls from a file, AppArmor, and what each of them does to run and to exec alike.

The tests of AppArmor run where the kernel has it; the development machine has not, the virtual machine has.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.native.monitored import needs_root
from tests.security.test_confinement import SERVE, execute
from tuidock.engine import Engine
from tuidock.engine.errors import SystemFailure, Unsupported
from tuidock.engine.options.run import parse_run
from tuidock.engine.runtime import apparmor

pytestmark = needs_root
without = pytest.mark.skipif(not apparmor.is_enabled(), reason="this kernel runs without AppArmor")

PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 27},
        {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 27, "includes": {"minKernel": "99.0"}},
        {"names": ["fchmodat", "chmod"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "excludes": {"caps": ["CAP_CHOWN"]}},
        {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 29,
         "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]},
        {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_KILL_PROCESS", "includes": {"arches": ["amd64", "arm64"]}},
    ],
}  # fmt: skip


def test_a_profile_from_a_file_decides(engine: Engine, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(PROFILE))
    host = parse_run(["--security-opt", f"seccomp={file}", "busybox"]).request.host_config
    file.unlink()  # it is read once, when the container is made
    container = run.start(SERVE, **host)
    said = execute(
        engine, container, "sh", "-c",
        "mkdir /a; kill -USR1 $$; kill -0 $$ && echo zero; chmod 700 /tmp && echo chmod; rmdir /var && echo rmdir; "
        "ln -s a b; echo $?",
    )  # fmt: skip
    assert "File too large" in said and "Illegal seek" in said
    assert {"zero", "chmod", "rmdir", "159"} <= set(said.split()), said  # 128 and SIGSYS


def test_unconfined_means_no_filter(engine: Engine, run: Run) -> None:
    for options, number in ((["seccomp=unconfined"], "0"), ([], "2")):
        container = run.start(SERVE, SecurityOpt=options)
        assert execute(engine, container, "sh", "-c", "grep Seccomp: /proc/1/status").split()[-1] == number


def test_labels_are_ignored_but_not_in_silence(engine: Engine, run: Run) -> None:
    run.start(["true"], SecurityOpt=["label=disable"])
    assert any("label=disable has no effect" in notice for notice in engine.notices())


@pytest.mark.skipif(apparmor.is_enabled(), reason="this kernel has AppArmor")
def test_a_profile_that_cannot_be_had_is_refused(engine: Engine, run: Run) -> None:
    with pytest.raises(Unsupported, match="without AppArmor"):
        run.start(["true"], SecurityOpt=["apparmor=mine"])
    assert run.output(["echo", "on"], SecurityOpt=["apparmor=unconfined"]) == "on\n"


@without
def test_the_default_profile_confines_run_and_exec(engine: Engine, run: Run) -> None:
    container = run.start(SERVE)
    for process in ("1", "self"):
        assert execute(engine, container, "cat", f"/proc/{process}/attr/current") == "tuidock-default (enforce)\n"
    assert engine.inspect_container(container)["AppArmorProfile"] == "tuidock-default"
    assert engine.notices() == []
    # what capabilities and seccomp would let through
    confined = run.start(SERVE, CapAdd=["SYS_ADMIN"], SecurityOpt=["seccomp=unconfined"])
    assert "denied" in execute(engine, confined, "mount", "-t", "tmpfs", "x", "/tmp")
    free = run.start(SERVE, CapAdd=["SYS_ADMIN"], SecurityOpt=["seccomp=unconfined", "apparmor=unconfined"])
    assert execute(engine, free, "mount", "-t", "tmpfs", "x", "/tmp") == ""
    assert "unconfined" in execute(engine, free, "cat", "/proc/1/attr/current")
    assert execute(engine, container, "sh", "-c", "sleep 9 & kill $!; wait $!; echo $?").endswith("143\n")


@without
def test_only_a_profile_that_is_loaded(run: Run, own_profile: str) -> None:
    with pytest.raises(SystemFailure, match="apparmor_parser -r"):
        run.start(["true"], SecurityOpt=["apparmor=tuidock-nobody-has-this"])
    assert run.output(["cat", "/proc/self/attr/current"], SecurityOpt=[f"apparmor={own_profile}"]).startswith(
        own_profile
    )
    assert run.output(["cat", "/etc/group"], SecurityOpt=[f"apparmor={own_profile}"]).endswith("Permission denied\n")


@pytest.fixture
def own_profile() -> Iterator[str]:
    name = "tuidock-test"
    text = f"profile {name} flags=(attach_disconnected) {{ file, network, capability, signal, deny /etc/group r, }}"
    subprocess.run(["apparmor_parser", "-rK"], input=text, text=True, check=True)
    yield name
    subprocess.run(["apparmor_parser", "-R"], input=text, text=True, check=True)
