"""Durations as people write them: a number and a unit, ``12h``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WORDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
"""What people write for units, for hints only."""

LONGEST: Final = 400 * 86_400
"""Seconds: as long as grade-events are kept."""


def seconds(written: object, what: str = "a duration with a unit (s, m, h, d), such as 12h") -> int:
    """Return a duration in seconds, at most `LONGEST`.

    Args:
        written: What stands there.
        what: What it must be, for the message.

    Raises:
        ValueError: It is none. The message says how it may be meant.

    Example:
        >>> seconds("12h")
        43200
        >>> seconds("1h 30min")
        Traceback (most recent call last):
        ValueError: must be a duration with a unit (s, m, h, d), such as 12h, did you mean '90m'?
    """
    if isinstance(written, str) and (match := re.fullmatch(r"([0-9]{1,9}) ?([smhd])", written)):
        length = int(match[1]) * _UNITS[match[2]]
        if length > LONGEST:
            raise ValueError("must be at most 400d: no longer are events kept")
        return length
    raise ValueError(f"must be {what}{_meant(written)}")


def in_words(length: int) -> str:
    """Return seconds in the largest unit that leaves no rest.

    Example:
        >>> in_words(5400), in_words(86_400), in_words(0)
        ('90m', '1d', '0s')
    """
    unit = next(unit for unit in "dhms" if length % _UNITS[unit] == 0 and (length or unit == "s"))
    return f"{length // _UNITS[unit]}{unit}"


def said(length: int) -> str:
    """Return seconds as a sentence says them.

    Example:
        >>> said(86_400), said(172_800), said(5400)
        ('1 day', '2 days', '90 minutes')
    """
    short = in_words(length)
    number, unit = short[:-1], {"d": "day", "h": "hour", "m": "minute", "s": "second"}[short[-1]]
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def _meant(written: object) -> str:
    if isinstance(written, int) and not isinstance(written, bool) and written > 0:
        return f": is {written}m, {written}h or {written}d meant?"
    text = written.lower() if isinstance(written, str) and len(written) < 40 else ""
    pairs = re.findall(r"([0-9]+(?:\.[0-9]+)?) *([a-z]+)", text)
    rest = re.sub(r"([0-9]+(?:\.[0-9]+)?) *([a-z]+)|[ ,]|and", "", text)
    if not pairs or rest or not all(unit in _WORDS for _, unit in pairs):
        return ""
    length = sum(Decimal(number) * _WORDS[unit] for number, unit in pairs)
    return f", did you mean '{in_words(int(length))}'?" if 0 < length <= LONGEST else ""
