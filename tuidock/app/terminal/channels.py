"""Where a terminal's bytes come from and go to.

An exec has a process of its own anyway, its client `tuidock-shim exec`, as the parent of the command; it gets a
pseudo-terminal and works as on a real one. An attached container needs none: its socket is read here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tuidock.engine import stream as protocol

if TYPE_CHECKING:
    from tuidock.engine.stream import Resumer

#: Read at once: what the emulator draws in a few milliseconds.
CHUNK = 16 * 1024
#: Where a program has its lease, which it closes with itself only.
_LEASE_FD = 9


class Channel(Protocol):
    """Never blocks. read gives b"" when nothing is there, None at the end; lost: the other side has gone, and somebody
    may have taken its place."""

    #: Descriptors to watch for reading.
    @property
    def watched(self) -> tuple[int, ...]: ...
    @property
    def lost(self) -> bool: ...
    @property
    def exit_code(self) -> int | None: ...
    #: Something that was taken is still on its way out.
    @property
    def pending(self) -> bool: ...
    def fileno(self) -> int: ...
    def read(self) -> bytes | None: ...
    def write(self, data: bytes) -> int: ...
    def resize(self, rows: int, columns: int) -> None: ...
    def close(self) -> None: ...


class PtyChannel:
    """A program on a pseudo-terminal, which is its controlling one: it gets SIGHUP when this end is closed."""

    lost = pending = False

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], rows: int, columns: int, lease: int = -1
    ) -> None:
        """lease: a descriptor that the program holds as long as it lives. Raises OSError."""
        self.exit_code: int | None = None
        self._hung_up = False
        self._master, slave = os.openpty()
        try:
            for fd in (self._master, slave):
                os.set_inheritable(fd, False)
            os.set_blocking(self._master, False)
            self.resize(rows, columns)
            # The first terminal that the leader of a new session opens becomes its controlling one.
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            if lease >= 0:
                actions.append((os.POSIX_SPAWN_DUP2, lease, _LEASE_FD))
            pid = os.posix_spawn(
                argv[0], list(argv), dict(environment), file_actions=actions, setsid=True,
                setsigmask=[], setsigdef=[signal.SIGINT, signal.SIGPIPE, signal.SIGTTOU],
            )  # fmt: skip
            self._pid, self._pidfd = pid, os.pidfd_open(pid)
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    @property
    def watched(self) -> tuple[int, ...]:
        return (self._pidfd,) if self._hung_up else (self._master, self._pidfd)

    def fileno(self) -> int:
        return self._master

    def read(self) -> bytes | None:
        try:
            return os.read(self._master, CHUNK) or self._ended()
        except BlockingIOError:
            return self._ended()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hung_up = True  # nobody has the other end any more
            return self._ended()

    def _ended(self) -> bytes | None:
        """None once the program has ended: all that it wrote has been read before."""
        if self.exit_code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return b"" if self.exit_code is None else None

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the program has gone

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Hangs up. The program is waited for by whoever reads on; one that stays is killed by the shim itself."""
        for fd in (self._master, self._pidfd):
            os.close(fd)
        if self.exit_code is None:
            _reap_later(self._pid)


def _reap_later(pid: int) -> None:
    import threading

    def reap() -> None:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass

    threading.Thread(target=reap, name="tuidock-hang-up", daemon=True).start()


class AttachChannel:
    """The attach socket of a container. Without a terminal in the container, lines are edited and echoed here.

    reattach gives the socket of the next shim when this one was killed, or of the same when it called us too slow; None
    when the container has ended. It blocks, so the session calls `take_over` with it from elsewhere."""

    def __init__(
        self,
        connection: socket.socket,
        resumer: Resumer,
        *,
        tty: bool,
        stdin_open: bool,
        echo: Callable[[bytes], None],
    ) -> None:
        self._socket, self._resumer = connection, resumer
        self._tty, self._stdin_open, self._echo = tty, stdin_open, echo
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._line = bytearray()
        self._resuming = False
        self._too_slow = False
        self.exit_code: int | None = None
        self.lost = False
        connection.setblocking(False)

    @property
    def pending(self) -> bool:
        return bool(self._outgoing)

    @property
    def watched(self) -> tuple[int, ...]:
        return (self._socket.fileno(),)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        try:
            received = self._socket.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            received = b""
        if not received:
            if self.exit_code is None:
                self.lost = True
            return None
        self._incoming += received
        shown = bytearray()
        for kind, stream, payload in protocol.split(self._incoming):
            if kind == protocol.OUT:
                self._resumer.came(stream, len(payload))
                shown += payload
            elif kind == protocol.POSITION:
                if self._resuming:
                    self._resuming = False
                    shown += b"".join(data for _, data in self._resumer.missing(payload))
                self._resumer.at(payload)
            elif kind == protocol.EXIT:
                self.exit_code = struct.unpack_from("<i", payload)[0]
            elif kind == protocol.LOST:
                count = struct.unpack_from("<Q", payload)[0]
                shown += f"\r\n── {count} bytes came too fast; they are in the logs ──\r\n".encode()
                self._resuming = False
                self._too_slow = True
        return bytes(shown)

    def take_over(self, connection: socket.socket) -> None:
        """Goes on with another socket, from the byte that came last; what was left out on purpose stays left out."""
        self._socket.close()
        self._socket = connection
        connection.setblocking(False)
        self._incoming.clear()
        self._outgoing.clear()
        self._resuming = not self._too_slow
        self._too_slow = self.lost = False

    def write(self, data: bytes) -> int:
        self._send()
        if self._outgoing:
            return 0
        if not self._tty:
            for code in data:
                self._edit(code)
        elif self._stdin_open and data:
            self._send(protocol.frame(protocol.STDIN, data))
        return len(data)

    def _edit(self, code: int) -> None:
        """A line as the kernel's terminals edit it; ctrl+c and ctrl+\\ are signals."""
        if code in (3, 28):
            self._line.clear()
            self._send(protocol.signal(signal.SIGINT if code == 3 else signal.SIGQUIT))
        elif not self._stdin_open:
            return
        elif code in (10, 13):
            self._echo(b"\r\n")
            self._send(protocol.frame(protocol.STDIN, bytes(self._line) + b"\n"))
            self._line.clear()
        elif code in (8, 127):
            if self._line:
                while self._line and self._line.pop() & 0xC0 == 0x80:
                    pass
                self._echo(b"\b \b")
        elif code == 4:
            line = bytes(self._line)
            self._send(protocol.frame(protocol.STDIN, line) if line else protocol.frame(protocol.STDIN_EOF))
            self._line.clear()
        elif code >= 32 and len(self._line) < 4096:
            self._line.append(code)
            self._echo(bytes((code,)))

    def _send(self, frame: bytes = b"") -> None:
        """A frame, behind what the socket has not taken yet."""
        self._outgoing += frame
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()  # the shim is going; what it still has to say comes by reading

    def resize(self, rows: int, columns: int) -> None:
        if self._tty:
            self._send(protocol.resize(rows, columns))

    def close(self) -> None:
        self._socket.close()
        self._resumer.close()
