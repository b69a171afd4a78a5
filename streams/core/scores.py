"""What we keep: one row per (tenant, student, course), the fold of that student's events.

``apply`` is idempotent: the row remembers the offset it last applied and the digests of recent
events, so offsets reset or the raw topic played twice change nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from streams.core.events import (
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    GradeOverride,
    Instant,
    Percent,
    Points,
)
from streams.core.history import Seen, Standing, settle
from streams.core.packed import pack, unpack

KEPT_GRADE_CHANGES: Final = 3
"""Assignments whose latest grade change a row keeps, as likely causes of its next alert."""


class UnreadableError(Exception):
    """A row's value is none of ours. It stays as it is; events about it are refused."""


class Source(Struct, frozen=True, array_like=True, gc=False):
    """Where on the raw topic an event stands; what an alert's evidence points to."""

    topic: str
    partition: int
    offset: int


class Position(Struct, frozen=True, array_like=True, gc=False):
    """Where on ``grade-events`` a record stands. A topic made anew has another id, from 0 again."""

    topic_id: str
    offset: int


class Scores(Struct, frozen=True, array_like=True, gc=False):
    """One statement of a student's course scores. Percent; None is unknown."""

    event_time: Instant
    updated_at: Instant | None
    event_id: str
    workflow_state: str
    new: tuple[Percent | None, Percent | None, Percent | None, Percent | None]
    old: tuple[Percent | None, Percent | None, Percent | None, Percent | None]


class Override(Struct, frozen=True, array_like=True, gc=False):
    """One statement of an override. Percent; ``new`` None: removed."""

    event_time: Instant
    updated_at: Instant | None
    event_id: str
    enrollment_id: str | None
    new: Percent | None
    old: Percent | None


class Change(Struct, frozen=True, array_like=True, gc=False):
    """One statement of an assignment's grade: (score, points possible), in points."""

    event_time: Instant
    event_id: str
    assignment_id: str | None
    new: tuple[Points | None, Points | None]
    old: tuple[Points | None, Points | None]
    muted: bool | None
    source: Source
    updated_at: None = None  # Canvas sends none with grade_change


class Row(Struct, frozen=True, omit_defaults=True, gc=False):
    """All we know of one student in one course. Made by ``apply`` only."""

    applied: Position
    account_id: str | None = None
    scores: tuple[Scores, ...] = ()  # the one that holds first; more only on a tie
    override: tuple[Override, ...] = ()
    period_overrides: dict[str, tuple[Override, ...]] = {}  # by grading_period_id
    grade_changes: tuple[Change, ...] = ()  # newest last, one per assignment
    seen_scores: Seen = Seen()
    seen_overrides: Seen = Seen()
    forgotten_change: Instant = ""  # event_time of the newest grade change let go

    @property
    def known(self) -> bool:
        """Whether it is a row to the world: a grade_change alone makes none."""
        return bool(self.scores or self.override or self.period_overrides)

    @property
    def deleted(self) -> bool:
        """Whether Canvas withdrew the scores; revived only by a newer active event."""
        return bool(self.scores) and self.scores[0].workflow_state == "deleted"

    @property
    def current_score(self) -> Percent | None:
        """Graded and posted work only."""
        return self.scores[0].new[0] if self.scores else None

    @property
    def final_score(self) -> Percent | None:
        """Ungraded work counts 0."""
        return self.scores[0].new[1] if self.scores else None

    @property
    def known_final(self) -> Percent | None:
        """``final_score``, once something is graded: before that Canvas says 0.0."""
        return None if self.current_score is None else self.final_score

    @property
    def override_score(self) -> Percent | None:
        """The override of the whole course, where one is set."""
        return self.override[0].new if self.override else None

    @property
    def effective_final_score(self) -> Percent | None:
        """What the student finally gets: the override, else the final score (Canvas's rule)."""
        return self.final_score if self.override_score is None else self.override_score


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
    known = row.seen_scores.standing(event.event_time, event.event_id)
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
        seen_scores=row.seen_scores.with_event(event.event_time, event.event_id),
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
    known = row.seen_overrides.standing(event.event_time, event.event_id)
    held, standing = settle(of_fact, stated)
    if known is Standing.REPEATED or (known is Standing.LATE and held is of_fact):
        return Applied(before, known, judged=False)
    facts: dict[str, Any] = (
        {"override": held}
        if period is None
        else {"period_overrides": {**row.period_overrides, period: held}}
    )
    if known is Standing.NEWER:
        facts["seen_overrides"] = row.seen_overrides.with_event(event.event_time, event.event_id)
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
    others = [c for c in row.grade_changes if c.assignment_id != event.assignment_id]
    same = tuple(c for c in row.grade_changes if c.assignment_id == event.assignment_id)
    held, standing = settle(same, stated)
    if standing is Standing.NEWER and event.event_time <= row.forgotten_change:
        standing = Standing.LATE
    if standing is not Standing.NEWER:
        return Applied(before, standing, judged=False)
    kept = sorted((*others, held[0]), key=lambda change: (change.event_time, change.event_id))
    forgotten = row.forgotten_change
    if len(kept) > KEPT_GRADE_CHANGES:
        forgotten = max(forgotten, kept.pop(0).event_time)
    after = _with(row, applied=at, grade_changes=tuple(kept), forgotten_change=forgotten)
    return Applied(after, standing, judged=False)


_with = msgspec.structs.replace
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Row)


def encode(row: Row) -> bytes:
    """Return the row's value on ``grade-scores-changelog``; equal rows give equal bytes."""
    return pack(_encoder.encode(row))


def decode(value: bytes) -> Row:
    """Return the row that ``encode`` wrote.

    Raises:
        UnreadableError: Another version of gradewatch wrote it, or another producer.
    """
    try:
        return _decoder.decode(unpack(value))
    except (ValueError, msgspec.MsgspecError) as error:
        raise UnreadableError("a row that this version of gradewatch did not write") from error
