"""Variables in instructions, and what ARG gives them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.dockerfile.evaluate import configs
from tuidock.engine.dockerfile import arguments, parser
from tuidock.engine.dockerfile.arguments import Argument
from tuidock.engine.dockerfile.ast import Instruction
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.expand import expand_instruction

ENV = {"a": "1", "b": "x y", "p": "80 443/udp", "own": "me"}


def expanded(text: str, env: dict[str, str] = ENV) -> Instruction:
    return expand_instruction(parser.parse_line(text, "D"), env)


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("COPY $a '$b' /$b/", ("1", "$b", "/x y/")),
        ('ADD ["$a", "b c", "${b}"]', ("1", "b c", "x y")),
        ("ENV $a=$b c='$a'", ("1", "x y", "c", "$a")),
        ("ENV k $a ' z '", ("k", "1  z ")),
        ('LABEL "$a b"="c"', ("1 b", "c")),
        ("EXPOSE $p 1", ("80", "443/udp", "1")),
        ("USER ${own:-x}", ("me",)),
        ("WORKDIR /$a/${none:-d}", ("/1/d",)),
        ("VOLUME /$a $none/x", ("/1", "/x")),
        ("STOPSIGNAL $a", ("1",)),
        ("ARG $a=$a", ("1=$a",)),
        ("FROM $own:$a AS $own".replace(" AS $own", ""), ("me:1",)),
        ("RUN echo $a", ("echo $a",)),
        ("CMD echo $a", ("echo $a",)),
        ('ENTRYPOINT ["$a"]', ("$a",)),
        ("HEALTHCHECK CMD $a", ("CMD", "$a")),
        ("MAINTAINER $a", ("$a",)),
        ('SHELL ["$a"]', ("$a",)),
    ],
)
def test_what_is_expanded(text: str, args: tuple[str, ...]) -> None:
    assert expanded(text).args == args


def test_flags_are_expanded_and_from_is_not() -> None:
    copy = expanded("COPY --from=$a --chown=$own:$a --chmod=$a --exclude=*.$own x /")
    assert copy.flags == {"from": ("$a",), "chown": ("me:1",), "chmod": ("1",), "exclude": ("*.me",)}
    assert expanded("FROM --platform=linux/$own x").flag("platform") == "linux/me"
    run = expanded('RUN --mount=type=bind,source=$b,target="/$a" --mount=type=cache,target=/c ls $a'.replace('"', ""))
    assert run.values("mount") == ("type=bind,source=x y,target=/1", "type=cache,target=/c") and run.args == ("ls $a",)
    assert expand_instruction(run, {}).values("mount") == run.values("mount")
    comma = expanded("RUN --mount=type=bind,target=/$a ls", {"a": 'b,"c"'})
    assert comma.flag("mount") == 'type=bind,"target=/b,""c"""'


def test_heredocs_are_expanded_unless_their_name_is_quoted() -> None:
    copy = expanded("COPY <<$a <<'B' $a /$a\n'$b' \\$a\n$a\n$b\nB")
    assert [each.text for each in copy.inline] == ["'x y' $a\n", "$b\n"]
    assert copy.sources == ("1",) and copy.destination == "/1"
    assert expanded("RUN <<E\n$a\nE").heredocs[0].content == "$a\n"
    quoted = expanded("COPY <<E /x\n\\\nE")
    assert quoted.heredocs[0].content == "\n"


@pytest.mark.parametrize(
    ("text", "column"),
    [("WORKDIR ${x", 9), ("COPY a '${b /c", 8), ("ENV a=1 b=${none:?missing}", 11), ("EXPOSE 1 ${", 10),
     ("COPY --chown=${ a b", 14), ("FROM $none", 6), ("FROM --platform=$none a", 6), ("COPY <<E /\n${x\nE", 6)],
)  # fmt: skip
def test_errors_have_a_place(text: str, column: int) -> None:
    with pytest.raises(DockerfileError) as caught:
        expanded(text)
    assert (caught.value.line, caught.value.column) == (1, column)


def test_all_words_see_the_values_from_before() -> None:
    (config,) = configs(parser.parse("FROM scratch\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc"), {})
    assert config["Env"][1:] == ["abc=bye", "def=hello", "ghi=bye"]


def test_global_arguments() -> None:
    dockerfile = parser.parse("ARG a=1 b=$a c\nARG d=${c:-$TARGETARCH} e\nFROM x")
    predefined = arguments.platform_arguments("linux/arm/v7", "linux/amd64", "end")
    scope = arguments.global_arguments(dockerfile, {"a": "9", "BUILDOS": "z"}, predefined)
    assert (
        {key: scope[key] for key in "abd"} == {"a": "9", "b": "9", "d": "arm"} and "c" not in scope and "e" not in scope
    )
    platform = ("TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT", "BUILDPLATFORM", "BUILDOS", "TARGETSTAGE")
    assert [scope[key] for key in platform] == ["linux/arm/v7", "linux", "arm", "v7", "linux/amd64", "z", "end"]


def test_a_stage_declares_what_it_uses() -> None:
    argument = parser.parse_line("ARG a b=2 c=$b d=$x e g", "D")
    made = arguments.declare(argument, {"x": "X"}, {"a": "given", "e": ""}, {"g": "global", "b": "no"})
    assert made == (
        Argument("a", "given"), Argument("b", "2"), Argument("c", "2"), Argument("d", "X"), Argument("e", ""),
        Argument("g", "global"),
    )  # fmt: skip
    assert arguments.declare(argument, {}, {}, {})[0] == Argument("a", None)


@pytest.mark.parametrize(
    ("lines", "build_args", "env"),
    [
        ("ARG v=1\nFROM scratch\nENV e=$v", {}, "e="),
        ("FROM scratch\nARG v='x  \"y'\nENV e=$v", {}, 'e=x  "y'),
        ("ARG b='scratch'\nFROM \"$b\"\nENV e=", {}, "e="),
        ("ARG v=1\nFROM scratch\nARG v\nENV e=$v", {}, "e=1"),
        ("ARG v=1\nFROM scratch\nARG v=2\nENV e=$v", {}, "e=2"),
        ("ARG v=1\nFROM scratch\nARG v=2\nENV e=$v", {"v": "3"}, "e=3"),
        ("FROM scratch\nENV v=env\nARG v=arg\nENV e=$v", {"v": "given"}, "e=env"),
        ("FROM scratch\nARG v=arg\nENV v=env\nENV e=$v", {}, "e=env"),
        ("FROM scratch\nARG v=1\nFROM scratch\nENV e=${v:-none}", {}, "e=none"),
        ("FROM scratch\nARG TARGETARCH\nENV e=$TARGETARCH$TARGETOS", {}, "e=amd64"),
        ("FROM scratch AS a\nENV v=1\nFROM a\nENV e=$v", {}, "e=1"),
        ("FROM scratch AS a\nONBUILD ENV v=1\nFROM a\nENV e=$v", {}, "e=1"),
    ],
)
def test_scopes(lines: str, build_args: dict[str, str], env: str) -> None:
    made: list[dict[str, Any]] = configs(parser.parse(lines), {}, build_args)
    assert made[-1]["Env"][-1] == env


def test_build_arguments_that_nobody_wants() -> None:
    dockerfile = parser.parse("ARG a\nFROM x\nARG b=1\nONBUILD ARG c")
    given = dict.fromkeys(("a", "b", "c", "d", "HTTP_PROXY", "no_proxy", "TARGETOS", "E"), "")
    assert arguments.unused(dockerfile, given) == ("E", "d")
