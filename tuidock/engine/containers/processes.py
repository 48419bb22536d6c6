"""The processes of running containers: top, a signal for one of them, who listens, stats."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from tuidock.engine.errors import InvalidArgument, NotFound, SystemFailure
from tuidock.engine.instance import Instance
from tuidock.engine.runtime.cgroup import cgroups_of
from tuidock.engine.runtime.cgroup_files import read
from tuidock.engine.runtime.spec import signal_number
from tuidock.engine.runtime.stats import Sampler
from tuidock.engine.types import Container, ProcessTable, Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULT_PS = ("-ef",)


def top(instance: Instance, container: Container, ps_args: Sequence[str]) -> ProcessTable:
    """The rows of the host's ps that belong to the container; never a program of the container itself (CVE-2022-1227).

    Raises InvalidArgument when the ps options give no PID column.
    """
    pids = _pids(instance, container)
    try:
        done = subprocess.run(
            ["ps", *(ps_args or _DEFAULT_PS)], capture_output=True, text=True, errors="replace", check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "COLUMNS": "4096"},
        )  # fmt: skip
    except FileNotFoundError as error:
        raise SystemFailure("ps is not installed; install the package procps") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise InvalidArgument(f"ps {' '.join(ps_args)} failed: {said[0]}")
    lines = done.stdout.splitlines()
    titles = tuple(lines[0].split())
    if "PID" not in titles:
        raise InvalidArgument("the ps options must give a PID column, as in `-o pid,cmd`")
    column = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = tuple(line.split(None, len(titles) - 1))
        if len(fields) > column and fields[column].isdigit() and int(fields[column]) in pids:
            rows.append(fields)
    return ProcessTable(titles, tuple(rows))


def kill_process(instance: Instance, container: Container, pid: int, signal_name: str) -> None:
    """Sends a signal to one process of a container, named by its pid on the host.

    The pidfd comes first and the look at the control group second, so that a process that takes over the number meanwhile
    is never hit. Raises InvalidArgument for no such signal, NotFound when no such process is in the container.
    """
    number = signal_number(signal_name)
    if not number:
        raise InvalidArgument(f"invalid signal: {signal_name}")
    missing = NotFound("process", f"{pid} in container {container.name}")
    try:
        descriptor = os.pidfd_open(pid)
    except (OSError, OverflowError):
        raise missing from None
    try:
        if pid not in _pids(instance, container):
            raise missing
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        raise missing from None
    except PermissionError as error:
        raise SystemFailure(f"Process {pid} of {container.name} cannot be sent a signal: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _pids(instance: Instance, container: Container) -> set[int]:
    """Every process of a running container, as the host numbers it."""
    return set(cgroups_of(instance).pids(container.id)) or set(_by_namespace(container.pid))


def _by_namespace(init: int) -> list[int]:
    """The processes of a container that has no control group: those that are in its pid namespace, or below it."""
    if not init:
        return []
    depth = len(_inner_pids(init))
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and len(inner := _inner_pids(int(name))) >= depth:
            try:
                same = os.readlink(f"/proc/{name}/ns/pid") == os.readlink(f"/proc/{init}/ns/pid")
            except OSError:
                continue
            if same or len(inner) > depth:
                found.append(int(name))
    return found


def _inner_pids(pid: int) -> list[str]:
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    return []


def listeners(pid: int) -> dict[str, tuple[str, ...]]:
    """Who waits for connections in the network namespace of that process: "80/tcp" -> addresses, "" meaning every one.

    Read from the kernel's tables, so that asking is no traffic.
    """
    found: dict[str, list[str]] = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        protocol = table[:3]
        for line in read(f"/proc/{pid}/net/{table}").splitlines()[1:]:
            fields = line.split(None, 4)
            if len(fields) > 3 and fields[3] == ("0A" if protocol == "tcp" else "07"):
                address, _, port = fields[1].partition(":")
                text = "" if not address.strip("0") else _address(address)
                found.setdefault(f"{int(port, 16)}/{protocol}", []).append(text)
    return {port: tuple(sorted(set(addresses))) for port, addresses in found.items()}


def _address(kernel: str) -> str:
    """An address as /proc writes it: words of four bytes, each in the order of the machine."""
    words = [bytes.fromhex(kernel[at : at + 8]) for at in range(0, len(kernel), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    if len(raw) == 16 and raw.startswith(bytes(10) + b"\xff\xff"):
        raw = raw[12:]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def sample(sampler: Sampler, running: Sequence[tuple[str, int]]) -> list[Stats]:
    """One Stats for each (id, pid of its init); cpu_percent is what was used since the sampler's last look at it."""
    samples = (sampler.sample(container_id, pid) for container_id, pid in running)
    return [each for each in samples if each is not None]
