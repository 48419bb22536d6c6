"""Charts of what was used, also while nobody looked; the processes of a container and signals to them."""

from __future__ import annotations

import sys

from tests.fakes.driving import running
from tests.fakes.engine import NOW, Engine
from tuidock.app.history import GAP, KEPT, SECOND, History
from tuidock.app.widgets.chart import dots
from tuidock.engine.types import Stats


def sample(seconds: int, cpu: float = 0.5, **values: int) -> Stats:
    """A container that uses so much of a processor since the second 0."""
    numbers = {"memory": 100, "memory_limit": 0, "pids": 3, "pids_limit": 0, "net_rx": seconds * 1000, "net_tx": 0}
    numbers |= {"block_read": 0, "block_write": seconds * 20, **values}
    return Stats("a", NOW + seconds * SECOND, 7.0, int(seconds * cpu * SECOND), **numbers)


def test_rates_are_worked_out_between_samples_however_rare() -> None:
    history = History()
    history.add(sample(0))
    (first,) = history.uses(120)
    assert (first.cpu_percent, first.memory, first.net_rx) == (7.0, 100, 0), "what the sampler says, of one sample"
    for seconds in (1, 2, 12, 112):
        history.add(sample(seconds))
    uses = history.uses(120)
    assert {round(use.cpu_percent) for use in uses} == {50} and {use.net_rx for use in uses} == {1000}
    assert {use.block_write for use in uses} == {20} and len(uses) == 4
    curve = history.series(120, 120)["net_rx"]
    assert curve[-1] == 1000 and curve[:7] == [None] * 7 and None not in curve[8:]


def test_an_hour_is_kept_in_few_bytes() -> None:
    history = History()
    for seconds in range(0, 4200, 2):
        history.add(sample(seconds))
    uses = history.uses(3600)
    assert uses[-1].time - uses[0].since >= 3590 * SECOND
    assert len(uses) < KEPT + 130 and {round(use.cpu_percent) for use in uses} == {50}
    curve = history.series(3600, 180)["cpu_percent"]
    assert [value for value in curve[1:] if value is None or round(value) != 50] == []
    assert sys.getsizeof(history._hour) + sys.getsizeof(history._recent) < 36_000


def test_a_time_out_of_sight_and_a_new_start_are_gaps() -> None:
    history = History()
    for seconds in (0, 10, 20):
        history.add(sample(seconds))
    later = 20 + GAP // SECOND + 100
    history.add(sample(later))
    history.add(sample(later + 10)._replace(cpu_ns=5))
    history.add(sample(later + 20)._replace(cpu_ns=5 + SECOND))
    assert [(use.time - NOW) // SECOND for use in history.uses(3600)] == [10, 20, later + 20]
    assert any(value is None for value in history.series(3600, 100)["cpu_percent"][90:99])
    assert dots([1.0, None, 1.0, 1.0], 2, 1, 1.0) == [[0x01, 0x01 | 0x08]], "the line is broken"


async def test_charts_show_longer_times_and_the_limit() -> None:
    engine = Engine()
    async with running(engine, size=(140, 45)) as ui:
        web = ui.row("web").id
        ui.app.engine_workers.set_awake(False)
        past = ui.app.model.history[web] = History()
        for seconds in range(-600, 1, 10):
            past.add(sample(seconds + 600, memory=64 << 20, memory_limit=256 << 20, pids_limit=100))
        await ui.press("right_square_bracket")
        await ui.until(lambda: "last 2 min (t)" in ui.screen_text())
        text = ui.screen_text()
        assert "25% of 256M" in text and "of 100" in text and "1.0K/s" in text and "50.0%" in text
        await ui.press("enter", "t")
        assert "last 10 min" in ui.screen_text() and "longer time" in ui.screen_text().splitlines()[-1]
        await ui.press("t")
        assert "last hour" in ui.screen_text()


async def test_all_that_runs_is_sampled_for_its_history() -> None:
    async with running(size=(80, 24)) as ui:
        ui.app.engine_workers.set_awake(False)
        await ui.press("4")
        await ui.until(lambda: ui.app.engine_workers._wanted == ())
        before = ui.engine.samples
        ui.app.engine_workers._others_due = 0.0
        ui.app.engine_workers.set_awake(True)
        await ui.until(lambda: ui.engine.samples > before)
        (refs,) = ui.engine.called("stats")[-1]
        assert {ui.engine._find(ref).name for ref in refs} == {"web", "db", "worker-1"}


async def test_a_signal_to_a_process_is_chosen_and_asked_for() -> None:
    async with running(size=(140, 40)) as ui:
        await ui.go_to("web")
        await ui.press(*["right"] * 5)
        await ui.until(lambda: "nginx: worker" in ui.screen_text())
        await ui.press("enter", "j", "ctrl+k")
        assert "Signal to process 1017 (nginx: worker)" in ui.screen_text()
        await ui.press("3")
        assert "Send SIGHUP to process 1017 (nginx: worker) of web?" in ui.screen_text()
        assert ui.engine.called("kill_process") == []
        await ui.press("y")
        await ui.until(lambda: ui.engine.called("kill_process") == [("web", 1017, "HUP")])
        await ui.press("k", "K", "9")
        assert "first process: when it ends web ends" in ui.screen_text()
        await ui.press("escape", "C", "space", "escape")
        assert " UID" not in ui.screen_text() and "PPID" in ui.screen_text()


async def test_read_only_sends_no_signal() -> None:
    async with running(Engine(read_only=True), size=(140, 40)) as ui:
        await ui.go_to("web")
        await ui.press(*["right"] * 5)
        await ui.until(lambda: "nginx: worker" in ui.screen_text())
        await ui.press("enter", "ctrl+k")
        assert ui.toasts == ["This session is read-only, so nothing may be changed."] and ui.app.screen is ui.main
