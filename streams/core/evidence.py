"""What an alert rests on, and how it says so: evidence, likely causes, one sentence."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from streams.core.events import CourseGradeChange, GradeOverride, Instant, Percent, Points
from streams.core.rules import Kind, Rule

if TYPE_CHECKING:
    from streams.core.rows import Row

CAUSE_SECONDS: Final = 600
"""How long before a drop a grade change still counts as its likely cause: Canvas recomputes course
scores in a job, seconds to minutes later."""


_MOVED: Final = {
    Kind.SCORE_DROP: "Current score fell {}",
    Kind.OVERRIDE_RAISED: "An override raised the final score by {}",
    Kind.OVERRIDE_LOWERED: "An override lowered the final score by {}",
    Kind.OVERRIDE_REMOVED: "Removing an override moved the final score by {}",
}


class Evidence(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An event that an alert rests on: first the judged one, then likely causes, newest first."""

    topic: str  # of the raw record
    partition: int
    offset: int
    event: str
    event_time: Instant
    event_id: str
    assignment_id: str | None = None
    score: Points | None = None
    old_score: Points | None = None
    points_possible: Points | None = None
    old_points_possible: Points | None = None
    muted: bool | None = None


def decimal(value: Percent) -> Decimal:
    """Return the decimal that a score was written as: 70.1 is 70.1, not the float beside it.

    Example:
        >>> decimal(70.1) - decimal(60.1)
        Decimal('10.0')
    """
    return Decimal(repr(value))


def likely_causes(row: Row, event: CourseGradeChange | GradeOverride) -> list[Evidence]:
    """Return the grade changes that may have moved a course score, newest first."""
    if isinstance(event, GradeOverride):
        return []
    moment = seconds(event.event_time)
    return [
        Evidence(
            topic=change.source.topic,
            partition=change.source.partition,
            offset=change.source.offset,
            event="grade_change",
            event_time=change.event_time,
            event_id=change.event_id,
            assignment_id=change.assignment_id,
            score=change.new[0],
            old_score=change.old[0],
            points_possible=change.new[1],
            old_points_possible=change.old[1],
            muted=change.muted,
        )
        for change in reversed(row.grade_changes)
        if 0 <= moment - seconds(change.event_time) <= CAUSE_SECONDS
    ]


def summary(rule: Rule, old: Percent, new: Percent, change: Decimal) -> str:
    """Return an alert in one sentence: what moved, how far, and which rule says so."""
    size = f"{abs(change).normalize():f} points ({old:g} → {new:g})"
    least = f"{rule.points.normalize():f}"
    return f"{_MOVED[rule.kind].format(size)}; rule {rule.id} alerts at {least} or more."


def seconds(instant: Instant) -> float:
    """Return an instant as seconds since 1970."""
    return datetime.fromisoformat(instant).timestamp()
