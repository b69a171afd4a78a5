"""Alerts as they stand on ``grade-alerts-state``, to be listed."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.core.instants import instant
from streams.lists.store import Alerts

T = "t"


def a_record(number: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever an alert has
    """Return the alert of that number; without other fields a posted score drop of student 48."""
    opened = instant(1_770_000_000_000 + 1000 * number)
    return {
        "alert_id": f"a{number}", "fingerprint": f"f{number}", "seq": 1, "state": "firing",
        "transition": "opened", "reason": "threshold_reached", "kind": "score_drop",
        "rule": "steep-drop", "rules_hash": "h", "severity": "warning", "audience": "posted",
        "tenant": T, "student_id": "48", "course_id": "565", "view": "posted",
        "score": "current_score", "before": 90.0, "after": 70.0, "change": -20.0, "size": 20.0,
        "threshold": 10.0, "event_time": opened, "opened_at": opened, "changed_at": opened,
        "evidence": [
            {"topic": "grade-events", "partition": 0, "offset": 7, "event": "course_grade_change",
             "event_time": opened, "event_id": "e"},
            {"topic": "grade-events", "partition": 0, "offset": 6, "event": "grade_change",
             "event_time": opened, "event_id": "g", "assignment_id": "3", "muted": True},
            {"topic": "grade-events", "partition": 0, "offset": 5, "event": "grade_change",
             "event_time": opened, "event_id": "h", "assignment_id": "4", "muted": False},
        ],
        "summary": "It fell.", "inputs": {"old": 90.0},
    } | fields  # fmt: skip


def a_feed(number: int) -> dict[str, Any]:
    """Return an alert about a silent feed."""
    told = a_record(number, kind="feed_silent", audience="operator", rule="feed-silent")
    for name in ("student_id", "course_id", "view", "score", "before", "after", "change", "size"):
        del told[name]
    return told


def taken(*records: dict[str, Any], alerts: Alerts | None = None, partition: int = 0) -> Alerts:
    """Return a store that has taken records, each as the next of its partition."""
    alerts = Alerts() if alerts is None else alerts
    for record in records:
        offset = alerts.positions.get(partition, -1) + 1
        key = record["fingerprint"].encode()
        alerts.take_alert(key, msgspec.json.encode(record), partition, offset)
    return alerts
