"""How rule tests write time and scores: ``6d13h``, and promtool's ``92 91 90x2 _ 78``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator

from streams.core.instants import parsed

_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_LONGEST: Final = 4 * 366 * 86_400
_STEPS: Final = 10_000
_NUMBER: Final = r"[0-9]{1,6}(?:\.[0-9]{1,6})?"
_TERM: Final = re.compile(
    rf"(?P<first>_|null|{_NUMBER})(?:(?P<sign>[+-])(?P<by>{_NUMBER}))?(?:x(?P<times>[0-9]{{1,4}}))?"
)


def seconds(written: object) -> int:
    """Return a time after the start as seconds.

    Args:
        written: Days, hours, minutes and seconds in that order, each at most once.

    Raises:
        ValueError: It is not such a time.

    Example:
        >>> seconds("6d13h"), seconds("0h"), seconds("90m")
        (565200, 0, 5400)
    """
    parts = "".join(f"(?:([0-9]{{1,8}}){unit})?" for unit in _UNITS)
    match = re.fullmatch(parts, written) if isinstance(written, str) and written else None
    if match is None:
        raise ValueError("must be a time after the start, such as 6d13h")
    total = sum(
        int(part or 0) * unit for part, unit in zip(match.groups(), _UNITS.values(), strict=True)
    )
    if total > _LONGEST:
        raise ValueError("must be a time within four years of the start")
    return total


def written(time: int) -> str:
    """Return seconds after the start as people write them.

    Example:
        >>> written(565200), written(0)
        ('6d13h', '0h')
    """
    text = ""
    for unit, size in _UNITS.items():
        count, time = divmod(time, size)
        text += f"{count}{unit}" if count else ""
    return text or "0h"


Time = Annotated[int, BeforeValidator(seconds)]
"""Seconds after the start."""


def _time_or_instant(text: object) -> int | str:
    if isinstance(text, str) and re.match(r"[0-9]{4}-", text):
        try:
            parsed(text)
        except ValueError:
            raise ValueError("must be such as 6d13h, or 2026-09-07T13:00:00.000Z") from None
        return text
    return seconds(text)


Moment = Annotated[int | str, BeforeValidator(_time_or_instant)]
"""Seconds after the start, or an instant."""

Step = Decimal | None | str
"""A score, None for none, or `NOTHING`: no event."""

NOTHING: Final = "_"


def steps(text: str) -> tuple[Step, ...]:
    """Return the steps of a series.

    As promtool has it: ``axn`` is a, then n times a again; ``a+bxn`` and ``a-bxn`` are a, then n
    times b more or less; ``_`` is no event, ``_xn`` n times none. ``null`` is a score that is none.

    Args:
        text: Terms, with spaces between.

    Raises:
        ValueError: A term is none of these, or there are too many steps.

    Example:
        >>> [str(step) for step in steps("92 90x2 _ null 78-2x2")]
        ['92', '90', '90', '90', '_', 'None', '78', '76', '74']
    """
    told: list[Step] = []
    for term in text.split():
        match = _TERM.fullmatch(term)
        if match is None or (match["by"] and (match["times"] is None or match["first"] in "_null")):
            raise ValueError(f"{term!r} is none of: 92, 90x2, 78-2x3, 78+2x3, _, _x3, null")
        times = int(match["times"] or 0)
        if match["first"] == NOTHING:
            told += [NOTHING] * (times if match["times"] else 1)
        elif match["first"] == "null":
            told += [None] * (times + 1)
        else:
            by = Decimal(f"{match['sign'] or ''}{match['by'] or 0}")
            told += [Decimal(match["first"]) + by * number for number in range(times + 1)]
    if not 0 < len(told) <= _STEPS:
        raise ValueError(f"must have 1 to {_STEPS:,} steps")
    return tuple(told)


def _series(text: object) -> tuple[Step, ...]:
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise ValueError('must be scores with spaces between, such as "92 91 90x2 _ 78"')  # noqa: TRY004 - pydantic wants a ValueError
    return steps(text)


Series = Annotated[tuple[Step, ...], BeforeValidator(_series)]
"""The steps of a series."""
