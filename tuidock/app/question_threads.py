"""Threads that answer questions of the screens: one for what is short, one each for what may take long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuidock.app.report import sentence

if TYPE_CHECKING:
    from textual.message import Message

    from tuidock.app.workers import Door


class QuestionThreads:
    """Mixed into Workers."""

    post: Callable[[Message], Any]
    stopping: threading.Event
    _opened: threading.Event
    _thread: Callable[..., None]

    def __init__(self) -> None:
        self._questions: dict[str, tuple[Callable[[Door], Any], Callable[[Any], None], Callable[[str], None]]] = {}
        self._asked = threading.Condition()

    def engine(self) -> Door:
        raise NotImplementedError

    def ask(
        self,
        topic: str,
        question: Callable[[Door], Any],
        then: Callable[[Any], None],
        failed: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Asks the engine; a newer question of the same topic replaces one that waits. Answers come on the app's
        own thread."""
        with self._asked:
            self._questions[topic] = (question, then, failed)
            self._asked.notify()

    def ask_apart(
        self,
        question: Callable[[Door], Any],
        then: Callable[[Any], None],
        failed: Callable[[BaseException, str], None],
    ) -> None:
        """Asks in a thread of its own, for what may take long: a registry, or the files of a large image. What went
        wrong is told as the exception and as a sentence."""
        from tuidock.app.messages import Answered

        def work() -> None:
            try:
                answer = question(self.engine())
            except Exception as error:
                text = sentence(error)
                fault = error
                self.post(Answered(lambda fault: failed(fault, text), fault))
            else:
                self.post(Answered(then, answer))

        self._thread("tuidock-question", work)

    def forget(self, topic: str) -> None:
        with self._asked:
            self._questions.pop(topic, None)

    def _answer(self) -> None:
        from tuidock.app.messages import Answered

        self._opened.wait()
        while True:
            with self._asked:
                while not self._questions and not self.stopping.is_set():
                    self._asked.wait()
                if self.stopping.is_set():
                    return
                topic = next(iter(self._questions))
                question, then, failed = self._questions.pop(topic)
            try:
                self.post(Answered(then, question(self.engine())))
            except Exception as error:
                self.post(Answered(failed, sentence(error)))
