"""One key for each use, derived from the id key by HKDF (RFC 5869).

A key that signs requests between workers is no use to forge a session, and neither tells anything
of the other or of the id key (decision 0014).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32


class Use(StrEnum):
    """What a derived key is for; the value is part of the derivation and never changes."""

    ALERT_IDS = "alert ids"
    AUDIT = "audit subjects"
    MARK = "id key mark"
    PEERS = "peer requests"
    SESSIONS = "sessions"
    STREAM_IDS = "stream ids"


def derive(id_key: bytes, use: Use) -> bytes:
    """Return the key of one use, `KEY_BYTES` long.

    Args:
        id_key: 16 to 64 bytes; the secret that all workers share.
        use: What the key is for.

    Example:
        >>> derive(b"sixteen bytes or more", Use.SESSIONS).hex()[:16]
        'eb34931bad85cf69'
    """
    info = f"gradewatch {use}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(id_key)
