"""What an alert rests on, and how it says so: evidence, likely causes, one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from streams.core.conditions import decimal
from streams.core.events import LARGEST, Instant, Percent, Points
from streams.core.instants import DAY_SECONDS, milliseconds
from streams.core.tracks import Cause, LikelyCause

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from streams.core.rows import Change

CAUSE_SECONDS: Final = 3 * DAY_SECONDS
"""How long before a fall a grade change still counts as its likely cause. Canvas recomputes course
scores seconds to minutes later; a teacher grades a set of work over some days."""


class Evidence(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A record of ``grade-events`` that an alert rests on: first the event it began with, then the
    one that brought this transition, then likely causes, newest first."""  # noqa: D205, D209 - one thought

    topic: str
    partition: int
    offset: int
    event: str
    event_time: Instant
    event_id: str  # for the posted audience the digest of what is posted
    assignment_id: str | None = None
    score: Points | None = None
    old_score: Points | None = None
    points_possible: Points | None = None
    old_points_possible: Points | None = None
    muted: bool | None = None


def cause_of(change: Change) -> Cause:
    """Return a grade change as a record that an alert rests on."""
    return Cause(change.offset, "grade_change", change.event_time, change.event_id, change.event_id)


def likely_causes(changes: Iterable[Change], at: Instant) -> tuple[LikelyCause, ...]:
    """Return the grade changes that may have moved a course score, newest first.

    Args:
        changes: Those kept, oldest first.
        at: When it moved.
    """
    moment = milliseconds(at)
    return tuple(
        LikelyCause(
            cause_of(change), change.assignment_id, change.new[0], change.old[0],
            change.new[1], change.old[1], change.muted,
        )
        for change in reversed(tuple(changes))
        if 0 <= moment - milliseconds(change.event_time) <= 1000 * CAUSE_SECONDS
    )  # fmt: skip


_DIGITS: Final = 4
"""No score is told with more."""


def plain(value: Decimal | Percent | None) -> str:
    """Return a number as people write it; ``none`` for none.

    Example:
        >>> plain(84.25), plain(70.0), plain(None)
        ('84.25', '70', 'none')
    """
    if value is None:
        return "none"
    number = decimal(value) if isinstance(value, float | int) else value
    if abs(number) <= LARGEST:  # beyond it, a row of an earlier build: decimals cannot round it
        number = round(number, _DIGITS)
    return f"{number.normalize():f}"
