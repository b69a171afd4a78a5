"""What answers look like: JSON schemas, strict, so that a field nobody described fails a test."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
YES_NO: Final[Schema] = {"type": "boolean"}
MAYBE_NUMBER: Final[Schema] = {"type": ["number", "null"]}
MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
TIME: Final[Schema] = {"type": "string", "description": "UTC, milliseconds"}
MAYBE_TIME: Final[Schema] = {"type": ["string", "null"], "description": "UTC, milliseconds"}
ID: Final[Schema] = {"type": "string", "pattern": "^[0-9]+$", "description": "Canvas's"}
COUNTS: Final[Schema] = {"type": "object", "additionalProperties": WHOLE}
POINTS: Final[Schema] = {
    "type": "array",
    "description": "day and percent, oldest first",
    "items": {
        "type": "array",
        "items": {"type": ["string", "number"]},
        "minItems": 2,
        "maxItems": 2,
    },
}


def ref(name: str) -> Schema:
    """Return what points to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(of: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": of}


def record(required: dict[str, Schema], also: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object.

    Args:
        required: What it always has.
        also: What it may have.
    """
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (also or {}),
        "additionalProperties": False,
    }


_WORK: Final = record(
    {"state": {"type": "string", "enum": ["new", "seen", "contacted", "closed"]}},
    {"note": TEXT, "wrong": YES_NO, "by": TEXT, "at": TIME},
)
_CHANGE: Final = record(
    {
        "assignment_id": MAYBE_TEXT, "event_time": TIME, "score": MAYBE_NUMBER,
        "old_score": MAYBE_NUMBER, "points_possible": MAYBE_NUMBER,
        "old_points_possible": MAYBE_NUMBER,
    },
    {"muted": {"type": ["boolean", "null"]}, "grader_id": MAYBE_TEXT},
)  # fmt: skip
_ROW: Final = record(
    {
        "tenant": TEXT, "student_id": ID, "course_id": ID, "current_score": MAYBE_NUMBER,
        "final_score": MAYBE_NUMBER, "workflow_state": MAYBE_TEXT, "account_id": MAYBE_TEXT,
        "grade_changes": listed(ref("GradeChange")), "history": POINTS,
    },
    {
        "alerts": listed(ref("Alert")), "unposted_current_score": MAYBE_NUMBER,
        "unposted_final_score": MAYBE_NUMBER, "unposted_history": POINTS,
        "updated_at": MAYBE_TIME, "event_time": TIME,
        "override_score": MAYBE_NUMBER, "effective_final_score": MAYBE_NUMBER,
        "period_overrides": {"type": "object", "additionalProperties": MAYBE_NUMBER},
        "override_grader_id": MAYBE_TEXT,
    },
)  # fmt: skip
_EVIDENCE: Final = record(
    {
        "topic": TEXT, "partition": WHOLE, "offset": WHOLE, "event": TEXT, "event_time": TIME,
        "event_id": TEXT,
    },
    {
        "assignment_id": TEXT, "score": NUMBER, "old_score": NUMBER, "points_possible": NUMBER,
        "old_points_possible": NUMBER, "muted": YES_NO,
    },
)  # fmt: skip
_STEP: Final = record({
    "seq": WHOLE, "transition": TEXT, "reason": TEXT, "severity": TEXT, "changed_at": TIME,
    "before": MAYBE_NUMBER, "after": MAYBE_NUMBER,
})  # fmt: skip
_ALERT: Final = {
    "alert_id": TEXT, "fingerprint": TEXT, "seq": WHOLE,
    "state": {"type": "string", "enum": ["firing", "resolved"]},
    "transition": TEXT, "reason": TEXT, "kind": TEXT, "rule": TEXT,
    "severity": {"type": "string", "enum": ["info", "warning", "critical"]},
    "audience": {"type": "string", "enum": ["staff", "posted", "operator"]},
    "tenant": TEXT, "event_time": TIME, "opened_at": TIME, "changed_at": TIME, "summary": TEXT,
    "gap_suspected": YES_NO, "late": YES_NO,
}  # fmt: skip
_ALERT_ALSO: Final = {
    "student_id": ID, "course_id": ID, "view": TEXT, "score": TEXT, "before": NUMBER,
    "after": NUMBER, "change": NUMBER, "size": NUMBER, "threshold": NUMBER, "next": TEXT,
    "score_now": NUMBER, "grading_period_id": TEXT, "assignment_id": TEXT, "work": ref("Work"),
    "points": POINTS,
}  # fmt: skip
_WORKER: Final = record({
    "worker": TEXT, "ready": YES_NO, "reasons": listed(TEXT), "partitions": listed(WHOLE),
    "restoring": listed(WHOLE),
})  # fmt: skip
_REFUSED: Final = record({
    "topic": TEXT, "partition": WHOLE, "offset": WHOLE, "reason": TEXT, "detail": TEXT,
    "source_topic": TEXT, "source_partition": {"type": ["integer", "null"]},
    "source_offset": {"type": ["integer", "null"]}, "at": TIME,
})  # fmt: skip

SCHEMAS: Final[dict[str, Schema]] = {
    "Problem": record({"error": record({"code": TEXT, "message": TEXT})}),
    "Me": record(
        {"name": TEXT, "role": TEXT, "rights": listed(TEXT)}, {"tenant": TEXT, "student_id": ID}
    ),
    "Work": _WORK,
    "GradeChange": _CHANGE,
    "Row": _ROW,
    "Student": record(
        {"tenant": TEXT, "student_id": ID, "courses": listed(ref("Row"))},
        {"unreadable": WHOLE, "next_cursor": TEXT},
    ),
    "Course": record(
        {"tenant": TEXT, "course_id": ID, "students": listed(ref("Row"))},
        {"unreadable": WHOLE, "partial": YES_NO, "next_cursor": TEXT},
    ),
    "Alert": record(_ALERT, _ALERT_ALSO),
    "Alerts": record(
        {"alerts": listed(ref("Alert")), "total": WHOLE},
        {"total_is_at_least": YES_NO, "next_cursor": TEXT},
    ),
    "AlertInFull": record(
        _ALERT
        | {
            "rules_hash": TEXT,
            "evidence": listed(_EVIDENCE),
            "transitions": listed(_STEP),
            "transitions_missing": listed(WHOLE),
        },
        _ALERT_ALSO | {"inputs": {"type": "object"}, "rule_words": TEXT},
    ),
    "Acted": record({"alert_id": TEXT, "work": ref("Work")}),
    "Action": {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "state": _WORK["properties"]["state"],
            "note": {"type": "string", "maxLength": 1000, "pattern": r"^[ -~\n\t]*$"},
            "wrong": YES_NO,
        },
        "additionalProperties": False,
    },
    "Histories": record({"points": {"type": "object", "additionalProperties": POINTS}}),
    "Wanted": record({"alerts": {"type": "array", "items": TEXT, "maxItems": 500}}),
    "Rules": record(
        {
            "rules_hash": TEXT,
            "rules": listed({"type": "object"}),
            "words": {"type": "object", "additionalProperties": TEXT},
        }
    ),
    "Status": record(
        {
            "workers": listed(_WORKER),
            "lag": listed(record({"topic": TEXT, "partition": WHOLE, "records": WHOLE})),
            "throughput": {"type": "object", "additionalProperties": NUMBER},
            "fates": {"type": "object", "additionalProperties": COUNTS},
            "refused": COUNTS,
            "rules_hash": TEXT,
            "tenants": listed(record({"tenant": TEXT, "last_event": MAYBE_TIME})),
            "alerts": record({"listed": WHOLE, "caught_up": YES_NO}),
            "warnings": listed(TEXT),
        }
    ),
    "Refused": record({"refused": listed(_REFUSED), "counts": COUNTS}),
    "OpenApi": {"type": "object"},
}
"""Name → schema."""
