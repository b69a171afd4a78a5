"""What we keep: one row per (tenant, student, course), the fold of that student's events.

``apply`` is idempotent: the row remembers the offset it last applied and the digests of recent
events, so offsets reset or the raw topic played twice change nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.core.events import CourseGradeChange, GradeChange, GradeEvent, GradeOverride
from streams.core.history import Standing, settle
from streams.core.rows import Change, Override, Position, Row, Scores, Source, written

KEPT_GRADE_CHANGES: Final = 3
"""Assignments whose latest grade change a row keeps, as likely causes of its next alert."""


class Applied(Struct, frozen=True, gc=False):
    """What one event did to a row.

    Attributes:
        row: The row to keep; the very object that went in where nothing changed.
        standing: Where the event stands in its fact.
        judged: Whether rules may look at it: not repeated, and young enough to be sure of that.
    """

    row: Row | None
    standing: Standing
    judged: bool


def apply(before: Row | None, event: GradeEvent, at: Position, source: Source) -> Applied:
    """Return the row after one event, and where the event stands.

    Args:
        before: The row held under the event's tenant, student and course; None for none.
        event: The canonical event.
        at: Where on ``grade-events`` it was read.
        source: Where on the raw topic it came from.

    Returns:
        The row to keep and the event's standing. ``row`` is ``before`` itself where the event
        changes nothing.

    Example:
        >>> noon = CourseGradeChange(event_id="e1", tenant="t", student_id="48", course_id="565",
        ...     event_time="2026-02-03T12:00:00.000Z", current_score=71.5)
        >>> here, there = Position("topic-id", 7), Source("canvas-live-events", 0, 7)
        >>> once = apply(None, noon, here, there)
        >>> once.row.current_score, once.standing.name
        (71.5, 'NEWER')
        >>> apply(once.row, noon, Position("topic-id", 8), there).row is once.row
        True
    """
    row = before or Row(at)
    if before and before.applied.topic_id == at.topic_id and at.offset <= before.applied.offset:
        return Applied(before, Standing.REPEATED, judged=False)
    if isinstance(event, CourseGradeChange):
        return _scores(before, row, event, at)
    if isinstance(event, GradeOverride):
        return _override(before, row, event, at)
    return _grade_change(before, row, event, at, source)


def _scores(before: Row | None, row: Row, event: CourseGradeChange, at: Position) -> Applied:
    known, seen = row.seen_scores.with_event(event.event_time, event.event_id)
    if known is not Standing.NEWER:
        # Older than the horizon is older than what holds: nothing to keep.
        return Applied(before, known, judged=False)
    stated = Scores(
        event.event_time,
        event.updated_at,
        event.event_id,
        event.workflow_state,
        (
            event.current_score,
            event.final_score,
            event.unposted_current_score,
            event.unposted_final_score,
        ),
        (
            event.old_current_score,
            event.old_final_score,
            event.old_unposted_current_score,
            event.old_unposted_final_score,
        ),
    )
    held, standing = settle(row.scores, stated)
    after = _with(
        row,
        applied=at,
        account_id=_account(row, event),
        scores=held,
        seen_scores=seen,
    )
    return Applied(after, standing, judged=not after.deleted)


def _override(before: Row | None, row: Row, event: GradeOverride, at: Position) -> Applied:
    stated = Override(
        event.event_time,
        event.updated_at,
        event.event_id,
        event.enrollment_id,
        event.override_score,
        event.old_override_score,
    )
    period = event.grading_period_id
    of_fact = row.override if period is None else row.period_overrides.get(period, ())
    known, seen = row.seen_overrides.with_event(event.event_time, event.event_id)
    held, standing = settle(of_fact, stated)
    if known is Standing.REPEATED or (known is Standing.LATE and held is of_fact):
        return Applied(before, known, judged=False)
    facts: dict[str, Any] = (
        {"override": held}
        if period is None
        else {"period_overrides": {**row.period_overrides, period: held}}
    )
    if known is Standing.NEWER:
        facts["seen_overrides"] = seen
    after = _with(row, applied=at, account_id=_account(row, event), **facts)
    if known is Standing.LATE:  # the newest of its fact, yet perhaps judged before
        return Applied(after, known, judged=False)
    return Applied(after, standing, judged=not after.deleted)


def _account(row: Row, event: GradeEvent) -> str | None:
    """Return the account of the newest event: courses move, older events do not move them back."""
    if row.account_id is None or event.account_id in {None, row.account_id}:
        return row.account_id or event.account_id
    facts: list[Scores | Override] = [*row.scores, *row.override]
    facts += [one for period in row.period_overrides.values() for one in period]
    newest = max((one.event_time for one in facts), default="")
    return max((newest, row.account_id), (event.event_time, event.account_id or ""))[1]


def _grade_change(
    before: Row | None, row: Row, event: GradeChange, at: Position, source: Source
) -> Applied:
    stated = Change(
        event.event_time,
        event.event_id,
        event.assignment_id,
        (event.score, event.points_possible),
        (event.old_score, event.old_points_possible),
        event.muted,
        source,
    )
    others, same = list[Change](), list[Change]()
    for change in row.grade_changes:
        (same if change.assignment_id == event.assignment_id else others).append(change)
    held, standing = settle(same, stated)
    if standing is Standing.NEWER and event.event_time <= row.forgotten_change:
        standing = Standing.LATE
    if standing is not Standing.NEWER:
        return Applied(before, standing, judged=False)
    kept = [*others, held[0]]
    if others and event.event_time <= others[-1].event_time:  # nearly all come in order
        kept.sort(key=lambda change: (change.event_time, change.event_id))
    forgotten = row.forgotten_change
    if len(kept) > KEPT_GRADE_CHANGES:
        forgotten = max(forgotten, kept.pop(0).event_time)
    after = _with(row, applied=at, changes=written(kept), forgotten_change=forgotten)
    return Applied(after, standing, judged=False)


_with = msgspec.structs.replace
