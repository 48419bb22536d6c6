"""Keys of config.yaml: mistakes are told in a sentence, and the default stays."""

from __future__ import annotations

import pytest

from tests.fakes.driving import running
from tuidock.app.bindings import keymap_of
from tuidock.app.config import check
from tuidock.app.keys import textual_key


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("t", "t"), ("T", "T"), ("5", "5"), ("ctrl+t", "ctrl+t"), ("ctrl+shift+f5", "ctrl+shift+f5"), ("/", "slash"),
        ("?", "question_mark"), ("+", "plus"), ("-", "minus"), ("slash", "slash"), ("question_mark", "question_mark"),
        ("ctrl+@", "ctrl+@"), ("alt+enter", "alt+enter"), ("ü", "ü"), ("ctrl+", ""), ("foo", ""), ("strg+x", ""),
        ("control+x", ""), ("f25", ""), ("ctrl+ x", ""), ("", ""),
    ],
)  # fmt: skip
def test_names(written: str, name: str) -> None:
    assert textual_key(written) == name


def test_mistakes_are_told_and_the_default_stays() -> None:
    config = check({"keymap": {"container.stop": "ctrl+", "container.kill": "foo", "row.copy": "z, nope"}})
    assert config.keys == {"row.copy": "z"}
    assert [text.split(";")[0] for text in config.problems] == [
        "config.yaml: keymap.container.stop: there is no key 'ctrl+'",
        "config.yaml: keymap.container.kill: there is no key 'foo'",
        "config.yaml: keymap.row.copy: there is no key 'nope'",
    ]
    assert check({"keymap": {"image.pull": 5}}).keys == {"image.pull": "5"}
    assert check({"keymap": {"image.pull": ""}}).keys == {"image.pull": ""}


def test_a_key_taken_from_another_action_is_told() -> None:
    keymap, problems = keymap_of("default", {"container.kill": "q"})
    assert problems == ["keymap: q is container.kill now, and app.quit has no key any more"]
    assert keymap["container.kill"] == "q" and keymap["app.quit"] == ""
    assert keymap_of("default", {"container.kill": "q", "app.quit": "Q"})[1] == []
    assert keymap_of("k9s", {})[1] == keymap_of("vim", {})[1] == keymap_of("lazydocker", {})[1] == []


async def test_the_app_says_it() -> None:
    config = check({"keymap": {"container.kill": "q", "container.stop": "ctrl+"}})
    async with running(config=config) as ui:
        assert any("app.quit has no key any more" in text for text in ui.toasts)
        assert any("there is no key 'ctrl+'" in text for text in ui.toasts)


async def test_a_character_is_a_key() -> None:
    async with running(config=check({"keymap": {"app.help": "%"}})) as ui:
        await ui.pilot.press("percent_sign")
        await ui.pilot.pause()
        assert "Keys and commands" in ui.screen_text()
