"""One alert from its beginning to its end, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.oracle.living_kinds import Start
    from tests.oracle.living_rules import Rule

Fields = dict[str, Any]
Subject = tuple[str, str | None, str]
"""Rule id, the grading period or assignment, and the view."""


@dataclass
class Episode:
    """One alert from its beginning: ``pending``, ``firing`` or ``recovering``."""

    rule: Rule  # in force when it began
    item: str | None
    view: str
    begun: Start
    pending_since: datetime
    event_time: datetime  # of the statement followed last
    state: str = "pending"
    due: datetime | None = None  # the end of ``for`` or ``keep_firing_for``
    opened_at: datetime | None = None
    expires: datetime | None = None
    seq: int = 0
    severity: str = ""
    after: Fraction | None = None
    size: Fraction | None = None
    told_size: Fraction | None = None
    is_posted_told: bool = False
    is_left_out: bool = False  # of what staff see: an unposted alert tells it

    @property
    def subject(self) -> Subject:
        return self.rule.id, self.item, self.view


class Timer(NamedTuple):
    """The end of a time; in the order in which timers of one instant come."""

    due: datetime
    is_posted: bool
    rule: str
    item: str
    is_expiry: bool


def record(
    one: Episode, transition: str, reason: str, at: datetime, *, gap_suspected: bool
) -> Fields:
    """Return what is told of a transition; what is unknown is left out."""
    rule, before, now = one.rule, one.begun.before, one.after
    is_resolved = transition == "resolved"
    item = "assignment_id" if rule.kind == "assignment_drop" else "grading_period_id"
    found = {
        "rule": rule.id,
        "kind": rule.kind,
        "view": one.view,
        item: one.item,
        "transition": transition,
        "state": "resolved" if is_resolved else "firing",
        "reason": reason,
        "seq": one.seq,
        "severity": one.severity,
        "before": before,
        "after": now,
        "change": None if before is None or now is None else now - before,
        "size": one.size,
        "threshold": rule.threshold,
        "at": at,
        "event_time": one.event_time,
        "pending_since": one.pending_since,
        "opened_at": one.opened_at,
        "resolved_at": at if is_resolved else None,
        "gap_suspected": gap_suspected or None,
    }
    return {key: plain(value) for key, value in found.items() if value is not None}


def recovered(rule: Rule) -> str:
    """Return why an alert of a rule resolves once it has recovered."""
    return "gap_closed" if rule.kind == "override_gap" else "recovered"


def is_within(inner: Episode, outer: Episode) -> bool:
    """Tell whether a fall lies within another."""
    ends = inner.begun.before, inner.after, outer.begun.before, outer.after
    if any(end is None for end in ends):
        return False
    high, low, top, bottom = ends
    return bool(bottom <= low <= top and bottom <= high <= top)  # type: ignore[operator] # no None


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    """Return a value as JSON has it: numbers as floats, times as text."""
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return value
