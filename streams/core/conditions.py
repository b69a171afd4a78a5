"""What rules compare: how far something moved, whether that is enough, whether it has recovered.

All in the decimals that scores were written as: 70.1 to 60.1 is a move of 10.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from streams.core.rules import (
    Kind,
    OverrideGap,
    ScoreBelow,
    ScoreDrop,
    ScoreSlide,
    ScoreVanished,
)

if TYPE_CHECKING:
    from streams.core.events import Percent
    from streams.core.rules import Rule

_ZERO: Final = Decimal(0)
_WAY: Final = {
    Kind.SCORE_DROP: 1, Kind.SCORE_SLIDE: 1, Kind.ASSIGNMENT_DROP: 1,
    Kind.OVERRIDE_LOWERED: 1, Kind.OVERRIDE_RAISED: -1,
}  # fmt: skip
"""Which way is worse: 1 down, -1 up; of the others both are."""


def decimal(value: Percent) -> Decimal:
    """Return the decimal that a score was written as: 70.1 is 70.1, not the float beside it.

    Example:
        >>> decimal(70.1) - decimal(60.1)
        Decimal('10.0')
    """
    return Decimal(repr(value))


def threshold_of(rule: Rule) -> Decimal:
    """Return what a size must be, at least; of ``score_vanished``, which has none, 0."""
    return _ZERO if isinstance(rule, ScoreVanished) else rule.threshold


def size_of(rule: Rule, before: Percent | None, now: Percent | None) -> Decimal | None:
    """Return how far something is from where it was, as the rule measures it.

    Args:
        rule: Whose measure: percentage points, or percent of the score before.
        before: What it is measured from; of ``override_gap`` the computed score.
        now: What holds.

    Returns:
        At least the threshold where it is enough; below 0 where it moved the other way; None where
        there is nothing to measure.
    """
    if isinstance(rule, ScoreBelow):
        return None if now is None else rule.floor - decimal(now)
    if isinstance(rule, ScoreVanished) or before is None or now is None:
        return None
    fall = decimal(before) - decimal(now)
    if isinstance(rule, ScoreDrop | ScoreSlide) and rule.percent is not None:
        return 100 * fall / decimal(before) if before > 0 else None
    way = _WAY.get(rule.kind, 0)
    if isinstance(rule, OverrideGap):
        way = {"above": -1, "below": 1}.get(rule.direction, 0)
    return way * fall if way else abs(fall)


def holds(rule: Rule, before: Percent | None, now: Percent | None) -> bool:
    """Tell whether what a rule looks for is so.

    Args:
        rule: The rule.
        before: What it is measured from; of ``override_gap`` the computed score.
        now: The score, the override, the assignment's percent; None: unknown, or none.
    """
    if rule.kind is Kind.SCORE_VANISHED or rule.kind is Kind.OVERRIDE_REMOVED:
        return now is None
    size = size_of(rule, before, now)
    if isinstance(rule, ScoreBelow):
        return size is not None and size >= 0
    return size is not None and size >= threshold_of(rule)


def is_known(rule: Rule, before: Percent | None, now: Percent | None) -> bool:
    """Tell whether it can be said at all if what a rule looks for is so.

    Args:
        rule: The rule.
        before: As in ``holds``.
        now: As in ``holds``.
    """
    if rule.kind is Kind.SCORE_VANISHED or rule.kind is Kind.OVERRIDE_REMOVED:
        return True
    return size_of(rule, before, now) is not None


def recovered(rule: Rule, before: Percent | None, now: Percent | None) -> bool:
    """Tell whether what a rule looks for is over, and by enough.

    Args:
        rule: The rule; ``clear.recovery`` is by how much.
        before: As in ``holds``.
        now: As in ``holds``.
    """
    if rule.kind is Kind.SCORE_VANISHED or rule.kind is Kind.OVERRIDE_REMOVED:
        return now is not None
    back = rule.clear.recovery if rule.clear else _ZERO
    size = size_of(rule, before, now)
    if size is None:
        return False
    threshold = _ZERO if isinstance(rule, ScoreBelow) else threshold_of(rule)
    return size <= threshold - back if back else size < threshold


def crosses(
    rule: ScoreBelow, known: Percent | None, old: Percent | None, new: Percent | None
) -> bool:
    """Tell whether a score came to a floor, or below it, from above.

    Args:
        rule: The floor, and whether coming from no score counts.
        known: The score known before the event.
        old: What the event says it was before.
        new: What it is now.

    Example:
        >>> from streams.core.rules import load
        >>> text = "rules: [{id: a, kind: score_below, floor: 70, severity: info}]"
        >>> [rule] = load(text, "a file").rules
        >>> crosses(rule, None, 75.0, 70.0), crosses(rule, 70.0, 70.0, 65.0)
        (True, False)
    """
    if new is None or decimal(new) > rule.floor:
        return False
    if old is None and known is None:
        return rule.from_null
    return any(one is not None and decimal(one) > rule.floor for one in (known, old))
