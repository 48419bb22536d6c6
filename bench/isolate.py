"""A house of its own for every run: mount, network, pid and cgroup namespaces, and one directory.

The engines that are compared make links, nftables rules, mounts, control groups, sockets under /run and processes that
outlive their commands. In here they disturb nobody, find nothing of the machine's own engines, and vanish together,
even when the benchmark is killed: the kernel ends a whole pid namespace with its first process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from bench import cgroups

_PR_SET_PDEATHSIG = 1


def run_isolated(script: str, arguments: Sequence[str], base: str) -> int:
    """Runs the script again inside, with `--inside PID DIRECTORY` before the arguments; returns its exit code."""
    cgroups.sweep()
    _sweep(base)
    pid = os.getpid()
    directory = f"{base}/{cgroups.PREFIX}{pid}"
    libc = ctypes.CDLL(None)
    argv = [
        "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable, script, "--inside", str(pid), directory, *arguments,
    ]  # fmt: skip
    signal.signal(signal.SIGTERM, _as_interrupt)
    child: subprocess.Popen[bytes] | None = None
    try:
        os.makedirs(directory, mode=0o711)
        cgroups.make(pid)
        child = subprocess.Popen(argv, preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
        return child.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if child is not None and child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)  # control-C went to everybody: time for the table so far
            child.kill()
            child.wait()
        cgroups.remove(pid)
        shutil.rmtree(directory, ignore_errors=True)


def _as_interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _sweep(base: str) -> None:
    """Directories of runs that were killed."""
    for name in os.listdir(base):
        pid = name.removeprefix(cgroups.PREFIX)
        if name.startswith(cgroups.PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(f"{base}/{name}", ignore_errors=True)


def as_first_process(pid: int, work: Callable[[], int]) -> int:
    """Furnishes the house as its process 1, then runs `work` in a child and collects orphans until it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cgroups.enter(pid)
    _furnish()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = 1
        try:
            code = work()
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return abs(os.waitstatus_to_exitcode(status))


def _furnish() -> None:
    """An empty /run, private directories where engines keep state outside of their roots, and loopback up."""
    resolver, names = "/etc/resolv.conf", ""
    with contextlib.suppress(OSError), open(resolver) as stream:
        names = stream.read()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    if names and not os.path.exists(resolver):  # it pointed into /run
        target = os.path.realpath(resolver)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w") as stream:
            stream.write(names)
    for path in ("/var/lib/cni", "/etc/cni/net.d", "/etc/containers/networks"):
        if os.path.isdir(path):
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
