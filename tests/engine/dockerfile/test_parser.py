"""From text to stages: directives, comments, continuations, heredocs, flags, lookups, warnings."""

from __future__ import annotations

import pytest

from tuidock.engine.dockerfile import parser
from tuidock.engine.dockerfile.ast import Instruction
from tuidock.engine.dockerfile.errors import DockerfileError


def only(text: str) -> Instruction:
    """The instruction behind FROM."""
    (instruction,) = parser.parse(f"FROM a\n{text}").stages[0].instructions
    return instruction


def test_directives_stand_first() -> None:
    text = "# syntax=docker/dockerfile:1\n#Escape = `\n# check=skip=all\nFROM a\nRUN a `\n b"
    dockerfile = parser.parse(text)
    assert (dockerfile.syntax, dockerfile.escape, dockerfile.check) == ("docker/dockerfile:1", "`", "skip=all")
    assert dockerfile.stages[0].instructions[0].args == ("a  b",)
    for comment in ("# a comment\n", "\n", "# unknown=x\n", "FROM x\n"):
        assert parser.parse(comment + "# escape=`\nFROM a\nRUN a \\\n b").escape == "\\"


@pytest.mark.parametrize(
    "text", ["# escape=x\nFROM a", "# escape=`\n# escape=`\nFROM a", "#syntax=a\n#syntax=b\nFROM a"]
)
def test_bad_directives(text: str) -> None:
    with pytest.raises(DockerfileError):
        parser.parse(text)


def test_byte_order_mark_crlf_and_bytes() -> None:
    dockerfile = parser.parse("\ufeffFROM a AS b\r\nRUN x \\\r\n  y\r\nCOPY <<E /\r\nline\r\nE\r\n".encode())
    run, copy = dockerfile.stages[0].instructions
    assert run.args == ("x   y",) and dockerfile.stages[0].name == "b"
    assert copy.heredocs[0].content == "line\r\n"
    assert parser.parse(b"FROM a\nLABEL x=\xff").stages[0].instructions[0].args == ("x", "\ufffd")


def test_comments_and_blank_lines_inside_of_an_instruction() -> None:
    dockerfile = parser.parse("FROM a\nRUN one \\\n  # a comment\n\n  two \\\n# another\n  three\n# end\nUSER x")
    run, user = dockerfile.stages[0].instructions
    assert run.args == ("one   two   three",) and (run.line, run.end_line) == (2, 7) and user.line == 9
    assert [(warning.line, warning.message[:24]) for warning in dockerfile.warnings] == [
        (4, "Empty continuation line ")
    ]


def test_a_doubled_escape_ends_a_line() -> None:
    first, second = parser.parse("FROM a\nRUN x \\\\\nRUN y \\ \t\n z").stages[0].instructions
    assert first.args == ("x \\\\",) and second.args == ("y  z",)


def test_forms() -> None:
    assert only('RUN ["a", "b\\n"]').args == ("a", "b\n") and only('RUN ["a"]').json
    assert only("RUN ['a']").args == ("['a']",)
    assert only('CMD ["a", 1').json is False
    assert only('COPY ["a b", "c"]').sources == ("a b",)
    assert only("CMD []").args == () and only("CMD []").json
    assert only("ENV a b  c").pairs == (("a", "b  c"),) and only("ENV a b").legacy
    assert only("ENV a=b \"c d\"='e f' g=\\ h").pairs == (("a", "b"), ('"c d"', "'e f'"), ("g", "\\ h"))
    assert only("healthCheck --retries=3 cmd x y").args == ("cmd", "x y")
    assert only("workdir  /a b ").args == ("/a b",)
    assert only("ARG a b=c").args == ("a", "b=c")
    onbuild = only("ONBUILD COPY --from=x a /b")
    assert onbuild.trigger and onbuild.trigger.flag("from") == "" and onbuild.trigger.text == "COPY --from=x a /b"
    assert only('CMD ["\\ud800"]').args == ("\ufffd",)


def test_flags() -> None:
    copy = only('COPY --chown=1:2 --link --exclude="a b" --exclude=c --parents=false -- --x /y')
    assert (copy.flag("chown"), copy.flag("chmod"), copy.switch("link"), copy.switch("parents")) == (
        "1:2",
        "",
        True,
        False,
    )
    assert copy.values("exclude") == ("a b", "c") and copy.sources == ("--x",) and copy.destination == "/y"
    assert only("RUN --mount=type=cache,target=/x --network=none ls").flag("network") == "none"
    assert parser.parse("FROM --platform=$BUILDPLATFORM a").stages[0].platform == "$BUILDPLATFORM"


def test_heredocs() -> None:
    run = only("RUN <<A cat 3<<-'B' | sh\n\ta $x\nA\n\t\tb\n\tB\nRUN".replace("\nRUN", ""))
    first, second = run.heredocs
    assert (first.name, first.text, first.expand, first.descriptor) == ("A", "\ta $x\n", True, 0)
    assert (second.name, second.content, second.text, second.expand) == ("B", "\t\tb\n", "b\n", False)
    assert (run.line, run.end_line) == (2, 6)
    copy = only("COPY --chmod=755 <<x.sh <<'y' z /dst/\nX\nx.sh\nY\ny")
    assert copy.sources == ("z",) and [each.name for each in copy.inline] == ["x.sh", "y"]
    assert only("RUN echo $((1<<2))").heredocs == ()
    assert only("USER <<x").heredocs == ()
    assert only('RUN ["<<x"]').heredocs == ()
    trigger = only("ONBUILD RUN <<E\nhello\nE").trigger
    assert trigger and trigger.heredocs[0].content == "hello\n"
    with pytest.raises(DockerfileError, match="never ends"):
        only("RUN <<E\nhello")


def test_stages_are_found_by_name_in_any_case_and_by_number() -> None:
    dockerfile = parser.parse("ARG x\nFROM a AS One\nFROM b\nFROM c AS two-2.x_\nFROM d AS one")
    assert [stage.name for stage in dockerfile.stages] == ["one", "", "two-2.x_", "one"]
    assert dockerfile.stage("ONE") is dockerfile.stages[3] and dockerfile.stage("oNe", 3) is dockerfile.stages[0]
    assert dockerfile.stage("1") is dockerfile.stages[1] and dockerfile.stage("1", numbers=False) is None
    assert dockerfile.stage("2", 2) is None and dockerfile.stage("nope") is None and dockerfile.stage("") is None
    assert dockerfile.arguments[0].args == ("x",)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("FORM a", 1, 1, "unknown instruction: FORM (did you mean FROM?)"),
        ("FROM a\n  wrkdir x", 2, 3, "did you mean workdir?"),
        ("FROM a\nCOPY --form=x a b", 2, 6, "did you mean from?"),
        ("FROM a\nCOPY --chown a b", 2, 6, "--chown needs a value"),
        ("FROM a\nCOPY --link=maybe a b", 2, 6, "true or false"),
        ("FROM a\nCOPY --link --link a b", 2, 6, "twice"),
        ("FROM a\nRUN --network=fake ls", 2, 5, "default or none or host"),
        ("FROM a\nRUN \\\n  --security=x ls", 3, 3, "sandbox or insecure"),
        ("FROM a\nCOPY a", 2, 1, "at least two arguments"),
        ("FROM a\nCOPY a <<b\nb", 2, 8, "heredoc as a destination"),
        ("FROM a AS 1b", 1, 11, "invalid name for a build stage"),
        ("FROM a b", 1, 1, "one or three"),
        ("FROM a\nENV x", 2, 5, "two arguments"),
        ("FROM a\nENV x=1 y", 2, 9, "has no ="),
        ("FROM a\nENV =1", 2, 1, "blank"),
        ("FROM a\nLABEL", 2, 1, "at least one"),
        ("FROM a\nARG =x", 2, 5, "blank"),
        ('FROM a\nRUN ["a", 1]', 2, 5, "texts only"),
        ("FROM a\nSHELL sh", 2, 1, "JSON"),
        ("FROM a\nHEALTHCHECK x", 2, 13, "CMD or NONE"),
        ("FROM a\nHEALTHCHECK NONE x", 2, 13, "no arguments"),
        ("FROM a\nHEALTHCHECK CMD", 2, 13, "missing"),
        ("FROM a\nHEALTHCHECK --interval=1x CMD y", 2, 13, "duration"),
        ("FROM a\nHEALTHCHECK --interval=9999999h CMD y", 2, 13, "292 years"),
        ("FROM a\nHEALTHCHECK --timeout=1us CMD y", 2, 13, "1ms"),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD y", 2, 13, "number"),
        ("FROM a\nONBUILD ONBUILD RUN x", 2, 9, "Chaining"),
        ("FROM a\nONBUILD from x", 2, 9, "trigger"),
        ('FROM a\nVOLUME [" "]', 2, 1, "empty"),
        ("FROM a\nUSER", 2, 1, "exactly one"),
        ("RUN x", 1, 1, "before the first FROM"),
        ("FROM a\nRUN --mount=type=cache,targt=/x ls", 2, 24, "did you mean target?"),
        ("FROM a\nRUN --mount=from=$x,target=/x ls", 2, 5, "no variables"),
        ("# escape=xy\nFROM a", 1, 10, "escape token"),
        ("FROM a\nRUN <<E\nx", 2, 5, "never ends"),
        ("FROM a\nRUN " + "x" * 70000, 2, 1, "65535"),
    ],
)
def test_errors_show_the_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parser.parse(text, "D")
    error = caught.value
    assert (error.file, error.line, error.column) == ("D", line, column)
    told, shown, marker = str(error).splitlines()
    assert told.startswith(f"D:{line}:{column}: ") and words in told
    assert shown.split("|")[1].strip()
    assert shown[len(marker) - 1] == text.split("\n")[line - 1][column - 1]


@pytest.mark.parametrize("text", ["", "# only\n", "\n\n", "ARG x", b"\xef\xbb\xbf"])
def test_nothing_to_build(text: str | bytes) -> None:
    with pytest.raises(DockerfileError, match=r"^Dockerfile: (file with no instructions|there is no FROM)"):
        parser.parse(text)


def test_long_and_odd_lines_are_shown_in_part() -> None:
    with pytest.raises(DockerfileError) as caught:
        parser.parse("FROM a\nCOPY --\x1b[31m" + "x" * 500, "D")
    _, shown, marker = str(caught.value).splitlines()
    assert len(shown) < 130 and shown.isprintable() and shown.endswith("...") and len(marker) < 130
    with pytest.raises(DockerfileError) as caught:
        parser.parse("FROM a\nENV a=1 " + "b=2 " * 100 + "here", "D")
    _, shown, marker = str(caught.value).splitlines()
    assert shown.partition("| ")[2].startswith("...") and shown[len(marker) - 1 :] == "here"


def test_the_marker_stands_below_wide_letters_too() -> None:
    with pytest.raises(DockerfileError) as caught:
        parser.parse("FROM a\nENV 漢字=1 e\u0301=2 here", "D")
    assert caught.value.column == 15 and caught.value.excerpt.split("\n")[-1] == " " * (8 + 15) + "^"


def test_warnings() -> None:
    text = "FROM a AS context\nMAINTAINER x\nENV a b\nCMD ['x']\nONBUILD BOGUS\nFROM b AS two\nFROM c AS Two"
    warnings = parser.parse(text).warnings
    assert [warning.line for warning in warnings] == [1, 2, 3, 4, 5, 7]
    assert "BOGUS" in warnings[4].message


def test_one_line_alone() -> None:
    assert parser.parse_line("LABEL a=b", "--change").pairs == (("a", "b"),)
    assert parser.parse_trigger("RUN <<E\nx\nE").heredocs[0].content == "x\n"
    assert parser.parse_trigger("# escape=`\nRUN x").source.escape == "\\"
    for text in ("", "RUN a\nRUN b", "FROM x", "ONBUILD RUN x", "MAINTAINER x", "BOGUS"):
        with pytest.raises(DockerfileError):
            parser.parse_trigger(text)


def test_a_file_of_that_size_is_none() -> None:
    with pytest.raises(DockerfileError, match="larger than 16 MiB"):
        parser.parse(b"#" * (16 * 2**20 + 1))
