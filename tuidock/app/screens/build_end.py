"""What can be done with a build: give it up, look into what failed, run or inspect what came out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from tuidock.app.model import IMAGES, Row
from tuidock.engine.clean import clean

if TYPE_CHECKING:
    from tuidock.app.jobs import Job
    from tuidock.app.screens.build import BuildScreen

#: The best shell that the image has; what the image lacks is not asked for.
SHELL = ("sh", "-c", "for s in bash zsh ash; do command -v $s >/dev/null 2>&1 && exec $s; done; exec sh")


class BuildEnd:
    """Mixed into the build screen."""

    job: Job

    @property
    def keep(self) -> str:
        """The cache key of the last good state of a build that has failed."""
        return str(getattr(self.job.fault, "keep", ""))

    def action_shell(self: BuildScreen) -> None:  # type: ignore[misc]
        """A container of the last good state, with a shell in it, that is gone afterwards."""
        app, key = self.tuidock, self.keep
        if not key:
            return
        known = set(app.model.rows[IMAGES])

        def opened(image: str) -> None:
            argv = [sys.executable, "-m", "tuidock"]
            if app.root:
                argv += ["--root", app.root]
            argv += ["run", "--bound", "-it", "--rm", "--entrypoint", SHELL[0], image, *SHELL[1:]]
            app.give_terminal(argv, "the last good state: leave with exit or ctrl+d; nothing that is done here is kept")
            if image not in known:
                # made for this look only
                app.engine_workers.ask_apart(
                    lambda engine: _forget(engine, image), lambda done: None, lambda error, text: None
                )

        app.engine_workers.ask_apart(
            lambda engine: engine.keep_step(key), opened, lambda error, text: app.say(text, "error")
        )

    def image_name(self: BuildScreen) -> str:  # type: ignore[misc]
        return self.build.tags[0] if self.build.tags else self.build.image.removeprefix("sha256:")[:12]

    def command_rows(self: BuildScreen) -> tuple[str, list[Row]]:  # type: ignore[misc]
        row = self.tuidock.model.find(IMAGES, self.build.image) if self.build.image else None
        return IMAGES, [row] if row is not None else []

    def action_run(self: BuildScreen) -> None:  # type: ignore[misc]
        from tuidock.app.screens.run_form import RunForm

        if self.build.image:
            self.app.push_screen(RunForm(self.tuidock.model, self.image_name()))

    def action_inspect(self: BuildScreen) -> None:  # type: ignore[misc]
        """To the image in its list."""
        main, image = self.tuidock.main, self.build.image
        if not image or main is None:
            return
        while len(self.app.screen_stack) > 1 and self.app.screen is not main:
            self.app.pop_screen()
        main.go(IMAGES)
        main.pane(IMAGES).seek(image)
        main.detail.show_tab("inspect")

    def action_files(self: BuildScreen) -> None:  # type: ignore[misc]
        from tuidock.app.screens.layers import LayersScreen

        if self.build.image:
            self.app.push_screen(LayersScreen(self.build.image, self.image_name()))

    def action_give_up(self: BuildScreen) -> None:  # type: ignore[misc]
        from tuidock.app.screens.jobs import give_up

        if not self.job.ended:
            give_up(self.app, self.job)

    def action_retry(self: BuildScreen) -> None:  # type: ignore[misc]
        if not self.job.ended:
            return
        again = self.tuidock.retry_job(self.job)
        if again is not None:
            self.job = again
            self._follow, self._shown_step, self._shown_log = True, -1, ""
            self._draw()

    def action_copy(self: BuildScreen) -> None:  # type: ignore[misc]
        self.tuidock.copy(clean(self.job.error or self.build.command or self.build.image))


def _forget(engine: Any, image: str) -> None:
    """Removes an image that was only made to look into; one that has got a name meanwhile stays."""
    if not engine.image(image).references:
        engine.remove_image(image, now=True)
