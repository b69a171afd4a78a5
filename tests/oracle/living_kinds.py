"""What each kind of rule looks for: the table of docs/alerts.md, read once more.

A rule opens on an event, and from then on stands in one of five ways to what is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.oracle.living_facts import PAIRS, percent_of
from tests.oracle.living_rules import MOVES, OVERRIDE_KINDS, SCORE_KINDS, Rule, exact, moment

if TYPE_CHECKING:
    from tests.oracle.living_facts import Facts

Fields = dict[str, Any]


class Standing(Enum):
    """How what is known stands to an alert."""

    HOLDS = auto()
    BETWEEN = auto()  # it neither holds nor has it recovered
    RECOVERED = auto()
    UNKNOWN = auto()  # the score is not known
    WITHDRAWN = auto()  # there is no override any more


@dataclass(frozen=True)
class Start:
    """What an alert begins with.

    Attributes:
        before: The value that it is measured against.
    """

    before: Fraction | None


def is_concerned(rule: Rule, event: Fields, view: str) -> bool:
    """Tell whether an event, seen by a view, is about what a rule looks at."""
    if rule.kind == "assignment_drop":  # in either view
        return event["type"] == "grade_change" and event.get("assignment_id") is not None
    if rule.view != view:
        return False
    if event["type"] == "grade_override":
        return rule.kind in MOVES or (
            rule.kind == "override_gap" and event.get("grading_period_id") is None
        )
    if event["type"] == "course_grade_change":
        return rule.kind in (*SCORE_KINDS, "override_gap", "override_removed")
    return False


def item_of(rule: Rule, event: Fields) -> str | None:
    """Return what a rule's alert is about, apart from student and course."""
    if rule.kind == "assignment_drop":
        return event.get("assignment_id")
    return event.get("grading_period_id") if rule.kind in OVERRIDE_KINDS else None


def start(rule: Rule, event: Fields, known: Facts, now: Facts) -> Start | None:
    """Return with what an alert opens on an event; None: the event does not reach the rule.

    Args:
        rule: A living one that is concerned.
        event: The event.
        known: What was known before it.
        now: What is known with it.
    """
    if rule.kind in SCORE_KINDS:
        return _start_on_score(rule, event, known)
    if rule.kind == "assignment_drop":
        return _start_on_assignment(rule, event)
    return (
        _start_of_gap(rule, now)
        if rule.kind == "override_gap"
        else (_start_on_override(rule, event, known))
    )


def _start_on_assignment(rule: Rule, event: Fields) -> Start | None:
    old = percent_of(event.get("old_score"), event.get("old_points_possible"))
    new = percent_of(event.get("score"), event.get("points_possible"))
    if old is None or new is None or event.get("old_score") == event.get("score"):
        return None
    return Start(old) if _reaches(rule, old - new) else None


def _start_of_gap(rule: Rule, now: Facts) -> Start | None:
    override, score = now.override(None), computed(rule, now)
    if override is None or score is None:
        return None
    apart = override - score
    large = _sign(rule) * apart if _sign(rule) else abs(apart)
    return Start(score) if _reaches(rule, large) else None


def _sign(rule: Rule) -> int:
    """Return 1 for a gap above the computed score, -1 for one below, 0 for either."""
    return {"above": 1, "below": -1}.get(rule.stated.get("direction", "either"), 0)


def _start_on_score(rule: Rule, event: Fields, known: Facts) -> Start | None:
    name = PAIRS[known.view][0]
    old, new = exact(event.get(f"old_{name}")), exact(event.get(name))
    earlier = known.score if old is None else old
    if rule.kind == "score_vanished":
        return Start(earlier) if new is None and earlier is not None else None
    if new is None:
        return None
    if rule.kind == "score_below":
        floor = rule.threshold
        assert floor is not None
        from_above = any(one is not None and one > floor for one in (old, known.score))
        from_none = rule.stated.get("from_null", False) and earlier is None
        top = old if old is not None and old > floor else known.score
        return Start(top) if new <= floor and (from_above or from_none) else None
    if old is None or new >= old:
        return None
    before: Fraction | None = old
    if rule.kind == "score_slide":
        closings = known.window(moment(event["event_time"]), rule.seconds("window"))
        before = {
            "peak": max([*closings, old]),
            "median": median(closings) if closings else None,
            "first": closings[0] if closings else None,
        }[rule.stated["from"]]
    if before is None:
        return None
    return Start(before) if _reaches(rule, _fall(rule, before, new)) else None


def _start_on_override(rule: Rule, event: Fields, known: Facts) -> Start | None:
    if event["type"] != "grade_override":
        return None
    old, new = exact(event.get("old_override_score")), exact(event.get("override_score"))
    kind = "override_removed" if new is None else ""
    if event.get("grading_period_id") is None:
        old = known.final if old is None else old
        new = known.final if new is None else new
    if old is None or new is None:
        return None
    kind = kind or ("override_raised" if new > old else "override_lowered")
    return Start(old) if rule.kind == kind and _reaches(rule, abs(new - old)) else None


def after(rule: Rule, item: str | None, facts: Facts) -> Fraction | None:
    """Return what holds now of that which an alert is about."""
    if rule.kind in SCORE_KINDS:
        return facts.score
    if rule.kind == "assignment_drop":
        return facts.percent(item)
    override = facts.override(item)
    if rule.kind == "override_gap" or override is not None or item is not None:
        return override
    return facts.final


def size(rule: Rule, before: Fraction | None, item: str | None, facts: Facts) -> Fraction | None:
    """Return how big an alert is now; None where the kind has no size, or a value is unknown."""
    now = after(rule, item, facts)
    if now is None or rule.kind == "score_vanished":
        return None
    if rule.kind == "score_below":
        assert rule.threshold is not None
        return rule.threshold - now
    against = computed(rule, facts) if rule.kind == "override_gap" else before
    if against is None:
        return None
    move = now - against
    return {
        "override_gap": _sign(rule) * move if _sign(rule) else abs(move),
        "override_raised": move,
        "override_removed": abs(move),
    }.get(rule.kind, _fall(rule, against, now))


def standing(rule: Rule, begun: Start, item: str | None, facts: Facts) -> Standing:
    """Return how what is known stands to an alert that began so."""
    there_is = {"score_vanished": facts.score, "override_removed": facts.override(item)}
    if rule.kind in there_is:
        return Standing.HOLDS if there_is[rule.kind] is None else Standing.RECOVERED
    if rule.kind in OVERRIDE_KINDS and facts.override(item) is None:
        return Standing.WITHDRAWN
    now, against = after(rule, item, facts), begun.before
    if rule.kind == "override_gap":
        against = computed(rule, facts)
    elif rule.kind == "score_below":
        against = rule.threshold
    if now is None or against is None:
        return Standing.UNKNOWN
    return _standing(rule, against, now)


def _standing(rule: Rule, against: Fraction, now: Fraction) -> Standing:
    threshold = Fraction(0) if rule.kind == "score_below" else rule.threshold
    assert threshold is not None
    left = {
        "override_raised": now - against,
        "override_gap": _sign(rule) * (now - against) if _sign(rule) else abs(now - against),
    }.get(rule.kind, _fall(rule, against, now))
    bound = threshold - rule.recovery
    if rule.kind in MOVES:
        is_back = left <= bound if rule.recovery else left < threshold
    else:
        is_back = left <= bound if rule.recovery else left < threshold
    if is_back:
        return Standing.RECOVERED
    return Standing.HOLDS if left >= threshold else Standing.BETWEEN


def _fall(rule: Rule, before: Fraction, now: Fraction) -> Fraction:
    """Return a fall in the rule's unit; none is told in percent of nothing."""
    if not rule.in_percent:
        return before - now
    return (before - now) * 100 / before if before > 0 else Fraction(0)


def computed(rule: Rule, facts: Facts) -> Fraction | None:
    """Return the computed score that overrides are held against."""
    return facts.score if rule.stated.get("against") == "current_score" else facts.final


def _reaches(rule: Rule, large: Fraction) -> bool:
    assert rule.threshold is not None
    return large >= rule.threshold
