"""Whether published ports answer: asked by a real connection, as a browser would make it. Runs in a worker's thread.

A connection alone says little, because a port of the loopback address is taken by a relay before anybody in the container
has been asked; the relay hangs up at once when nobody waits there, so that the connection is listened to for a moment.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tuidock.engine.types import PortBinding

LISTENING, REFUSED, SILENT, UNASKED = "listening", "refused", "no answer", "not asked"
#: Seconds for the connection, and for the relay to hang up.
_CONNECT, _HANG_UP = 1.0, 0.15
_AT_ONCE = 16


def target(port: PortBinding) -> tuple[str, int]:
    """Where somebody on this machine would connect to."""
    if port.host_ip in ("", "0.0.0.0"):
        return "127.0.0.1", port.host_port
    return ("::1" if port.host_ip == "::" else port.host_ip), port.host_port


def ask(port: PortBinding) -> str:
    """One of the words above. UDP has no connections, so nobody can be asked."""
    if port.protocol != "tcp" or not port.host_port:
        return UNASKED
    try:
        with socket.create_connection(target(port), _CONNECT) as connection:
            connection.settimeout(_HANG_UP)
            try:
                return REFUSED if connection.recv(1, socket.MSG_PEEK) == b"" else LISTENING
            except TimeoutError:
                return LISTENING
    except ConnectionError:
        return REFUSED
    except TimeoutError:
        return SILENT
    except OSError as error:
        return error.strerror.lower() if error.strerror else SILENT
    except ValueError:  # an address that is none
        return UNASKED


def ask_all(ports: Sequence[PortBinding]) -> list[str]:
    """The answers in the same order; many are asked at once."""
    from concurrent.futures import ThreadPoolExecutor

    if not ports:
        return []
    with ThreadPoolExecutor(min(_AT_ONCE, len(ports)), thread_name_prefix="tuidock-port") as pool:
        return list(pool.map(ask, ports))
