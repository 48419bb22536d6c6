"""The network of containers without root: slirp4netns, one for each container.

It is a small TCP/IP of its own between the container's only link and the sockets of its user, so a container reaches
what its user reaches, but neither other containers nor what listens on the loopback of the host. Published ports do not
pass through it: the shim relays them (native/src/shim/usermode.c).
"""

from __future__ import annotations

from tuidock.engine.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

#: What slirp4netns gives in its network 10.0.2.0/24, see slirp4netns(1).
ADDRESS: Final = "10.0.2.100"
GATEWAY: Final = "10.0.2.2"
RESOLVER: Final = "10.0.2.3"

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: The descriptors are those of native/src/shim/usermode.c.
_ARGUMENTS: Final = (
    "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox", "--enable-seccomp", "--ready-fd=3",
    "--exit-fd=4", "--netns-type=path", "/proc/self/fd/5", "tap0",
)  # fmt: skip


def command(mode: str, host_config: Mapping[str, Any]) -> tuple[str, ...]:
    """How the program is called. Raises Unsupported for what needs bridges, and when the program is not there."""
    if mode not in ("", "default", "bridge"):
        raise Unsupported(
            f"network {mode}: without root there are no bridges that containers share; use the default network, host, "
            "none or container:NAME"
        )
    if host_config.get("Links"):
        raise Unsupported("--link: without root containers do not reach each other; use --network container:NAME")
    import shutil

    program = shutil.which("slirp4netns", path=_PATH)
    if program is None:
        raise Unsupported(
            "without root a container's network needs slirp4netns, which is not installed; install it (package "
            "slirp4netns), or use --network host or none"
        )
    return (program, *_ARGUMENTS)
