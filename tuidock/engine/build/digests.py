"""sha256 for keys: the plain C function, because loading OpenSSL takes longer than all keys of a build together.

Data of files are hashed by hashlib, which is faster once it is loaded.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha256 import sha256
    except ImportError:
        try:
            from _sha2 import sha256
        except ImportError:
            from hashlib import sha256

__all__ = ["sha256"]
