"""README tells what the program has: its key table is written from the table of actions and held against it here.

`python -m tests.app.test_readme` writes it anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from tuidock.app import config, theme
from tuidock.app.bindings import ACTIONS, PRESETS, show_keys
from tuidock.app.plugins import Plugin
from tuidock.app.screen_keys import SCREENS, help_lines
from tuidock.cli import verbs

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- keys:", "<!-- /keys -->"


def key_table() -> str:
    """The keys as Markdown, a table for each group."""
    from tuidock.app.screens.help import LOG_KEYS, TERMINAL_KEYS

    parts = []
    for group in dict.fromkeys(action.group for action in ACTIONS):
        rows = [
            (
                show_keys(action.keys),
                action.help,
                f":{action.command} {action.arguments}".rstrip() if action.command else "",
            )
            for action in ACTIONS
            if action.group == group
        ]
        lines = [f"| {group} | | after `:` |", "|---|---|---|"]
        lines += [f"| {_codes(keys)} | {_text(text)} | {f'`{word}`' if word else ''} |" for keys, text, word in rows]
        parts.append("\n".join(lines))
    logs = ["| Logs | |", "|---|---|", *(f"| {_codes(keys)} | {_text(text)} |" for keys, text, _ in LOG_KEYS)]
    parts.append("\n".join(logs))
    terminals = [f"| {_codes(keys).replace('_', ' ')} | {_text(text)} |" for keys, text in TERMINAL_KEYS]
    parts.append("\n".join(["| Terminals | |", "|---|---|", *terminals]))
    for title, keys in SCREENS.items():
        rows = [f"| {_codes(shown)} | {_text(text)} |" for shown, text in help_lines(keys)]
        parts.append("\n".join([f"| {title} | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def _codes(keys: str) -> str:
    return " ".join(f"`{key}`" for key in keys.split())


def _text(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def parts() -> tuple[str, str, str]:
    """README before, in and after the table."""
    text = README.read_text(encoding="utf-8")
    start = text.index("\n", text.index(BEGIN)) + 1
    end = text.index(END)
    return text[:start], text[start:end], text[end:]


def test_the_key_table_is_that_of_the_actions() -> None:
    assert parts()[1].strip() == key_table(), "write it anew: python -m tests.app.test_readme"


def test_every_verb_is_named() -> None:
    text = README.read_text(encoding="utf-8")
    said = set(re.findall(r"`([a-z]+(?: [a-z]+)?)`", text))
    words = {word for word in verbs.VERBS if not word.startswith("_")}
    words |= {f"{group} {name}" for group in ("volume", "network", "system") for name in verbs.GROUPS[group][1]}
    words |= {f"{group} prune" for group in ("container", "image")}
    assert words - said - {"system events", "system info"} == set()


def test_every_setting_theme_and_keymap_is_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in config.EXPECTED if f"\n{name}:" not in text] == []
    assert all(file.stem in text for file in theme.shipped_directory().glob("*.yaml"))
    assert all(preset in text for preset in PRESETS)
    assert config.DEFAULT_PORTS == (49000, 49900) and "49000-49900" in text


def test_its_configuration_is_right() -> None:
    """The example can be copied as it stands."""
    import yaml

    example = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    found = config.check(yaml.safe_load(example))
    assert found.problems == () and found.theme in {file.stem for file in theme.shipped_directory().glob("*.yaml")}
    assert found.keys == {"container.restart": "ctrl+e", "log.wrap": "W"} and found.plugins[0].id == "scan"


def test_its_example_of_an_own_command_has_every_setting() -> None:
    import yaml

    example = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    found = config.check(yaml.safe_load(example))
    assert found.problems == () and set(yaml.safe_load(example)["plugins"][0]) == set(Plugin._fields)


def test_what_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / target).exists(), target


def test_files_that_the_map_names_are_there() -> None:
    rooms = ("", "tuidock/", "tuidock/engine/", "tuidock/native/")
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        text = (README.parent / document).read_text(encoding="utf-8")
        for name in re.findall(r"`([a-z_/]+\.(?:py|c|pyi))`", text):
            if "/" in name and not name.startswith(("src/", "options/", "runtime/")):
                assert any((README.parent / (room + name)).exists() for room in rooms), f"{document}: {name}"


if __name__ == "__main__":
    before, _, after = parts()
    README.write_text(f"{before}\n{key_table()}\n\n{after}", encoding="utf-8")
