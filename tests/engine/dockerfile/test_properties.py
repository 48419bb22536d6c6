"""What holds for any input: only DockerfileError, docker's matcher and a shell as references, time that does not run away."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuidock.engine.dockerfile import arguments, history, instructions, parser, words
from tuidock.engine.dockerfile.ast import Instruction
from tuidock.engine.dockerfile.errors import DockerfileError
from tuidock.engine.dockerfile.expand import expand_instruction
from tuidock.engine.dockerfile.ignore import Patterns
from tuidock.engine.dockerfile.mounts import parse_mounts

ENV = {"a": "1", "b": "x y", "c": "", "d": "a/b.c/b", "e": "\\*?"}
WORDS = (
    *sorted(instructions.METADATA), "RUN", "COPY", "ADD", "FROM", "from", "AS", "NONE", "BOGUS",
    "--mount=", "type=cache,target=/x", "--from=", "--chown=$a", "--interval=1s", "--link", "--", "--exclude=*",
    "--platform=$a", "$a", "${b:-", "${c:+x}", "${d#*/}", "${d//b/$a}", "${", "}", "$", "'", '"', "\\", "\\\n", "`",
    "\n", "\n\n", "\r\n", "\t", " ", "<<E", "<<-'F'", "<<", "3<<$a", "E\n", "\tF\n", "[", "]", '["x"]',
    '["x", "\\u0000"]', ", ", "=", "a=b", "a", "80/tcp", "1-70000", "# escape=`\n", "# c\n", "\ufeff", "\0", "\x85",
    "\ud800", "ü", "scratch", "/", "..",
)  # fmt: skip
FILES = st.lists(st.sampled_from(WORDS), max_size=40).map(lambda parts: "".join(["FROM a\n", *parts]))


def everything(instruction: Instruction, config: Mapping[str, object]) -> None:
    """All that a build does with an instruction."""
    try:
        expanded = expand_instruction(instruction, ENV)
        after = instructions.apply(dict(config), expanded)
        history.created_by(expanded, after)
        arguments.declare(expanded, ENV, {}, {}) if expanded.word == "ARG" else None
        if expanded.word == "RUN":
            instructions.run_command(expanded)
            parse_mounts(expanded)
        if expanded.word in ("COPY", "ADD"):
            assert len(expanded.sources) + len(expanded.inline) >= 1 and expanded.destination is not None
        if expanded.trigger:
            parser.parse_trigger(instructions.trigger_text(expanded))
    except DockerfileError as error:
        assert str(error) and error.exit_code == 1


@settings(deadline=None, max_examples=150)
@given(FILES | st.text(max_size=200).map("FROM a\n".__add__) | st.binary(max_size=200))
def test_nothing_but_the_rooms_error(text: str | bytes) -> None:
    try:
        dockerfile = parser.parse(text)
    except DockerfileError as error:
        assert str(error).isprintable() or "\n" in str(error)
        return
    arguments.unused(dockerfile, {"x": ""})
    for stage in dockerfile.stages:
        for instruction in (stage.start, *stage.instructions):
            everything(instruction, {"Env": ["a=b"], "Cmd": ["c"]})


@settings(deadline=None, max_examples=100)
@given(FILES)
def test_every_character_is_found_in_its_line(text: str) -> None:
    try:
        dockerfile = parser.parse(text)
    except DockerfileError as error:
        assert error.line <= len(text.split("\n"))
        return
    lines = dockerfile.source.lines
    for stage in dockerfile.stages:
        for each in (stage.start, *stage.instructions, *[i.trigger for i in stage.instructions if i.trigger]):
            for offset, char in enumerate(each.text):
                line, column = each.position(offset)
                assert each.line <= line <= each.end_line and lines[line - 1][column - 1] == char


@settings(deadline=None)
@given(st.lists(st.text("ab \t=$'\"-/", min_size=1, max_size=8), min_size=1, max_size=6), st.data())
def test_continuations_change_nothing(pieces: list[str], data: st.DataObject) -> None:
    breaks = st.sampled_from(["\\\n", "\\ \t\n# comment\n", "\\\n  # one\n\t# two\n"])
    cut = "".join([piece + data.draw(breaks) for piece in pieces[:-1]] + [pieces[-1]])
    whole, other = [parser.parse(f"FROM a\nRUN x{text}").stages[0].instructions[0] for text in ("".join(pieces), cut)]
    assert whole.args == other.args and whole.text == other.text


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=15).map("".join), st.sampled_from("\\`"))
def test_a_word_is_expanded_or_refused(text: str, escape: str) -> None:
    try:
        done = words.Lexer(text, ENV.get, escape).process()
    except DockerfileError:
        return
    assert done.matched <= set(ENV) and not done.unmatched & set(ENV)
    assert all(done.words)
    kept = words.Lexer(text, ENV.get, escape, raw_quotes=True, raw_escapes=True, keep_unset=True).process()
    assert isinstance(kept.text, str)


@given(st.text().filter(lambda text: not set(text) & set("$'\"\\")))
def test_plain_text_stays(text: str) -> None:
    assert words.expand(text, ENV.get) == text
    assert words.expand(f"'{text}'", ENV.get) == words.expand(f'"{text}"', ENV.get) == text


SHELL_NAMES = st.sampled_from(["a", "b", "c", "d", "nope"])
SHELL_TEXT = st.text("xyb/. ", max_size=4)
PLAIN = st.text("xy/.", max_size=4)
PATTERN = st.text("ab/.*? ", min_size=1, max_size=4).filter(lambda text: not text.startswith(("#", "%", "/")))


def braces(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    choice = st.tuples(SHELL_NAMES, st.sampled_from([":-", "-", ":+", "+"]), inner).map(
        "${{{0[0]}{0[1]}{0[2]}}}".format
    )
    trimmed = st.tuples(SHELL_NAMES, st.sampled_from(["#", "##", "%", "%%"]), PATTERN).map(
        "${{{0[0]}{0[1]}{0[2]}}}".format
    )
    return choice | trimmed


SHELL_WORDS = st.lists(
    PLAIN
    | SHELL_NAMES.map("${{{}}}".format)
    | st.recursive(SHELL_NAMES.map("${{{}}}".format) | PLAIN, braces, max_leaves=5)
    | SHELL_TEXT.map("'{}'".format)
    | st.tuples(SHELL_TEXT, SHELL_NAMES).map('"{0[0]}${{{0[1]}}}"'.format)
    | st.sampled_from(["\\$", "\\'", "\\x", '"\\$"', '"\\x"', "\\\\"]),
    max_size=5,
).map("".join)


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash as the reference")
@settings(deadline=None, max_examples=30)
@given(st.lists(SHELL_WORDS, min_size=5, max_size=40))
def test_words_mean_what_a_shell_takes_them_for(texts: list[str]) -> None:
    script = "".join([f"x={text}\nprintf '%s\\0' \"$x\"\n" for text in texts])
    environment = {**ENV, "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-f", "-c", script], env=environment, capture_output=True, check=True)
    assert [words.expand(text, ENV.get) for text in texts] == done.stdout.decode().split("\0")[:-1]


class SlowPatterns:
    """docker's matcher as it is told in its own words: pattern by pattern, parent by parent, with `re`."""

    def __init__(self, patterns: list[str]) -> None:
        self.patterns = []
        for pattern in patterns:
            back = pattern.startswith("!")
            self.patterns.append((back, self.compiled(pattern.removeprefix("!"))))

    @staticmethod
    def compiled(pattern: str) -> re.Pattern[str]:
        if pattern.startswith("**") and not set(pattern[2:]) & set("*?["):
            ending = pattern[2:]
            return re.compile(f"(.*/)?{re.escape(ending[1:])}" if ending.startswith("/") else f".*{re.escape(ending)}")
        made, at = "", 0
        while at < len(pattern):
            if pattern.startswith("**", at):
                at += 3 if pattern.startswith("/", at + 2) else 2
                made += ".*" if at >= len(pattern) else "(.*/)?"
                continue
            made += {"*": "[^/]*", "?": "[^/]"}.get(pattern[at], re.escape(pattern[at]))
            at += 1
        return re.compile(made)

    def excluded(self, path: str) -> bool:
        names = path.split("/")
        above = ["/".join(names[: count + 1]) for count in range(len(names))]
        matched = False
        for back, pattern in self.patterns:
            if back == matched and any(pattern.fullmatch(each) for each in above):
                matched = not back
        return matched


NAMES = st.lists(st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip(".")), min_size=1, max_size=4)
PATHS = NAMES.map("/".join)
GLOB = st.lists(
    st.text("ab.*?", min_size=1, max_size=3).filter(lambda name: name.strip(".")), min_size=1, max_size=4
).map("/".join)
GLOBS = st.lists(st.tuples(st.booleans(), GLOB).map(lambda pair: "!" * pair[0] + pair[1]), max_size=6)


@settings(deadline=None, max_examples=150)
@given(GLOBS, st.lists(PATHS, min_size=1, max_size=8))
def test_the_fast_matcher_is_the_slow_one(globs: list[str], paths: list[str]) -> None:
    fast, slow = Patterns(globs), SlowPatterns(globs)
    for path in paths:
        assert fast.excluded(path) == slow.excluded(path), (globs, path)


@settings(deadline=None, max_examples=150)
@given(GLOBS, PATHS, st.lists(PATHS, min_size=1, max_size=8))
def test_nothing_below_a_skipped_directory_is_wanted(globs: list[str], directory: str, below: list[str]) -> None:
    patterns = Patterns(globs)
    if patterns.skippable(directory):
        assert all(patterns.excluded(f"{directory}/{path}") for path in below)


@settings(deadline=None)
@given(st.lists(st.text("ab!*?[]-^\\/ #.\ud800", max_size=8), max_size=6), st.text("ab/.\ud800\n"))
def test_patterns_match_or_are_refused(lines: list[str], path: str) -> None:
    try:
        patterns = Patterns("\n".join(lines))
    except DockerfileError:
        return
    patterns.excluded(path)
    patterns.skippable(path)


SIZE = 60_000
LONG = {
    "words": "RUN " + "a " * SIZE,
    "flags": "RUN " + "--mount=target=/x " * (SIZE // 100) + "\\\n" + "--mount=target=/x " * (SIZE // 100) + "x",
    "open quote": "LABEL a='" + "b\\" * 30_000,
    "blanks": "ENV a" + " " * SIZE + "b",
    "directive": "# syntax=" + " " * SIZE + "x" + " " * 5000 + "\nFROM b",
    "brackets": "RUN " + "[" * SIZE,
    "json": "RUN [" + '"a",' * 15_000 + '"b"]',
    "onbuild": "ONBUILD " * 8000,
    "heredocs": "RUN " + "<<a " * 10_000 + "\n" + "a\n" * 10_000,
    "one heredoc": "COPY <<a /x\n" + "\t$b \\\n" * SIZE + "a",
    "continuations": "RUN a \\\n" + "b \\\n# c\n\n" * SIZE,
    "escapes": "RUN " + "\\" * SIZE,
    "braces": "ENV a=" + "${x:-" * 12_000,
    "variables": "ENV a=" + "$b" * 30_000,
    "patterns": "ENV a=" + "${d##*b*b*b*b*b*b*b*b*b*c}" * 2000,
    "many env": "ENV " + "".join([f"k{number}=1 \\\n" for number in range(30_000)]),
    "expose": "EXPOSE " + "1-3 " * 10_000,
    "instructions": "USER x\n" * SIZE,
    "stages": "FROM x AS y\n" * 20_000,
    "unknown": "X" * SIZE,
}


@pytest.mark.parametrize("name", LONG)
def test_long_input_takes_no_longer_than_its_length(name: str) -> None:
    text = LONG[name]
    begun = time.process_time()
    try:
        dockerfile = parser.parse(text if text.startswith("#") else "FROM a\n" + text)
        for stage in dockerfile.stages:
            for instruction in stage.instructions:
                everything(instruction, {})
    except DockerfileError:
        pass
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    "pattern", ["**/a" * 300, "*a" * 1000, "a*/**/" * 300 + "b", "?" * 4000, "[a-z]" * 500, "a**" * 500]
)
def test_no_pattern_is_slow(pattern: str) -> None:
    begun = time.process_time()
    patterns = Patterns([pattern, "!" + pattern + "/x"])
    for path in ("a/" * 1500 + "c", "a" * 3000, "ab" * 1500):
        patterns.excluded(path)
        patterns.skippable(path)
    assert time.process_time() - begun < 10


def test_a_context_of_many_paths() -> None:
    patterns = Patterns("node_modules\n**/*.pyc\n.git\n!important.pyc\ndist/*\n!dist/keep\n**/tmp/**/x?\n*.log")
    begun = time.process_time()
    for number in range(100_000):
        patterns.excluded(f"src/some/dir{number % 100}/file{number}.py")
    assert time.process_time() - begun < 10
