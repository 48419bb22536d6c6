"""A layer of a stored image, as a value of its own: builds that find everything done need no more of the store."""

from __future__ import annotations

from tuidock.engine.named import Named


class Layer(Named):
    """digest, size and media type are of the blob as it came."""

    diff_id: str
    chain_id: str
    digest: str
    size: int
    media_type: str
