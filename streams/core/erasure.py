"""A student is erased: what came before is forgotten, and stays so when the log is played again.

The log itself cannot be rewritten. A partition remembers by keyed hash whom it has erased, and
when: their earlier records, and later ones about what happened before, are passed over.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from msgspec import Struct

from streams.core.events import Instant

if TYPE_CHECKING:
    from collections.abc import Mapping


class Erasure(Struct, frozen=True, array_like=True, gc=False):
    """When a student was erased.

    Attributes:
        offset: Of the record that said so, on ``grade-events``.
        at: When it was asked for; events of then or before are about what is erased.
    """

    offset: int
    at: Instant


def mark(key: bytes, owner: bytes) -> str:
    """Return what stands for a student who is erased: who has no key cannot tell who it is.

    Args:
        key: The id key itself, 16 to 64 bytes: marks are kept in the partition's state for as long
            as the topic, so no upgrade may change what they are keyed with.
        owner: The student's key.

    Example:
        >>> mark(b"sixteen bytes or more", b"t:48")
        'af048857008136fd'
    """
    return blake2b(b"erased:" + owner, key=key, digest_size=8).hexdigest()


def covers(erased: Mapping[str, Erasure], student: str, offset: int, event_time: Instant) -> bool:
    """Tell whether an event is about what was erased.

    Args:
        erased: By `mark`.
        student: Whose event.
        offset: Its own.
        event_time: When it happened.

    Example:
        >>> erased = {"m": Erasure(7, "2026-02-03T12:00:00.000Z")}
        >>> covers(erased, "m", 3, "2026-02-04T00:00:00.000Z")
        True
        >>> covers(erased, "m", 8, "2026-02-03T11:00:00.000Z")
        True
        >>> covers(erased, "m", 8, "2026-02-04T00:00:00.000Z")
        False
    """
    found = erased.get(student)
    return found is not None and (offset < found.offset or event_time <= found.at)
