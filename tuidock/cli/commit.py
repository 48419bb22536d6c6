"""`commit`: a new image from what a container has changed."""

from __future__ import annotations

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.options.flags import Values, listed, switch, text


def commit(context: Context, values: Values, arguments: list[str]) -> int:
    reference = arguments[1] if len(arguments) > 1 else ""
    steps = context.engine.commit(
        arguments[0], reference, author=values["author"], message=values["message"], changes=values.items("change"),
        pause=values.on("pause"),
    )  # fmt: skip
    for step in steps:
        if step.action == "warning":
            output.note(f"WARNING: {step.message}")
        elif step.action == "committed":
            output.line(step.subject)
    return 0


COMMIT = Command(
    "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    "Create a new image from a container's changes",
    commit,
    (
        text("author", "a", 'Author (e.g. "Jane Doe <jane@example.org>")'),
        listed("change", "c", "Apply a Dockerfile instruction to the image"),
        text("message", "m", "Commit message"),
        switch("pause", "p", "Pause the container meanwhile", on=True),
    ),
    least=1,
    most=2,
)
