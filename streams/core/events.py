"""What comes in: the three grade events in the form that ``grade-events`` holds.

One canonical, scrubbed record per Canvas event: ids in one id space, times in UTC, only the fields
we use. The field lists below are the privacy policy: what is not named here cannot pass intake.
Field meanings follow Canvas's page "Grade" (data_service_canvas_grade).

Instants are text, ``2026-02-03T10:15:30.000Z``: always UTC, always milliseconds, so that the order
of the texts is the order of the times. Course scores are percent, 0.0 and up, above 100 with extra
credit; ``score`` and ``points_possible`` of an assignment are points; ``grade`` is text.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw, Struct

Percent = float
"""Percent of points possible: 0.0 and up, above 100 with extra credit."""

Points = float
"""Points on one assignment."""

LARGEST: Final = 1e6
"""Largest percent and points, of either sign, that are a score. Intake refuses any other number, so
that no arithmetic on rows overflows."""

Instant = str
"""``2026-02-03T10:15:30.000Z``: UTC with milliseconds."""


TENANT_LENGTH: Final = 255
"""Longest tenant, in characters. Intake refuses longer ones; web views, access files and rules take
every tenant that intake lets through."""

ACTIVE: Final = "active"
"""The ``workflow_state`` that is left out. Always this object: defaults are told by identity."""


class Reason(StrEnum):
    """Why a record was refused. A closed list: metric label, header and page use these words."""

    EMPTY = "empty"  # a null or empty value
    NOT_JSON = "not_json"
    UNKNOWN_ENVELOPE = "unknown_envelope"  # JSON, or a JWT, but not one live event
    SHAPE_MISMATCH = "shape_mismatch"  # a known name over another event's body
    MISSING_FIELD = "missing_field"
    BAD_ID = "bad_id"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    BAD_FIELD = "bad_field"  # a field of the wrong type that is none of the above
    FUTURE_EVENT = "future_event"  # would freeze a row until that time comes
    INTERNAL = "internal"  # we failed, not the record


class _Event(Struct, tag_field="type", frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What every grade event says: who, where, when."""

    event_id: str  # digest of the content: Canvas sends no id
    tenant: str
    student_id: str
    course_id: str
    event_time: Instant
    account_id: str | None = None
    updated_at: Instant | None = None


class CourseGradeChange(_Event, frozen=True, tag="course_grade_change"):
    """A student's course scores changed. Percent; None is unknown."""

    posted_id: str = ""  # digest of the content without the unposted scores
    created_at: Instant | None = None
    workflow_state: str = ACTIVE  # or "deleted"
    current_score: Percent | None = None  # graded and posted work only
    old_current_score: Percent | None = None
    final_score: Percent | None = None  # ungraded work counts 0
    old_final_score: Percent | None = None
    unposted_current_score: Percent | None = None  # posted or not: staff only
    old_unposted_current_score: Percent | None = None
    unposted_final_score: Percent | None = None
    old_unposted_final_score: Percent | None = None


class GradeChange(_Event, frozen=True, tag="grade_change"):
    """A submission was graded, posted, hidden, excused or rescaled. It moves no course score."""

    submission_id: str | None = None
    assignment_id: str | None = None
    grade: str | None = None
    old_grade: str | None = None
    score: Points | None = None
    old_score: Points | None = None
    points_possible: Points | None = None
    old_points_possible: Points | None = None
    grader_id: str | None = None  # None: graded automatically
    grading_complete: bool | None = None
    muted: bool | None = None  # True: the student does not see it


class GradeOverride(_Event, frozen=True, tag="grade_override"):
    """A teacher set, changed or removed (None) a final grade override. Percent."""

    score_id: str | None = None
    enrollment_id: str | None = None
    grading_period_id: str | None = None
    grader_id: str | None = None  # who acted
    override_score: Percent | None = None
    old_override_score: Percent | None = None


NO_RULES: Final = Raw(b"")
"""What a control record without rules has. Always this object: defaults are told by identity."""


class Control(
    Struct, tag_field="type", tag="control", frozen=True, kw_only=True, omit_defaults=True
):
    """A record that steers the flow and is no event. Unknown kinds are passed over."""

    kind: str  # "watermark", "rules", "erase" or "clock"
    # Of a watermark: how far the raw partition has come; "": it only says who was heard of. Of
    # rules and an erasure: when they were announced. Of a clock: the latest time that stays; "":
    # Kafka's time.
    at: Instant = ""
    idle: bool = False  # of a watermark: caught up, so the raw partition has come to Kafka's time
    topic: str = ""  # of a watermark: the raw topic's full name
    partition: int = 0  # of a watermark: which partition of the raw topic
    partitions: int = 0  # of a watermark: how many the raw topic has
    heard: dict[str, Instant] = {}  # of a watermark: when each tenant's latest event was
    rules: Raw = NO_RULES  # the canonical set, inline
    rules_hash: str = ""
    tenant: str = ""  # of an erasure: whose student
    student_id: str = ""
    fingerprints: tuple[str, ...] = ()  # of an erasure: of the alerts about them


GradeEvent = CourseGradeChange | GradeChange | GradeOverride
Record = GradeEvent | Control

SCORES: Final = ("current_score", "final_score", "unposted_current_score", "unposted_final_score")
"""The four course scores of a ``course_grade_change``; each comes with an ``old_`` twin."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)


def encode(event: Record) -> bytes:
    """Return the record's bytes on ``grade-events``; equal events give equal bytes.

    Example:
        >>> encode(Control(kind="watermark"))
        b'{"type":"control","kind":"watermark"}'
    """
    return _encoder.encode(event)


def decode(value: bytes) -> Record:
    """Return the record that ``encode`` wrote.

    Args:
        value: A record value of ``grade-events``.

    Returns:
        The event or control record.

    Raises:
        msgspec.ValidationError: It is not one of our records (another producer wrote it).
        msgspec.DecodeError: It is not JSON.

    Example:
        >>> decode(b'{"type":"control","kind":"watermark","at":"2026-02-03T10:15:30.000Z"}').at
        '2026-02-03T10:15:30.000Z'
    """
    return _decoder.decode(value)


def student_key(tenant: str, student_id: str) -> bytes:
    """Return the Kafka key of all that concerns one student.

    Example:
        >>> student_key("44fJ", "48")
        b'44fJ:48'
    """
    return f"{tenant}:{student_id}".encode()


def digest(*content: str | float | bool | None) -> str:
    """Return an event's id: 16 hex digits that depend on its content alone.

    Canvas sends no event id, so the same event delivered twice is known by having the same content.
    Null and absent, local and global ids, 90 and 90.0 have been made one before this.

    Example:
        >>> digest("grade_override", "48", 90.0)
        'bb302c66183211cb'
    """
    return blake2b(_encoder.encode(content), digest_size=8).hexdigest()
