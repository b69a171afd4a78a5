"""Answers as the API gives them, realistic, cut to each role's eyes."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import Any

Answer = dict[str, Any]

TENANT = "7db438071375c02373713c12c73869ff2f470b68.northfield.edu"
CANVAS = "https://canvas.northfield.edu"
ROLES = ("operator", "advisor", "instructor", "student", "service", "local")

_RIGHTS = {
    "operator": ["alerts", "operate", "rules", "signed_in"],
    "advisor": ["act", "alerts", "rules", "scores", "signed_in"],
    "instructor": ["act", "alerts", "rules", "scores", "signed_in"],
    "student": ["alerts", "scores", "signed_in"],
    "service": ["alerts", "operate", "rules", "scores", "signed_in"],
    "local": ["act", "alerts", "operate", "public", "rules", "scores", "signed_in"],
}
_NAMES = {"advisor": "m.okafor", "student": "s4801", "local": "local"}


def me(role: str) -> Answer:
    """Return the answer of /api/v1/me."""
    told: Answer = {"name": _NAMES.get(role, f"{role}-1"), "role": role, "rights": _RIGHTS[role]}
    if role != "local":
        told["tenant"] = TENANT
    if role == "student":
        told["student_id"] = "4801"
    return told


def history(scores: str, end: str = "2026-10-23", every: int = 4) -> list[list[Any]]:
    """Return scores as the closings of days, the last on a day."""
    values = [float(score) for score in scores.split()]
    last = date.fromisoformat(end)
    days = [last - timedelta(days=every * back) for back in range(len(values))][::-1]
    return [[day.isoformat(), value] for day, value in zip(days, values, strict=True)]


FELL = history("91 92 92.5 90 91.2 93 92 92.4 91.8 92 92 91.5 78")
SLID = history("88 87 87.5 86 85 84.4 82 80 79.5 77 75.4 73 71.25")
FLOOR = history("76 75 77 74.5 75 73 74 72.4 73 71.9 71 70.6 69.25")
STEADY = history("81 82 82.5 84 83.2 84 85 85.4 84.8 86 86.4 86 87.5")


def _alert(number: int, **fields: Any) -> Answer:  # noqa: ANN401 - whatever an alert has
    told: Answer = {
        "alert_id": f"{number:016x}",
        "fingerprint": f"{number + 4096:016x}",
        "state": "firing",
        "transition": "opened",
        "reason": "opened",
        "audience": "posted",
        "tenant": TENANT,
        "view": "posted",
        "score": "current_score",
        "severity": "warning",
        "event_time": "2026-10-23T09:12:44.120Z",
        "opened_at": "2026-10-23T21:12:44.120Z",
        "changed_at": "2026-10-23T21:12:44.120Z",
        "gap_suspected": False,
        "late": False,
        "work": {"state": "new"},
    }
    told |= fields
    if "before" in told and "after" in told:
        told["change"] = round(told["after"] - told["before"], 4)
    return told


def alert_items() -> list[Answer]:
    """Return alerts of every kind about students, the loudest first, with nothing cut."""
    ask = "Ask what happened around 23 October; the course may have a make-up."
    return [
        _alert(
            1,
            kind="score_drop",
            rule="steep-drop",
            severity="critical",
            student_id="4801",
            course_id="565",
            before=91.5,
            after=68.0,
            size=23.5,
            threshold=12.0,
            points=[*FELL[:-1], ["2026-10-23", 68.0]],
            summary="Current score fell 23.5 points (91.5 → 68)"
            "; rule steep-drop alerts at 12 or "
            "more. It has become critical.",
            reason="severity_raised",
            transition="updated",
            next=ask,
            work={
                "state": "contacted",
                "by": "m.okafor",
                "wrong": False,
                "note": "Wrote on Friday; office hour agreed for Tuesday.",
                "at": "2026-10-24T08:30:00.000Z",
            },
        ),
        _alert(
            2,
            kind="score_drop",
            rule="steep-drop",
            student_id="5190",
            course_id="565",
            before=91.5,
            after=78.0,
            size=13.5,
            threshold=12.0,
            points=FELL,
            next=ask,
            summary="Current score fell 13.5 points (91.5 → 78)"
            "; rule steep-drop alerts at 12 or more.",
        ),
        _alert(
            3,
            kind="score_slide",
            rule="slow-slide",
            student_id="4822",
            course_id="571",
            before=87.5,
            after=71.25,
            size=16.25,
            threshold=15.0,
            points=SLID,
            summary="Current score is 16.25 points below the peak of 21 days (87.5 → 71.25)"
            "; rule slow-slide alerts at 15 or more.",
            opened_at="2026-10-22T14:02:10.000Z",
            work={"state": "seen", "by": "m.okafor", "at": "2026-10-23T07:00:00.000Z"},
        ),
        _alert(
            4,
            kind="score_below",
            rule="below-70",
            student_id="6034",
            course_id="580",
            before=70.6,
            after=69.25,
            size=0.75,
            threshold=70.0,
            points=FLOOR,
            gap_suspected=True,
            summary="Current score is 69.25 (70.6 → 69.25); rule below-70 alerts at 70 or less.",
            opened_at="2026-10-21T11:45:00.000Z",
        ),
        _alert(
            5,
            kind="score_drop",
            rule="unposted-drop",
            student_id="4915",
            course_id="565",
            view="unposted",
            audience="staff",
            score="unposted_current_score",
            before=84.0,
            after=71.5,
            size=14.88,
            threshold=12.0,
            points=[*STEADY[:-1], ["2026-10-23", 71.5]],
            summary="Current score, unposted work included, fell 14.88 % (84 → 71.5)"
            "; rule unposted-drop alerts at 12 % or more.",
        ),
        _alert(
            6,
            kind="override_gap",
            rule="override-gap",
            severity="info",
            student_id="4801",
            course_id="571",
            audience="staff",
            score="override_score",
            before=61.5,
            after=84.0,
            size=22.5,
            threshold=15.0,
            points=SLID,
            summary="The override is 22.5 points from the computed score (61.5 → 84)"
            "; rule override-gap alerts at 15 or more.",
            opened_at="2026-10-18T10:00:00.000Z",
        ),
        _alert(
            7,
            kind="score_vanished",
            rule="score-vanished",
            severity="info",
            student_id="5533",
            course_id="592",
            before=88.0,
            points=STEADY[:-2],
            summary="Current score vanished (88 → none); rule score-vanished.",
            state="resolved",
            transition="resolved",
            reason="recovered",
            opened_at="2026-10-12T08:15:00.000Z",
            work={
                "state": "closed",
                "by": "j.lindqvist",
                "note": "Gradebook was rearranged; nobody meant this student.",
                "at": "2026-10-13T09:00:00.000Z",
                "wrong": True,
            },
        ),
    ]


def feed_alert() -> Answer:
    """Return an alert about a feed: it has no student, no course and no scores."""
    told = _alert(
        9,
        kind="feed_silent",
        rule="feed-silent",
        audience="operator",
        summary=f"No grade event of {TENANT} has come for 3 days, the last is of "
        "2026-10-20T04:00:00.000Z; rule feed-silent.",
        next="Is the Live Events subscription in Canvas still on?",
    )
    for name in ("view", "score"):
        del told[name]
    return told


def cut(alert: Answer, role: str) -> Answer:
    """Return an alert as a role sees it."""
    told = copy.deepcopy(alert)
    if role in {"advisor", "student", "operator"}:
        told.pop("inputs", None)
        if "evidence" in told:
            told["evidence"] = [each for each in told["evidence"] if not each.pop("muted", False)]
    if role == "student":
        told.pop("work", None)
    return told


def seen(role: str) -> list[Answer]:
    """Return the alerts that a role sees."""
    if role == "operator":
        return [feed_alert()]
    shown = [cut(each, role) for each in alert_items()]
    if role in {"advisor", "student"}:
        shown = [each for each in shown if each["view"] == "posted"]
    if role == "student":
        mine = [each for each in shown if each["student_id"] == "4801"]
        return [each for each in mine if not each["kind"].startswith("override")]
    return [*shown, feed_alert()] if role in {"service", "local"} else shown


def alerts(role: str = "local") -> Answer:
    """Return the answer of /api/v1/alerts."""
    shown = seen(role)
    told = {"alerts": shown, "total": len(shown) if role in {"student", "operator"} else 214}
    return told if role in {"student", "operator"} else told | {"next_cursor": "c3RlZXA"}


def detail(role: str = "local") -> Answer:
    """Return the answer of /api/v1/alerts/{alert_id}: of the loudest that the role sees."""
    told = copy.deepcopy(feed_alert() if role == "operator" else alert_items()[0])
    told["rule_words"] = (
        "Alerts when the current score falls by 12 points or more at once, after 5 earlier scores, "
        "if it still holds after 12 hours."
    )
    told["transitions"] = [
        {
            "seq": 1,
            "transition": "opened",
            "reason": "opened",
            "severity": "warning",
            "changed_at": "2026-10-23T21:12:44.120Z",
            "before": 91.5,
            "after": 78.0,
        },
        {
            "seq": 2,
            "transition": "updated",
            "reason": "severity_raised",
            "severity": "critical",
            "changed_at": "2026-10-24T13:40:02.000Z",
            "before": 91.5,
            "after": 68.0,
        },
    ]
    told["evidence"] = [
        _record("course_grade_change", 88123),
        _record("course_grade_change", 88140),
        _record(
            "grade_change",
            88120,
            assignment_id="3551",
            score=11.0,
            old_score=20.0,
            points_possible=20.0,
        ),
        _record(
            "grade_change", 88102, assignment_id="3548", score=5.0, points_possible=40.0, muted=True
        ),
    ]
    if role == "operator":
        told["transitions"] = [{"seq": 1, "transition": "opened", "changed_at": told["opened_at"]}]
        told["evidence"] = [_record("control", 88300)]
    told["transitions_missing"] = []
    told["inputs"] = {"old": 91.5, "new": 68.0, "known": None, "basis": [88123, 88140]}
    return cut(told, role)


def _record(event: str, offset: int, **fields: Any) -> Answer:  # noqa: ANN401 - whatever it has
    return {
        "topic": "grade-events",
        "partition": 3,
        "offset": offset,
        "event": event,
        "event_time": "2026-10-23T09:12:44.120Z",
        "event_id": f"{offset:016x}",
        **fields,
    }


def _row(role: str, course_id: str, points: list[list[Any]], student_id: str = "4801") -> Answer:
    current = points[-1][1]
    final = round(current * 0.8, 2)
    row: Answer = {
        "tenant": TENANT,
        "student_id": student_id,
        "course_id": course_id,
        "current_score": current,
        "final_score": final,
        "workflow_state": "active",
        "updated_at": "2026-10-23T09:12:40.000Z",
        "event_time": "2026-10-23T09:12:44.120Z",
        "account_id": "12",
        "history": points,
        "grade_changes": [
            {
                "assignment_id": "3551",
                "event_time": "2026-10-23T09:11:00.000Z",
                "score": 11.0,
                "old_score": 20.0,
                "points_possible": 20.0,
                "old_points_possible": 20.0,
            }
        ],
        "alerts": [
            each
            for each in seen(role)
            if each["state"] == "firing"
            and (each.get("student_id"), each.get("course_id")) == (student_id, course_id)
        ],
    }
    if role != "student":
        override = 84.0 if course_id == "571" or student_id.endswith("0") else None
        row |= {
            "override_score": override,
            "period_overrides": {},
            "effective_final_score": final if override is None else override,
        }
    if role not in {"student", "advisor"}:
        row |= {
            "unposted_current_score": current - 2.5,
            "unposted_final_score": final - 2.5,
            "unposted_history": [*points[:-1], [points[-1][0], current - 2.5]],
        }
        row["grade_changes"][0] |= {"muted": False, "grader_id": "77"}
    return row


def student(role: str = "local") -> Answer:
    """Return the answer of /api/v1/students/{student_id}."""
    courses = [("565", [*FELL[:-1], ["2026-10-23", 68.0]]), ("571", SLID), ("580", STEADY)]
    rows = [_row(role, course_id, points) for course_id, points in reversed(courses)]
    return {"tenant": TENANT, "student_id": "4801", "courses": rows}


def course(role: str = "local", students: int = 42) -> Answer:
    """Return the answer of /api/v1/courses/{course_id}."""
    ids = ["4801", "5190", "4915", *(str(7000 + 13 * n) for n in range(students - 3))][:students]
    rows = []
    for n, student_id in enumerate(ids):
        end = round(96 - 47 * ((n * 0.618) % 1) ** 2, 2)
        points = FELL if student_id == "5190" else [*STEADY[:-1], ["2026-10-23", end]]
        rows.append(_row(role, "565", points, student_id))
    return {"tenant": TENANT, "course_id": "565", "students": rows}


def status() -> Answer:
    """Return the answer of /api/v1/status."""
    return {
        "workers": [
            {
                "worker": "worker-a",
                "ready": True,
                "reasons": [],
                "partitions": [0, 1, 2, 3],
                "restoring": [],
            },
            {
                "worker": "worker-b",
                "ready": False,
                "reasons": ["restoring: 2 of 4 partitions"],
                "partitions": [4, 5],
                "restoring": [6, 7],
            },
        ],
        "lag": [
            {"topic": "canvas-live-events", "partition": 0, "records": 1204},
            {"topic": "grade-events", "partition": 3, "records": 0},
        ],
        "throughput": {"intake": 4810.4, "scoring": 4790.0},
        "fates": {
            "intake": {"passed": 1290331, "ignored": 50211, "refused": 17},
            "scoring": {"kept": 1280034, "alerted": 412, "late": 98, "duplicate": 9787},
        },
        "refused": {"bad_number": 9, "missing_field": 6, "not_json": 2},
        "rules_hash": "9f3ab2c4d5e6f701",
        "tenants": [
            {"tenant": TENANT, "last_event": "2026-10-24T13:40:02.000Z"},
            {"tenant": "southfield.edu", "last_event": None},
        ],
        "alerts": {"listed": 6120, "caught_up": True},
        "warnings": ["rules.yaml:14:5 is wrong as it is now; the rules before it are in force"],
    }


def refused() -> Answer:
    """Return the answer of /api/v1/refused."""
    return {
        "refused": [
            {
                "topic": "grade-events-refused",
                "partition": n % 4,
                "offset": 40 - n,
                "reason": reason,
                "detail": detail,
                "source_topic": "canvas-live-events",
                "source_partition": 0,
                "source_offset": 88123 - n,
                "at": f"2026-10-24T13:{40 - n}:02.000Z",
            }
            for n, (reason, detail) in enumerate(
                [
                    ("bad_number", "current_score: bool"),
                    ("missing_field", "course_id"),
                    ("not_json", "at byte 17"),
                ]
            )
        ],
        "counts": {"bad_number": 9, "missing_field": 6, "not_json": 2},
    }


def rules() -> Answer:
    """Return the answer of /api/v1/rules."""
    return {
        "rules_hash": "9f3ab2c4d5e6f701",
        "rules": [
            {"id": "steep-drop", "kind": "score_drop", "points": "12", "severity": "warning"},
            {"id": "feed-silent", "kind": "feed_silent", "silence": 259200, "severity": "warning"},
        ],
        "words": {
            "steep-drop": "Alerts when the current score falls by 12 points or more at once.",
            "feed-silent": "Alerts when no grade event of a tenant has come for 3 days.",
        },
    }
