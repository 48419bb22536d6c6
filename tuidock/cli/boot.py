"""`boot`: restart policies after the machine was down, and the systemd unit that calls it."""

from __future__ import annotations

import os
import shutil
import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import EngineError, SystemFailure
from tuidock.engine.options.flags import Values, switch

UNIT_PATH = "/etc/systemd/system/tuidock.service"
#: KillMode: else systemd would end the containers together with the command that started them.
_UNIT = """\
[Unit]
Description=Start containers of tuidock as their restart policies say
Wants=network-online.target
After=network-online.target local-fs.target nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
KillMode=process
ExecStart={command}

[Install]
WantedBy=multi-user.target
"""


def boot(context: Context, values: Values, __: list[str]) -> int:
    if values.on("unit"):
        sys.stdout.write(unit(context))
        return 0
    if values.on("install-unit"):
        return _install(unit(context))
    failures: list[str] = []

    def failed(name: str, error: EngineError) -> None:
        failures.append(name)
        output.error(f"{name}: {error}")

    for name in context.publisher.boot(failed):
        output.line(name)
    return 1 if failures else 0


def unit(context: Context) -> str:
    """The unit's text, with this program and, unless it is the default, this data root."""
    program = shutil.which("tuidock") or os.path.abspath(sys.argv[0])
    words = [program, *(("--root", os.path.abspath(context.root)) if context.root else ()), "boot"]
    return _UNIT.format(command=" ".join(_quoted(word) for word in words))


def _quoted(word: str) -> str:
    """A word of ExecStart: % begins systemd's own names, $ a variable."""
    word = word.replace("%", "%%").replace("$", "$$")
    return word if word.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum() else f'"{word}"'


def _install(text: str) -> int:
    try:
        with open(UNIT_PATH, "w") as file:
            file.write(text)
    except OSError as error:
        raise SystemFailure(f"cannot write {UNIT_PATH}: {(error.strerror or str(error)).lower()}") from None
    output.line(UNIT_PATH)
    output.note("enable it with: systemctl daemon-reload && systemctl enable tuidock.service")
    return 0


BOOT = Command(
    "[OPTIONS]",
    "Start what its restart policy wants after a reboot",
    boot,
    (
        switch("install-unit", "", f"Write a systemd unit that does this at each start of the machine ({UNIT_PATH})"),
        switch("unit", "", "Print that unit"),
    ),
    most=0,
)
