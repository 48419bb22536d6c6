"""A widget that is asked for its size before it is laid out is told it afterwards."""

from __future__ import annotations

from textual.app import App
from textual.widget import Widget

from tuidock.app.widgets import told_sizes


class Listener(Widget):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def on_resize(self) -> None:
        self.told.append(self.size.width)


async def test_asking_for_a_size_does_not_swallow_the_news() -> None:
    told_sizes.install()
    app: App[None] = App()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause(0.1)
        listener = Listener()
        await app.mount(listener)
        app.screen._compositor._full_map_invalidated = True
        assert listener.size.width == 40 and not listener.told
        for _ in range(20):
            await pilot.pause(0.02)
        assert listener.told and listener.told[-1] == 40
