"""The configuration file: what is wrong with it is one sentence, never a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.driving import running
from tuidock.app import config
from tuidock.app.bindings import ACTIONS, BY_ID, PRESETS, keymap_of, keys_of
from tuidock.engine.options import settings


def read(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return config.load(str(path), str(tmp_path / "cache" / "config.json"))


def test_no_file(tmp_path: Path) -> None:
    assert config.load(str(tmp_path / "none.yaml"), str(tmp_path / "c.json")) == config.Config()


def test_everything(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "theme: nord\nconfirm: never\nmouse: false\nascii: true\nports: 50000-50100\n"
        "keymap:\n  preset: vim\n  container.kill: [ctrl+x, K]\n  pane.images: 7\n",
    )
    assert found == config.Config(
        "nord", "never", False, True, (50000, 50100), "vim", {"container.kill": "ctrl+x,K", "pane.images": "7"}
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("theme: [", "not valid YAML, line 1:"),
        ("mouse: true\n\nthem: nord\n", "config.yaml, line 3: there is no setting 'them'; did you mean 'theme'?"),
        ("keymap:\n  preset: k9s\n  container.stop: nope\n", "config.yaml, line 3: keymap.container.stop"),
        ("plugins:\n- {name: A, command: a}\n- {name: B}\n", "config.yaml, line 3: plugin B: command must be"),
        ("language: de", "language must be auto, en or zh, not 'de'"),
        ("plugins: 5", "plugins must be a list of commands"),
        ("- a\n- b\n", "`name: value` lines"),
        ("them: nord", "did you mean 'theme'?"),
        ("theme: 5", "theme must be the name of a theme, not 5"),
        ("confirm: maybe", "always, destructive or never"),
        ("mouse: yes please", "mouse must be true or false"),
        ("ports: 5-", "a range such as 49000-49900"),
        ("ports: 500-400", "a range such as 49000-49900"),
        ("keymap: vim", "keymap must be"),
        ("keymap: {preset: emacs}", "keymap.preset must be one of tuidock, lazydocker, k9s, vim"),
        ("keymap: {container.stpo: x}", "did you mean 'container.stop'?"),
        ("keymap: {container.stop: true}", "keymap.container.stop must be keys"),
        ('theme: "\\x01', "not valid YAML"),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, text: str, sentence: str) -> None:
    found = read(tmp_path, text)
    assert len(found.problems) == 1 and sentence in found.problems[0]
    assert "\n" not in found.problems[0]


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"theme: \xff\xfe")
    assert len(config.load(str(path), str(tmp_path / "c.json")).problems) == 1


def test_read_once_then_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path, "theme: nord").theme == "nord"
    monkeypatch.setattr(settings, "_read_yaml", lambda path: pytest.fail("it was read again"))
    path, cache = tmp_path / "config.yaml", tmp_path / "cache" / "config.json"
    assert config.load(str(path), str(cache)).theme == "nord"
    monkeypatch.undo()
    cache.write_text(json.dumps({"stamp": 1}))
    assert config.load(str(path), str(cache)).theme == "nord"


async def test_problems_are_toasts() -> None:
    async with running(config=config.Config(theme="no-such-theme", problems=("config.yaml: \x1b[31m nonsense",))) as ui:
        assert "config.yaml: ␛[31m nonsense" in ui.toasts
        assert any("no theme 'no-such-theme'" in text for text in ui.toasts)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_key_has_two_owners(preset: str) -> None:
    keymap, problems = keymap_of(preset, {})
    assert problems == []
    owners: dict[str, str] = {}
    for action in ACTIONS:
        for key in filter(None, keys_of(action, keymap).split(",")):
            assert key not in owners, f"{key}: {owners[key]} and {action.id}"
            owners[key] = action.id


def test_own_keys_win_and_clashes_are_told() -> None:
    keymap, problems = keymap_of("default", {"container.kill": "r"})
    assert keymap["container.kill"] == "r" and keymap["container.restart"] == ""
    assert problems == ["keymap: r is container.kill now, and container.restart has no key any more"]
    _, problems = keymap_of("default", {"container.kill": "r", "container.logs": "r"})
    assert sum("wanted by" in text for text in problems) == 1


def test_no_key_that_a_plain_terminal_cannot_tell_apart() -> None:
    for action in ACTIONS:
        for key in action.keys.split(","):
            assert key not in ("ctrl+h", "ctrl+i", "ctrl+m", "ctrl+left_square_bracket")


def test_every_action_that_changes_is_marked_as_such() -> None:
    for word in ("start", "stop", "restart", "pause", "unpause", "kill", "toggle", "exec", "attach", "rename", "run"):
        assert BY_ID[f"container.{word}"].changes
    for word in ("row.remove", "row.force", "row.new", "row.bulk", "image.pull", "image.tag", "container.exec_as"):
        assert BY_ID[word].changes


def test_the_keymap_of_an_earlier_version_has_its_name_of_now() -> None:
    found = config.check({"keymap": {"preset": "default"}})
    assert found.preset == "tuidock" and not found.problems


async def test_presets_move_the_keys() -> None:
    async with running(config=config.Config(preset="k9s")) as ui:
        await ui.go_to("web")
        await ui.press("s")
        assert ui.engine.called("exec_argv"), "s is the shell in k9s"
        await ui.press("ctrl+d")
        assert "Remove container web?" in ui.screen_text()


async def test_own_key() -> None:
    async with running(config=config.Config(keys={"container.kill": "K", "table.down": "t"})) as ui:
        await ui.go_to("web")
        await ui.press("t")
        assert ui.main.pane().row_at_cursor.name == "db"
        await ui.press("K")
        assert "Kill db?" in ui.screen_text()
