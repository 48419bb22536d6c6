"""`info`, `version` and the `system` family: df, check, rebuild, reset."""

from __future__ import annotations

import sys

from tuidock.cli import output
from tuidock.cli.command import Command, Context
from tuidock.engine.errors import InvalidArgument
from tuidock.engine.options.flags import Values, switch, text
from tuidock.engine.units import human_memory

_FORMAT = text("format", "f", "'json', or a Go template")
_INFO = (
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Server Version", "ServerVersion"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Driver", "CgroupDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Security Options", "SecurityOptions"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("OSType", "OSType"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Total Memory", "MemTotal"),
    ("Name", "Name"),
    ("ID", "ID"),
    ("Root Dir", "DockerRootDir"),
    ("Run Dir", "RunDir"),
)


def info(context: Context, values: Values, _: list[str]) -> int:
    found = context.engine.info()
    if values["format"]:
        from tuidock.cli.formats import write_value

        write_value(values["format"], found)
        return 0
    for title, key in _INFO:
        if key in found:
            value = found[key]
            if key == "MemTotal":
                value = human_memory(value)
            elif isinstance(value, (list, tuple)):
                value = ", ".join(str(item) for item in value)
            output.line(f"{title}: {value}")
    return 0


def version(context: Context, values: Values, _: list[str]) -> int:
    found = context.engine.version()
    if values["format"]:
        from tuidock.cli.formats import write_value

        both = {"Client": found, "Server": found}
        write_value(values["format"], both if values["format"] == "json" else {**found, **both})
        return 0
    output.line("tuidock:")
    for key, value in found.items():
        title = "".join(" " + char if char.isupper() and at else char for at, char in enumerate(key))
        output.line(f" {title + ':':<18}{value}")
    return 0


def check(context: Context, values: Values, _: list[str]) -> int:
    left = 0
    for problem in context.engine.check(repair=values.on("repair"), fast=values.on("fast")):
        state = "repaired" if problem.repaired else "found"
        left += not problem.repaired
        where = ": ".join(part for part in (problem.area, problem.subject) if part)
        output.line(f"{where}: {problem.message} ({state})")
        output.flush()
    if left:
        return 1
    output.line("Nothing is wrong.")
    return 0


def rebuild(context: Context, _: Values, __: list[str]) -> int:
    for name in context.engine.rebuild():
        output.line(name)
    return 0


def reset(context: Context, values: Values, _: list[str]) -> int:
    root = context.engine.root
    if not values.on("force"):
        if not output.is_terminal(0):
            raise InvalidArgument("system reset removes everything; say --force when nobody can be asked")
        if not output.confirm(f"This removes all containers, images and volumes below {root}. Go on?"):
            return 1
    context.engine.reset()
    sys.stdout.flush()
    return 0


INFO = Command("[OPTIONS]", "Display system-wide information", info, (_FORMAT,), most=0)
VERSION = Command("[OPTIONS]", "Show the version information", version, (_FORMAT,), most=0)
CHECK = Command(
    "[OPTIONS]",
    "Look for damage and leftovers",
    check,
    (
        switch("fast", "", "Leave out reading the content of images"),
        switch("repair", "", "Put right what can be put right"),
    ),
    most=0,
)
REBUILD = Command("", "Make the database anew from the files beside it", rebuild, most=0)
RESET = Command(
    "[OPTIONS]",
    "Remove all containers, images, volumes and networks",
    reset,
    (switch("force", "f", "Do not ask"),),
    most=0,
)
