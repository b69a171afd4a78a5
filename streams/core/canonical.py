"""What a Canvas body says, as the canonical event: ids in one space, times in UTC, nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.core import ids
from streams.core.canvas import Id, Refused
from streams.core.events import (
    ACTIVE,
    CourseGradeChange,
    GradeChange,
    GradeOverride,
    Instant,
    Reason,
)
from streams.core.identity import identified

if TYPE_CHECKING:
    from streams.core.canvas import Course, Grade, Override


TEXT_LENGTH: Final = 255
"""Longest ``grade`` and ``workflow_state`` that are kept: characters, as in Canvas's database."""


class Who(NamedTuple):
    """Whom and when an event is about."""

    tenant: str
    student: str
    course: str
    event_time: Instant
    account: str | None
    home: int | None  # the shard that local ids belong to


def course_grade_change(body: Course, who: Who) -> CourseGradeChange:
    """Return what a course's scores are said to be.

    Raises:
        Refused: A time is none.
    """
    updated_at = _instant_or_none(body.updated_at, "body.updated_at")
    state = _short(body.workflow_state) or ACTIVE
    state = ACTIVE if state == ACTIVE else state  # the very object: defaults are told by identity
    event = CourseGradeChange(
        event_id="",
        tenant=who.tenant,
        student_id=who.student,
        course_id=who.course,
        event_time=who.event_time,
        account_id=who.account,
        updated_at=updated_at,
        created_at=_instant_or_none(body.created_at, "body.created_at"),
        workflow_state=state,
        current_score=body.current_score,
        old_current_score=body.old_current_score,
        final_score=body.final_score,
        old_final_score=body.old_final_score,
        unposted_current_score=body.unposted_current_score,
        old_unposted_current_score=body.old_unposted_current_score,
        unposted_final_score=body.unposted_final_score,
        old_unposted_final_score=body.old_unposted_final_score,
    )
    return identified(event)


def grade_change(body: Grade, who: Who) -> GradeChange:
    """Return how a submission was graded.

    Raises:
        Refused: An id is none.
    """
    submission = local_id(body.submission_id, who.home, "body.submission_id")
    assignment = local_id(body.assignment_id, who.home, "body.assignment_id")
    grade, old_grade = _grade_text(body.grade), _grade_text(body.old_grade)
    event = GradeChange(
        event_id="",
        tenant=who.tenant,
        student_id=who.student,
        course_id=who.course,
        event_time=who.event_time,
        account_id=who.account,
        submission_id=submission,
        assignment_id=assignment,
        grade=grade,
        old_grade=old_grade,
        score=body.score,
        old_score=body.old_score,
        points_possible=body.points_possible,
        old_points_possible=body.old_points_possible,
        grader_id=_grader(body.grader_id, who.home),
        grading_complete=body.grading_complete,
        muted=body.muted,
    )
    return identified(event)


def grade_override(body: Override, who: Who, actor: object) -> GradeOverride:
    """Return an override that was set, changed or removed.

    Args:
        body: What Canvas says of it.
        who: Whom and when it is about.
        actor: Whose request it was, as the metadata say.

    Raises:
        Refused: A time or an id is none.
    """
    updated_at = _instant_or_none(body.updated_at, "body.updated_at")
    enrollment = local_id(body.enrollment_id, who.home, "body.enrollment_id")
    period = local_id(body.grading_period_id, who.home, "body.grading_period_id")
    event = GradeOverride(
        event_id="",
        tenant=who.tenant,
        student_id=who.student,
        course_id=who.course,
        event_time=who.event_time,
        account_id=who.account,
        updated_at=updated_at,
        score_id=local_id(body.score_id, who.home, "body.score_id"),
        enrollment_id=enrollment,
        grading_period_id=period,
        grader_id=_actor(actor, who.home),
        override_score=body.override_score,
        old_override_score=body.old_override_score,
    )
    return identified(event)


def local_id(value: Id, home: int | None, field: str) -> str | None:
    """Return an id in the one id space; None where there is none.

    Raises:
        Refused: It is no id.
    """
    if value is None:
        return None
    try:
        return ids.canonical(value, home)
    except ValueError:
        raise Refused(Reason.BAD_ID, field) from None


def _grader(value: Id, home: int | None) -> str | None:
    """Return who graded; None for automatic grading, which some Canvas versions give below 0."""
    if isinstance(value, int) and value <= 0:
        return None
    if isinstance(value, str) and value.startswith("-"):
        return None
    return local_id(value, home, "body.grader_id")


def _actor(value: object, home: int | None) -> str | None:
    """Return who acted; None where the metadata do not say so: the override stands all the same."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        return ids.canonical(value, home)
    except ValueError:
        return None


def _grade_text(value: str | float | None) -> str | None:
    if value is None or isinstance(value, str):
        return _short(value)
    return _short(f"{value:.0f}" if value.is_integer() else repr(value))


def _short(text: str | None) -> str | None:
    """Return a text that Canvas can have sent, None for a longer one: it decides nothing."""
    return text if text is None or len(text) <= TEXT_LENGTH else None


def utc(text: str, field: str) -> Instant:
    """Return an ISO 8601 time with an offset as UTC text with milliseconds.

    Canvas: "Timestamps will be in ISO8601 format, including an offset", unspecified which.

    Raises:
        Refused: It is none.
    """
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            # The two forms Canvas sends need no arithmetic.
            if text[-1] == "Z" and text[10:11] == "T" and text[4] == text[7] == "-":
                if len(text) == 24 and text[19] == ".":
                    return text
                if len(text) == 20 and text[13] == text[16] == ":":
                    return f"{text[:19]}.000Z"
            return _text(time.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    raise Refused(Reason.BAD_TIME, f"{field}: not ISO 8601 with an offset")


def _instant_or_none(text: str | None, field: str) -> Instant | None:
    return None if text is None else utc(text, field)


def _text(time: datetime) -> Instant:
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
