"""The health check of a container: its state, the last probes and what they printed, cleaned; and in the list."""

from __future__ import annotations

from typing import Any

from tests.conftest import Run
from tests.fakes.driving import running
from tests.fakes.engine import NOW
from tuidock.app.health import output_of, rows_of
from tuidock.engine import Engine


def probe(minutes: int, code: int, output: str) -> dict[str, Any]:
    start = f"2026-11-24T07:{minutes:02d}:10.123456789Z"
    return {"Start": start, "End": start.replace("10.12", "10.45"), "ExitCode": code, "Output": output}


FAILING = {
    "Status": "unhealthy",
    "FailingStreak": 2,
    "Log": [
        probe(57, 0, ""),
        probe(58, 1, "connection \x1b[31mrefused\x1b[0m\nis the server running?\n"),
        probe(59, -1, "Health check exceeded timeout (5s)"),
    ],
}


async def test_the_newest_probe_comes_first_with_what_it_printed() -> None:
    async with running(size=(80, 24)) as ui:
        ui.engine.healths["db"] = FAILING
        ui.engine.put(ui.row("db")._replace(health="unhealthy"), "health_status: unhealthy")
        await ui.until(lambda: ui.row("db").health == "unhealthy")
        await ui.go_to("db")
        await ui.press("i")
        for _ in range(10):
            if ui.main.detail.tab == "health":
                break
            await ui.press("right_square_bracket")
        text = ui.screen_text()
        assert "✖ unhealthy" in text and "2 failed one after the other" in text and "pg_isready || exit 1" in text
        assert "every 5 s, 30 s to answer, unhealthy after 3" in text
        assert text.index("timeout") < text.index("exit 1  connection refused") < text.index("exit 0")
        assert "is the server running?" in text and "\x1b" not in text and "0.33 s" in text
        await ui.press("G", "k", "enter")
        assert ui.copied == ["connection refused\nis the server running?"]
        await ui.press("escape", "slash")
        await ui.type("health:unhealthy\n")
        assert ui.main.pane().keys == [ui.row("db").id]


async def test_only_one_with_a_check_has_the_tab() -> None:
    async with running() as ui:
        await ui.go_to("db")
        ui.main.detail.show_tab("health")
        await ui.until(lambda: "pg_isready" in ui.screen_text())
        await ui.go_to("web")
        await ui.until(lambda: "Health" not in ui.screen_text() and ui.main.detail.tab == "logs")


def test_a_real_probe(engine: Engine, run: Run) -> None:
    run.start(
        ["sleep", "1000"],
        name="probed",
        config={"Healthcheck": {"Test": ["CMD", "sh", "-c", "echo 'a b'; exit 3"], "Interval": 50_000_000}},
    )
    from tests.failure.machine import eventually

    def log() -> Any:
        return (engine.inspect_container("probed")["State"].get("Health") or {}).get("Log")

    eventually(log, "a probe has ended", 30)
    value = engine.inspect_container("probed")
    rows = rows_of(value, NOW)
    assert rows[1].cell(3).text == "sh -c 'echo '\"'\"'a b'\"'\"'; exit 3'"
    assert (rows[3].cell(2).text, rows[3].cell(3).text) == ("exit 3", "a b") and rows[3].cell(1).text.endswith(" s")
    assert output_of(value, "probe 0").strip() == "a b"
    engine.remove("probed", force=True, now=True)
