"""Rules ready to judge by: sorted by what they look at, with the least that reaches any."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Final

from streams.core.rules import (
    AssignmentDrop,
    OverrideGap,
    OverrideMoved,
    Rule,
    Rules,
    ScoreBelow,
    ScoreDrop,
    ScoreSlide,
    ScoreVanished,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.events import Percent

ScoreRule = ScoreDrop | ScoreSlide | ScoreBelow | ScoreVanished

AUTOMATIC: Final = "automatic"
"""Who graded, where nobody did."""

_EDGE: Final = 1e-6
"""Floats say that a move is too small for any rule; decimals decide the rest."""


class Least:
    """The least of each measure that any of some rules on scores looks for, as floats."""

    def __init__(self, rules: Iterable[ScoreRule]) -> None:
        """Look through the rules."""
        self.drop = self.drop_percent = self.slide = self.slide_percent = inf
        floors = set[float]()
        self.vanished = False
        for rule in rules:
            if isinstance(rule, ScoreBelow):
                floors.add(float(rule.floor) + _EDGE)
            elif isinstance(rule, ScoreVanished):
                self.vanished = True
            else:
                name = "drop" if isinstance(rule, ScoreDrop) else "slide"
                name += "" if rule.percent is None else "_percent"
                setattr(self, name, min(getattr(self, name), float(rule.threshold) - _EDGE))
        self.floors = tuple(sorted(floors))
        self.floor = max(floors, default=-inf)
        self.slides = min(self.slide, self.slide_percent) < inf
        falls = min(self.drop, self.drop_percent, self.slide, self.slide_percent)
        self.any = bool(falls < inf or floors or self.vanished)

    def may_drop(self, old: Percent | None, new: Percent | None) -> bool:
        """Tell whether a fall from one score to another may reach a rule about drops."""
        if old is None or new is None:
            return False
        fall = old - new
        return fall >= self.drop or (fall > 0 and 100 * fall >= self.drop_percent * old)

    def may_cross(self, lowest: Percent, highest: Percent, *, unknown: bool) -> bool:
        """Tell whether scores may come to a floor from above it, or from where is not known."""
        return any(lowest <= floor and (unknown or highest > floor) for floor in self.floors)

    def may_slide(self, highest: Percent, new: Percent) -> bool:
        """Tell whether a score so far below the highest of a window may reach a rule."""
        fall = highest - new
        return fall >= self.slide or (fall > 0 and 100 * fall >= self.slide_percent * highest)


class RuleSet:
    """Rules in force.

    Attributes:
        rules: As the file says them.
        hash: Of the set.
        by_id: Each rule about students by its id.
        feeds: The rules about feeds, by id.
        keep_changes: Whether a living rule is about grade changes.
    """

    def __init__(self, rules: Rules) -> None:
        """Sort the rules."""
        self.rules = rules
        self.hash = rules.hash
        self.by_id: dict[str, Rule] = {rule.id: rule for rule in rules.students}
        self.feeds = {rule.id: rule for rule in sorted(rules.feeds, key=lambda rule: rule.id)}
        at_once = [rule for rule in rules.students if not rule.lives]
        living = [rule for rule in rules.students if rule.lives]
        self.at_once_scores = _by_view(at_once)
        self.at_once_least = {view: Least(some) for view, some in self.at_once_scores.items()}
        self.at_once_moves = [rule for rule in at_once if isinstance(rule, OverrideMoved)]
        self.at_once_assignments = [rule for rule in at_once if isinstance(rule, AssignmentDrop)]
        self.scores = _by_view(living)
        self.least = {view: Least(some) for view, some in self.scores.items()}
        self.moves = [rule for rule in living if isinstance(rule, OverrideMoved)]
        self.gaps = [rule for rule in living if isinstance(rule, OverrideGap)]
        self.assignments = [rule for rule in living if isinstance(rule, AssignmentDrop)]
        self.keep_changes = bool(self.assignments)

    def is_of(self, rule: Rule, *, posted: bool) -> bool:
        """Tell whether a living rule judges posted facts, or unposted ones; some judge both."""
        if isinstance(rule, AssignmentDrop):
            return True
        return posted if not isinstance(rule, ScoreRule) else rule.is_posted is posted


def matches(
    rule: Rule, tenant: str, account: str | None, course: str, grader: str | None = None
) -> bool:
    """Tell whether a rule is about a course, and about who graded.

    Args:
        rule: The rule.
        tenant: Whose.
        account: The course's; None: unknown.
        course: Canonical id.
        grader: Canonical id, or ``automatic``; None: unknown.
    """
    match = rule.match
    if match is None:
        return True
    graders = getattr(match, "graders", None)
    return (
        (match.tenants is None or match.tenants.take(tenant))
        and (match.accounts is None or match.accounts.take(account))
        and (match.courses is None or match.courses.take(course))
        and (graders is None or graders.take(grader))
    )


def _by_view(rules: Iterable[Rule]) -> dict[bool, list[ScoreRule]]:
    """Return the rules on posted scores under True, those on unposted ones under False."""
    found: dict[bool, list[ScoreRule]] = {True: [], False: []}
    for rule in rules:
        if isinstance(rule, ScoreRule):
            found[rule.is_posted].append(rule)
    return found


NO_RULES: Final = RuleSet(Rules.model_validate({"rules": []}))
"""Before any rules were announced nothing is judged."""


@lru_cache(maxsize=16)
def rule_set(canonical: str) -> RuleSet:
    """Return rules ready to judge by.

    Args:
        canonical: As `Rules.canonical` wrote them; empty: none.

    Raises:
        ValueError: They are none; pydantic's errors are such.
    """
    return RuleSet(Rules.model_validate_json(canonical)) if canonical else NO_RULES
