"""Log records as the shim writes them, and random logs of all kinds of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

Write = Callable[[int, bytes], Path]


def record(text: bytes, second: int = 0, stream: str = "stdout", tag: str = "F", nano: int = 0) -> bytes:
    head = f"2026-11-24T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{nano:09}Z {stream} {tag} "
    return head.encode() + text + b"\n"


def random_log(rng: random.Random, count: int, longest: int = 200) -> bytes:
    """Records of all kinds: both streams, parts, colours, CRs, empty and damaged ones."""
    words = [b"timeout", b"GET /index 500", b"\x1b[31mERR\x1b[0mor", b"caf\xc3\xa9", b"Timeout", b"", b"x" * longest, b"512",
             b"Z stdout P ", b"\xff\x00\x9b", b"12", b"-- 5", b"9 --"]  # fmt: skip
    out = []
    for i in range(count):
        text = b" ".join(rng.choice(words) for _ in range(rng.randrange(4)))
        if rng.random() < 0.2:
            text += b"\r"
        if rng.random() < 0.02:
            out.append(text + b"\n")
            continue
        tag = "P" if rng.random() < 0.1 else "F"
        out.append(record(text, i // 10, rng.choice(["stdout", "stdout", "stderr"]), tag, rng.randrange(10**9)))
    return b"".join(out)
