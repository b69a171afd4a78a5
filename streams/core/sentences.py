"""What an alert says: one plain sentence, or the rule's own text with the alert's values in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.core.conditions import decimal
from streams.core.durations import said
from streams.core.evidence import plain
from streams.core.rules import Kind, OverrideGap, ScoreBelow, ScoreDrop, ScoreSlide

if TYPE_CHECKING:
    from decimal import Decimal

    from streams.core.feeds import FeedStep
    from streams.core.rules import Rule
    from streams.core.transitions import Transition, Who

SCORE_OF: Final = {
    Kind.OVERRIDE_RAISED: "effective_final_score",
    Kind.OVERRIDE_LOWERED: "effective_final_score",
    Kind.OVERRIDE_REMOVED: "effective_final_score",
    Kind.OVERRIDE_GAP: "override_score",
    Kind.ASSIGNMENT_DROP: "assignment_score",
}
"""What an alert's ``before`` and ``after`` are, where it is not the view's current score."""

_REASONS: Final = {
    "severity_raised": "It has become {severity}.",
    "deepened": "It has grown by as much again as the rule asks for.",
    "posted": "It is posted now.",
    "relapsed": "It had begun to recover, and has not.",
    "recovered": "It has recovered.",
    "score_deleted": "Over: Canvas withdrew the scores.",
    "override_removed": "Over: the override was taken away.",
    "gap_closed": "Over: the gap has closed.",
    "rule_removed": "Over: the rule is no longer in force.",
    "expired": "Over: it has expired.",
}


def summary(step: Transition, size: Decimal | None) -> str:
    """Return an alert in one or two sentences: what moved, how far, which rule says so, what now.

    Args:
        step: The transition.
        size: How far; None: nothing to measure.
    """
    rule = step.rule
    moved = f"{plain(step.before)} → {plain(step.after)}"
    told = f"{_what(step, size).format(moved=moved)}; rule {rule.id}{_least(rule)}."
    reason = _REASONS.get(step.reason)
    if reason is None:
        return told
    return f"{told} {reason.format(severity=step.episode.severity)}"


def _what(step: Transition, size: Decimal | None) -> str:
    rule, far = step.rule, "" if size is None else plain(abs(size))
    score = "Current score" if step.posted else "Current score, unposted work included,"
    if size is None and isinstance(rule, ScoreDrop | ScoreSlide | OverrideGap):
        what = "The override" if isinstance(rule, OverrideGap) else score
        return f"{what} is gone ({{moved}})"
    if isinstance(rule, ScoreDrop):
        return f"{score} fell {far}{_unit(rule)} ({{moved}})"
    if isinstance(rule, ScoreSlide):
        place = {"peak": "peak", "median": "median", "first": "first score"}[rule.from_]
        days = rule.window // 86_400
        return f"{score} is {far}{_unit(rule)} below the {place} of {days} days ({{moved}})"
    if isinstance(rule, ScoreBelow):
        return f"{score} is {plain(step.after)} ({{moved}})"
    if isinstance(rule, OverrideGap):
        return f"The override is {far} points from the computed score ({{moved}})"
    return {
        Kind.SCORE_VANISHED: f"{score} vanished ({{moved}})",
        Kind.OVERRIDE_RAISED: f"An override raised the final score by {far} points ({{moved}})",
        Kind.OVERRIDE_LOWERED: f"An override lowered the final score by {far} points ({{moved}})",
        Kind.OVERRIDE_REMOVED: (
            f"Removing an override moved the final score by {far} points ({{moved}})"
        ),
    }.get(rule.kind, f"An assignment's score fell {far} percent of points possible ({{moved}})")


def _unit(rule: ScoreDrop | ScoreSlide) -> str:
    return " points" if rule.percent is None else " %"


def _least(rule: Rule) -> str:
    if rule.kind is Kind.SCORE_VANISHED:
        return ""
    if isinstance(rule, ScoreBelow):
        return f" alerts at {plain(rule.floor)} or less"
    unit = " %" if isinstance(rule, ScoreDrop | ScoreSlide) and rule.percent is not None else ""
    return f" alerts at {plain(rule.threshold)}{unit} or more"


def own_words(text: str, step: Transition, who: Who, size: Decimal | None) -> str:
    """Return a rule's own text with the alert's values in it.

    Args:
        text: With the variables that ``rule_parts.VARIABLES`` lists; the file was checked.
        step: The transition.
        who: Whom it is about.
        size: How far; None: nothing to measure.
    """
    rule = step.rule
    change = None
    if step.before is not None and step.after is not None:
        change = _difference(step.before, step.after)
    return text.format(
        rule=rule.id, kind=rule.kind, severity=step.episode.severity,
        view="posted" if step.posted else "unposted",
        tenant=who.tenant, student_id=who.student_id, course_id=who.course_id,
        before=plain(step.before), after=plain(step.after), change=plain(change),
        size=plain(size), threshold=plain(getattr(rule, "threshold", None)),
        since=step.episode.since,
    )  # fmt: skip


def _difference(before: float, after: float) -> Decimal:
    return decimal(after) - decimal(before)


def feed_summary(step: FeedStep) -> str:
    """Return an alert about a feed in one or two sentences."""
    tenant, back = step.silent.tenant, step.reason == "recovered"
    what = (
        f"Grade events of {tenant} come again"
        if back
        else f"No grade event of {tenant} has come for {said(step.rule.silence)}"
    )
    told = f"{what}, the last is of {step.heard}; rule {step.rule.id}."
    over = _REASONS["rule_removed"] if step.reason == "rule_removed" else ""
    return f"{told} {over}".rstrip()


def feed_words(text: str | None, step: FeedStep) -> str | None:
    """Return a rule's own text about a feed with the alert's values in it; None where it has none.

    Args:
        text: With the variables that ``rule_parts.FEED_VARIABLES`` lists; the file was checked.
        step: The step.
    """
    if text is None:
        return None
    rule, silent = step.rule, step.silent
    return text.format(
        rule=rule.id, kind=rule.kind, severity=silent.severity, tenant=silent.tenant,
        silence=said(rule.silence), since=silent.heard,
    )  # fmt: skip
