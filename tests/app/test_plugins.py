"""Commands of one's own: what the file may say, that no value becomes a command, and what is asked and shown."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.driving import running
from tests.fakes.engine import Engine, container
from tuidock.app import plugin_runs, plugins
from tuidock.app.config import Config, check
from tuidock.app.plugins import Plugin
from tuidock.engine.types import Image

HOSTILE = "a'\"; touch pwned; $(touch pwned) `touch pwned` \\ * -rf\n{id}"


def one(**values: Any) -> Plugin:
    found, problems = plugins.check([{"name": "Test", **values}])
    assert problems == []
    return found[0]


def row(**values: Any) -> Any:
    return container(1, "web", "nginx:1.27", "running", **values)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("nothing", "it must consist of `name: value` lines"),
        ({"command": "x"}, "name is missing"),
        ({"name": "X"}, "command must be a text or a list of words"),
        ({"name": "X", "command": "a", "comand": 1}, "there is no setting 'comand'"),
        ({"name": "X", "command": "a 'b"}, "a quote that is not closed"),
        ({"name": "X", "command": ["a"], "shell": True}, "one text with shell: true"),
        ({"name": "X", "command": "a", "panes": ["jobs"]}, "panes must be some of containers, images"),
        ({"name": "X", "command": "a", "run": "here"}, "run must be one of background, output, terminal"),
        ({"name": "X", "command": "a", "key": "strg+x"}, "there is no key 'strg+x'"),
        ({"name": "X", "command": "a {nmae}"}, "there is no field {nmae}; did you mean {name}?"),
        ({"name": "X", "command": "a {token}", "prompts": [{"name": "token", "secret": True}]}, "use $TUIDOCK_TOKEN"),
        ({"name": "X", "command": "a", "prompts": [{"label": "no name"}]}, "a prompt has name:"),
        ({"name": "X", "command": "a", "prompts": [{"name": "id"}]}, "a prompt cannot be called 'id'"),
        ({"name": "X", "command": "a", "reads": "yes"}, "reads must be true or false"),
    ],
)
def test_mistakes_are_sentences(entry: object, sentence: str) -> None:
    found, problems = plugins.check([entry])
    assert found == () and len(problems) == 1 and sentence in problems[0]


def test_two_with_one_id() -> None:
    found, problems = plugins.check([{"name": "A b", "command": "x"}, {"name": "a-B", "command": "y"}])
    assert len(found) == 1 and "two with the id 'a-b'" in problems[0]


def test_fields_become_whole_words() -> None:
    (call,) = plugins.calls(
        one(command=["echo", "{name}", "x={label.app}", "{{.Names}}"]), [row(labels={"app": HOSTILE})], {}
    )
    assert call.argv == ("echo", "web", f"x={HOSTILE}", "{{.Names}}")
    rows = [row(), row()._replace(id="f" * 64, name="db")]
    (call,) = plugins.calls(one(command="echo {names}"), rows, {})
    assert call.argv == ("echo", "web", "db")
    assert [call.argv[1] for call in plugins.calls(one(command="echo {name}"), rows, {})] == ["web", "db"]
    assert len(plugins.calls(one(command="date"), rows, {})) == 1


@pytest.mark.parametrize(
    "place", ["{label.app}", '"{label.app}"', "'{label.app}'", "x\\'{label.app}", '"it\'s {label.app}"']
)
def test_no_value_is_ever_parsed_by_the_shell(tmp_path: Path, place: str) -> None:
    plugin = one(command=f"printf '[%s]' {place}", shell=True)
    (call,) = plugins.calls(plugin, [row(labels={"app": HOSTILE})], {"unused": "x"})
    done = subprocess.run(
        call.argv, env={**os.environ, **call.environment}, cwd=tmp_path, capture_output=True, text=True
    )
    assert HOSTILE in done.stdout and done.stdout.count("[") == 1 and done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_row_does_not_have_is_said() -> None:
    with pytest.raises(ValueError, match=r"web has no label app\."):
        plugins.calls(one(command="x {label.app}"), [row()], {})
    with pytest.raises(ValueError, match=r"x:1 has no ip\."):
        plugins.calls(one(command="x {ip}"), [Image("sha256:1", ("x:1",), (), 0, 0)], {})
    with pytest.raises(ValueError, match="zero byte"):
        plugins.calls(one(command="x {label.a}"), [row(labels={"a": "\0"})], {})


def test_the_question_has_the_fields_of_rows_the_answers_and_the_root() -> None:
    plugin = one(command="x", prompts=[{"name": "tag"}], confirm="Save {name} as {tag} of {root}?")
    rows = [row(), row()._replace(id="f" * 64, name="db")]
    assert plugins.question(plugin, rows, {"tag": "daily"}, "/srv/tuidock") == "Save web db as daily of /srv/tuidock?"


def config(**values: Any) -> Config:
    found = check({"plugins": [{"name": "Greet", "command": ["echo", "hello", "{name}"], **values}]})
    assert found.problems == ()
    return found


async def test_a_key_runs_it_as_a_job_and_the_output_is_a_screen() -> None:
    async with running(config=config(key="G", run="output")) as ui:
        await ui.go_to("web")
        await ui.press("G")
        await ui.until(lambda: "hello web" in ui.screen_text() and "done · 1 line" in ui.screen_text())
        await ui.press("escape")
        await ui.press("J")
        assert "Greet web" in ui.screen_text()
        await ui.press("enter")
        assert "hello web" in ui.screen_text()


async def test_it_asks_and_a_secret_is_not_in_the_command_line() -> None:
    prompts = [
        {"name": "level", "label": "Level", "choices": ["low", "high"], "value": "high"},
        {"name": "token", "label": "Token", "secret": True},
    ]
    command = "echo {level} $TUIDOCK_TOKEN"
    async with running(
        config=config(command=command, shell=True, prompts=prompts, confirm="Greet {name}?", run="output")
    ) as ui:
        await ui.go_to("web")
        await ui.command("greet")
        assert "Level" in ui.screen_text() and ui.screen_text().index("high") < ui.screen_text().index("low")
        await ui.press("enter")
        await ui.type("s3cret")
        assert "s3cret" not in ui.screen_text()
        await ui.press("enter")
        assert "Greet web?" in ui.screen_text()
        await ui.press("y")
        await ui.until(lambda: "high s3cret" in ui.screen_text())


async def test_a_failure_is_told_with_its_last_words_and_giving_up_ends_it() -> None:
    async with running(config=config(command="echo no such thing; exit 3", shell=True)) as ui:
        await ui.command("greet")
        await ui.until(lambda: any("Greet ended with exit code 3: no such thing" in text for text in ui.toasts))
    async with running(config=config(command="echo $$; exec sleep 1000", shell=True, run="output")) as ui:
        await ui.command("greet")
        await ui.until(lambda: any(line.strip().isdigit() for line in ui.screen_text().splitlines()))
        process = next(int(line) for line in ui.screen_text().splitlines() if line.strip().isdigit())
        await ui.press("ctrl+k")
        await ui.until(lambda: "given up" in ui.screen_text())
        assert not os.path.exists(f"/proc/{process}")


def test_output_that_ends_within_a_character_loses_nothing() -> None:
    output = plugin_runs.Output()
    call = plugins.Call(("printf", "one\ncaf\\303"), {}, "Test")
    list(plugin_runs.start(call, "/")(None, SimpleNamespace(tracker=output)))  # type: ignore[arg-type]
    assert output.text == "one\ncaf\ufffd" and output.count == 2


async def test_read_only_hides_what_may_change_something() -> None:
    async with running(Engine(read_only=True), config=config(key="G")) as ui:
        await ui.press("question_mark")
        await ui.type("greet")
        assert "Nothing fits." in ui.screen_text()
        await ui.press("escape")
        await ui.press("G")
        assert any("read-only" in text for text in ui.toasts) and not ui.app.model.every_job()
    async with running(Engine(read_only=True), config=config(key="G", reads=True)) as ui:
        await ui.press("question_mark")
        await ui.type("greet")
        assert ":greet" in ui.screen_text()


async def test_its_key_is_no_actions_key_any_more() -> None:
    async with running(config=config(key="r", run="terminal", command="top -p {id}")) as ui:
        assert any("r is plugin greet now, and container.restart has no key any more" in text for text in ui.toasts)
        await ui.go_to("web")
        await ui.press("r")
        assert ui.given == [["top", "-p", ui.row("web").id]]
