"""Other firewalls and engines on this machine, for `system doctor` and `info`: what they are and whether they cut
containers off. They are only looked at; changing another's rules would be undone by its next reload."""

from __future__ import annotations

import os

from tuidock.engine.named import Named
from tuidock.engine.network import nftables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Names of processes by what they belong to.
_DAEMONS: Final = {"firewalld": "firewalld", "dockerd": "docker", "containerd": "containerd", "kubelet": "kubernetes"}
_UFW: Final = "/etc/ufw/ufw.conf"


class Neighbour(Named):
    """blocks: it drops forwarded packets, so containers may not reach the network; advice says what to do then."""

    name: str
    sentence: str
    blocks: bool = False


def neighbours() -> list[Neighbour]:
    """Everybody who has a hand in this machine's packets, each with one sentence."""
    found = [
        Neighbour(name, f"{name} runs beside us; it has its own tables and bridges, and we touch neither")
        for name in _running()
    ]
    if _ufw_is_on():
        found.append(
            Neighbour(
                "ufw", "ufw is on: ports that containers publish are open all the same, since their packets are forwarded; "
                "publish on 127.0.0.1 what nobody else shall reach",
            )
        )  # fmt: skip
    found += [Neighbour(sentence.partition(" drops ")[0], sentence, True) for sentence in nftables.foreign_drops()]
    return found


def _running() -> list[str]:
    names = set()
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                names.add(file.read().strip())
        except OSError:
            continue
    return sorted({_DAEMONS[name] for name in names if name in _DAEMONS})


def _ufw_is_on() -> bool:
    try:
        with open(_UFW, encoding="utf-8", errors="replace") as file:
            return any(line.strip().lower() == "enabled=yes" for line in file)
    except OSError:
        return False
