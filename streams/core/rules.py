"""rules.yaml → what alerts. Rule kinds are alert kinds.

The minimal form ``{id, kind, points, severity}`` stays valid for ever and means: at once, no
settling, no resolve. Thresholds are inclusive ("at least") and compared in decimals, so that
70.1 → 60.1 is a move of 10.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from streams.core.yamlfile import Finding, parse

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(StrEnum):
    """What happened. A rule's kind is the kind of its alerts."""

    SCORE_DROP = "score_drop"  # posted current_score fell, by the event's own old and new
    OVERRIDE_RAISED = "override_raised"  # an override lifted the effective final score
    OVERRIDE_LOWERED = "override_lowered"
    OVERRIDE_REMOVED = "override_removed"  # taking it away moved the score, either way


class Severity(StrEnum):
    """How loud. Alertmanager's usual three."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Rule(BaseModel):
    """One rule.

    Attributes:
        id: Unique in its file; stands in alerts and metrics.
        kind: What it looks for.
        points: Percentage points a score must move, at least.
        severity: Copied to its alerts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    kind: Kind
    points: Annotated[Decimal, Field(gt=0, le=1000, allow_inf_nan=False)]
    severity: Severity


class Rules(BaseModel):
    """The whole file, in its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...]

    @property
    def hash(self) -> str:
        """16 hex digits of the set's meaning: comments and layout do not change it."""
        return blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()

    def of(self, *kinds: Kind) -> tuple[Rule, ...]:
        """Return the rules of some kinds, in file order."""
        return tuple(rule for rule in self.rules if rule.kind in kinds)


def load(text: str, file: str) -> Rules:
    """Return the rules in a file's text.

    Args:
        text: YAML.
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
    return parse(text, Rules, file, _repeated_ids)


def _repeated_ids(rules: Rules) -> Iterator[Finding]:
    """Find rules whose id another has: an id names one rule in its alerts."""
    first: dict[str, int] = {}
    for index, rule in enumerate(rules.rules):
        if first.setdefault(rule.id, index) != index:
            yield Finding(("rules", index, "id"), f"another rule has the id {rule.id!r}")
