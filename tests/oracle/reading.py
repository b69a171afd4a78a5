"""Raw bytes → the fields that docs/wire-format.md promises, or the reason for the refusal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = dict[str, Any]
"""A JSON object, or the canonical event made from one."""

SCORES: Final = ("current_score", "final_score", "unposted_current_score", "unposted_final_score")

# What only one of the three bodies has: by this it is told which event a body is.
_MARKS: Final = {
    "grade_override": {"override_score", "old_override_score", "enrollment_id", "score_id"},
    "course_grade_change": {*SCORES, *(f"old_{name}" for name in SCORES)},
    "grade_change": {"submission_id", "assignment_id", "student_id", "grader_id"},
}

_NUMBER: Final = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_JWT: Final = re.compile(rb"\s*eyJ[\w-]+\.[\w-]+\.[\w-]*\s*")
_SHARD: Final = 10**13

LARGEST: Final = 1_000_000
"""Of scores and points, either sign."""

LONGEST_TEXT: Final = 255
"""Characters of a grade or a workflow state, longer ones are left out; and of a tenant."""


class Refused(NamedTuple):
    """A record that stays out of the log."""

    reason: str


class _RefusedError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canonical(
    value: bytes | None,
    timestamp_ms: int | None,
    tenants: Mapping[str, str] | None = None,
    default_tenant: str = "default",
) -> Fields | Refused | None:
    """Return the canonical event without its null fields, a refusal, or None for other events.

    Args:
        value: The raw record's value.
        timestamp_ms: Kafka received it then at the latest; None: it is not from Kafka.
        tenants: ``root_account_id`` → tenant.
        default_tenant: The tenant of events that name no root account.
    """
    try:
        found = _envelope(value)
        if found is None:
            return None
        name, metadata, body = found
        event = _identity(name, metadata, body, tenants or {}, default_tenant)
        moment = datetime.fromisoformat(event["event_time"])
        if timestamp_ms is not None:
            received = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=timestamp_ms)
            if moment - received > timedelta(hours=24):
                return Refused("future_event")
        home = _home(metadata)
        event |= {
            key: part
            for key, part in _content(name, metadata, body, home).items()
            if part is not None
        }
    except _RefusedError as refused:
        return Refused(refused.reason)
    return event


def event_id(event: Fields) -> str:
    """Return the event's id: BLAKE2b over the compact JSON array of its content."""
    names = {
        "course_grade_change": ("updated_at", "workflow_state", *_twins(*SCORES)),
        "grade_change": (
            "submission_id", "assignment_id", *_twins("grade", "score", "points_possible"),
            "grading_complete", "muted",
        ),
        "grade_override": (
            "updated_at", "enrollment_id", "grading_period_id", *_twins("override_score"),
        ),
    }[event["type"]]  # fmt: skip
    content = [event[key] for key in ("type", "tenant", "student_id", "course_id", "event_time")]
    content += [event.get(key, "active" if key == "workflow_state" else None) for key in names]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def posted_id(event: Fields) -> str:
    """Return the id of what students see of a ``course_grade_change``."""
    seen = {key: value for key, value in event.items() if "unposted" not in key}
    keys = ("updated_at", "workflow_state", *_twins("current_score", "final_score"))
    content = [seen[key] for key in ("type", "tenant", "student_id", "course_id", "event_time")]
    content += [seen.get(key, "active" if key == "workflow_state" else None) for key in keys]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _twins(*names: str) -> tuple[str, ...]:
    return tuple(twin for name in names for twin in (name, f"old_{name}"))


def _refuse(reason: str) -> NoReturn:
    raise _RefusedError(reason)


def _envelope(value: bytes | None) -> tuple[str, Fields, Fields] | None:
    """Return the event's true name, its metadata and its body; None for another's name."""
    outer = _object(value)
    metadata = outer.get("metadata", outer.get("attributes"))
    body = outer.get("body", outer.get("data"))
    if not isinstance(metadata, dict):
        _refuse("unknown_envelope")
    name = metadata.get("event_name")
    if not isinstance(name, str):
        _refuse("missing_field" if name is None else "bad_field")
    if name not in _MARKS:
        return None
    if not isinstance(body, dict):
        _refuse("unknown_envelope")
    looks = [event for event, marks in _MARKS.items() if marks & body.keys()]
    if name not in looks and "grade_override" in looks:
        name = "grade_override"
    if looks and name not in looks:
        _refuse("shape_mismatch")
    return name, metadata, body


def _object(value: bytes | None) -> Fields:
    if value is None or not value.strip():
        _refuse("empty")
    try:
        outer = json.loads(value.decode("utf-8-sig"), parse_constant=_not_a_number)
        json.dumps(outer, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError):
        _refuse("unknown_envelope" if _JWT.fullmatch(value) else "not_json")
    if not isinstance(outer, dict):
        _refuse("unknown_envelope")
    return {key: part for key, part in outer.items() if part is not None}


def _not_a_number(token: str) -> NoReturn:  # noqa: ARG001 - NaN, Infinity or -Infinity
    _refuse("bad_number")


def _identity(
    name: str, metadata: Fields, body: Fields, tenants: Mapping[str, str], default: str
) -> Fields:
    """Return whom and when the event is about."""
    for field in ("context_type", "root_account_uuid"):
        if not isinstance(metadata.get(field), str | None):
            _refuse("bad_field")
    root = _id_like(metadata.get("root_account_id"))
    home = _home(metadata)
    if name == "grade_change":
        course = metadata.get("context_id") if metadata.get("context_type") == "Course" else None
        student, user = body.get("student_id"), _id_like(body.get("user_id"))
        student = user if student is None else student
    else:
        course, student = body.get("course_id"), body.get("user_id")
    if metadata.get("event_time") is None or course is None or student is None:
        _refuse("missing_field")
    uuid = metadata.get("root_account_uuid")
    tenant = uuid or (default if root is None else tenants.get(str(root), str(root)))
    if len(tenant) > LONGEST_TEXT or not tenant.isprintable():
        _refuse("bad_id")
    event = {
        "type": name,
        "tenant": tenant,
        "student_id": _id(student, home),
        "course_id": _id(course, home),
        "event_time": _time(metadata["event_time"]),
    }
    account = _id(metadata.get("context_account_id"), home)
    return event if account is None else event | {"account_id": account}


def _content(name: str, metadata: Fields, body: Fields, home: int | None) -> Fields:
    """Return what the event says, nulls included."""
    if name == "course_grade_change":
        state = body.get("workflow_state")
        if state is not None and not isinstance(state, str):
            _refuse("bad_field")
        return {
            "updated_at": _time(body.get("updated_at")),
            "created_at": _time(body.get("created_at")),
            "workflow_state": None if state == "active" else _text(state) or None,
            **{key: _number(body.get(key)) for key in _twins(*SCORES)},
        }
    if name == "grade_override":
        return {
            "updated_at": _time(body.get("updated_at")),
            **{
                key: _id(body.get(key), home)
                for key in ("score_id", "enrollment_id", "grading_period_id")
            },
            **{key: _number(body.get(key)) for key in _twins("override_score")},
            "grader_id": _actor(metadata.get("user_id"), home),
        }
    flags = {key: body.get(key) for key in ("grading_complete", "muted")}
    if any(flag is not None and not isinstance(flag, bool) for flag in flags.values()):
        _refuse("bad_field")
    grader = _id_like(body.get("grader_id"))
    return {
        **{key: _id(body.get(key), home) for key in ("submission_id", "assignment_id")},
        **{key: _text(body.get(key)) for key in _twins("grade")},
        **{key: _number(body.get(key)) for key in _twins("score", "points_possible")},
        # Some Canvas versions give the automatic grader a number below 1.
        "grader_id": None if re.fullmatch(r"-.*|0", str(grader)) else _id(grader, home),
        **flags,
    }


def _home(metadata: Fields) -> int | None:
    """Return the reference shard: that of the course, else of the root account, else none."""
    places = [str(metadata.get("root_account_id"))]
    if not isinstance(metadata.get("context_type") or "", str):
        _refuse("bad_field")
    if metadata.get("context_type") == "Course":
        _id(metadata.get("context_id"), None)  # one that is no id would make every id a guess
        places.insert(0, str(metadata.get("context_id")))
    for place in places:
        if re.fullmatch(r"[0-9]+", place) and int(place) >= _SHARD:
            return int(place) // _SHARD
    return None


def _id_like(value: object) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        _refuse("bad_id")
    return value


def _id(value: object, home: int | None) -> str | None:
    if _id_like(value) is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", str(value)):
        _refuse("bad_id")
    number = int(str(value))
    if not 0 < number < 2**63:  # Canvas keeps ids in PostgreSQL bigints
        _refuse("bad_id")
    is_ours = home in (None, number // _SHARD) and number % _SHARD
    return str(number % _SHARD if is_ours else number)


def _actor(value: object, home: int | None) -> str | None:
    """Return who acted; a bad id is nobody's, and no reason to lose the override."""
    try:
        return _id(value, home)
    except _RefusedError:
        return None


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _refuse("bad_number")
    try:
        number = float(value)
    except OverflowError:
        _refuse("bad_number")
    if not abs(number) <= LARGEST:  # nor is NaN
        _refuse("bad_number")
    return number


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, bool | list | dict):
        _refuse("bad_field")
    if isinstance(value, int | float):
        value = str(int(value)) if value == int(value) else repr(value)
    return None if value is None or len(value) > LONGEST_TEXT else str(value)


def _time(value: object) -> str | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)  # type: ignore[arg-type] # another type: TypeError
        utc = moment.astimezone(UTC) if moment.tzinfo else _refuse("bad_time")
    except (TypeError, ValueError, OverflowError):
        _refuse("bad_time")
    return f"{utc.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
