"""Every option parser gives docker's answer for docker's own test inputs."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.options.recorded import case_parameters, load_cases
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options import devices, env_file, flags, mounts, networks, ports, run, values, volumes
from tuidock.engine.options.run_flags import RUN_FLAGS


def agrees(case: dict[str, Any], parse: Callable[[Any], Any]) -> None:
    if "error" in case:
        with pytest.raises((InvalidArgument, ValueError)):
            parse(case["input"])
    else:
        assert parse(case["input"]) == case["expected"]


@pytest.mark.parametrize("case", case_parameters("port_range.json"))
def test_port_range(case: dict[str, Any]) -> None:
    agrees(case, lambda raw: list(ports.parse_port_range(raw)))


@pytest.mark.parametrize("case", case_parameters("port_spec_upstream.json"))
def test_port_spec(case: dict[str, Any]) -> None:
    agrees(case, lambda raw: [{"Port": port, "Binding": b} for port, b in ports.parse_port_spec(raw)])


@pytest.mark.parametrize("case", case_parameters("port_specs.json"))
def test_port_specs(case: dict[str, Any]) -> None:
    agrees(case, lambda raw: dict(zip(("exposed", "bindings"), ports.parse_port_specs(raw), strict=True)))


@pytest.mark.parametrize("case", case_parameters("port_long_syntax.json"))
def test_port_long_syntax(case: dict[str, Any]) -> None:
    agrees(case, ports.parse_port_config)


@pytest.mark.parametrize("case", case_parameters("volume_spec_upstream.json"))
def test_volume_spec(case: dict[str, Any]) -> None:
    if "\\" in case["input"] or re.search(r"(^|:)[a-zA-Z]:", case["input"]):
        pytest.skip("a Windows path; a drive letter is a volume name here")
    agrees(case, volumes.parse_volume)


@pytest.mark.parametrize("case", case_parameters("mount_flag_upstream.json"))
def test_mount(case: dict[str, Any]) -> None:
    agrees(case, lambda raw: [mounts.parse_mount(raw, cwd="/src/cli/opts")])


@pytest.mark.parametrize("case", case_parameters("network_flag.json"))
def test_network(case: dict[str, Any]) -> None:
    def parse(raw: str) -> list[dict[str, Any]]:
        attachment = networks.parse_network(raw)
        if "expected" in case and case["expected"][0]["Aliases"] is None:
            attachment["Aliases"] = attachment["Aliases"] or None
        return [attachment]

    agrees(case, parse)


@pytest.mark.parametrize("case", case_parameters("env_file.json"))
def test_env_file(case: dict[str, Any]) -> None:
    given = case["input"]
    content = base64.b64decode(given["content_base64"]) if "content_base64" in given else given["content"].encode()
    lookup = given["environ"].get if given["lookup"] else None
    agrees({**case, "input": content}, lambda raw: env_file.parse_lines(raw, lookup))


#: The recording machine's PATH, which the case of a variable taken from the environment shows.
RECORDED_ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

MISC: dict[str, Callable[[str], Any]] = {
    "DurationOpt.Set": values.parse_duration,
    "ValidateEnv": lambda raw: [values.expand_env(raw, RECORDED_ENVIRON)],
    "GpuOpts.Set": lambda raw: [devices.parse_gpus(raw)],
    "ValidateIPAddress": lambda raw: [values.parse_address(raw)],
    "ValidateExtraHost": lambda raw: [values.parse_extra_host(raw)],
    "ValidateDNSSearch": lambda raw: [values.parse_dns_search(raw)],
    "ValidateLabel": lambda raw: [values.check_label(raw)],
    "ParseLink": lambda raw: list(values.parse_link(raw)),
    "ValidateLink": lambda raw: [values.check_link(raw)],
    "ParseCPUs": values.parse_cpus,
    "ValidateThrottleBpsDevice": lambda raw: [devices.parse_throttle_bps(raw)],
    "ValidateThrottleIOpsDevice": lambda raw: [devices.parse_throttle_iops(raw)],
    # upstream's test sets the value in an option that already holds nofile
    "UlimitOpt.Set": lambda raw: devices.merge_ulimits(map(devices.parse_ulimit, ("nofile=512:1024", raw))),
    "ValidateWeightDevice": lambda raw: [devices.parse_weight_device(raw)],
    "ParseRestartPolicy": lambda raw: [values.parse_restart_policy(raw)],
    "MemBytes.Set": values.parse_size,
    "MemSwapBytes.Set": values.parse_swap,
}


@pytest.mark.parametrize("case", case_parameters("cli_opts_misc.json"))
def test_single_values(case: dict[str, Any]) -> None:
    agrees(case, MISC[case["kind"]])


@pytest.fixture
def testdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files that upstream's cases name, made from the contents that its env-file cases record."""
    folder = tmp_path / "testdata"
    folder.mkdir()
    (folder / "valid.env").write_text("ENV1=value1\n")
    (folder / "valid.label").write_text("LABEL1=value1\n")
    utf16 = [c["input"]["content_base64"] for c in load_cases("env_file.json") if "content_base64" in c["input"]]
    for name, content in zip(("utf16.env", "utf16be.env"), utf16, strict=False):
        (folder / name).write_bytes(base64.b64decode(content))
    (folder / "utf8.env").write_bytes("\ufeffFOO=BAR\r\nHELLO=您好\r\nBAR=FOO".encode())
    monkeypatch.chdir(tmp_path)
    yield


@pytest.mark.usefixtures("testdata")
@pytest.mark.parametrize("case", case_parameters("run_flags_upstream.json"))
def test_run_flags(case: dict[str, Any]) -> None:
    def parse(argv: list[str]) -> dict[str, Any]:
        given, _ = flags.parse(RUN_FLAGS, argv)
        request = run.read_request(given, "", [], {})
        return {
            "Config": request.config,
            "HostConfig": request.host_config,
            "NetworkingConfig": request.networking,
        }

    agrees(case, parse)
