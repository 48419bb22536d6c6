"""Rootless use: everything of an ordinary user's happens in one user namespace, in which that user is root.

A process that does nothing (the keeper, `tuidock-shim keep`) holds a user and a mount namespace; every command joins
them before it opens the data root and is root there, so the engine is the same for everybody. What the kernel refuses
inside (device nodes, trusted attributes, control groups, links of the host) is asked for elsewhere by `is_active`.

The ids: with ranges in /etc/subuid and /etc/subgid and newuidmap a container has 65 536 and more of them, else only 0.
"""

from __future__ import annotations

import os

from tuidock import native
from tuidock.engine.errors import SystemFailure
from tuidock.engine.files import boot_id, is_alive, locked, process_start_time, read_text, refuse, write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNS: Final = 0x00020000
#: How many ids the whole host has, as the first line of its uid_map says.
_EVERYTHING: Final = 4294967295
#: Descriptors of the keeper, see native/src/shim/keep.c.
_TOLD_FD, _MAPPED_FD = 3, 4


def is_active() -> bool:
    """Whether this process is in a user namespace, where root is not the machine's."""
    try:
        with open("/proc/self/uid_map") as file:
            words = file.readline().split()
    except OSError:
        return False
    return bool(words) and [int(word) for word in words] != [0, 0, _EVERYTHING]


def mapped(kind: str = "uid") -> tuple[tuple[int, int, int], ...]:
    """The lines of uid_map or gid_map of this process: first id here, first id outside, how many."""
    with open(f"/proc/self/{kind}_map") as file:
        lines = [tuple(int(word) for word in line.split()) for line in file]
    return tuple((line[0], line[1], line[2]) for line in lines)


def has_one_id() -> bool:
    """Whether root is the only user there is here; owners of files are then left as they are."""
    return sum(count for _, _, count in mapped()) == 1


def enter(environ: Mapping[str, str] | None = None) -> str:
    """Makes an ordinary user root of a user namespace; for root it does nothing. Before the first thread starts.

    Sets TUIDOCK_ROOT to ~/.local/share/tuidock when nothing else was chosen. Returns a sentence when something is not
    as good as it could be, "" else; it comes only when the namespace is new. Raises SystemFailure.
    """
    uid = os.geteuid()
    if uid == 0:
        return ""
    environ = os.environ if environ is None else environ
    home = environ.get("HOME") or _home(uid)
    try:
        runtime = _runtime(uid, environ)
        sentence = _enter_or_make(uid, runtime)
        if not os.environ.get("TUIDOCK_ROOT"):
            os.environ["TUIDOCK_ROOT"] = (environ.get("XDG_DATA_HOME") or f"{home}/.local/share") + "/tuidock"
            _link_run_directory(os.environ["TUIDOCK_ROOT"], runtime)
    except OSError as error:
        raise refuse(error, f"prepare {error.filename or 'the directories of this user'}") from error
    return sentence


def _home(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        raise SystemFailure(
            f"uid {uid} has no home directory; set HOME, or choose a data root with --root DIR"
        ) from None


def _runtime(uid: int, environ: Mapping[str, str]) -> str:
    """A directory for what ends with the session: $XDG_RUNTIME_DIR/tuidock, or one in /tmp that is surely ours."""
    for base in (environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if base and os.path.isdir(base) and os.stat(base).st_uid == uid:
            return _own(base + "/tuidock", uid)
    return _own(f"/tmp/tuidock-{uid}", uid)


def _own(path: str, uid: int) -> str:
    """The directory, made if it is not there: what lies in it leads into this user's namespace."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    known = os.lstat(path)
    if known.st_uid != uid or known.st_mode & 0o170077 != 0o040000:
        raise SystemFailure(f"{path} is not a directory of this user's alone; set XDG_RUNTIME_DIR to one that is")
    return path


def _link_run_directory(root: str, runtime: str) -> None:
    """ROOT/run leads to where sockets belong, so that a process with an empty environment finds them too."""
    os.makedirs(root, mode=0o710, exist_ok=True)
    os.makedirs(runtime + "/run", mode=0o710, exist_ok=True)
    try:
        if os.path.lexists(root + "/run"):
            if not os.path.islink(root + "/run") or os.readlink(root + "/run") == runtime + "/run":
                return
            if os.path.isdir(root + "/run"):  # of a session that goes on elsewhere; its containers are found there
                return
            os.unlink(root + "/run")
        os.symlink(runtime + "/run", root + "/run")
    except FileExistsError:
        pass  # another first command was faster


# ---- the keeper


def _join(pidfd: int) -> bool:
    """Into the namespaces of a process, whose pidfd is closed; False when it is dead, or there was none (-1)."""
    if pidfd < 0:
        return False
    try:
        here = os.getcwd()
    except FileNotFoundError:
        here = "/"  # it was removed; joining moves there too
    try:
        native.setns(pidfd, _CLONE_NEWUSER | _CLONE_NEWNS)
    except ProcessLookupError:
        return False
    except OSError as error:
        raise SystemFailure(f"cannot enter this user's namespace: {error.strerror}") from error
    finally:
        os.close(pidfd)
    os.chdir(here)
    return True


def _enter_or_make(uid: int, runtime: str) -> str:
    """Into the namespaces of the keeper, or of a container when somebody has killed it, or into new ones."""
    if _join(_living(runtime)):
        return ""
    with locked(runtime + "/keeper.lock"):
        if _join(_living(runtime)):
            return ""
        if _join(_orphan(uid)):
            os.close(_make(runtime, "inside")[0])
            return ""
        keeper, sentence = _make(runtime, "", (uid, os.getegid()))
        if not _join(keeper):
            raise SystemFailure("cannot enter this user's namespace: its keeper was killed; try again")
        return sentence


def _orphan(uid: int) -> int:
    """A pidfd of a shim of ours that runs in a user namespace, or -1."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid != uid or not (read_text(f"/proc/{name}/comm") or "").startswith(
                "tuidock-"
            ):
                continue
            pidfd = os.pidfd_open(int(name))
        except OSError:
            continue
        words = (read_text(f"/proc/{name}/uid_map") or "").split()
        if (
            words[:3] == ["0", str(uid), "1"]
            and _is_outside(name)
            and is_alive(int(name), process_start_time(int(name)))
        ):
            return pidfd
        os.close(pidfd)
    return -1


def _is_outside(pid: str) -> bool:
    """Whether a process sees our files and processes. A container's may call itself as it likes, and who joined its mounts
    would run its programs with the rights of this user."""
    try:
        root, ours = os.stat(f"/proc/{pid}/root"), os.stat("/")
        return os.path.samestat(root, ours) and os.path.samefile(f"/proc/{pid}/ns/pid", "/proc/self/ns/pid")
    except OSError:
        return False


def end_keeper() -> None:
    """Ends the keeper of the namespace that this process is in, unless somebody else is in it, too: containers and commands
    with other data roots. Its file in the runtime directory may stay: the pid in it is not believed."""
    import signal
    from contextlib import ExitStack

    here = os.stat("/proc/self/ns/user")
    with ExitStack() as opened:
        keepers = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if int(name) == os.getpid() or not os.path.samestat(os.stat(f"/proc/{name}/ns/user"), here):
                    continue
                pidfd = os.pidfd_open(int(name))
            except OSError:
                continue  # it has ended, or is somebody else's
            opened.callback(os.close, pidfd)
            if (read_text(f"/proc/{name}/stat") or "").rpartition(")")[2].split()[:1] in ([], ["Z"], ["X"]):
                continue  # dead; its parent takes its time
            if (read_text(f"/proc/{name}/comm") or "").strip() != "tuidock-keep" or not _is_outside(name):
                return
            keepers.append(pidfd)
        for pidfd in keepers:
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass


def _living(runtime: str) -> int:
    """A pidfd of the keeper, or -1. Its pid alone is not believed."""
    words = (read_text(runtime + "/keeper") or "").split()
    if len(words) != 3 or words[2] != boot_id():
        return -1
    try:
        pidfd = os.pidfd_open(int(words[0]))
    except OSError:
        return -1
    if not is_alive(int(words[0]), int(words[1])):
        os.close(pidfd)
        return -1
    return pidfd


def _make(runtime: str, where: str, ids: tuple[int, int] | None = None) -> tuple[int, str]:
    """A new keeper's pidfd, and what is to be said about its ids. where: "inside" for the namespaces that we are in."""
    told, told_end = os.pipe2(os.O_CLOEXEC)
    mapped_end, go = os.pipe2(os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, _high(told_end), _TOLD_FD), (os.POSIX_SPAWN_DUP2, _high(mapped_end), _MAPPED_FD)]
    words = ["tuidock-shim", "keep", *([where] if where else [])]
    try:
        pid = os.posix_spawn(native.shim_path(), words, {}, file_actions=actions)
    except OSError as error:
        raise SystemFailure(f"cannot run {native.shim_path()}: {os.strerror(error.errno or 0)}") from error
    finally:
        for fd in (told_end, mapped_end, actions[0][1], actions[1][1]):
            os.close(fd)
    with open(told, encoding="ascii") as lines, open(go, "wb", buffering=0) as answer:
        _expect(lines.readline(), "ready")
        sentence = _write_maps(pid, *ids) if ids else ""
        answer.write(b"g")
        _expect(lines.readline(), "kept")
    write_atomic(runtime + "/keeper", f"{pid} {process_start_time(pid)} {boot_id()}\n", 0o600, durable=False)
    return os.pidfd_open(pid), sentence


def _high(fd: int) -> int:
    """A copy out of the way of the numbers that are handed over, closed on exec."""
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20)


def _expect(line: str, word: str) -> None:
    if line.strip() == word:
        return
    number = line.split()[1] if line.startswith("error ") else "0"
    why = os.strerror(int(number)) if number != "0" else "its keeper ended"
    raise SystemFailure(
        f"cannot make a user namespace: {why}; tuidock runs as an ordinary user only where the kernel lets everybody make "
        "one (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns)"
    )


def _write_maps(pid: int, uid: int, gid: int) -> str:
    users, groups = subordinate("/etc/subuid", uid), subordinate("/etc/subgid", uid)
    if users and groups:
        why = _map_with("newuidmap", pid, uid, users) or _map_with("newgidmap", pid, gid, groups)
        if not why:
            return ""
    else:
        why = "this account has no ranges in /etc/subuid and /etc/subgid"
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        try:
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError as error:
            if name == "uid_map":  # newuidmap wrote it, and newgidmap failed
                raise SystemFailure(f"cannot map the ids of user {uid}: {why}") from error
    return (
        f"containers have one id only, root: {why} (as root, `usermod --add-subuids 100000-165535 --add-subgids "
        f"100000-165535 NAME` gives it some; they count after `kill {pid}`, which ends tuidock-keep, when no container runs)"
    )


def _map_with(program: str, pid: int, own: int, ranges: Sequence[tuple[int, int]]) -> str:
    """Maps 0 to this user and 1 and up to the ranges; a sentence when that fails."""
    import subprocess

    words, first = [str(pid), "0", str(own), "1"], 1
    for start, count in ranges:
        words += [str(first), str(start), str(count)]
        first += count
    try:
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"{program} is not installed (package uidmap)"
    said = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else f"{program} refused: {said[-1] if said else done.returncode}"


def subordinate(path: str, uid: int) -> list[tuple[int, int]]:
    """The ranges (first id, count) that a file of the format of subuid(5) gives a user, by number or by name."""
    names = {str(uid)}
    try:
        import pwd

        names.add(pwd.getpwuid(uid).pw_name)
    except KeyError:
        pass
    found = []
    for line in (read_text(path) or "").splitlines():
        who, _, rest = line.partition(":")
        start, _, count = rest.partition(":")
        if who in names and start.isdecimal() and count.isdecimal() and int(count):
            found.append((int(start), int(count)))
    return found
