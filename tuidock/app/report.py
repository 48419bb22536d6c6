"""Errors for people: one clean sentence for the screen, the traceback into a file that can be sent to somebody."""

from __future__ import annotations

import os

from tuidock.app import kept
from tuidock.app.words import tr
from tuidock.engine.clean import clean
from tuidock.engine.errors import EngineError


def log_path() -> str:
    return kept.path("app.log")


def sentence(error: BaseException) -> str:
    """What went wrong in one sentence; what the engine did not raise on purpose also goes into the log."""
    if isinstance(error, EngineError):
        return clean(str(error)) or type(error).__name__
    record(error)
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename else ""
        return clean(tr("The system refused: {strerror}{where}.", strerror=error.strerror, where=where))
    detail = str(error).strip().split("\n", 1)[0]
    return clean(
        tr(
            "Something unexpected went wrong: {detail}. Details are in {log_path}.",
            detail=detail or type(error).__name__,
            log_path=log_path(),
        )
    )


def record(error: BaseException) -> None:
    """Appends the traceback to the log; a log that cannot be written is no reason to fail."""
    import time
    import traceback

    path = log_path()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        if os.path.exists(path) and os.path.getsize(path) > 1 << 20:
            os.replace(path, path + ".old")
        with open(path, "a", encoding="utf-8") as file:
            file.write(time.strftime("%Y-%m-%dT%H:%M:%S ") + "".join(traceback.format_exception(error)) + "\n")
    except OSError:
        pass
