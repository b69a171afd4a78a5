"""A verdict taken apart: each clause of a rule with the values it looked at, and whether it holds.

``alerts explain`` judges an alert again by these, from the alert's own ``inputs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from streams.core.conditions import crosses, decimal, holds, is_known, recovered, size_of
from streams.core.durations import said
from streams.core.evidence import plain
from streams.core.feeds import is_about
from streams.core.instants import plus
from streams.core.openings import baseline
from streams.core.rule_parts import Severity
from streams.core.rules import Kind, OverrideGap, OverrideMoved, ScoreBelow, ScoreSlide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.core.rules import FeedSilent, Rule


class Clause(NamedTuple):
    """One condition of a verdict: in words with its values, and whether it holds."""

    text: str
    holds: bool


def clauses(rule: Rule, transition: str, reason: str, inputs: Mapping[str, Any]) -> list[Clause]:
    """Return the clauses of a step in the life of an alert.

    Args:
        rule: As the rules of the alert's ``rules_hash`` have it.
        transition: The alert's.
        reason: The alert's.
        inputs: The alert's.

    Returns:
        All of them; the verdict is right where all hold.

    Raises:
        LookupError, TypeError, ValueError: The inputs are none of such an alert.

    Example:
        >>> from streams.core.rules import load
        >>> text = "rules: [{id: a, kind: score_drop, points: 10, severity: info}]"
        >>> [rule] = load(text, "a file").rules
        >>> clauses(rule, "opened", "threshold_reached", {"before": 84.25, "now": 71.5})
        [Clause(text='12.75 from 84.25 to 71.5, at least 10', holds=True)]
    """
    return [*_clauses(rule, transition, reason, inputs)]


def _clauses(
    rule: Rule, transition: str, reason: str, inputs: Mapping[str, Any]
) -> Iterator[Clause]:
    before, now = inputs.get("before"), inputs.get("now")
    after = inputs.get("after", now)  # without an override, the final score holds
    if transition == "opened":
        yield from _opened(rule, inputs)
    elif reason == "severity_raised":
        size = size_of(rule, before, after)
        loud, told = rule.severity_at(size), inputs["told_severity"]
        order = list(Severity)
        yield Clause(
            f"{_size(rule, before, after)} is {loud}, louder than {told}",
            order.index(loud) > order.index(told),
        )
    elif reason == "deepened":
        size, told = size_of(rule, before, after), decimal(inputs["told_size"])
        yield Clause(
            f"{_size(rule, before, after)}, at least {_threshold(rule)} more than {plain(told)}",
            size is not None and size - told >= _threshold_of(rule),
        )
    elif reason in {"recovered", "gap_closed"}:
        waited = transition == "resolved" and rule.clear and rule.clear.keep_firing_for
        if waited and not is_known(rule, before, now):
            text = f"had recovered, and nothing known since says no: {_state(rule, before, now)}"
            yield Clause(text, holds=True)
        else:
            yield _back(rule, before, now)
        if waited:
            yield Clause(f"stayed so until {inputs['due']}", inputs["due"] <= inputs["at"])
    elif reason == "relapsed":
        text, is_back = _back(rule, before, now)
        yield Clause(f"no longer: {text}", not is_back)
    elif reason == "override_removed":
        yield Clause("there is no override", now is None)
    elif reason == "expired":
        end = inputs["expires_at"]
        yield Clause(f"expired at {end}", end <= inputs["at"])
    else:  # posted, score_deleted, rule_removed: the event or the rules say so
        yield Clause(reason.replace("_", " "), holds=True)


def feed_clauses(
    rule: FeedSilent, tenant: str, transition: str, inputs: Mapping[str, Any]
) -> list[Clause]:
    """Return the clauses of a step in the life of an alert about a feed.

    Args:
        rule: As the rules of the alert's ``rules_hash`` have it.
        tenant: The alert's.
        transition: The alert's: ``opened``, or ``resolved`` because it recovered.
        inputs: The alert's.

    Raises:
        LookupError, TypeError, ValueError: The inputs are none of such an alert.
    """
    heard, clock, long = inputs["heard"], inputs["clock"], said(rule.silence)
    if transition == "opened":
        due = plus(heard, rule.silence)
        return [
            Clause(f"is about tenant {tenant}", is_about(rule, tenant)),
            Clause(f"{long} after the last event, {heard}, is {due}", due == inputs["due"]),
            Clause(f"the clock had come so far: {clock}", due <= clock),
        ]
    since = inputs["since"]
    return [
        Clause(f"an event came after that of {since}: of {heard}", since < heard),
        Clause(f"less than {long} before the clock, {clock}", clock < plus(heard, rule.silence)),
    ]


def _opened(rule: Rule, inputs: Mapping[str, Any]) -> Iterator[Clause]:
    before, now = inputs.get("before"), inputs.get("now")
    if not rule.lives:
        after = inputs.get("after", now)
        yield _far_enough(rule, before, after)
        return
    old, new, known = inputs["old"], inputs["new"], inputs["known"]
    if isinstance(rule, ScoreSlide):
        basis = tuple(inputs["basis"])
        start = baseline(rule, basis, old)
        yield Clause(f"{rule.from_} of {len(basis)} scores is {plain(start)}", start == before)
        yield Clause(f"the event lowered the score, {plain(old)} to {plain(new)}", new < old)
        yield _far_enough(rule, before, new)
    elif isinstance(rule, ScoreBelow):
        yield Clause(
            f"{plain(old if old is not None else known)} to {plain(new)} crosses the floor of "
            f"{plain(rule.floor)}",
            crosses(rule, known, old, new),
        )
    elif isinstance(rule, OverrideMoved):
        yield _far_enough(rule, before, known if new is None else new)
    elif isinstance(rule, OverrideGap):  # the computed score may have moved since: before and now
        yield _far_enough(rule, old, new)
    else:
        yield _far_enough(rule, before, new)
    if rule.min_history:
        yield Clause(
            f"{inputs['history']} score events before it, at least {rule.min_history}",
            inputs["history"] >= rule.min_history,
        )
    if rule.for_:
        due = plus(inputs["since"], rule.for_)
        yield Clause(f"settled at {due}", due == inputs["due"])
        yield Clause(f"held then: {_state(rule, before, now)}", holds(rule, before, now))


def _far_enough(rule: Rule, before: float | None, after: float | None) -> Clause:
    if rule.kind is Kind.SCORE_VANISHED:
        return Clause(f"{plain(before)} before, and none", before is not None and after is None)
    size = size_of(rule, before, after)
    text = f"{_size(rule, before, after)}, at least {_threshold(rule)}"
    return Clause(text, size is not None and size >= _threshold_of(rule))


def _back(rule: Rule, before: float | None, now: float | None) -> Clause:
    recovery = rule.clear.recovery if rule.clear else 0
    text = f"recovered: {_state(rule, before, now)}"
    return Clause(
        text + (f", by {plain(recovery)}" if recovery else ""), recovered(rule, before, now)
    )


def _state(rule: Rule, before: float | None, now: float | None) -> str:
    if rule.kind is Kind.OVERRIDE_REMOVED:
        return f"the override is {plain(now)}"
    if isinstance(rule, ScoreBelow):
        return f"{plain(now)} with the floor at {plain(rule.floor)}"
    if rule.kind is Kind.SCORE_VANISHED:
        return f"the score is {plain(now)}"
    return f"{_size(rule, before, now)} with the threshold at {_threshold(rule)}"


def _size(rule: Rule, before: float | None, after: float | None) -> str:
    size = size_of(rule, before, after)
    word = "between" if isinstance(rule, OverrideGap) else "from"
    link = "and" if isinstance(rule, OverrideGap) else "to"
    return f"{plain(size)} {word} {plain(before)} {link} {plain(after)}"


def _threshold(rule: Rule) -> str:
    unit = " %" if getattr(rule, "percent", None) is not None else ""
    return f"{plain(_threshold_of(rule))}{unit}"


def _threshold_of(rule: Rule) -> Any:  # noqa: ANN401 - every kind but one has it
    return getattr(rule, "threshold")  # noqa: B009
