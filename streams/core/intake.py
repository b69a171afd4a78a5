"""A Canvas body → the canonical event: one id space, one tenant, times in UTC, nothing else.

Identity, required fields and tolerances as decided in docs/decisions/0005.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


from streams.core import canvas, ids
from streams.core.canvas import Body, Course, Grade, Id, Metadata, Override, Refusal, Refused
from streams.core.events import (
    ACTIVE,
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    GradeOverride,
    Instant,
    Reason,
    digest,
)

FUTURE_TOLERANCE: Final = timedelta(hours=24)
"""How far ``event_time`` may lie after the record's Kafka timestamp."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Who(NamedTuple):
    """Whom and when an event is about."""

    tenant: str
    student: str
    course: str
    event_time: Instant
    account: str | None
    home: int | None  # the shard that local ids belong to


class Reader:
    """Reads the values of the raw topic. Holds only what identity needs: which tenant is which."""

    def __init__(
        self, tenants: Mapping[str, str] | None = None, default_tenant: str = "default"
    ) -> None:
        """Remember how tenants are named.

        Args:
            tenants: ``root_account_id`` (as Canvas sends it) → tenant, for events without
                ``root_account_uuid``.
            default_tenant: The tenant of events that name no root account.
        """
        self._tenants = dict(tenants or {})
        self._default = default_tenant

    def read(self, value: bytes | None, timestamp: int) -> GradeEvent | Refusal | None:
        """Return the event in a raw record, why it is refused, or None for other event names.

        Never raises: whatever the bytes, one of the three comes back.

        Args:
            value: The record's value.
            timestamp: The record's Kafka timestamp in milliseconds since 1970; below 0: none.

        Returns:
            The canonical event; a refusal; or None where the event is none of the three.

        Example:
            >>> Reader().read(b"[]", 0)
            Refusal(reason=<Reason.UNKNOWN_ENVELOPE: 'unknown_envelope'>, detail='an array')
            >>> Reader().read(b'{"metadata":{"event_name":"heartbeat"},"body":{}}', 0) is None
            True
        """
        try:
            parsed = canvas.parse(value)
            return None if parsed is None else self._event(*parsed, timestamp)
        except Refused as refused:
            return refused.refusal

    def _event(self, metadata: Metadata, body: Body, timestamp: int) -> GradeEvent:
        if metadata.event_time is None:
            raise Refused(Reason.MISSING_FIELD, "metadata.event_time")
        event_time = _instant(metadata.event_time, "metadata.event_time")
        if _is_future(event_time, timestamp):
            raise Refused(Reason.FUTURE_EVENT, "metadata.event_time: over 24 h after the record")
        in_course = metadata.context_type == "Course"
        home = _home(metadata, in_course=in_course)
        if isinstance(body, Grade):
            course = _required(
                metadata.context_id if in_course else None, home, "metadata.context_id"
            )
            student = (
                _required(body.user_id, home, "body.student_id")
                if body.student_id is None
                else _required(body.student_id, home, "body.student_id")
            )
        else:
            course = _required(body.course_id, home, "body.course_id")
            # metadata.user_id is the actor, never the student
            student = _required(body.user_id, home, "body.user_id")
        account = _id(metadata.context_account_id, home, "metadata.context_account_id")
        who = _Who(self._tenant(metadata), student, course, event_time, account, home)
        if isinstance(body, Course):
            return _course_grade_change(body, who)
        if isinstance(body, Grade):
            return _grade_change(body, who)
        return _grade_override(body, who)

    def _tenant(self, metadata: Metadata) -> str:
        if metadata.root_account_uuid:
            tenant = metadata.root_account_uuid
        elif metadata.root_account_id is not None:
            account = str(metadata.root_account_id)
            tenant = self._tenants.get(account, account)
        else:
            tenant = self._default
        if len(tenant) > 255 or not tenant.isprintable():  # it stands in keys, headers and URLs
            raise Refused(Reason.BAD_ID, "metadata.root_account_uuid")
        return tenant


def _course_grade_change(body: Course, who: _Who) -> CourseGradeChange:
    updated_at = _instant_or_none(body.updated_at, "body.updated_at")
    state = ACTIVE if body.workflow_state in (None, "", ACTIVE) else body.workflow_state
    return CourseGradeChange(
        event_id=digest(
            "course_grade_change", *who[:4], updated_at, state,
            body.current_score, body.old_current_score, body.final_score, body.old_final_score,
            body.unposted_current_score, body.old_unposted_current_score,
            body.unposted_final_score, body.old_unposted_final_score,
        ),
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
    )  # fmt: skip


def _grade_change(body: Grade, who: _Who) -> GradeChange:
    submission = _id(body.submission_id, who.home, "body.submission_id")
    assignment = _id(body.assignment_id, who.home, "body.assignment_id")
    grade, old_grade = _grade_text(body.grade), _grade_text(body.old_grade)
    return GradeChange(
        event_id=digest(
            "grade_change", *who[:4], submission, assignment,
            grade, old_grade, body.score, body.old_score,
            body.points_possible, body.old_points_possible, body.grading_complete, body.muted,
        ),
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
    )  # fmt: skip


def _grade_override(body: Override, who: _Who) -> GradeOverride:
    updated_at = _instant_or_none(body.updated_at, "body.updated_at")
    enrollment = _id(body.enrollment_id, who.home, "body.enrollment_id")
    period = _id(body.grading_period_id, who.home, "body.grading_period_id")
    return GradeOverride(
        event_id=digest(
            "grade_override", *who[:4], updated_at,
            enrollment, period, body.override_score, body.old_override_score,
        ),
        tenant=who.tenant,
        student_id=who.student,
        course_id=who.course,
        event_time=who.event_time,
        account_id=who.account,
        updated_at=updated_at,
        score_id=_id(body.score_id, who.home, "body.score_id"),
        enrollment_id=enrollment,
        grading_period_id=period,
        override_score=body.override_score,
        old_override_score=body.old_override_score,
    )  # fmt: skip


def _home(metadata: Metadata, *, in_course: bool) -> int | None:
    """Return the shard that local ids of this event belong to."""
    try:
        shard = ids.shard(metadata.context_id) if in_course else None
    except ValueError:
        raise Refused(Reason.BAD_ID, "metadata.context_id") from None
    if shard is not None:
        return shard
    try:
        return ids.shard(metadata.root_account_id)
    except ValueError:
        return None  # Canvas docs show it numeric; where it is not, it names no shard


def _id(value: Id, home: int | None, field: str) -> str | None:
    if value is None:
        return None
    try:
        return ids.canonical(value, home)
    except ValueError:
        raise Refused(Reason.BAD_ID, field) from None


def _required(value: Id, home: int | None, field: str) -> str:
    canonical = _id(value, home, field)
    if canonical is None:
        raise Refused(Reason.MISSING_FIELD, field)
    return canonical


def _grader(value: Id, home: int | None) -> str | None:
    """Return who graded; None for automatic grading, which some Canvas versions give below 0."""
    if isinstance(value, int) and value <= 0:
        return None
    if isinstance(value, str) and value.startswith("-"):
        return None
    return _id(value, home, "body.grader_id")


def _grade_text(value: str | float | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:.0f}" if value.is_integer() else repr(value)


def _instant(text: str, field: str) -> Instant:
    """Return an ISO 8601 time with an offset as UTC text with milliseconds.

    Canvas: "Timestamps will be in ISO8601 format, including an offset", unspecified which.
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
    return None if text is None else _instant(text, field)


def _text(time: datetime) -> Instant:
    return f"{time.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _is_future(event_time: Instant, timestamp: int) -> bool:
    """Tell whether an event claims to be later than its record allows."""
    if timestamp < 0:
        return False
    hour = timestamp - timestamp % 3_600_000
    # Nearly every event is older than its record's hour: one cached text settles those.
    return event_time > _latest(hour) and event_time > _latest(timestamp)


@lru_cache(maxsize=64)
def _latest(timestamp: int) -> Instant:
    try:
        return _text(_EPOCH + timedelta(milliseconds=timestamp) + FUTURE_TOLERANCE)
    except OverflowError:  # a producer's nonsense timestamp bounds nothing
        return "9999-12-31T23:59:59.999Z"
