"""Builders of what Canvas sends: a timeline of grades written as people would tell it.

The bytes are as Canvas makes them: body ids local in ``course_grade_change`` and
``grade_override``, global in ``grade_change`` and in the metadata; a course score changes in a
background job, so its event names no user and no request; the other two come from a teacher's
request, with the url, address and session that must never pass intake.

Example:
    >>> fall = a_course_grade_change(student="48", current=(84.25, 71.5), at=moment(0))
    >>> json.loads(fall)["body"]["old_current_score"]
    84.25
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final

Pair = tuple[float | None, float | None]
"""Before and after."""

START: Final = "2026-02-03T10:15:30.000Z"
"""When the timelines begin."""

SHARD: Final = 2107
TENANT: Final = "VicYj3cu5BIFpoZhDVU4DZumnlBrWi1grgJEzADs"


def moment(seconds: float) -> str:
    """Return the time so many seconds after ``START``, as Canvas writes it.

    Example:
        >>> moment(1.5)
        '2026-02-03T10:15:31.500Z'
    """
    time = datetime.fromisoformat(START).replace(tzinfo=None) + timedelta(seconds=seconds)
    return f"{time.isoformat(timespec='milliseconds')}Z"


def milliseconds(at: str) -> int:
    """Return a time as a Kafka timestamp.

    Example:
        >>> milliseconds("1970-01-01T00:00:01.000Z")
        1000
    """
    return round(datetime.fromisoformat(at).timestamp() * 1000)


def global_id(local: str | int, shard: int = SHARD) -> str:
    """Return the global form of a local id.

    Example:
        >>> global_id("48")
        '21070000000000048'
    """
    return str(shard * 10**13 + int(local))


def a_course_grade_change(
    student: str = "48",
    course: str = "565",
    *,
    current: Pair = (84.25, 71.5),
    final: Pair | None = None,
    unposted_current: Pair | None = None,
    unposted_final: Pair | None = None,
    at: str = START,
    updated_at: str | None = None,
    state: str = "active",
    account: str = "79",
    tenant: str = TENANT,
    shard: int = SHARD,
) -> bytes:
    """Return a ``course_grade_change``, sent by a job. Percent; a score not given moves likewise.

    Args:
        student: Local id.
        course: Local id.
        current: Posted current score before and after.
        final: Posted final score; as ``current`` unless given.
        unposted_current: As ``current`` unless given.
        unposted_final: As ``final`` unless given.
        at: ``event_time``.
        updated_at: Of the score row; the second of ``at`` unless given.
        state: ``active`` or ``deleted``.
        account: The course's account; local id.
        tenant: ``root_account_uuid``.
        shard: Of the global ids in the metadata.
    """
    final = current if final is None else final
    scores = {
        "current_score": current,
        "final_score": final,
        "unposted_current_score": current if unposted_current is None else unposted_current,
        "unposted_final_score": final if unposted_final is None else unposted_final,
    }
    body: dict[str, Any] = {
        "user_id": student,
        "course_id": course,
        "workflow_state": state,
        "created_at": "2026-01-12T09:00:00Z",
        "updated_at": _second(at) if updated_at is None else updated_at,
    }
    for name, (old, new) in scores.items():
        body |= {name: new, f"old_{name}": old}
    job: dict[str, str | None] = {
        "job_id": "1020034005006",
        "job_tag": "Enrollment.recompute_final_score_in_singleton",
    }
    return _bytes("course_grade_change", at, _place(course, account, tenant, shard) | job, body)


def a_grade_change(
    student: str = "48",
    course: str = "565",
    *,
    assignment: str = "355",
    score: Pair = (4, 5),
    points_possible: Pair = (5, 5),
    grade: tuple[str | None, str | None] | None = None,
    at: str = START,
    muted: bool = False,
    account: str = "79",
    tenant: str = TENANT,
    shard: int = SHARD,
) -> bytes:
    """Return a ``grade_change`` by a teacher in the gradebook. Points; ids global, as Canvas does.

    Args:
        student: Local id.
        course: Local id.
        assignment: Local id; the submission's is made from it.
        score: Points before and after.
        points_possible: Before and after.
        grade: The text before and after; the score's unless given.
        at: ``event_time``.
        muted: True: the student does not see it.
        account: The course's account; local id.
        tenant: ``root_account_uuid``.
        shard: Of the global ids.
    """
    old_grade, new_grade = grade or [None if points is None else f"{points}" for points in score]
    body = {
        "submission_id": global_id(10_000 + int(assignment), shard),
        "assignment_id": global_id(assignment, shard),
        "assignment_name": "Essay 1",
        "grade": new_grade,
        "old_grade": old_grade,
        "score": score[1],
        "old_score": score[0],
        "points_possible": points_possible[1],
        "old_points_possible": points_possible[0],
        "grader_id": global_id(987, shard),
        "student_id": global_id(student, shard),
        "user_id": global_id(student, shard),
        "student_sis_id": "ABC.123",
        "grading_complete": new_grade is not None,
        "muted": muted,
    }
    metadata = _place(course, account, tenant, shard) | _request(course, shard)
    return _bytes("grade_change", at, metadata, body)


def an_override(
    student: str = "48",
    course: str = "565",
    *,
    score: Pair = (None, 90.0),
    enrollment: str | None = "44",
    period: str | None = None,
    at: str = START,
    updated_at: str | None = None,
    account: str = "79",
    tenant: str = TENANT,
    shard: int = SHARD,
) -> bytes:
    """Return a ``grade_override`` by a teacher. Percent.

    Args:
        student: Local id.
        course: Local id.
        score: The override before (None: there was none) and after (None: removed).
        enrollment: Local id; a student with two sections has two.
        period: The grading period's local id; None: the course's override.
        at: ``event_time``.
        updated_at: Of the score row; ``at`` unless given.
        account: The course's account; local id.
        tenant: ``root_account_uuid``.
        shard: Of the global ids in the metadata.
    """
    body = {
        "score_id": None if enrollment is None else str(int(enrollment) + 1000),
        "enrollment_id": enrollment,
        "user_id": student,
        "course_id": course,
        "grading_period_id": period,
        "override_score": score[1],
        "old_override_score": score[0],
        "updated_at": at if updated_at is None else updated_at,
    }
    metadata = _place(course, account, tenant, shard) | _request(course, shard)
    return _bytes("grade_override", at, metadata, body)


def _place(course: str, account: str, tenant: str, shard: int) -> dict[str, str | None]:
    """Return the metadata of every event about a course."""
    return {
        "root_account_id": global_id(1, shard),
        "root_account_uuid": tenant,
        "root_account_lti_guid": f"{tenant}:canvas-lms",
        "context_type": "Course",
        "context_id": global_id(course, shard),
        "context_account_id": global_id(account, shard),
        "context_sis_source_id": None,
        "producer": "canvas",
    }


def _request(course: str, shard: int) -> dict[str, str | None]:
    """Return the metadata that a teacher's request adds."""
    return {
        "user_id": global_id(987, shard),
        "user_login": "oxana@example.com",
        "user_account_id": global_id(1, shard),
        "user_sis_id": "456-T45",
        "time_zone": "America/Denver",
        "context_role": "TeacherEnrollment",
        "request_id": "1dd9dc6f-2fb0-4c19-a6c5-7ee1bf3ed295",
        "session_id": "ef686f8ed684abf78cbfa1f6a58112b5",
        "hostname": "oxana.example.com",
        "http_method": "POST",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "client_ip": "93.184.216.34",
        "url": f"https://oxana.example.com/courses/{course}/gradebook/update_submission",
        "referrer": f"https://oxana.example.com/courses/{course}/gradebook",
    }


def _second(at: str) -> str:
    """Return the time to the second, as Canvas writes the times of score rows."""
    return at if at[19:20] != "." else f"{at[:19]}{at[23:]}"


def _bytes(name: str, at: str, metadata: dict[str, str | None], body: dict[str, Any]) -> bytes:
    envelope = {"metadata": metadata | {"event_name": name, "event_time": at}, "body": body}
    return json.dumps(envelope, separators=(",", ":")).encode()
