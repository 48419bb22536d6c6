"""Keys of config.yaml: mistakes are told in a sentence, and the default stays."""

from __future__ import annotations

import pytest

from tests.fakes.driving import running
from tuidock.app.bindings import ACTIONS, BY_ID, PRESETS, keymap_of
from tuidock.app.config import Config, check
from tuidock.app.keymaps import scopes, settle
from tuidock.app.keys import textual_key
from tuidock.app.screens.help import terminal_lines


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


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_reaches_into_every_screen_and_gives_no_key_twice(preset: str) -> None:
    keymap, _ = keymap_of(preset, {})
    known = scopes()
    ids = {identity for scope in known.values() for identity in scope} | {action.id for action in ACTIONS}
    assert set(PRESETS[preset]) <= ids
    for title, scope in known.items():
        owners: dict[str, str] = {}
        for identity, default in scope.items():
            for key in filter(None, keymap.get(identity, default).split(",")):
                assert owners.setdefault(key, identity) == identity, f"{title}: {key}"


def test_own_keys_of_a_screen_push_others_aside_with_a_sentence() -> None:
    own = {"log.wrap": "s", "trash.undo": "u", "lgo.wrap": "x", "jobs.copy": "r", "jobs.retry": "r"}
    keymap = dict(own)
    problems = settle(own, keymap)
    assert problems == [
        "keymap: s is log.wrap now, and log.follow has no key any more",
        "config.yaml: keymap has no action 'lgo.wrap'; did you mean 'log.wrap'?",
        "keymap: r is wanted by jobs.copy and by jobs.retry",
    ]
    assert keymap["log.follow"] == keymap["jobs.retry"] == "" and keymap["jobs.copy"] == "r"
    assert settle({name: keys for name, keys in PRESETS["vim"].items() if name in BY_ID}, {}) == []


def test_the_help_has_the_leader_and_the_detach_keys_of_the_configuration() -> None:
    keys = [each for each, _ in terminal_lines(check({"terminal": {"leader": "ctrl+_", "detach": "ctrl-e,x"}}))]
    assert "ctrl+_ n ctrl+_ p" in keys and "ctrl+e x ctrl+_ d" in keys
    assert not any("ctrl+]" in each or "ctrl+q" in each for each in keys)
    assert "ctrl+p ctrl+q ctrl+] d" in [each for each, _ in terminal_lines(Config())]


async def test_keys_of_the_log_and_of_a_screen_are_ones_own_and_told_so() -> None:
    config = check({"keymap": {"preset": "k9s", "log.wrap": "W", "trash.undo": "b"}})
    async with running(size=(160, 48), config=config) as ui:
        await ui.command("trash")
        assert "b bring back" in ui.screen_text()
        await ui.press("escape")
        await ui.press("l")
        await ui.until(lambda: ui.app.screen.name == "logs")
        view = ui.app.screen.log_view
        assert "W wrap" in ui.screen_text() and "/ filter" in ui.screen_text()
        before = view.wrap
        await ui.press("W")
        assert view.wrap != before
        await ui.press("slash")
        assert "keep lines that fit" in ui.screen_text(), "/ filters in k9s"
        await ui.press("escape")
        await ui.press("question_mark")
        await ui.type("wrap")
        assert "W Wrap long lines" in " ".join(ui.screen_text().split())
