"""An app over the engine in memory, and a few words to drive it."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.settling import settle_active, turn_active

os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
# As in tuidock/__main__.py: among all that the tests have imported, looking for garbage takes a third of the time.
gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def _own_home(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No test reads or writes what belongs to the person who runs it, and colours do not depend on the terminal."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "TMUX", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr("textual.app.wait_for_idle", turn_active)
    monkeypatch.setattr("textual.pilot.wait_for_idle", settle_active)
    yield
    shutil.rmtree(temporary, ignore_errors=True)
