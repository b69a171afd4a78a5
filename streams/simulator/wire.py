"""What Canvas says around and in each event: metadata of a request or a job, and the three bodies.

Field by field as canvas-lms emits them, not as its documentation shows them: course scores come
from a background job and know no user; ``grade_change`` and all metadata use global ids, the other
two bodies local ones.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from streams.simulator.school import HOST, SHARD

if TYPE_CHECKING:
    from random import Random

    from streams.simulator.school import Assignment, Course, Enrollment, Mark, Person, Scores

Fields = dict[str, Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LETTERS: Final = ((93, "A"), (90, "A-"), (87, "B+"), (83, "B"), (80, "B-"), (70, "C"), (60, "D"))


def instant(at: int) -> str:
    """Return milliseconds since 1970 as Canvas's ``event_time``.

    Example:
        >>> instant(1770113730005)
        '2026-02-03T10:15:30.005Z'
    """
    hours, rest = divmod(at, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, milliseconds = divmod(rest, 1000)
    return f"{_hour(hours)}{minutes:02d}:{seconds:02d}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _hour(hours: int) -> str:
    return f"{_EPOCH + timedelta(hours=hours):%Y-%m-%dT%H}:"


def second(event_time: str) -> str:
    """Return an instant as Canvas writes ``updated_at``: second precision.

    Example:
        >>> second("2026-02-03T10:15:30.005Z")
        '2026-02-03T10:15:30Z'
    """
    return f"{event_time[:19]}Z"


def by_job(rng: Random, name: str, at: int, course: Course, tag: str) -> Fields:
    """Return the metadata of an event from a background job: no user, no request."""
    return {
        "event_name": name,
        "event_time": instant(at),
        "producer": "canvas",
        **course.context,
        "job_id": str(SHARD + rng.getrandbits(33)),
        "job_tag": tag,
    }


def by_request(
    rng: Random,
    name: str,
    at: int,
    course: Course,
    actor: Person,
    *,
    url: str,
    role: str = "TeacherEnrollment",
    method: str = "POST",
) -> Fields:
    """Return the metadata of an event from somebody's request: who, from where, with what."""
    page = "quizzes" if role == "StudentEnrollment" else "gradebook"
    return {
        "event_name": name,
        "event_time": instant(at),
        "producer": "canvas",
        **course.context,
        "context_role": role,
        **actor.request,
        "request_id": f"{rng.getrandbits(128):032x}",
        "http_method": method,
        "url": url,
        "referrer": f"https://{HOST}/courses/{course.local_id}/{page}",
    }


def by_tool(rng: Random, name: str, at: int, course: Course, student: Person) -> Fields:
    """Return the metadata of a change by the teacher's tool, its API token put into the URL."""
    url = (
        f"https://{HOST}/api/v1/courses/{course.local_id}/students/{student.local_id}/submissions"
        f"?access_token=2107~{rng.getrandbits(256):064x}"
    )
    metadata = by_request(rng, name, at, course, course.teacher, url=url, method="PUT")
    metadata["developer_key_id"] = str(SHARD + 77)
    metadata["referrer"] = None
    return metadata


def course_grade_change(
    course: Course, enrollment: Enrollment, new: Scores, event_time: str
) -> Fields:
    """Return the body that says how a student's four course scores moved."""
    old = enrollment.scores
    return {
        "user_id": enrollment.student.local_id,
        "course_id": str(course.local_id),
        "workflow_state": "active",
        "created_at": enrollment.created_at,
        "updated_at": second(event_time),
        "current_score": new[0],
        "old_current_score": old[0],
        "final_score": new[1],
        "old_final_score": old[1],
        "unposted_current_score": new[2],
        "old_unposted_current_score": old[2],
        "unposted_final_score": new[3],
        "old_unposted_final_score": old[3],
    }


def grade_change(
    assignment: Assignment,
    student: Person,
    mark: Mark,
    *,
    old: Mark | None,
    old_points: float,
    grader: Person | None,
    complete: bool = True,
) -> Fields:
    """Return the body that says what became of one submission; no ``grader``: Canvas graded."""
    return {
        "submission_id": mark.submission_id,
        "assignment_id": str(SHARD + assignment.local_id),
        "assignment_name": assignment.name,
        "grade": mark.grade,
        "old_grade": old.grade if old else None,
        "score": mark.score,
        "old_score": old.score if old else None,
        "points_possible": assignment.points,
        "old_points_possible": old_points,
        "grader_id": grader.global_id if grader else None,
        "student_id": student.global_id,
        "user_id": student.global_id,
        "student_sis_id": student.sis_id,
        "grading_complete": complete and mark.score is not None,
        "muted": not mark.posted,
    }


def grade_override(
    course: Course,
    enrollment: Enrollment,
    section: tuple[str, str],
    new: float | None,
    event_time: str,
) -> Fields:
    """Return the body that says which final grade a teacher put in place of the computed one."""
    enrollment_id, score_id = section
    return {
        "score_id": score_id,
        "enrollment_id": enrollment_id,
        "user_id": enrollment.student.local_id,
        "course_id": str(course.local_id),
        "grading_period_id": None,  # Canvas emits overrides of the whole course only
        "override_score": new,
        "old_override_score": enrollment.override,
        "updated_at": event_time,
    }


def grade_text(grading: str, score: float, points: float) -> str:
    """Return a grade as the assignment's grading type writes it.

    Example:
        >>> [grade_text(kind, 8.5, 10.0) for kind in ("points", "percent", "letter_grade")]
        ['8.5', '85%', 'B']
    """
    percent = 100 * score / points if points else 100.0
    if grading == "percent":
        return f"{percent:g}%"
    if grading == "letter_grade":
        return next((letter for least, letter in _LETTERS if percent >= least), "F")
    if grading == "pass_fail":
        return "complete" if percent >= 60 else "incomplete"
    return f"{score:g}"
