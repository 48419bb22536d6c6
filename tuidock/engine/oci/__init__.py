"""Images as values: digests, references, descriptors, manifests, configurations. Pure, standard library only.

Nothing here touches the disk. What cannot be read raises `Invalid`; whoever knows where the bytes came from says so.
"""

from __future__ import annotations


class Invalid(ValueError):
    """The text or document does not follow its specification; str() says where."""
