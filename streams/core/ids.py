"""Canvas's two id spaces made one.

``grade_change`` bodies and all metadata carry *global* ids (shard · 10^13 + local id); the other
two bodies carry *local* ones. Joined as they come they silently never match. Ids exceed 2^53: they
are text or ``int`` here, never ``float``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

SHARD_SIZE: Final = 10**13
"""Ids per Canvas shard (Switchman's ``Shard::IDS_PER_SHARD``)."""

_LARGEST: Final = 2**63 - 1  # Canvas ids are PostgreSQL bigints


def number(value: str | int) -> int:
    """Return an id as an integer of at least 1.

    Args:
        value: Decimal digits, or an integer (Canvas's 2015 events and hand-made ones).

    Returns:
        The id, 1 to 2^63 - 1.

    Raises:
        ValueError: It is not such a number. The message does not repeat the value.

    Example:
        >>> number("21070000000000002")
        21070000000000002
        >>> number("-1")
        Traceback (most recent call last):
        ValueError: not a Canvas id
    """
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            raise ValueError("not a Canvas id")
        value = int(value)
    if not 0 < value <= _LARGEST:
        raise ValueError("not a Canvas id")
    return value


@lru_cache(maxsize=1 << 12)
def shard(value: str | int | None) -> int | None:
    """Return the shard that a global id names; None for a local id or none at all.

    Raises:
        ValueError: The value is not an id.

    Example:
        >>> shard("21070000000000002"), shard("2"), shard(None)
        (2107, None, None)
    """
    if value is None:
        return None
    return number(value) // SHARD_SIZE or None


@lru_cache(maxsize=1 << 16)  # the same students, courses and accounts come again and again
def canonical(value: str | int, home: int | None) -> str:
    """Return the one text for an id that may be local or global.

    Local ids are the stable ones: globals change when Canvas moves an account to another shard.

    Args:
        value: The id as Canvas sent it.
        home: The shard of the course (or account) the event is about; None if no id named one.

    Returns:
        The local part, or the full global id of a user from a foreign shard.

    Raises:
        ValueError: The value is not an id.

    Example:
        >>> canonical("21070000000000048", 2107), canonical(48, 2107)
        ('48', '48')
        >>> canonical("30110000000000012", 2107)  # a user from another shard
        '30110000000000012'
        >>> canonical("21070000000000048", None)
        '48'
    """
    full = number(value)
    if full < SHARD_SIZE:
        return str(full)
    own, local = divmod(full, SHARD_SIZE)
    return str(local) if (home is None or own == home) and local else str(full)


def spellings(given: str) -> list[str]:
    """Return the ids that an id given by a person may be kept as, the likelier first.

    A global id is kept whole where it is a foreign shard's, else by its local part.

    Raises:
        ValueError: It is not an id.

    Example:
        >>> spellings("21070000000000048"), spellings("48")
        (['21070000000000048', '48'], ['48'])
    """
    full = number(given)
    local = full % SHARD_SIZE
    return [str(full), str(local)] if full > SHARD_SIZE and local else [str(full)]
