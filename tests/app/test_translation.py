"""The catalogues are complete, and nothing that is shown is left out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

import pytest
from rich.cells import cell_len

from tests.app.marked_texts import has_words, marked, unmarked
from tests.fakes.driving import running
from tuidock.app import words
from tuidock.app.config import Config
from tuidock.app.words import tr, trn
from tuidock.app.words.zh import SENTENCES, actions, forms, keys, lists, screens


@pytest.fixture
def chinese() -> Iterator[None]:
    words.use("zh")
    yield
    words.use("en")


def fields(text: str) -> set[str]:
    return {f"{name}!{conversion}:{spec}" for _, name, spec, conversion in Formatter().parse(text) if name is not None}


def test_every_text_is_translated_and_no_translation_is_left_over() -> None:
    texts = marked()
    missing = {text: where for text, where in texts.items() if text not in SENTENCES}
    assert not missing, "\n".join(f"{where}: {text!r}" for text, where in missing.items())
    assert set(SENTENCES) - set(texts) == set()
    assert len(SENTENCES) == sum(len(part.SENTENCES) for part in (actions, forms, keys, lists, screens))


def test_the_same_values_stand_in_both_languages() -> None:
    for english, chinese in SENTENCES.items():
        assert fields(english) == fields(chinese), english
        assert chinese.strip(), english
        assert english.endswith(" ") <= (
            chinese.endswith(" ") or not english.strip(" ").isascii() or english == " or "
        ), english
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", chinese)


def test_whatever_is_shown_is_marked() -> None:
    assert [place for place in unmarked() if not place.endswith("'tuidock'")] == []


def test_what_is_a_text() -> None:
    assert has_words("Remove it") and has_words("SIZE")
    assert not has_words("CPU") and not has_words("8080:80") and not has_words("")


@pytest.mark.parametrize(
    ("setting", "environment", "language"),
    [
        ("zh", {"LANG": "en_US.UTF-8"}, "zh"),
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ("", {"LANG": "zh-Hans"}, "zh"),
        ("", {"LANG": "de_DE.UTF-8"}, "en"),
        ("", {}, "en"),
    ],
)
def test_the_language(setting: str, environment: dict[str, str], language: str) -> None:
    assert words.wanted(setting, environment) == language


def test_numbers_and_values(chinese: None) -> None:
    assert trn("1 restart", "{count} restarts", 1) == "重启 1 次" and trn("1 x", "{count} x", 1) == "1 x"
    assert tr("{name} has no label {label}.", name="{label}", label="x") == "{label} 没有标签 x。"
    words.use("en")
    assert trn("1 restart", "{count} restarts", 1) == "1 restart"
    assert trn("1 restart", "{count} restarts", 2) == "2 restarts"


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_wide_characters_stand_in_line(chinese: None, size: tuple[int, int]) -> None:
    """Every line of every screen is as wide as the terminal, in cells, and what separates columns stands in one column."""
    async with running(size=size, config=Config(language="zh")) as ui:
        for command in ("", "jobs", "map", "ports", "trash", "prune", "help", "run", "events", "overview", "tour"):
            if command:
                await ui.command(command)
            lines = ui.screen_text().splitlines()
            assert {cell_len(line) for line in lines} == {size[0]}, command
            if command:
                assert re.search(r"[\u4e00-\u9fff]", ui.screen_text()), command
                await ui.press("escape")
                await ui.until(lambda: ui.app.screen is ui.main)
        text = ui.screen_text()
        assert "1 容器 7" in text and "名称" in text and "重启 3 次" in text
        if size[0] > 100:
            rules = {cell_len(line[: line.index("│")]) for line in ui.screen_text().splitlines() if "│" in line}
            assert len(rules) == 1
