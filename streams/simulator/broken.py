"""What arrives on a real topic besides good events: one way or more to earn each refusal.

All but ``internal``, which is our failure and no record's.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

import msgspec

from streams.core.events import SCORES, Reason
from streams.simulator import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from streams.simulator.wire import Fields

_encode: Final = msgspec.json.Encoder().encode
_DAY: Final = 86_400_000


def spoil(rng: Random, reason: Reason, metadata: Fields, body: Fields, end: int) -> bytes | None:
    """Return a good event made bad in a way that intake refuses with ``reason``.

    Args:
        rng: Chooses among the ways.
        reason: Any but ``internal``.
        metadata: The event's; left as it is.
        body: The event's; left as it is.
        end: No record is later than this, milliseconds since 1970.
    """
    if reason is Reason.FUTURE_EVENT:  # a server whose clock is months ahead
        time = wire.instant(end + rng.randrange(2 * _DAY, 60 * _DAY))
        return _event({**metadata, "event_time": time}, body)
    return rng.choice(_WAYS[reason])(metadata, body)


def _event(metadata: Fields, body: object) -> bytes:
    return _encode({"metadata": metadata, "body": body})


def _without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _jwt(metadata: Fields, body: Fields) -> bytes:
    """Return the event signed, as Canvas sends it over HTTPS: a JWT in double quotes."""
    parts = (b'{"alg":"RS256","kid":"2026-01"}', _event(metadata, body), b"\x07" * 64)
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return b'"' + text + b'"'


def _sqs(metadata: Fields, body: Fields) -> bytes:
    return _encode({"MessageId": "19dd0b57", "Body": _event(metadata, body).decode()})


def _caliper(metadata: Fields, body: Fields) -> bytes:
    event = {"@context": "http://purl.imsglobal.org/ctx/caliper/v1p1", "type": "GradeEvent"}
    time = metadata["event_time"]
    return _encode({"sensor": "http://canvas/", "sendTime": time, "data": [event, body]})


def _submission(metadata: Fields, _: Fields) -> bytes:
    """Return a course score's name over the body of a submission."""
    body = {"submission_id": "21070000000000001", "assignment_id": "21070000000000002", "score": 4}
    return _event({**metadata, "event_name": "course_grade_change"}, body)


def _nameless_grade(metadata: Fields, _: Fields) -> bytes:
    """Return a grade change with nothing in it that any of the three events has."""
    return _event({**metadata, "event_name": "grade_change"}, {"late": False})


def _with_body(**fields: object) -> Callable[[Fields, Fields], bytes]:
    return lambda metadata, body: _event(metadata, {**body, **fields})


def _with_metadata(**fields: object) -> Callable[[Fields, Fields], bytes]:
    return lambda metadata, body: _event({**metadata, **fields}, body)


def _raw_number(text: bytes) -> Callable[[Fields, Fields], bytes]:
    """Return a course score that JSON has no number for, as lenient encoders write it."""

    def course_grade_change(metadata: Fields, _: Fields) -> bytes:
        value = json.dumps(
            {
                "metadata": {**metadata, "event_name": "course_grade_change"},
                "body": {"user_id": "1001", "course_id": "501", **dict.fromkeys(SCORES, "?")},
            }
        )
        return value.encode().replace(b'"?"', text)

    return course_grade_change


_WAYS: Final[Mapping[Reason, tuple[Callable[[Fields, Fields], bytes | None], ...]]] = {
    Reason.EMPTY: (lambda *_: None, lambda *_: b"", lambda *_: b"  "),
    Reason.NOT_JSON: (
        lambda *event: _event(*event)[:200],  # cut off
        lambda *event: _event(*event) * 2,  # two events, nothing between them
        lambda *event: _event(*event).replace(b'"canvas"', b'"canv\xe4s"'),  # Latin-1
    ),
    Reason.UNKNOWN_ENVELOPE: (
        _jwt,
        _sqs,
        _caliper,
        lambda *event: b"[" + _event(*event) + b"]",
        lambda metadata, _: _encode({"metadata": metadata}),
    ),
    Reason.SHAPE_MISMATCH: (_submission, _nameless_grade),
    Reason.MISSING_FIELD: (
        lambda metadata, body: _event(_without(metadata, "event_name"), body),
        lambda metadata, body: _event(_without(metadata, "event_time"), body),
        # without both there is no student, and without all three no course
        lambda metadata, body: _event(metadata, _without(_without(body, "student_id"), "user_id")),
        lambda metadata, body: _event(
            {**metadata, "context_type": "Account"}, _without(body, "course_id")
        ),
    ),
    Reason.BAD_ID: (
        _with_body(user_id="not-a-number", student_id="not-a-number"),
        _with_body(user_id="-5", student_id="-5"),
        _with_metadata(context_id="21070000000000x02"),
    ),
    Reason.BAD_NUMBER: (
        _raw_number(b"NaN"),
        _raw_number(b"-Infinity"),
        _raw_number(b"1e999"),
        _with_body(final_score="n/a", score="n/a", override_score="n/a"),
    ),
    Reason.BAD_TIME: (
        _with_metadata(event_time="2026-13-01T00:00:00Z"),
        _with_metadata(event_time="2026-02-03T10:15:30.000"),  # no offset
        _with_metadata(event_time="yesterday"),
    ),
    Reason.BAD_FIELD: (
        _with_metadata(context_type=["Course"]),
        _with_metadata(root_account_uuid=44),
        _with_metadata(event_name=["grade_change"]),
    ),
}

REASONS: Final = (*_WAYS, Reason.FUTURE_EVENT)
"""Every reason that a record can earn."""
