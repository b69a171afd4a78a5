"""What we keep: one row per (tenant, student, course), the fold of that student's events.

``apply`` is idempotent: the row remembers the offset it last applied and the digests of recent
events, so offsets reset or the raw topic played twice change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct

from streams.core.events import (
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    GradeOverride,
    Instant,
)
from streams.core.history import Standing, Statement, settle
from streams.core.order import is_withdrawn, newness
from streams.core.rows import Change, Override, Position, Row, Scores, written

if TYPE_CHECKING:
    from collections.abc import Sequence

S = TypeVar("S", bound=Statement)

KEPT_GRADE_CHANGES: Final = 3
"""Assignments whose latest grade change a row keeps, as likely causes of its next alert."""


KEPT_WAITING: Final = 256
"""Events of one kind that wait in a row at most; living rules do not see more. Only where the clock
stands still for a long time, or an event is forged, are there more than a few."""


class Applied(Struct, frozen=True, gc=False):
    """What one event did to a row.

    Attributes:
        row: The row to keep; the very object that went in where nothing changed.
        standing: Where the event stands in its fact.
        judged: Whether rules without a life may look at it: not repeated, and young enough to be
            sure of that.
        judged_posted: The same of those that see posted facts alone.
    """

    row: Row | None
    standing: Standing
    judged: bool = False
    judged_posted: bool = False


def apply(
    before: Row | None, event: GradeEvent, at: Position, *, keep_changes: bool = False
) -> Applied:
    """Return the row after one event, and where the event stands.

    Args:
        before: The row held under the event's tenant, student and course; None for none. Living
            rules have seen of it what is settled.
        event: The canonical event.
        at: Where on ``grade-events`` it was read.
        keep_changes: Whether a living rule is about grade changes: then they wait for it.

    Returns:
        The row to keep and the event's standing. ``row`` is ``before`` itself where the event
        changes nothing.

    Example:
        >>> noon = CourseGradeChange(event_id="e1", tenant="t", student_id="48", course_id="565",
        ...     event_time="2026-02-03T12:00:00.000Z", current_score=71.5)
        >>> once = apply(None, noon, Position("topic-id", 7))
        >>> once.row.current_score, once.standing.name
        (71.5, 'NEWER')
        >>> apply(once.row, noon, Position("topic-id", 8)).row is once.row
        True
    """
    row = before or Row(at)
    if before and before.applied.topic_id == at.topic_id and at.offset <= before.applied.offset:
        return Applied(before, Standing.REPEATED)
    if isinstance(event, CourseGradeChange):
        return _scores(before, row, event, at)
    if isinstance(event, GradeOverride):
        return _override(before, row, event, at)
    return _grade_change(before, row, event, at, keep_changes=keep_changes)


def _waiting(stated: S, waiting: tuple[S, ...], settled: str) -> tuple[S, ...]:
    """Return what waits to be settled with a statement, unless it is too late, or waits already."""
    if newness(stated) <= settled or len(waiting) >= KEPT_WAITING:
        return waiting
    if any(one.event_id == stated.event_id for one in waiting):
        return waiting
    return (*waiting, stated)


def _scores(before: Row | None, row: Row, event: CourseGradeChange, at: Position) -> Applied:
    posted_id = event.posted_id or event.event_id
    known, posted, seen = row.seen_scores.with_event(event.event_time, posted_id, event.event_id)
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
        posted_id,
        event.account_id,
        at.offset,
    )
    waiting = _waiting(stated, row.waiting_scores, row.settled.scores)
    if known is not Standing.NEWER:
        # Older than the horizon is older than what holds: nothing to keep, but for living rules.
        if waiting is row.waiting_scores:
            return Applied(before, known)
        return Applied(_with(row, applied=at, waiting_scores=waiting), known)
    held, standing = settle(row.scores, stated)
    after = _with(
        row,
        applied=at,
        account_id=_account(row, event),
        scores=held,
        seen_scores=seen,
        waiting_scores=waiting,
    )
    return Applied(
        after,
        standing,
        judged=not after.deleted,
        judged_posted=posted is Standing.NEWER and not is_withdrawn(held),
    )


def _override(before: Row | None, row: Row, event: GradeOverride, at: Position) -> Applied:
    period = event.grading_period_id
    stated = Override(
        event.event_time,
        event.updated_at,
        event.event_id,
        event.enrollment_id,
        event.override_score,
        event.old_override_score,
        period,
        event.grader_id,
        event.account_id,
        at.offset,
    )
    of_fact = row.override if period is None else row.period_overrides.get(period, ())
    known, _, seen = row.seen_overrides.with_event(event.event_time, event.event_id, event.event_id)
    held, standing = settle(of_fact, stated)
    waiting = _waiting(stated, row.waiting_overrides, row.settled.overrides)
    if known is Standing.REPEATED or (known is Standing.LATE and held is of_fact):
        if waiting is row.waiting_overrides:
            return Applied(before, known)
        return Applied(_with(row, applied=at, waiting_overrides=waiting), known)
    facts: dict[str, Any] = (
        {"override": held}
        if period is None
        else {"period_overrides": {**row.period_overrides, period: held}}
    )
    if known is Standing.NEWER:
        facts["seen_overrides"] = seen
    account = _account(row, event)
    after = _with(row, applied=at, account_id=account, waiting_overrides=waiting, **facts)
    if known is Standing.LATE:  # the newest of its fact, yet perhaps judged before
        return Applied(after, known)
    # By what is posted alone: the same for everybody.
    judged = not is_withdrawn(row.scores)
    return Applied(after, standing, judged=judged, judged_posted=judged)


def _account(row: Row, event: GradeEvent) -> str | None:
    """Return the account of the newest event: courses move, older events do not move them back."""
    if row.account_id is None or event.account_id in {None, row.account_id}:
        return row.account_id or event.account_id
    facts: list[Scores | Override] = [*row.scores, *row.override]
    facts += [one for period in row.period_overrides.values() for one in period]
    newest = max((one.event_time for one in facts), default="")
    return max((newest, row.account_id), (event.event_time, event.account_id or ""))[1]


def _grade_change(
    before: Row | None, row: Row, event: GradeChange, at: Position, *, keep_changes: bool
) -> Applied:
    stated = Change(
        event.event_time,
        event.event_id,
        event.assignment_id,
        (event.score, event.points_possible),
        (event.old_score, event.old_points_possible),
        event.muted,
        event.grader_id,
        at.offset,
    )
    waiting = row.waiting_changes
    if keep_changes:
        settled = row.settled.muted_changes if event.muted else row.settled.changes
        waiting = _waiting(stated, waiting, settled)
    muted = bool(event.muted)
    kept = row.muted_grade_changes if muted else row.posted_grade_changes
    forgotten = row.forgotten_muted_change if muted else row.forgotten_change
    after, standing = _with_change(kept, stated, forgotten)
    facts: dict[str, Any] = {}
    if after is not None:
        changes, forgotten = written(after[0]), after[1]
        facts = (
            {"muted_changes": changes, "forgotten_muted_change": forgotten}
            if muted
            else {"changes": changes, "forgotten_change": forgotten}
        )
    if waiting is not row.waiting_changes:
        facts["waiting_changes"] = waiting
    return Applied(_with(row, applied=at, **facts) if facts else before, standing)


def _with_change(
    kept: Sequence[Change], stated: Change, forgotten: Instant
) -> tuple[tuple[list[Change], Instant] | None, Standing]:
    """Return what is kept with a grade change, and up to where it is forgotten; None: as it was."""
    others, same = list[Change](), list[Change]()
    for change in kept:
        (same if change.assignment_id == stated.assignment_id else others).append(change)
    held, standing = settle(same, stated)
    if standing is Standing.NEWER and stated.event_time <= forgotten:
        standing = Standing.LATE
    if standing is not Standing.NEWER:
        return None, standing
    after = [*others, held[0]]
    if others and stated.event_time <= others[-1].event_time:  # nearly all come in order
        after.sort(key=lambda change: (change.event_time, change.event_id))
    if len(after) > KEPT_GRADE_CHANGES:
        forgotten = max(forgotten, after.pop(0).event_time)
    return (after, forgotten), standing


_with = msgspec.structs.replace
