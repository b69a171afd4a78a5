"""A row as some eyes are shown it: what is not for them is absent, not null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.access.roles import Eyes
    from streams.web.problem import Answer

_UNPOSTED: Final = (
    "unposted_current_score", "unposted_final_score", "unposted_history",
    # Whoever knows when something changed, and sees that nothing did, knows what is not posted.
    "updated_at", "event_time",
)  # fmt: skip
_OVERRIDES: Final = ("override_score", "effective_final_score", "period_overrides")
_ACTOR: Final = ("override_grader_id",)


def is_there(row: Answer, eyes: Eyes) -> bool:
    """Tell whether a row is one to some eyes: an override that is not shown makes none."""
    return eyes.overrides or row["workflow_state"] is not None


def cut(row: Answer, eyes: Eyes) -> Answer:
    """Return a row without what some eyes are not shown.

    Args:
        row: Whole; it is changed.
        eyes: Whose.
    """
    changes = row["grade_changes"]
    if not eyes.unposted:
        _without(row, _UNPOSTED)
        changes = row["grade_changes"] = [one for one in changes if not one["muted"]]
        for change in changes:
            del change["muted"]
    if not eyes.overrides:
        _without(row, _OVERRIDES)
    if not eyes.actor:
        _without(row, _ACTOR)
        for change in changes:
            del change["grader_id"]
    return row


def _without(row: Answer, names: tuple[str, ...]) -> None:
    for name in names:
        row.pop(name, None)
