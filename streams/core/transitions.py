"""A step in the life of an alert, and what such steps have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from streams.core.conditions import decimal
from streams.core.events import Instant, Percent
from streams.core.rule_parts import Severity
from streams.core.rules import Kind, OverrideGap, Rule
from streams.core.tracks import Cause, Episode

if TYPE_CHECKING:
    from decimal import Decimal


MOVED: Final = {Kind.OVERRIDE_RAISED, Kind.OVERRIDE_LOWERED, Kind.OVERRIDE_REMOVED}
OF_AN_OVERRIDE: Final = {Kind.OVERRIDE_RAISED, Kind.OVERRIDE_LOWERED, Kind.OVERRIDE_GAP}
DEEPEN: Final = {
    Kind.SCORE_DROP, Kind.SCORE_SLIDE, Kind.ASSIGNMENT_DROP, Kind.OVERRIDE_GAP, *MOVED,
}  # fmt: skip
_LOUDNESS: Final = ["", *Severity]

FALLS: Final = {Kind.SCORE_DROP, Kind.SCORE_SLIDE, Kind.SCORE_BELOW}
"""Kinds whose alerts of one fall are told to staff once, be it unposted first."""


class Who(Struct, frozen=True, gc=False):
    """Whom a row is about."""

    tenant: str
    student_id: str
    course_id: str


class Transition(Struct, frozen=True, gc=False):
    """A step in the life of an alert. Percent and percentage points.

    Attributes:
        posted: Which view.
        key: The rule's id, or that and the subject.
        rule: The rule.
        episode: The alert as it is after the step.
        transition: ``opened``, ``updated``, ``recovering``, ``relapsed`` or ``resolved``.
        reason: Why.
        at: When.
        cause: The event that brought it; None: time, or new rules.
        before: What it is measured from.
        after: What holds.
        gap: Whether something seems to have been lost since it began.
        inputs: What the rule looked at.
        to_staff: Whether staff are told; of the posted view they may know already.
        late: Whether a newer event had been applied before.
        score_now: With late: what holds.
    """

    posted: bool
    key: str
    rule: Rule
    episode: Episode
    transition: str
    reason: str
    at: Instant
    cause: Cause | None
    before: Percent | None
    after: Percent | None
    gap: bool
    inputs: dict[str, Any]
    to_staff: bool = True
    late: bool = False
    score_now: Percent | None = None


def in_order(key: str) -> tuple[str, str]:
    """Return by what alerts are sorted: rule id, then grading period or assignment."""
    rule, _, subject = key.partition(":")
    return rule, subject


def inputs_of(was: Episode, now: Episode, transition: str, reason: str) -> dict[str, Any]:
    """Return what a rule looked at besides what it measures: enough to judge again."""
    if transition == "opened":
        return {
            "old": was.old, "new": was.new, "known": was.known, "history": was.history,
            "basis": list(was.basis), "since": was.since, "due": was.opened_at,
        }  # fmt: skip
    if transition == "updated":
        return {"told_size": was.size, "told_severity": was.severity, "severity": now.severity}
    if reason == "expired":
        return {"expires_at": was.expires_at}
    return {"due": was.until} if was.until else {}


def over(rule: Rule) -> str:
    """Return why an alert that has recovered is resolved."""
    return "gap_closed" if isinstance(rule, OverrideGap) else "recovered"


def loudness(severity: str) -> int:
    """Return how loud a severity is; 0: none was told."""
    return _LOUDNESS.index(severity)


def grown(size: Decimal, episode: Episode) -> Decimal:
    """Return by how much a size is more than was told last."""
    return size - decimal(episode.size or 0.0)
