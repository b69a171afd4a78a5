"""Whether every rule is tested: that it fires, and that it stays silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.rules import Rules
    from streams.trust.testfile import RuleTests


def uncovered(rules: Rules, files: Iterable[RuleTests]) -> list[str]:
    """Return what no test says, a line for each rule and case; none: every rule is covered.

    An expectation counts for the rule that it, or its alert, names; ``"*"`` names none.

    Args:
        rules: Which must be covered.
        files: All test files about them.
    """
    fires, silent = set[str](), set[str]()
    for file in files:
        for expectation in (one for test in file.tests for one in test.expect):
            if not expectation.alerts:
                silent.add(expectation.rule)
            else:
                fires.add(expectation.rule)
                fires.update(alert.rule for alert in expectation.alerts if alert.rule)
    missing = []
    for rule in rules.rules:
        if rule.id not in fires:
            missing.append(f"rule {rule.id}: no test in which it fires")
        if rule.id not in silent:
            missing.append(f"rule {rule.id}: no test in which it stays silent (alerts: [])")
    return missing
