"""An event's ids, made from the event: intake gives them, whoever holds a record can check them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streams.core.events import (
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    digest,
)

E = TypeVar("E", bound=GradeEvent)


def event_id(event: GradeEvent) -> str:
    """Return the id that an event has by its content; its own ``event_id`` is not looked at.

    Example:
        >>> from streams.core.events import GradeOverride
        >>> noon = "2026-02-03T12:00:00.000Z"
        >>> one = GradeOverride(event_id="", tenant="44fJ", student_id="48", course_id="565",
        ...                     event_time=noon, override_score=90.0)
        >>> event_id(one)
        '37c20c194ad10a40'
    """
    who = (event.tenant, event.student_id, event.course_id, event.event_time)
    if isinstance(event, CourseGradeChange):
        return digest(
            "course_grade_change", *who, event.updated_at, event.workflow_state,
            event.current_score, event.old_current_score, event.final_score, event.old_final_score,
            event.unposted_current_score, event.old_unposted_current_score,
            event.unposted_final_score, event.old_unposted_final_score,
        )  # fmt: skip
    if isinstance(event, GradeChange):
        return digest(
            "grade_change", *who, event.submission_id, event.assignment_id,
            event.grade, event.old_grade, event.score, event.old_score,
            event.points_possible, event.old_points_possible, event.grading_complete, event.muted,
        )  # fmt: skip
    return digest(
        "grade_override", *who, event.updated_at, event.enrollment_id, event.grading_period_id,
        event.override_score, event.old_override_score,
    )  # fmt: skip


def posted_id(event: GradeEvent) -> str:
    """Return the id that an event has by what students may see of it."""
    if not isinstance(event, CourseGradeChange):
        return event_id(event)
    return digest(
        "course_grade_change", event.tenant, event.student_id, event.course_id, event.event_time,
        event.updated_at, event.workflow_state,
        event.current_score, event.old_current_score, event.final_score, event.old_final_score,
    )  # fmt: skip


def identified(event: E) -> E:
    """Return an event with the ids that its content gives it."""
    if isinstance(event, CourseGradeChange):
        return msgspec.structs.replace(event, event_id=event_id(event), posted_id=posted_id(event))
    return msgspec.structs.replace(event, event_id=event_id(event))
