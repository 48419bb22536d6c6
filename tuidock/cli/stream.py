"""The foreground of `run`, `start -a` and `attach`: our terminal joined to a container through its shim.

One loop and one thread, because signals must reach the container even while its output waits for a slow reader: every
descriptor is polled, nothing is written that could block. Output that is not taken keeps us from reading the
socket, and the shim from reading the container, so a pipe at our end slows the container instead of losing lines.
"""

from __future__ import annotations

import errno
import os
import select
from struct import unpack, unpack_from

from tuidock.cli.terminals import LineTerminal, RawTerminal, hung_up, in_foreground
from tuidock.engine import stream as protocol
from tuidock.engine.named import Named
from tuidock.engine.options.detach_keys import Detacher

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import Callable
    from typing import Any

    from tuidock.engine.stream import Resumer
else:
    import _signal as signal  # the module around it turns numbers into enums, which takes longer than the whole session

_CHUNK = 64 * 1024
#: A pipe that polls as writable takes this much without blocking (PIPE_BUF).
_PIPE_ROOM = 4096
#: Never passed on: what the kernel sends us about ourselves.
_OWN_SIGNALS = {
    signal.SIGCHLD, signal.SIGPIPE, signal.SIGURG, signal.SIGWINCH, signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV,
    signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS, signal.SIGPROF,
    signal.SIGVTALRM,
}  # fmt: skip


class Outcome(Named):
    """How a session ended: with the container (exit_code), by the detach keys, or because the shim went away."""

    exit_code: int | None
    detached: bool = False
    lost: int = 0


def window_size(*descriptors: int) -> tuple[int, int]:
    """(rows, columns) of the first of the descriptors that is a terminal, else (0, 0)."""
    for descriptor in descriptors:
        try:
            size = os.get_terminal_size(descriptor)
        except OSError:
            continue
        return size.lines, size.columns
    return 0, 0


class Signals:
    """Collects signals from construction on, so that none is lost while the container starts."""

    def __init__(self, *, proxy: bool) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        wanted = signal.valid_signals() - _OWN_SIGNALS if proxy else set()
        self._old: dict[int, Any] = {}
        for number in [*wanted, signal.SIGWINCH, signal.SIGCONT]:
            # an ignored signal stays ignored: `nohup tuidock run ...`
            if number in (signal.SIGWINCH, signal.SIGCONT) or signal.getsignal(number) is not signal.SIG_IGN:
                try:
                    self._old[int(number)] = signal.signal(number, _ignore)
                except (OSError, ValueError):
                    continue
        if not proxy:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._old[int(number)] = signal.signal(number, _leave)

    def fileno(self) -> int:
        return self._reader

    def pending(self) -> list[int]:
        try:
            return list(os.read(self._reader, 512))
        except BlockingIOError:
            return []

    def close(self) -> None:
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)


def _ignore(number: int, _: object) -> None:
    """The wakeup descriptor carries the number; a handler only keeps the default action away."""


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


class Session:
    """One attachment. stdin -1 = nothing is sent; stdout and stderr -1 = that stream is dropped.

    resumer and reattach: what to do when the shim is killed, see tuidock.engine.runtime.resuming.
    keys_at_once: look for the detach keys even when nothing is sent. Otherwise only after an interrupt that has not
    ended the container: until then what is typed is for the program that comes after us."""

    def __init__(
        self,
        connection: socket.socket,
        *,
        stdin: int = -1,
        stdout: int = 1,
        stderr: int = 2,
        tty: bool = False,
        detach_keys: bytes = b"",
        proxy: bool = True,
        signals: Signals | None = None,
        keys_at_once: bool = False,
        resumer: Resumer | None = None,
        reattach: Callable[[], socket.socket | None] | None = None,
    ) -> None:
        self._socket = connection
        self._stdin, self._targets = stdin, {1: stdout, 2: stderr}
        self._tty, self._proxy = tty, proxy
        self._signals = signals or Signals(proxy=proxy)
        self._keys, self._keys_at_once = detach_keys, keys_at_once
        self._detacher: Detacher | None = None
        self._terminal: RawTerminal | None = None
        self._sends, self._interrupts = stdin >= 0, 0
        self._owner = -1
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._output: list[tuple[int, memoryview]] = []
        self._regular: dict[int, bool] = {}
        self._outcome: Outcome | None = None
        self._size = (0, 0)
        self._resumer, self._reattach, self._resuming = resumer, reattach, False

    def run(self) -> Outcome:
        """Until the container ends, the keys detach, or the connection breaks. The terminal is restored on any way out."""
        self._socket.setblocking(False)
        try:
            self._find_owner()
            if self._tty and self._sends:
                self._detacher = Detacher(self._keys) if self._keys else None
                if os.isatty(self._stdin):
                    self._terminal = RawTerminal(self._stdin)
            elif self._sends or self._keys_at_once:
                self._watch_keys()
            self._resize()
            while self._outcome is None or self._output:
                self._turn()
            return self._outcome
        finally:
            if self._terminal:
                self._terminal.restore()
            self._signals.close()
            self._socket.close()
            if self._resumer is not None:
                self._resumer.close()
            if self._owner >= 0:
                os.close(self._owner)

    def _find_owner(self) -> None:
        """A program that lends us its terminal names itself, and must not be outlived on it."""
        named = os.environ.get("TUIDOCK_TERMINAL_OF", "")
        if not named.isdecimal():
            return
        try:
            self._owner = os.pidfd_open(int(named))
        except OSError:
            if os.getppid() != int(named):
                self._left_alone()

    def _watch_keys(self) -> None:
        """Looks for the detach keys in what is typed on a terminal that stays in its mode."""
        if self._keys and self._terminal is None and self._stdin in (-1, 0) and in_foreground(0):
            self._detacher = Detacher(self._keys)
            self._terminal = LineTerminal(0, self._keys, ends=self._sends)
            self._stdin = 0

    def _turn(self) -> None:
        poll = select.poll()
        wanted: dict[int, Callable[[], None]] = {self._signals.fileno(): self._on_signals}
        poll.register(self._signals.fileno(), select.POLLIN)
        if self._output:
            target = self._output[0][0]
            poll.register(target, select.POLLOUT)
            wanted[target] = self._write
        if self._outcome is None:
            mask = (0 if self._output else select.POLLIN) | (select.POLLOUT if self._outgoing else 0)
            if mask:
                poll.register(self._socket.fileno(), mask)
            if self._stdin >= 0 and len(self._outgoing) < _CHUNK:
                if self._stdin not in wanted:
                    poll.register(self._stdin, select.POLLIN)
                    wanted[self._stdin] = self._read_stdin
                else:
                    poll.modify(self._stdin, select.POLLIN | select.POLLOUT)  # one terminal for both directions
        if self._owner >= 0:
            poll.register(self._owner, select.POLLIN)
            wanted[self._owner] = self._left_alone
        for descriptor, events in poll.poll():
            if descriptor == self._socket.fileno():
                self._on_socket(events)
            elif descriptor == self._stdin and descriptor in self._targets.values():
                if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and self._outcome is None:
                    self._read_stdin()
                if events & select.POLLOUT and self._output and self._output[0][0] == descriptor:
                    self._write()
            else:
                wanted[descriptor]()

    def _on_socket(self, events: int) -> None:
        if events & select.POLLOUT and self._outgoing:
            try:
                sent = self._socket.send(self._outgoing)
                del self._outgoing[:sent]
            except BlockingIOError:
                pass
            except OSError:
                self._outgoing.clear()  # the shim is going; what it still has to say comes by reading
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                received = self._socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                received = b""
            if not received:
                if self._outcome is None:
                    self._lost_shim()
                return
            self._incoming += received
            self._frames()

    def _lost_shim(self) -> None:
        """It was killed. Its successor goes on with the container, and we with that one, from the byte that came last."""
        connection = self._reattach() if self._reattach is not None else None
        self._incoming.clear()  # half a frame, the rest of which is in the log
        if connection is None:
            self._outcome = Outcome(None)
            if self._resumer is not None:
                self._show_missing()
            return
        self._socket.close()
        self._socket = connection
        self._socket.setblocking(False)
        self._outgoing.clear()
        self._resuming = self._resumer is not None
        self._size = (0, 0)
        self._resize()

    def _show_missing(self, position: bytes = b"") -> None:
        assert self._resumer is not None
        for stream, data in self._resumer.missing(position):
            self._show(stream, data)

    def _show(self, stream: int, data: bytes) -> None:
        target = self._targets.get(stream, -1)
        if target >= 0 and data:
            self._output.append((target, memoryview(data)))

    def _frames(self) -> None:
        for kind, stream, payload in protocol.split(self._incoming):
            if kind == protocol.OUT:
                if self._resumer is not None:
                    self._resumer.came(stream, len(payload))
                self._show(stream, payload)
            elif kind == protocol.POSITION and self._resumer is not None:
                if self._resuming:
                    self._resuming = False
                    self._show_missing(payload)
                self._resumer.at(payload)
            elif kind == protocol.EXIT:
                self._outcome = Outcome(unpack_from("<i", payload)[0])
            elif kind == protocol.LOST:
                self._outcome = Outcome(None, lost=unpack_from("<Q", payload)[0])

    def _write(self) -> None:
        target, block = self._output[0]
        try:
            written = os.write(target, block[: self._room(target)])
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise BrokenPipeError from None
            raise
        if written < len(block):
            self._output[0] = (target, block[written:])
        else:
            self._output.pop(0)

    def _room(self, target: int) -> int:
        """How much a write takes without blocking: all of it for a file, a page of a pipe that is not empty."""
        import stat

        if target not in self._regular:
            self._regular[target] = stat.S_ISREG(os.fstat(target).st_mode)
        if self._regular[target]:
            return _CHUNK
        import fcntl
        import termios

        try:
            waiting = unpack("i", fcntl.ioctl(target, termios.FIONREAD, b"\0\0\0\0"))[0]
            if waiting == 0:
                return int(fcntl.fcntl(target, fcntl.F_GETPIPE_SZ))
        except OSError:
            pass
        return _PIPE_ROOM

    def _left_alone(self) -> None:
        """The terminal has gone, or whoever lent it to us, and it is somebody else's again."""
        self._outcome = Outcome(None, detached=True)

    def _read_stdin(self) -> None:
        if not self._sends and not in_foreground(self._stdin):
            self._stdin = -1  # until SIGCONT: what is typed now is for somebody else
            return
        try:
            typed = os.read(self._stdin, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            typed = b""  # the terminal has gone, or we are in the background of one that hung up
        if not typed and self._terminal is not None and hung_up(self._stdin):
            self._on_signals()  # SIGHUP is for the container, too
            self._flush()
            self._left_alone()
            return
        if not typed:
            if self._sends:
                self._outgoing += protocol.frame(protocol.STDIN_EOF)
            if isinstance(self._terminal, LineTerminal) and self._terminal.ends:
                self._sends = self._terminal.ends = False
                self._terminal.enter()  # for the detach keys alone
            else:
                self._stdin = -1
            return
        detach = False
        if self._detacher:
            typed, detach = self._detacher.feed(typed)
        if typed and self._sends:
            self._outgoing += protocol.frame(protocol.STDIN, typed)
        if detach:
            self._flush()
            self._outcome = Outcome(None, detached=True)

    def _flush(self) -> None:
        """Sends what was typed before the detach keys, as far as the shim takes it at once."""
        try:
            self._socket.send(self._outgoing)
        except OSError:
            pass

    def _on_signals(self) -> None:
        for number in self._signals.pending():
            if number == signal.SIGWINCH:
                self._resize()
            elif number == signal.SIGCONT and self._terminal:
                if isinstance(self._terminal, LineTerminal):
                    self._stdin = 0
                self._terminal.enter()
                self._resize()
            elif self._proxy and self._outcome is None:
                self._outgoing += protocol.signal(number)
                if number == signal.SIGINT:
                    self._interrupted()

    def _interrupted(self) -> None:
        """ctrl-c has gone to the container, which may not care."""
        self._interrupts += 1
        self._watch_keys()
        if self._interrupts == 2 and isinstance(self._terminal, LineTerminal) and os.isatty(2):
            from tuidock.engine.options.detach_keys import shown

            os.write(2, f"\r\n{shown(self._keys)} leaves the container, which goes on\r\n".encode())

    def _resize(self) -> None:
        if not self._tty:
            return
        size = window_size(self._stdin if self._stdin >= 0 else 0, 1, 2)
        if size != (0, 0) and size != self._size:
            self._size = size
            self._outgoing += protocol.resize(*size)
