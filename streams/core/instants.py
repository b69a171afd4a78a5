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

_DAY: Final = 1000 * DAY_SECONDS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(instant: Instant) -> int:
    """Return an instant as milliseconds since 1970.

    Raises:
        ValueError: It is none; not of everything that is none: see `checked`.

    Example:
        >>> milliseconds("1970-01-01T00:00:01.500Z")
        1500
    """
    return _minute(instant[:16]) + 1000 * int(instant[17:19]) + int(instant[20:23])


@lru_cache(maxsize=1 << 12)
def _minute(text: str) -> int:
    """Return when a minute begins: most events share theirs with others."""
    return (datetime.fromisoformat(f"{text}Z") - _EPOCH) // timedelta(milliseconds=1)


def parsed(written: str) -> Instant:
    """Return the instant that a text in ISO 8601 names.

    Raises:
        ValueError: It names none, or has no offset from UTC.

    Example:
        >>> parsed("2026-02-03T11:15:30+01:00")
        '2026-02-03T10:15:30.000Z'
    """
    time = datetime.fromisoformat(written)
    if time.tzinfo is None:
        raise ValueError("no offset from UTC")
    return instant((time - _EPOCH) // timedelta(milliseconds=1))


def checked(told: str) -> Instant:
    """Return what another program may have written, if it is an instant as we write them.

    Raises:
        ValueError: It is not.
    """
    if parsed(told) != told:
        raise ValueError("not an instant as intake writes them")
    return told


def instant(milliseconds: int) -> Instant:
    """Return milliseconds since 1970 as an instant; one too late for a calendar is `LAST`.

    Example:
        >>> instant(1500)
        '1970-01-01T00:00:01.500Z'
    """
    days, rest = divmod(milliseconds, _DAY)
    seconds, rest = divmod(rest, 1000)
    minutes, seconds = divmod(seconds, 60)
    try:
        day = _iso(days)
    except OverflowError:
        return LAST if milliseconds > 0 else ""
    return f"{day}T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:03}Z"


@lru_cache(maxsize=1 << 10)
def _iso(days: int) -> str:
    """Return the date so many days after 1970-01-01.

    Raises:
        OverflowError: There is no such date.
    """
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


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
