"""What goes on in the background: a bar for each layer, errors with what to do, and jobs that go on without a screen."""

from __future__ import annotations

import threading
from typing import Any

from tests.fakes.driving import Driver, running
from tests.fakes.engine import Engine
from tuidock.app.jobs import DONE, FAILED, GIVEN_UP, Job
from tuidock.app.transfers import Transfer
from tuidock.engine.types import Progress

SECOND = 1_000_000_000


def gated(method: str) -> tuple[Engine, threading.Event]:
    engine = Engine()
    gate = engine.gates[method] = threading.Event()
    return engine, gate


def jobs(ui: Driver) -> list[Any]:
    return list(ui.app.model.every_job())


# -- what the news of a transfer add up to ------------------------------------------------------------------------


def test_rates_and_words_of_a_layer() -> None:
    transfer = Transfer()
    transfer.take([Progress("a1", "waiting", 0, 1000), Progress("b2", "waiting", 0, 500)], 0)
    assert (transfer.total, transfer.done, transfer.words) == (1500, 0, "0 of 2 layers")
    transfer.take([Progress("a1", "downloading", 100, 1000)], 0)
    transfer.take([Progress("a1", "downloading", 300, 1000)], SECOND)
    part = transfer.parts["a1"]
    assert part.rate(SECOND) == 200 and part.bytes_words == "300B / 1.0K" and part.words == "downloading"
    assert part.rate(9 * SECOND) == 0, "nothing has come for long"
    transfer.take([Progress("a1", "extracting", 1, 5000)], SECOND)
    assert transfer.done == 1000, "all of it has come; what is unpacked is larger"
    transfer.take([Progress("a1", "pulled", 5000, 5000), Progress("b2", "exists")], SECOND)
    assert transfer.words == "" and transfer.done == transfer.total
    transfer.take([Progress("x", "digest", message="sha256:d"), Progress("x:1", "pulled-image", message="new")], SECOND)
    assert (transfer.digest, transfer.words, transfer.results) == ("sha256:d", "new", ["x:1"])


def test_a_retry_says_why() -> None:
    transfer = Transfer()
    transfer.take([Progress("a1", "retrying", 5, 10, "the connection was lost")], 0)
    assert transfer.parts["a1"].words == "retrying: the connection was lost"


def test_ten_thousand_pieces_of_news_are_told_once_and_the_last_is_kept() -> None:
    told = []
    job = Job(1, "pull x", make_tracker=Transfer)
    job.tell = lambda: told.append(1)
    for at in range(10_000):
        job.put(Progress("a1", "downloading", at, 10_000))
    assert len(told) == 1
    job.take(0)
    assert job.done == 9_999
    job.put(Progress("a1", "downloading", 10_000, 10_000))
    assert len(told) == 1, "the pause is not over"
    assert job.feed.rest() and (job.take(0), job.done)[1] == 10_000
    assert not job.feed.rest()
    job.put(Progress("a1", "pulled"))
    assert len(told) == 2


# -- pull ---------------------------------------------------------------------------------------------------------


async def test_a_pull_can_be_watched_left_and_come_back_to() -> None:
    engine, gate = gated("pull")
    async with running(engine) as ui:
        await ui.press("P")
        await ui.type("nginx:1.28")
        assert "library/nginx, tag 1.28, from docker.io" in ui.screen_text()
        await ui.press("enter")
        await ui.until(lambda: "24M / 38M" in ui.screen_text())
        text = ui.screen_text()
        assert "a2abf6c4d29d" in text and "downloading" in text and "waiting" in text and "1 of 3 layers" in text
        await ui.press("escape")
        assert ui.app.screen is ui.main and "pull nginx:1.28 76%" in ui.screen_text()
        gate.set()
        await ui.until(lambda: ui.app.model.find("images", "nginx:1.28") is not None)
        await ui.until(lambda: "pull nginx:1.28: done" in ui.toasts)
        await ui.press("J")
        assert "✓ pull nginx:1.28" in ui.screen_text() and "Downloaded newer image · sha256:" in ui.screen_text()
        await ui.press("enter")
        assert ui.app.screen is ui.main and ui.main.kind == "images"
        await ui.until(lambda: ui.main.pane().row_at_cursor.references == ("nginx:1.28",))


async def test_platform_and_all_tags_reach_the_engine() -> None:
    async with running() as ui:
        await ui.press("P")
        ui.app.screen.query_one("#field-name").value = "nginx:1.28"
        ui.app.screen.query_one("#field-platform").value = "linux/arm64"
        await ui.pilot.pause()
        assert "tuidock pull --platform linux/arm64 nginx:1.28" in ui.screen_text()
        await ui.press("enter")
        await ui.until(lambda: ui.engine.called("pull") == [("nginx:1.28", "linux/arm64")])


async def test_a_name_that_cannot_be_is_told_while_typing() -> None:
    async with running() as ui:
        await ui.press("P")
        await ui.type("Ng")
        assert "must be lowercase" in ui.screen_text()
        await ui.press("enter")
        assert ui.engine.called("pull") == [] and ui.app.screen is not ui.main


async def test_giving_up_asks_and_a_job_that_ended_leaves_the_list() -> None:
    engine, gate = gated("pull")
    async with running(engine) as ui:
        await ui.command("pull nginx:1.28")
        await ui.until(lambda: "downloading" in ui.screen_text())
        await ui.press("d")
        assert "Give up pull nginx:1.28?" in ui.screen_text()
        await ui.press("y")
        assert "giving up" in ui.screen_text()
        gate.set()
        await ui.until(lambda: jobs(ui)[0].state == GIVEN_UP)
        assert ui.app.model.find("images", "nginx:1.28") is None
        await ui.until(lambda: "○ pull nginx:1.28" in ui.screen_text())
        await ui.press("d")
        assert jobs(ui) == [] and "Nothing goes on in the background" in ui.screen_text()


async def test_a_failed_pull_says_what_to_do_and_can_be_tried_again() -> None:
    async with running() as ui:
        await ui.command("pull nowhere")
        await ui.until(lambda: "check the name. r tries again." in ui.screen_text())
        assert jobs(ui)[0].state == FAILED
        await ui.press("r")
        await ui.until(lambda: len(ui.engine.called("pull")) == 2 and jobs(ui)[0].state == FAILED)
        assert len(jobs(ui)) == 1


async def test_wrong_credentials_offer_the_login_and_go_on_after_it() -> None:
    async with running() as ui:
        await ui.command("pull private.example/app")
        await ui.until(lambda: "L logs in and tries again." in ui.screen_text())
        await ui.press("enter")
        assert "Log in to a registry" in ui.screen_text() and "private.example" in ui.screen_text()
        await ui.type("me")
        await ui.press("tab")
        await ui.type("wrong")
        await ui.press("enter")
        await ui.until(lambda: "does not accept these credentials" in ui.screen_text())
        field = ui.app.screen.query_one("#field-password")
        field.value = "secret"
        await ui.press("enter")
        await ui.until(lambda: ui.app.model.find("images", "private.example/app:latest") is not None)
        await ui.until(lambda: jobs(ui)[0].state == DONE)
        assert all("secret" not in repr(call) for call in ui.engine.calls) and not any("secret" in t for t in ui.toasts)


async def test_several_jobs_and_their_layers_fold() -> None:
    engine, gate = gated("pull")
    async with running(engine) as ui:
        await ui.command("pull nginx:1.28")
        await ui.until(lambda: "downloading" in ui.screen_text())
        await ui.press("escape")
        await ui.command("pull redis:8")
        await ui.until(lambda: "2 running" in ui.screen_text() and ui.screen_text().count("a2abf6c4d29d") == 2)
        await ui.press("g", "space")
        assert ui.screen_text().count("a2abf6c4d29d") == 1
        await ui.press("escape")
        assert "pull nginx:1.28 76% +1" in ui.screen_text()
        gate.set()
        await ui.until(lambda: not ui.app.model.jobs)


async def test_a_missing_image_of_a_new_container_is_a_job() -> None:
    from tuidock.engine.errors import NotFound

    engine, gate = gated("pull")
    missing: list[Exception] = [NotFound("image", "nginx:1.28")]
    create = engine.create

    def once(request: Any) -> str:
        if missing:
            raise missing.pop()
        return create(request)

    engine.create = once  # type: ignore[method-assign]
    async with running(engine) as ui:
        await ui.command("run --name new nginx:1.28")
        await ui.until(lambda: ui.app.model.jobs)
        await ui.press("J")
        await ui.until(lambda: "● pull nginx:1.28" in ui.screen_text())
        gate.set()
        await ui.until(lambda: ui.row("new") is not None)


async def test_quitting_while_a_pull_goes_on_asks_and_leaves_nothing() -> None:
    engine, gate = gated("pull")
    try:
        async with running(engine) as ui:
            await ui.command("pull nginx:1.28")
            await ui.until(lambda: ui.app.model.jobs)
            await ui.press("escape", "q")
            assert "Quit while this goes on?" in ui.screen_text() and "pull nginx:1.28" in ui.screen_text()
            await ui.press("y")
            await ui.until(lambda: ui.app._exit)
    finally:
        gate.set()


# -- push, search, logins -----------------------------------------------------------------------------------------


async def test_push_under_a_new_name_tags_first() -> None:
    engine, gate = gated("push")
    async with running(engine) as ui:
        await ui.press("2", "U")
        assert "tuidock push nginx:1.27" in ui.screen_text()
        ui.app.screen.query_one("#field-name").value = "registry.example/web:1"
        await ui.pilot.pause()
        assert (
            "tuidock tag c8c8c8c8c8c8 registry.example/web:1 && tuidock push registry.example/web:1" in ui.screen_text()
        )
        await ui.press("enter")
        await ui.until(lambda: "pushing" in ui.screen_text() and "there already" in ui.screen_text())
        gate.set()
        await ui.until(lambda: jobs(ui)[0].state == DONE)
        assert ui.engine.called("tag")[0][1] == "registry.example/web:1"
        await ui.press("c")
        assert ui.copied[-1].startswith("sha256:")


async def test_search_shows_stars_and_pulls() -> None:
    async with running() as ui:
        await ui.command("search nginx")
        await ui.until(lambda: "bitnami/nginx" in ui.screen_text())
        assert "20 511" in ui.screen_text() and "✓ yes" in ui.screen_text()
        await ui.press("j", "t")
        await ui.until(lambda: "Tags of bitnami/nginx" in ui.screen_text())
        await ui.type("alpine")
        await ui.press("enter")
        await ui.until(lambda: ui.engine.called("pull") == [("bitnami/nginx:1.27-alpine",)])


async def test_search_from_the_pull_form_and_again() -> None:
    async with running() as ui:
        await ui.press("P")
        await ui.type("redis")
        await ui.press("ctrl+f")
        await ui.until(lambda: "Official build of redis." in ui.screen_text())
        await ui.press("slash", "ctrl+u")
        await ui.type("mysql")
        await ui.press("enter")
        await ui.until(lambda: "Official build of mysql." in ui.screen_text())
        await ui.press("enter")
        await ui.until(lambda: ui.engine.called("pull") == [("mysql",)])


async def test_a_search_that_fails_is_one_sentence() -> None:
    from tuidock.engine.errors import RegistryRefused

    engine = Engine()
    engine.fail["search"] = RegistryRefused("Cannot search docker.io: no answer in 10 s; check the network.")
    async with running(engine) as ui:
        await ui.command("search nginx")
        await ui.until(lambda: "check the network." in ui.screen_text())
        await ui.press("escape")
        assert ui.app.screen is ui.main


async def test_logins_are_listed_and_forgotten() -> None:
    async with running() as ui:
        await ui.command("logins")
        await ui.until(lambda: "registry.example" in ui.screen_text() and "helper pass" in ui.screen_text())
        await ui.press("d")
        await ui.until(lambda: "registry.example" not in ui.screen_text().replace("Logged out of registry.example", ""))
        assert ui.engine.called("logout") == [("registry.example",)]
        await ui.press("n")
        assert "Log in to a registry" in ui.screen_text()
        await ui.press("escape", "escape")
        await ui.command("logout docker.io")
        await ui.until(lambda: len(ui.engine.called("logout")) == 2)
        await ui.command("login private.example")
        assert "private.example" in ui.screen_text() and "User" in ui.screen_text()
