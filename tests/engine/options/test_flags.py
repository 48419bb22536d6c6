"""docker's flag grammar."""

from __future__ import annotations

import pytest

from tuidock.engine.options.flags import HelpWanted, UsageError, completions, listed, number, parse, switch, text

FLAGS = (
    switch("interactive", "i"),
    switch("tty", "t"),
    switch("sig-proxy", on=True),
    text("name"),
    number("last", "n", default=-1),
    listed("env", "e"),
    listed("publish", "p"),
    listed("network", aliases=("net",)),
)


def test_clusters_values_and_repetition() -> None:
    values, words = parse(FLAGS, ["-it", "-e", "A=1", "-eB=2", "-e=C=3", "--env", "D=4", "--name=x=y", "img"])
    assert values.on("interactive") and values.on("tty")
    assert values.items("env") == ["A=1", "B=2", "C=3", "D=4"]
    assert values.text("name") == "x=y"
    assert words == ["img"]


def test_a_cluster_may_end_with_a_value() -> None:
    values, words = parse(FLAGS, ["-itp80:80", "-tn", "5"])
    assert values.items("publish") == ["80:80"]
    assert values.number("last") == 5
    assert not words


def test_options_end_at_the_first_argument_for_run() -> None:
    values, words = parse(FLAGS, ["-t", "img", "ls", "-i", "--", "--name"], interspersed=False)
    assert words == ["img", "ls", "-i", "--", "--name"]
    assert not values.on("interactive")
    assert parse(FLAGS, ["--", "img", "-t"], interspersed=False)[1] == ["img", "-t"]


def test_options_may_stand_behind_arguments_elsewhere() -> None:
    values, words = parse(FLAGS, ["web", "-t", "db", "--", "-i", "-"])
    assert values.on("tty")
    assert words == ["web", "db", "-i", "-"]


def test_booleans_take_a_value_only_with_equals() -> None:
    values, words = parse(FLAGS, ["--sig-proxy=false", "--tty", "true", "-i=0"])
    assert not values.on("sig-proxy") and values.on("tty") and not values.on("interactive")
    assert words == ["true"]


def test_the_last_scalar_wins_and_defaults_are_told_apart() -> None:
    values, _ = parse(FLAGS, ["--name", "a", "--name", "b", "--net", "host"])
    assert values.text("name") == "b"
    assert values.items("network") == ["host"]
    assert values.given("name") and not values.given("last")
    assert values.number("last") == -1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-ix"], "unknown shorthand flag: 'x' in -ix"),
        (["--name"], "flag needs an argument: --name"),
        (["-e"], "flag needs an argument: 'e' in -e"),
        (["--last=x"], 'invalid argument "x" for "-n, --last" flag: parsing "x": invalid syntax'),
        (["--last=1_0"], 'invalid argument "1_0" for "-n, --last" flag: parsing "1_0": invalid syntax'),
        (["--tty=maybe"], 'invalid argument "maybe" for "-t, --tty" flag: parsing "maybe": invalid syntax'),
        (["---x"], "bad flag syntax: ---x"),
    ],
)
def test_what_is_wrong_is_said_as_docker_says_it(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(FLAGS, argv)
    assert str(caught.value) == message


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["-it", "--help", "x"]])
def test_help_is_asked_for(argv: list[str]) -> None:
    with pytest.raises(HelpWanted):
        parse(FLAGS, argv)


def test_a_flag_named_h_is_not_help() -> None:
    values, _ = parse((text("hostname", "h"),), ["-h", "box"])
    assert values.text("hostname") == "box"


def test_completions_name_every_spelling() -> None:
    names = [name for name, _ in completions(FLAGS)]
    assert "--tty" in names and "-t" in names and "--net" not in names
