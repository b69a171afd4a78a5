"""What the access audit holds: who asked for what, why, and whether it was given."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct


class Entry(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One request for data, as ``grade-access-audit`` holds it. It names no student."""

    at: str  # UTC, milliseconds
    who: str  # a name in the access file; "anonymous"
    role: str
    action: str  # "GET /api/v1/alerts/{alert_id}"
    subject: str = ""  # keyed hash of the one student or course it was about
    purpose: str = ""
    outcome: str  # "allowed", or why not
    worker: str = ""
    via: str = ""  # the worker that asked for them; that one has an entry of its own


_encoder: Final = msgspec.json.Encoder()


def encode(entry: Entry) -> bytes:
    """Return the entry's value on its topic."""
    return _encoder.encode(entry)


def subject(key: bytes, tenant: str, number: str) -> str:
    """Return what stands for a student or a course: the same for the same, and no way back.

    Args:
        key: Derived for `Use.AUDIT`, 16 to 64 bytes.
        tenant: Whose; empty where nobody said.
        number: The id as it is kept.

    Example:
        >>> subject(b"sixteen bytes or more", "t", "48")
        'a103aa3c5bcb9d6f'
    """
    told = msgspec.json.encode((tenant, number))
    return blake2b(told, key=key, digest_size=8).hexdigest()
