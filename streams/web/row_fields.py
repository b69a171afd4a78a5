"""The fields of a row as people get them, by name and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.web.history import history

if TYPE_CHECKING:
    from streams.core.rows import Override, Row, Scores
    from streams.web.problem import Answer

ROW_FIELDS: Final = (
    "tenant", "student_id", "course_id",
    "current_score", "final_score", "unposted_current_score", "unposted_final_score",
    "override_score", "effective_final_score", "workflow_state", "updated_at", "event_time",
    "account_id", "period_overrides", "override_grader_id", "grade_changes",
    "history", "unposted_history",
)  # fmt: skip
"""The fields of a row, in the order of the answer."""


def answer(owner: bytes, item: bytes, row: Row) -> Answer:
    """Return a row as people get it; its keys are ``ROW_FIELDS``."""
    tenant, _, student = owner.rpartition(b":")
    held = row.scores[0] if row.scores else None
    latest = held or _latest_override(row)
    unposted = held.new[2:] if held else (None, None)
    values = (
        tenant.decode(), student.decode(), item.decode(),
        row.current_score, row.final_score, *unposted,
        row.override_score, row.effective_final_score, held.workflow_state if held else None,
        latest.updated_at, latest.event_time,
        row.account_id, _period_overrides(row),
        row.override[0].grader_id if row.override else None, _grade_changes(row),
        history(row.posted, held, 0), history(row.staff, held, 2),
    )  # fmt: skip
    return dict(zip(ROW_FIELDS, values, strict=True))


def _latest_override(row: Row) -> Override | Scores:
    """Return the override that dates a row without scores: the course's, else the newest."""
    if row.override:
        return row.override[0]
    held = (overrides[0] for overrides in row.period_overrides.values())
    return max(held, key=lambda override: (override.event_time, override.updated_at or ""))


def _period_overrides(row: Row) -> Answer:
    """Return the overrides that are set, by grading period."""
    return {
        period: held[0].new
        for period, held in sorted(row.period_overrides.items())
        if held[0].new is not None
    }


def _grade_changes(row: Row) -> list[Answer]:
    """Return the assignments graded last, newest first. Points."""
    return [
        {
            "assignment_id": change.assignment_id,
            "event_time": change.event_time,
            "score": change.new[0],
            "old_score": change.old[0],
            "points_possible": change.new[1],
            "old_points_possible": change.old[1],
            "muted": change.muted,
            "grader_id": change.grader_id,
        }
        for change in reversed(row.grade_changes)
    ]
