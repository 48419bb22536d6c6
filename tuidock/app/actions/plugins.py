"""Commands of one's own: asking what they want to know, and running them where they want to run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuidock.app import plugins
from tuidock.app.model import Row
from tuidock.app.screen_keys import READ_ONLY
from tuidock.app.words import tr
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.app import TuidockApp
    from tuidock.app.plugins import Call, Plugin
    from tuidock.app.screens.main import MainScreen


def possible(screen: MainScreen) -> list[Plugin]:
    """Those that make sense in the pane in use."""
    app = screen.tuidock
    return [each for each in app.config.plugins if plugins.fits(each, screen.kind, app.read_only)]


def choose(screen: MainScreen) -> None:
    """A list of them."""
    from tuidock.app.bindings import show_keys
    from tuidock.app.screens.picker import Choice, PickerScreen

    app = screen.tuidock
    offers = possible(screen)
    if not offers:
        app.say(tr("There are no commands of your own for this list; plugins: in config.yaml makes some."), "warning")
        return
    choices = [Choice(clean(each.name), each, show_keys(each.key) or clean(each.help)) for each in offers]
    app.push_screen(
        PickerScreen(tr("Commands of your own"), choices), lambda found: begin(screen, found) if found else None
    )


def begin(screen: MainScreen, plugin: Plugin, rows: Sequence[Row] | None = None) -> None:
    """Asks, then runs it for what is marked or under the cursor."""
    app = screen.tuidock
    if app.read_only and not plugin.reads:
        app.say(tr(READ_ONLY), "warning")
        return
    if screen.kind not in plugin.panes:
        where = ", ".join(plugin.panes)
        app.say(tr("{name} is for {panes}.", name=clean(plugin.name), panes=where), "warning")
        return
    wanted = list(rows if rows is not None else screen.acted_rows())
    if plugins.wants_rows(plugin) and not wanted:
        app.say(tr("There is nothing under the cursor."), "warning")
        return
    _ask(app, plugin, wanted, {}, plugin.prompts)


def _ask(
    app: TuidockApp, plugin: Plugin, rows: list[Row], answers: dict[str, str], prompts: Sequence[plugins.Prompt]
) -> None:
    """One after the other; esc at any of them runs nothing."""
    if not prompts:
        _confirm(app, plugin, rows, answers)
        return
    prompt, rest = prompts[0], prompts[1:]

    def answered(value: Any) -> None:
        if value is not None:
            text = value[0] if isinstance(value, list) else str(value)
            _ask(app, plugin, rows, {**answers, prompt.name: text}, rest)

    title, label = clean(plugin.name), clean(prompt.label)
    if prompt.choices:
        from tuidock.app.screens.picker import Choice, PickerScreen

        ordered = sorted(prompt.choices, key=lambda each: each != prompt.value)
        choices = [Choice(clean(each), each) for each in ordered]
        app.push_screen(PickerScreen(f"{title} · {label}", choices), answered)
    else:
        from tuidock.app.screens.ask import AskScreen, Question

        question = Question(label, prompt.value, required=prompt.required, secret=prompt.secret)
        app.push_screen(AskScreen(title, [question], yes=tr("go on")), answered)


def _confirm(app: TuidockApp, plugin: Plugin, rows: list[Row], answers: dict[str, str]) -> None:
    try:
        wanted = plugins.calls(plugin, rows, answers, app.data_root)
        question = plugins.question(plugin, rows, answers, app.data_root)
    except ValueError as error:
        app.say(str(error), "warning")
        return
    if plugin.confirm:
        app.confirm(clean(question), [], tr("run"), lambda: _run(app, plugin, wanted))
    else:
        _run(app, plugin, wanted)


def _run(app: TuidockApp, plugin: Plugin, wanted: Sequence[Call]) -> None:
    directory = os.getcwd()
    if plugin.run == "terminal":
        for call in wanted:
            code = app.give_terminal(call.argv, clean(call.title), call.environment)
            if code > 0:
                app.say(tr("{title} ended with exit code {code}.", title=call.title, code=code), "warning")
        return
    from tuidock.app import plugin_runs

    for call in wanted:
        job = app.begin_job(call.title, "plugin", plugin_runs.start(call, directory), plugin_runs.Output)
        if plugin.run == "output" and call is wanted[-1]:
            app.show_output(job)
