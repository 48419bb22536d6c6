"""`run` and `create` beyond the recorded cases: the daemon's rules, and how the caller takes part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.detach_keys import parse_detach_keys
from tuidock.engine.options.flags import UsageError
from tuidock.engine.options.run import parse_run
from tuidock.engine.options.times import parse_moment

SECOND = 1_000_000_000


def test_a_whole_command() -> None:
    command = parse_run(
        [
            "-d",
            "--rm",
            "--name",
            "web",
            "-p",
            "8080:80",
            "-e",
            "A=1",
            "-e",
            "FROM_HERE",
            "-m",
            "64m",
            "nginx",
            "-g",
            "x",
        ],
        environ={"FROM_HERE": "yes"},
    )
    assert (command.image, command.command, command.name) == ("nginx", ["-g", "x"], "web")
    assert command.detach and command.rm and command.attach == ()
    request = command.request
    assert request.config["Image"] == "nginx"
    assert request.config["Cmd"] == ["-g", "x"]
    assert request.config["Env"] == ["A=1", "FROM_HERE=yes"]
    assert request.host_config["Memory"] == 64 << 20
    assert request.host_config["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert request.host_config["AutoRemove"] is True


@pytest.mark.parametrize(
    ("spec", "port", "binding"),
    [
        ("127.0.0.1:8080:80", "80/tcp", {"HostIp": "127.0.0.1", "HostPort": "8080"}),
        ("127.0.0.1::80", "80/tcp", {"HostIp": "127.0.0.1", "HostPort": ""}),
        ("8080:80", "80/tcp", {"HostIp": "", "HostPort": "8080"}),
        ("80", "80/tcp", {"HostIp": "", "HostPort": ""}),
        ("5353:53/udp", "53/udp", {"HostIp": "", "HostPort": "5353"}),
        ("8000-8010:80", "80/tcp", {"HostIp": "", "HostPort": "8000-8010"}),
        ("[::1]:8080:80", "80/tcp", {"HostIp": "::1", "HostPort": "8080"}),
        ("published=8080,target=80,protocol=udp", "80/udp", {"HostIp": "", "HostPort": "8080"}),
    ],
)
def test_publish_forms(spec: str, port: str, binding: dict[str, str]) -> None:
    request = parse_run(["-p", spec, "img"]).request
    assert request.host_config["PortBindings"] == {port: [binding]}
    assert request.config["ExposedPorts"] == {port: {}}


def test_attach_follows_the_flags() -> None:
    assert parse_run(["img"]).attach == ("stdout", "stderr")
    assert parse_run(["-i", "img"]).attach == ("stdin", "stdout", "stderr")
    assert parse_run(["-a", "STDERR", "img"]).attach == ("stderr",)


def test_an_empty_entrypoint_resets_the_images() -> None:
    assert parse_run(["--entrypoint", "", "img"]).request.config["Entrypoint"] == [""]
    assert parse_run(["img"]).request.config["Entrypoint"] is None


def test_a_seccomp_profile_is_read_in(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    request = parse_run(["--security-opt", f"seccomp={profile}", "--security-opt", "no-new-privileges", "img"]).request
    assert request.host_config["SecurityOpt"] == [
        'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}',
        "no-new-privileges",
    ]


def test_unconfined_system_paths_clear_both_lists() -> None:
    host = parse_run(["--security-opt", "systempaths=unconfined", "img"]).request.host_config
    assert host["MaskedPaths"] == [] and host["ReadonlyPaths"] == [] and host["SecurityOpt"] is None


@pytest.mark.parametrize(
    "argv",
    [
        ["--name", "-bad", "img"],
        ["--name", "x", "img"],
        ["--restart", "sometimes", "img"],
        ["--restart", "always:3", "img"],
        ["-v", "/a:/x", "-v", "/b:/x", "img"],
        ["-v", "/a:relative", "img"],
        ["-v", "/a:/", "img"],
        ["-v", "/a:/x:bogus", "img"],
        ["-v", "bad/name:/x", "img"],
        ["-v", "/a:/x:ro,rw", "img"],
        ["--mount", "type=bind,source=/a,target=/x", "--tmpfs", "/x", "img"],
        ["--mount", "type=tmpfs,source=a,target=/x", "img"],
        ["--mount", "type=bind,target=/x", "img"],
        ["-m", "4m", "img"],
        ["-m", "64m", "--memory-swap", "32m", "img"],
        ["--memory-swap", "64m", "img"],
        ["--cpus", "1", "--cpu-quota", "5000", "img"],
        ["--cap-add", "FLY", "img"],
        ["-w", "relative", "img"],
        ["--oom-score-adj", "2000", "img"],
        ["--memory-swappiness", "200", "img"],
        ["--cpuset-cpus", "3-1", "img"],
        ["--network", "container:", "img"],
        ["--network", "container:x", "-p", "80", "img"],
        ["--ipc", "shared", "img"],
        ["--log-driver", "splunk", "img"],
        ["--log-opt", "max-size=lots", "img"],
        ["--ulimit", "nofile=10:5", "img"],
        ["-d", "-a", "stdout", "img"],
        ["--use-api-socket", "img"],
        ["--hostname", "a b", "img"],
    ],
)
def test_what_contradicts_itself_is_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        parse_run(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["-v", "/a:/x:ro,z,rslave", "img"],
        ["-v", "data:/x:nocopy", "img"],
        ["--cap-add", "net_admin", "--cap-drop", "CAP_CHOWN", "--cap-drop", "all", "img"],
        ["--memory-swap", "-1", "-m", "64m", "img"],
        ["--cpuset-cpus", "0-1,3", "img"],
        ["--log-opt", "max-size=-1", "--log-opt", "max-file=5", "img"],
        ["--network", "container:web", "img"],
        ["--ulimit", "nofile=-1", "img"],
        ["--hostname", "box.example.org", "img"],
    ],
)
def test_what_is_fine_passes(argv: list[str]) -> None:
    assert parse_run(argv).image == "img"


def test_create_knows_no_detach() -> None:
    with pytest.raises(UsageError):
        parse_run(["-d", "img"], verb="create")
    assert parse_run(["-i", "img"], verb="create").interactive


def test_detach_keys() -> None:
    assert parse_detach_keys("") == b"\x10\x11"
    assert parse_detach_keys("ctrl-a,d") == b"\x01d"
    assert parse_detach_keys("ctrl-@,ctrl-[,ctrl-_") == b"\x00\x1b\x1f"
    for bad in ("ctrl-", "ab", "ctrl-1", "a,,b"):
        with pytest.raises(InvalidArgument):
            parse_detach_keys(bad)


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        ("", 0),
        ("1700000000", 1700000000 * SECOND),
        ("1700000000.5", 1700000000 * SECOND + SECOND // 2),
        ("42m", 10_000 * SECOND - 42 * 60 * SECOND),
        ("0s", 10_000 * SECOND),
        ("2023-11-14T22:13:20Z", 1700000000 * SECOND),
        ("2023-11-14T22:13:20.123456789Z", 1700000000 * SECOND + 123456789),
        ("2023-11-15T00:13:20+02:00", 1700000000 * SECOND),
    ],
)
def test_moments(raw: str, moment: int) -> None:
    assert parse_moment(raw, 10_000 * SECOND) == moment


@pytest.mark.parametrize("raw", ["yesterday", "12x", "2023-99-99"])
def test_what_is_no_moment(raw: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_moment(raw, 0)


def test_a_volume_name_of_one_character_is_too_short() -> None:
    with pytest.raises(InvalidArgument, match="'x' is too short"):
        parse_run(["-v", "x:/data", "img"])
