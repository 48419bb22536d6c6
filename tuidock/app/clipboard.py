"""The clipboard of the terminal (OSC 52): the only one that is in front of the person when tuidock runs over SSH."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from tuidock.app.words import tr

#: Terminals cut longer ones; k9s found this limit.
MOST = 74_994


def sequence(text: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The bytes to write, or a sentence that says why not. tmux and screen need them wrapped."""
    encoded = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    if not text:
        return "", tr("There is nothing to copy.")
    if len(encoded) > MOST:
        return (
            "",
            tr(
                "{count} bytes are too many for a terminal's clipboard (at most {most}); save to a file instead.",
                count=len(encoded),
                most=MOST,
            ),
        )
    plain = f"\x1b]52;c;{encoded}\x07"
    if environ.get("TMUX"):
        # Which of both tmux takes depends on its options: the plain one with set-clipboard on, the wrapped one with
        # allow-passthrough on. Twice the same text is no harm.
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\", ""
    if environ.get("TERM", "").startswith("screen") and environ.get("STY"):
        parts = [plain[at : at + 252] for at in range(0, len(plain), 252)]
        return "".join(f"\x1bP{part}\x1b\\" for part in parts), ""
    return plain, ""


def hint(environ: Mapping[str, str]) -> str:
    """What may be in the way of it, for somebody who finds the clipboard empty; "" for nothing that is known."""
    if environ.get("TMUX"):
        return tr("tmux lets it through with `set -g set-clipboard on`")
    return tr("the Linux console has no clipboard") if environ.get("TERM") == "linux" else ""
