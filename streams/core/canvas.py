"""Canvas's bytes → metadata and one of three bodies, or a named refusal.

Two paths: what Canvas really sends is decoded straight into typed bodies; anything else (numbers as
text, shapes that do not fit, broken JSON) takes a slower path whose only job is to be lenient where
Canvas is and to say exactly what is wrong. No message ever repeats a value.
Envelopes: ``{metadata|attributes, body|data}``. One record is one event.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from streams.core.events import LARGEST, SCORES, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

Id = str | int | None
_S = TypeVar("_S", bound=Struct)
_DECIMAL = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)] | None


class Refusal(Struct, frozen=True):
    """Why a record was not taken: a reason of the closed list, and which field or shape."""

    reason: Reason
    detail: str


class Refused(Exception):  # noqa: N818 - a verdict on a record, not a failure
    """Carries a refusal out of the parsing."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the refusal."""
        self.refusal = Refusal(reason, detail)


class Metadata(Struct, gc=False):
    """The part of Canvas's metadata we use; the rest never leaves this module."""

    event_name: str | None = None
    event_time: str | None = None
    root_account_uuid: str | None = None
    root_account_id: Id = None
    context_type: str | None = None
    context_id: Id = None
    context_account_id: Id = None
    user_id: Any = None  # who acted; of whatever type, it decides nothing


class _Envelope(Struct, gc=False):
    metadata: Metadata | None = None
    attributes: Metadata | None = None  # Kinesis and the Kafka fork of Canvas say this
    body: Raw = Raw()
    data: Raw = Raw()  # Canvas's SQS format of 2015 to 2017


class Course(Struct, gc=False):
    """Body of ``course_grade_change``: local ids."""

    user_id: Id = None
    course_id: Id = None
    workflow_state: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    current_score: _Number = None
    old_current_score: _Number = None
    final_score: _Number = None
    old_final_score: _Number = None
    unposted_current_score: _Number = None
    old_unposted_current_score: _Number = None
    unposted_final_score: _Number = None
    old_unposted_final_score: _Number = None


class Grade(Struct, gc=False):
    """Body of ``grade_change``: global ids; the course stands in the metadata."""

    submission_id: Id = None
    assignment_id: Id = None
    grade: str | float | None = None  # a number in events of 2015
    old_grade: str | float | None = None
    score: _Number = None
    old_score: _Number = None
    points_possible: _Number = None
    old_points_possible: _Number = None
    grader_id: Id = None
    student_id: Id = None
    user_id: Id = None
    grading_complete: bool | None = None
    muted: bool | None = None


class Override(Struct, gc=False):
    """Body of ``grade_override``: local ids; one event per enrolment."""

    score_id: Id = None
    enrollment_id: Id = None
    user_id: Id = None
    course_id: Id = None
    grading_period_id: Id = None
    override_score: _Number = None
    old_override_score: _Number = None
    updated_at: str | None = None


Body = Course | Grade | Override
"""What Canvas puts into ``body``; absent and null are both None."""

BODIES: Final[Mapping[str, type[Body]]] = {
    "course_grade_change": Course,
    "grade_change": Grade,
    "grade_override": Override,
}
# What tells the bodies apart. Canvas may strip null keys, so any one of a set is enough.
_MARKS: Final[Mapping[type[Body], frozenset[str]]] = {
    Course: frozenset([*SCORES, *(f"old_{name}" for name in SCORES)]),
    Grade: frozenset(["submission_id", "assignment_id", "student_id", "grader_id"]),
    Override: frozenset(["override_score", "old_override_score", "score_id", "enrollment_id"]),
}
_NUMBERS: Final = _MARKS[Course] | {
    "score", "old_score", "points_possible", "old_points_possible",
    "override_score", "old_override_score",
}  # fmt: skip

_envelope: Final = msgspec.json.Decoder(_Envelope).decode
_body: Final = {shape: msgspec.json.Decoder(shape).decode for shape in BODIES.values()}

_JWT: Final = re.compile(rb'\s*"?eyJ[\w-]+\.[\w-]+\.[\w-]*"?\s*')
_BOM: Final = b"\xef\xbb\xbf"


def parse(value: bytes | None) -> tuple[Metadata, Body] | None:
    """Return what a raw record says.

    Args:
        value: The record's value.

    Returns:
        Metadata and body of one of the three events; None where the event has another name.

    Raises:
        Refused: It is not one live event, or a field has a type that cannot be understood.

    Example:
        >>> parse(b'{"metadata":{"event_name":"heartbeat"},"body":{}}') is None
        True
    """
    if value is None or not value.strip():
        raise Refused(Reason.EMPTY, "no value" if value is None else "no bytes but white space")
    return _usual(value) or _unusual(value)


def _usual(value: bytes) -> tuple[Metadata, Body] | None:
    """Return metadata and body as Canvas sends them; None where anything is unusual."""
    try:
        if not value.isascii():
            value.decode()  # fields that are skipped are not looked at by the decoder
        envelope = _envelope(value)
        metadata = envelope.metadata or envelope.attributes
        if metadata is None or metadata.event_name is None:
            return None
        shape = BODIES.get(metadata.event_name)
        if shape is None:
            return None
        # A hint only (the text may stand in a value): the slow path looks at the keys.
        if shape is not Override and b'override_score"' in value:
            return None
        body = _body[shape](envelope.body or envelope.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # One field that the shape has for sure: without it, look at the keys.
    sure = (
        body.final_score
        if isinstance(body, Course)
        else body.assignment_id
        if isinstance(body, Grade)
        else body.enrollment_id
    )
    return None if sure is None else (metadata, body)


def _unusual(value: bytes) -> tuple[Metadata, Body] | None:
    """Do what ``parse`` says, slowly: every step names what is wrong."""
    envelope = _object(value)
    metadata = envelope.get("metadata", envelope.get("attributes"))
    body = envelope.get("body", envelope.get("data"))
    if not isinstance(metadata, dict):
        raise Refused(Reason.UNKNOWN_ENVELOPE, _what_instead(envelope))
    name = metadata.get("event_name")
    if name is None:
        raise Refused(Reason.MISSING_FIELD, "metadata.event_name")
    if not isinstance(name, str):
        raise Refused(Reason.BAD_FIELD, "metadata.event_name is not text")
    if name not in BODIES:
        return None
    if not isinstance(body, dict):
        raise Refused(Reason.UNKNOWN_ENVELOPE, "metadata without a body")
    shape = _shape(name, body)
    for field in _NUMBERS.intersection(body, shape.__struct_fields__):
        body[field] = _number(body[field], field)
    return _converted(metadata, Metadata, "metadata"), _converted(body, shape, "body")


def _object(value: bytes) -> dict[str, Any]:
    """Return the JSON object in ``value``; refuse anything else by its kind."""
    value = value.removeprefix(_BOM)
    if _JWT.fullmatch(value):
        raise Refused(Reason.UNKNOWN_ENVELOPE, "a JWT: verify and unwrap it before Kafka")
    try:
        parsed = msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(*_broken(value, error)) from None
    if not isinstance(parsed, dict):
        kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
        raise Refused(Reason.UNKNOWN_ENVELOPE, kinds.get(type(parsed), "a number"))
    return {key: part for key, part in parsed.items() if part is not None}  # null is absent


def _broken(value: bytes, error: Exception) -> tuple[Reason, str]:
    """Tell broken JSON from numbers that JSON does not have (NaN, Infinity, 1e999)."""
    if isinstance(error, UnicodeDecodeError):
        return Reason.NOT_JSON, "not UTF-8"
    if isinstance(error, RecursionError):
        return Reason.NOT_JSON, "nested too deeply"
    odd: list[str] = []

    def number(token: str) -> float:
        if not math.isfinite(float(token)):
            odd.append(token)
        return 0.0

    try:  # Python's own parser takes such numbers
        json.loads(value.decode(), parse_float=number, parse_constant=number)
    except (ValueError, RecursionError):
        return Reason.NOT_JSON, str(error)  # a position, never a value
    if not odd:  # what else Python takes: half of a surrogate pair
        return Reason.NOT_JSON, str(error)
    return Reason.BAD_NUMBER, "a number that is NaN, infinite or out of range"


def _what_instead(envelope: dict[str, Any]) -> str:
    if "sensor" in envelope or "@context" in envelope:
        return "a Caliper envelope: choose the Canvas format in Data Services"
    if "Body" in envelope or "Message" in envelope or "Records" in envelope:
        return "an SQS or SNS wrapper: unwrap it before Kafka"
    return "an object without metadata and body"


def _shape(name: str, body: dict[str, Any]) -> type[Body]:
    """Return the body's shape: the name's own, or an override under another name.

    Canvas's page shows an override named ``grade_change``; the code posts ``grade_override``.
    """
    named = BODIES[name]
    found = [shape for shape, marks in _MARKS.items() if marks & body.keys()]
    if named in found or (not found and named is not Grade):
        return named
    if Override in found:
        return Override
    instead = next((other for other, shape in BODIES.items() if shape in found), "no known event")
    raise Refused(Reason.SHAPE_MISMATCH, f"{name} with the body of {instead}")


def _number(value: object, field: str) -> float | None:
    """Return a number that may have come as text; Canvas's own are JSON numbers."""
    if value is None:
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
            if abs(number) <= LARGEST and (not isinstance(value, str) or _DECIMAL.fullmatch(value)):
                return number
    raise Refused(Reason.BAD_NUMBER, f"body.{field}")


def _converted(fields: dict[str, Any], shape: type[_S], where: str) -> _S:
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        # "Expected `str | null`, got `int` - at `$.grade`": types and path, no value.
        what, _, path = str(error).partition(" - at `$")
        field = path.strip("`.")
        raise Refused(_kind(field), f"{where}.{field}: {what}".replace("`", "")) from None


def _kind(field: str) -> Reason:
    if field.endswith("_id"):
        return Reason.BAD_ID
    if field in {"event_time", "created_at", "updated_at"}:
        return Reason.BAD_TIME
    return Reason.BAD_FIELD
