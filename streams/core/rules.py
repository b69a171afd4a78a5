"""rules.yaml → what alerts. Rule kinds are alert kinds; docs/alerts.md says what each key means.

The minimal form ``{id, kind, points, severity}`` stays valid for ever and means: at once, no
settling, no resolve. Thresholds are inclusive ("at least") and compared in decimals, so that
70.1 → 60.1 is a move of 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core.rule_model import (
    GRACE,
    AnyRule,
    AssignmentDrop,
    Fall,
    FeedSilent,
    OverrideGap,
    OverrideMoved,
    Rule,
    Rules,
    ScoreBelow,
    ScoreDrop,
    ScoreSlide,
    ScoreVanished,
    View,
)
from streams.core.rule_parts import Kind, Severities, Severity
from streams.core.yamlfile import Finding, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "GRACE", "AnyRule", "AssignmentDrop", "Fall", "FeedSilent", "Kind", "OverrideGap",
    "OverrideMoved", "Rule", "Rules", "ScoreBelow", "ScoreDrop", "ScoreSlide", "ScoreVanished",
    "Severities", "Severity", "View", "findings", "load",
]  # fmt: skip


def load(text: str | bytes, file: str) -> Rules:
    """Return the rules in a file's text.

    Args:
        text: YAML; bytes are read as UTF-8.
        file: The name to give in messages.

    Returns:
        The checked rules.

    Raises:
        ConfigurationError: Something is wrong; each problem as ``file:line:column: message``.

    Example:
        >>> rules = load('''
        ... rules:
        ...   - {id: drop-10, kind: score_drop, points: 10, severity: warning}
        ... ''', "rules.yaml")
        >>> rules.rules[0].points, rules.hash
        (Decimal('10'), '4f2d8bb654cf8d9c')
    """
    return parse(text, Rules, file, findings)


def findings(rules: Rules) -> Iterator[Finding]:
    """Find what is wrong and no single field can know."""
    first: dict[str, int] = {}
    for index, rule in enumerate(rules.rules):
        place = ("rules", index)
        if (other := first.setdefault(rule.id, index)) != index:  # an id names one rule in alerts
            yield Finding((*place, "id"), f"id: {rule.id!r} is the id of rule {other + 1}, too")
        if isinstance(rule, FeedSilent):
            continue
        if isinstance(rule, Fall) and (rule.points is None) == (rule.percent is None):
            which = "neither is there" if rule.points is None else "not both"
            yield Finding(place, f"say either points or percent: {which}")
        elif isinstance(rule.severity, Severities):
            for key, what in _unreachable(rule, rule.severity):
                yield Finding((*place, "severity", *key), what)


def _unreachable(rule: Rule, given: Severities) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find severities that no alert of a rule can have."""
    if isinstance(rule, ScoreVanished):
        yield (), f"severity: {rule.kind} has no size: write just {given.default}"
        return
    unit, most = ("percent", 100) if getattr(rule, "percent", None) else ("points", None)
    words = list(Severity)
    for word, size in given.steps:
        louder = [f"{other} from {least} on" for other, least in given.steps
                  if words.index(other) > words.index(word) and least <= size]  # fmt: skip
        if words.index(word) <= words.index(given.default):
            yield (
                (word,),
                f"{word}: is never reached: no alert is below the default, {given.default}",
            )
        elif louder:
            yield (word,), f"{word}: is never reached: an alert is {louder[0]}"
        elif not isinstance(rule, ScoreBelow) and size <= rule.threshold:
            told = f"the rule alerts from {rule.threshold} {unit} on"
            yield (word,), f"{word}: {size} makes the default unreachable: {told}"
        elif isinstance(rule, ScoreBelow) and size > rule.floor:
            yield (word,), f"{word}: is never reached: no score is {size} below {rule.floor}"
        elif most is not None and size > most:
            yield (word,), f"{word}: is never reached: no score falls more than {most} percent"
