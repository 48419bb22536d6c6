"""Health checks as a person asks for them and sees them; what the shim does with them is in tests/native."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Run, request
from tests.native.monitored import eventually
from tuidock.engine import Engine
from tuidock.engine.containers.merge import merge_config
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.runtime.health import Check, check_of
from tuidock.engine.units import status_text

SECOND = 1_000_000_000


def test_the_image_s_check_is_taken_value_by_value() -> None:
    image = {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5 * SECOND, "Retries": 7}}
    for asked, expected in (
        ({}, {"Test": ["CMD", "true"], "Interval": 5 * SECOND, "Retries": 7}),
        ({"Interval": SECOND}, {"Test": ["CMD", "true"], "Interval": SECOND, "Retries": 7}),
        ({"Test": ["NONE"]}, {"Test": ["NONE"], "Interval": 5 * SECOND, "Retries": 7}),
    ):
        assert merge_config(image, {"Cmd": ["x"], "Healthcheck": asked}, "h")["Healthcheck"] == expected
    assert "Healthcheck" not in merge_config({}, {"Cmd": ["x"]}, "h")


@pytest.mark.parametrize(
    ("config", "command"),
    [
        ({"Healthcheck": {"Test": ["CMD", "a", "b c"]}}, ("a", "b c")),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}}, ("/bin/sh", "-c", "a b")),
        ({"Healthcheck": {"Test": ["CMD-SHELL", "a b"]}, "Shell": ["/bin/ash", "-e"]}, ("/bin/ash", "-e", "a b")),
        ({"Healthcheck": {"Test": ["NONE"]}}, None),
        ({"Healthcheck": {"Test": []}}, None),
        ({}, None),
    ],
)
def test_the_forms_of_a_test(config: dict[str, Any], command: tuple[str, ...] | None) -> None:
    check = check_of(config)
    assert (check and check.command) == command
    if check:
        assert check == Check(check.command, 30 * SECOND, 30 * SECOND, 0, 5 * SECOND, 3)


def test_what_cannot_be_is_refused(engine: Engine) -> None:
    for wrong, message in (
        ({"Interval": 10}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"StartInterval": -1}, "StartInterval in Healthcheck cannot be less than 1ms"),
        ({"Retries": -1}, "Retries in Healthcheck cannot be negative"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            engine.create(request(["true"], config={"Healthcheck": {"Test": ["CMD", "true"], **wrong}}))


def test_ps_and_inspect_tell_it(engine: Engine, run: Run) -> None:
    check = {"Test": ["CMD-SHELL", "echo ill >&2; test -e /well"], "Interval": SECOND // 50, "Retries": 1}
    container_id = run.start(["sleep", "1000"], config={"Healthcheck": check})
    eventually(lambda: engine.container(container_id).health == "unhealthy", "its first verdict")
    state = engine.inspect_container(container_id)["State"]["Health"]
    assert state["Status"] == "unhealthy" and state["FailingStreak"] >= 1
    assert set(state["Log"][0]) == {"Start", "End", "ExitCode", "Output"}
    assert (state["Log"][0]["ExitCode"], state["Log"][0]["Output"]) == (1, "ill\n")
    assert status_text(engine.container(container_id)).endswith(" (unhealthy)")
    root = f"/proc/{engine.container(container_id).pid}/root"
    with open(root + "/well", "x"):
        eventually(lambda: engine.container(container_id).health == "healthy", "it recovered")
    engine.pause(container_id)
    assert engine.container(container_id).health == "healthy"
    engine.unpause(container_id)
    engine.kill(container_id)
    assert engine.inspect_container(container_id)["State"]["Health"]["Status"] == "unhealthy"  # as docker has it
    assert "health" not in status_text(engine.container(container_id))
    assert engine.container(run.start(["sleep", "1000"], config={"Healthcheck": {"Test": ["NONE"]}})).health == ""
