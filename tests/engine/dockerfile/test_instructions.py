"""Metadata instructions onto a config, the command of RUN, the lines of the history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuidock.engine.dockerfile import history, instructions, parser
from tuidock.engine.dockerfile.arguments import Argument
from tuidock.engine.dockerfile.errors import DockerfileError

SECOND = 10**9


def applied(*lines: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
    result = config or {}
    for line in lines:
        result = instructions.apply(result, parser.parse_line(line, "D"))
    return result


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["CMD a b"], {"Cmd": ["/bin/sh", "-c", "a b"]}),
        (['CMD ["a"]', 'CMD ["b"]'], {"Cmd": ["b"]}),
        (['SHELL ["/bin/bash", "-ec"]', "CMD x"], {"Shell": ["/bin/bash", "-ec"], "Cmd": ["/bin/bash", "-ec", "x"]}),
        (["CMD a", 'ENTRYPOINT ["e"]'], {"Entrypoint": ["e"]}),
        (['ENTRYPOINT ["e"]', "ENTRYPOINT []"], {}),
        (["ENV A=1 B=2", "ENV A=3 C=", "ENV D x y"], {"Env": ["A=3", "B=2", "C=", "D=x y"]}),
        (["LABEL a=1", "LABEL a=2 b=3"], {"Labels": {"a": "2", "b": "3"}}),
        (["EXPOSE 80 53/UDP 10-11"], {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "10/tcp": {}, "11/tcp": {}}}),
        (["EXPOSE 8080:80"], {"ExposedPorts": {"80/tcp": {}}}),
        (['VOLUME ["/a b"]', "VOLUME /c /d"], {"Volumes": {"/a b": {}, "/c": {}, "/d": {}}}),
        (["USER a:b"], {"User": "a:b"}),
        (["WORKDIR a", "WORKDIR ../b/./c/"], {"WorkingDir": "/b/c"}),
        (["WORKDIR //x//y", "WORKDIR ../../.."], {"WorkingDir": "/"}),
        (["STOPSIGNAL 9"], {"StopSignal": "9"}),
        (["STOPSIGNAL rtmin+3"], {"StopSignal": "rtmin+3"}),
        (["HEALTHCHECK CMD x y"], {"Healthcheck": {"Test": ["CMD-SHELL", "x y"]}}),
        (['HEALTHCHECK --interval=1m --timeout=0 --start-interval=2s CMD ["x"]'],
         {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 60 * SECOND, "StartInterval": 2 * SECOND}}),
        (["HEALTHCHECK CMD x", "HEALTHCHECK none"], {"Healthcheck": {"Test": ["NONE"]}}),
        (["ONBUILD  RUN a", "ONBUILD COPY <<E /\nx\nE"], {"OnBuild": ["RUN a", "COPY <<E /\nx\nE"]}),
        (["RUN x", "COPY a b", "ARG x", "MAINTAINER y"], {}),
    ],
)  # fmt: skip
def test_configs(lines: list[str], expected: dict[str, Any]) -> None:
    assert applied(*lines) == expected


def test_what_is_no_unicode() -> None:
    label = parser.parse_line("LABEL a=x", "D")._replace(args=("a", "\udcff\U0001f600"))
    assert instructions.apply({}, label) == {"Labels": {"a": "\ufffd\U0001f600"}}
    assert history.created_by(label, {}).encode()


def test_the_given_config_stays() -> None:
    config: dict[str, Any] = {
        "Env": ["A=1"],
        "Labels": {"a": "b"},
        "Volumes": {"/x": {}},
        "ExposedPorts": None,
        "Cmd": ["c"],
    }
    before = {key: value.copy() if value else value for key, value in config.items()}
    applied("ENV A=2", "LABEL a=c", "VOLUME /y", "EXPOSE 1", "ENTRYPOINT x", "ONBUILD RUN y", config=config)
    assert config == before


def test_entrypoint_keeps_the_command_of_its_own_stage() -> None:
    entrypoint = parser.parse_line("ENTRYPOINT x", "D")
    assert "Cmd" not in instructions.apply({"Cmd": ["c"]}, entrypoint)
    assert instructions.apply({"Cmd": ["c"]}, entrypoint, own_command=True)["Cmd"] == ["c"]


@pytest.mark.parametrize(
    "line",
    ["EXPOSE x", "EXPOSE 70000", "EXPOSE 1/icmp", "EXPOSE " + "1-65535 " * 10, "STOPSIGNAL SIGNOPE", "STOPSIGNAL 0",
     "STOPSIGNAL _IGN", 'CMD ["a\\u0000b"]', "VOLUME ''"],
)  # fmt: skip
def test_what_no_config_can_say(line: str) -> None:
    from tuidock.engine.dockerfile.expand import expand_instruction

    with pytest.raises(DockerfileError):
        instructions.apply({}, expand_instruction(parser.parse_line(line, "D"), {}))


@pytest.mark.parametrize(
    ("line", "argv", "script"),
    [
        ("RUN a  b", ("/bin/sh", "-c", "a  b"), None),
        ('RUN ["a", "b"]', ("a", "b"), None),
        ("RUN <<E\na\nb\nE", ("/bin/sh", "-c", "a\nb\n"), None),
        ("RUN <<-E\n\ta\n\tE", ("/bin/sh", "-c", "a\n"), None),
        ("RUN <<E\n#!/usr/bin/env python3\nE", ("/bin/sh", "-c", "/dev/pipes/E"), "#!/usr/bin/env python3\n"),
        ("RUN <<../..\n#!/x\n../..", ("/bin/sh", "-c", "/dev/pipes/script"), "#!/x\n"),
        ("RUN <<a/b\n#!/x\na/b", ("/bin/sh", "-c", "/dev/pipes/b"), "#!/x\n"),
        ("RUN cat <<E > x\na\nE", ("/bin/sh", "-c", "cat <<E > x\na\nE"), None),
        ("RUN <<A cat; <<B cat\na\nA\nb\nB", ("/bin/sh", "-c", "<<A cat; <<B cat\na\nA\nb\nB"), None),
    ],
)
def test_run(line: str, argv: tuple[str, ...], script: str | None) -> None:
    command = instructions.run_command(parser.parse_line(line, "D"))
    assert command.argv == argv and (command.script.text if command.script else None) == script


@pytest.mark.parametrize(
    ("line", "created_by"),
    [
        ('CMD ["a", "b \\"c\\"\\n"]', 'CMD ["a" "b \\"c\\"\\n"]'),
        ("CMD a", 'CMD ["/bin/sh" "-c" "a"]'),
        ("ENTRYPOINT x ä\u0085y", 'ENTRYPOINT ["/bin/sh" "-c" "x ä\\u0085y"]'),
        ("ENV a=1 b=2 3", None),
        ("ENV a=1 b=2", "ENV a=1 b=2"),
        ("LABEL x y", "LABEL x=y"),
        ("EXPOSE 80 1-2/udp", "EXPOSE [80/tcp 1/udp 2/udp]"),
        ("VOLUME /a /b", "VOLUME [/a /b]"),
        ("WORKDIR x/", "WORKDIR /x"),
        ("USER me", "USER me"),
        ("STOPSIGNAL TERM", "STOPSIGNAL TERM"),
        ('SHELL ["/bin/bash", "-c"]', "SHELL [/bin/bash -c]"),
        ("MAINTAINER a b", "MAINTAINER a b"),
        ("HEALTHCHECK --interval=90s --timeout=1.5s --retries=2 CMD x",
         "HEALTHCHECK {Test:[CMD-SHELL x] Interval:1m30s Timeout:1.5s StartPeriod:0s StartInterval:0s Retries:2}"),
        ("COPY --chown=1 --link a b /c", "COPY --chown=1 a b /c # buildkit"),
        ("ADD <<x /c\nx", "ADD <<x /c # buildkit"),
        ("ONBUILD RUN x", ""),
    ],
)  # fmt: skip
def test_history(line: str, created_by: str | None) -> None:
    if created_by is None:
        with pytest.raises(DockerfileError):
            parser.parse_line(line, "D")
        return
    instruction = parser.parse_line(line, "D")
    assert history.created_by(instruction, instructions.apply({}, instruction)) == created_by


def test_history_of_run_and_arg() -> None:
    run, arg = parser.parse_line("RUN make", "D"), parser.parse_line("ARG a b=1", "D")
    argv = ("/bin/sh", "-c", "make")
    assert history.created_by(run, {}, argv=argv) == "RUN /bin/sh -c make # buildkit"
    declared = (Argument("a", None), Argument("b", "1"), Argument("a", "2"))
    assert history.created_by(run, {}, argv=argv, arguments=declared, variables={"b": "env"}) == (
        "RUN |2 a=2 b=env /bin/sh -c make # buildkit"
    )
    assert history.created_by(arg, {}, arguments=declared[:2]) == "ARG a b=1"


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (1, "1ns"), (1500, "1.5µs"), (200_000_000, "200ms"), (SECOND, "1s"), (90 * SECOND, "1m30s"),
     (3600 * SECOND, "1h0m0s"), (3661 * SECOND + 10**8, "1h1m1.1s")],
)  # fmt: skip
def test_durations_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert history.go_duration(nanoseconds) == text


def test_a_bad_change_is_shown_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tuidock.cli.main import main

    archive = tmp_path / "x.tar"
    archive.write_bytes(b"\0" * 1024)
    code = main(["--root", str(tmp_path / "root"), "import", "-c", "ENV a=1 \x1bb", str(archive)])
    told = capsys.readouterr().err.splitlines()
    assert code == 1 and told[0].startswith("tuidock: --change:1:") and told[1].startswith("    1 | ENV a=1")
    assert told[2].strip() == "^" and "\x1b" not in "".join(told)
