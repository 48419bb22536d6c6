"""What the app says, in the language of the person.

A sentence is looked up by its English text, so that the source stays readable and a sentence that nobody has translated
yet is shown in English instead of not at all. A catalogue is a Python module with a dictionary: its compiled form is
read faster than a .mo file, needs no step of the build, and nothing is read for English. `tests/app/test_translation.py`
collects every marked text from the source and holds the catalogues against them.

    tr("{name} exists; name another file.", name=path)       a sentence
    trn("1 row", "{count} rows", count)                      by number
    LABELS = (mark("start"), mark("stop"))                   a table that is read with tr() later
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: The languages that there are, by the words that config.yaml knows them by.
LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "简体中文"}

_sentences: Mapping[str, str] = {}


def tr(text: str, /, **values: object) -> str:
    """The text in the chosen language, with the values in their places."""
    found = _sentences.get(text, text)
    return found.format_map(values) if values else found


def trn(one: str, many: str, count: int, /, **values: object) -> str:
    """By the number, which stands as {count}. The languages that there are have two forms or one."""
    text = _sentences.get(many) or (one if count == 1 else many)
    return text.format_map({"count": count, **values})


def mark(text: str) -> str:
    """The text itself: it stands in a table, and whoever shows it calls tr()."""
    return text


def wanted(setting: str, environ: Mapping[str, str] = os.environ) -> str:
    """The language of the configuration file, else that of the locale, by the order in which programs ask for it."""
    if setting in LANGUAGES:
        return setting
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name, ""):
            code = value.replace("-", "_").partition(".")[0].partition("_")[0].lower()
            return code if code in LANGUAGES else "en"
    return "en"


def use(name: str) -> None:
    """From now on in this language."""
    global _sentences
    if name == "zh":
        from tuidock.app.words.zh import SENTENCES

        _sentences = SENTENCES
    else:
        _sentences = {}
