"""Arithmetic on instants, which are text: ``2026-02-03T10:15:30.000Z``, UTC with milliseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.core.events import Instant

DAY_SECONDS: Final = 86_400

LAST: Final[Instant] = "9999-12-31T23:59:59.999Z"
"""No instant is later."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1 << 12)
def milliseconds(instant: Instant) -> int:
    """Return an instant as milliseconds since 1970.

    Example:
        >>> milliseconds("1970-01-01T00:00:01.500Z")
        1500
    """
    return (datetime.fromisoformat(instant) - _EPOCH) // timedelta(milliseconds=1)


def instant(milliseconds: int) -> Instant:
    """Return milliseconds since 1970 as an instant; one too late for a calendar is `LAST`.

    Example:
        >>> instant(1500)
        '1970-01-01T00:00:01.500Z'
    """
    try:
        time = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return LAST if milliseconds > 0 else ""
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def plus(start: Instant, seconds: int) -> Instant:
    """Return the instant so many seconds after another; before it, where below 0.

    Example:
        >>> plus("2026-02-03T10:15:30.000Z", 3600)
        '2026-02-03T11:15:30.000Z'
    """
    return instant(milliseconds(start) + 1000 * seconds) if seconds else start


def midnight(day: date) -> Instant:
    """Return the instant at which a day begins in UTC.

    Example:
        >>> midnight(date(2026, 12, 20))
        '2026-12-20T00:00:00.000Z'
    """
    return f"{day.isoformat()}T00:00:00.000Z"
