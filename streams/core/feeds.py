"""Feeds that have gone silent: of a tenant no grade event came for so long as a rule says.

The first partition of ``grade-events`` alone is told when a tenant was last heard of, and tells of
it, so that it is told once. Judged by that and the clock: a feed that lags, or an intake that is
dead, holds the clock back, and nobody is called silent for it. docs/alerts.md, "Silent feeds".
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from streams.core.clock import Silent, State
from streams.core.instants import checked, plus
from streams.core.tracks import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.events import Control, Instant
    from streams.core.rules import FeedSilent
    from streams.core.ruleset import RuleSet

WATCHED: Final = 1_000
"""Tenants that are watched at most: the first that were heard of."""

WATCHING: Final = 0
"""The partition of ``grade-events`` that watches."""


class FeedStep(NamedTuple):
    """A step in the life of an alert about a feed.

    Attributes:
        rule: The rule.
        silent: The alert.
        transition: ``opened`` or ``resolved``.
        reason: Why.
        at: When.
        heard: When the tenant's last event was.
        cause: The control record that brought it.
    """

    rule: FeedSilent
    silent: Silent
    transition: str
    reason: str
    at: Instant
    heard: Instant
    cause: Cause

    @property
    def seq(self) -> int:
        """The step's number: an alert about a feed has two."""
        return 1 if self.transition == "opened" else 2


def digest(value: bytes) -> str:
    """Return the id of a control record: 16 hex digits of its bytes.

    Example:
        >>> digest(b'{"type":"control","kind":"watermark"}')
        'f033771632d8757c'
    """
    return blake2b(value, digest_size=8).hexdigest()


def cause_of(told: Control, value: bytes, offset: int) -> Cause:
    """Return a control record as one that an alert rests on."""
    name = digest(value)
    return Cause(offset, "control", told.at, name, name)


def hear(state: State, told: Control) -> State:
    """Return the state once a watermark has said which tenants were heard of.

    Args:
        state: Before.
        told: The watermark.

    Raises:
        ValueError: A time is none that intake writes.
    """
    heard = state.heard
    room = WATCHED - len(heard)
    news = dict[str, "Instant"]()
    for tenant, at in sorted(told.heard.items()):
        checked(at)
        if tenant not in heard:
            room -= 1
            if room < 0:
                continue
        if at > heard.get(tenant, ""):
            news[tenant] = at
    if not news:
        return state
    merged = dict(sorted((heard | news).items()))  # equal states are equal bytes
    return msgspec.structs.replace(state, heard=merged)


def judge(rules: RuleSet, state: State, cause: Cause) -> tuple[State, list[FeedStep]]:
    """Return the state once every feed was judged by its clock, and what became of alerts.

    Args:
        rules: In force.
        state: As of the watermark.
        cause: The watermark.
    """
    if not state.clock or not rules.feeds:
        return state, []
    known = {(one.rule, one.tenant): one for one in state.silent}
    steps: list[FeedStep] = []
    for rule in rules.feeds.values():
        limit = plus(state.clock, -rule.silence)
        for tenant, heard in state.heard.items():
            silent = known.get((rule.id, tenant))
            if silent is None:
                if heard <= limit and is_about(rule, tenant):
                    at = plus(heard, rule.silence)
                    silent = Silent(rule.id, tenant, heard, at, rule.severity.value, cause)
                    steps.append(
                        FeedStep(rule, silent, "opened", "threshold_reached", at, heard, cause)
                    )
            elif limit < heard and silent.heard < heard:
                at = max(heard, silent.opened_at)
                steps.append(FeedStep(rule, silent, "resolved", "recovered", at, heard, cause))
    return _after(state, steps)


def withdraw(
    old: RuleSet, new: RuleSet, state: State, at: Instant, cause: Cause
) -> tuple[State, list[FeedStep]]:
    """Return the state without the alerts of rules that are gone, and their resolutions.

    Args:
        old: In force until now.
        new: In force from now on.
        state: Before.
        at: When the new ones were announced.
        cause: The record that puts them in force.
    """
    steps = []
    for one in state.silent:
        now = new.feeds.get(one.rule)
        if now is None or not is_about(now, one.tenant):
            rule, heard = old.feeds[one.rule], state.heard[one.tenant]
            steps.append(FeedStep(rule, one, "resolved", "rule_removed", at, heard, cause))
    return _after(state, steps)


def is_about(rule: FeedSilent, tenant: str) -> bool:
    """Tell whether a rule is about a tenant."""
    ids = None if rule.match is None else rule.match.tenants
    return ids is None or ids.take(tenant)


def _after(state: State, steps: Iterable[FeedStep]) -> tuple[State, list[FeedStep]]:
    """Return the state after some steps, and the steps in the order in which they are told."""
    told = sorted(steps, key=lambda step: (step.at, step.rule.id, step.silent.tenant))
    if not told:
        return state, []
    known = {(one.rule, one.tenant): one for one in state.silent}
    for step in told:
        name = step.silent.rule, step.silent.tenant
        if step.transition == "opened":
            known[name] = step.silent
        else:
            del known[name]
    silent = tuple(known[name] for name in sorted(known))
    return msgspec.structs.replace(state, silent=silent), told
