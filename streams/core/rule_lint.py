"""What a valid rules.yaml says and nobody means: rules that repeat others, keys without effect.

Nothing here keeps a file from being used; ``gradewatch rules check --strict`` does.
"""

from __future__ import annotations

from decimal import Decimal
from string import Formatter
from typing import TYPE_CHECKING, Final

from streams.core.durations import in_words
from streams.core.ids import SHARD_SIZE
from streams.core.rules import (
    AnyRule,
    Fall,
    FeedSilent,
    Kind,
    OverrideGap,
    Rule,
    Rules,
    ScoreBelow,
    ScoreSlide,
    ScoreVanished,
    findings,
)
from streams.core.yamlfile import Finding, Place, review

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY: Final = 86_400
_WITHOUT_RECOVERY: Final = {Kind.SCORE_VANISHED, Kind.OVERRIDE_REMOVED}
_NONE: Final = Decimal(0)  # of kinds without a size


def inspect(text: str | bytes, file: str) -> tuple[Rules, list[str]]:
    """Return the rules in a file's text, and what in them is odd.

    Args:
        text: YAML; bytes are read as UTF-8.
        file: The name to give in messages.

    Returns:
        The rules, and each finding as ``file:line:column: message``, in the file's order.

    Raises:
        ConfigurationError: Something is wrong; each problem as ``file:line:column: message``.

    Example:
        >>> inspect("rules: []", "rules.yaml")[1]
        ['rules.yaml:1:8: no rule: nothing alerts']
    """
    return review(text, Rules, file, findings, lint)


def lint(rules: Rules) -> Iterator[Finding]:
    """Find what is odd in rules, each with its place."""
    if not rules.rules:
        yield Finding(("rules",), "no rule: nothing alerts")
    if not rules.grace:
        yield Finding(("grace",), "grace: nothing may come late: what does is not judged in place")
    elif rules.grace > _DAY:
        told = f"every alert that lives waits for {in_words(rules.grace)}"
        yield Finding(("grace",), f"grace: more than 1d: {told}")
    for index, rule in enumerate(rules.rules):
        for place, what in _alone(rule):
            yield Finding(("rules", index, *place), what)
        yield from _beside(rules.rules, index)


def _alone(rule: AnyRule) -> Iterator[tuple[Place, str]]:
    if not isinstance(rule, FeedSilent):
        yield from _sizes(rule)
        yield from _times(rule)
        yield from _recovery(rule)
    yield from _matching(rule)
    if rule.text is not None and rule.text.summary is not None:
        names = [name for _, name, _, _ in Formatter().parse(rule.text.summary) if name]
        if not names:
            yield ("text", "summary"), "summary: names no variable: all its alerts read alike"


def _sizes(rule: Rule) -> Iterator[tuple[Place, str]]:
    if isinstance(rule, ScoreBelow):
        if not rule.floor:
            yield ("floor",), "floor: 0: only a score of 0 alerts"
        elif rule.floor > 100:
            yield ("floor",), f"floor: {rule.floor}: with extra credit only is a score above it"
    elif (points := getattr(rule, "points", None)) is not None and points > 100:
        yield ("points",), f"points: {points}: with extra credit only does a score move so far"


def _times(rule: Rule) -> Iterator[tuple[Place, str]]:
    keep = rule.clear.keep_firing_for if rule.clear else 0
    if isinstance(rule, ScoreSlide) and rule.for_ > rule.window:
        whole = in_words(rule.window)
        yield ("for",), f"for: longer than the window, {whole}: what it slid from is out of it"
    if isinstance(rule.expire, int) and rule.expire < rule.for_ + keep:
        both = in_words(rule.for_ + keep)
        yield ("expire",), f"expire: shorter than for and keep_firing_for together, {both}"
    if "cooldown" in rule.model_fields_set and not rule.cooldown:
        yield ("cooldown",), "cooldown: 0 has no effect"


def _recovery(rule: Rule) -> Iterator[tuple[Place, str]]:
    if rule.clear is None:
        return
    place, back = ("clear", "recovery"), rule.clear.recovery
    if back and rule.kind in _WITHOUT_RECOVERY:
        yield place, f"recovery: has no effect: {rule.kind} is over, or not"
    elif isinstance(rule, ScoreBelow):
        if back and rule.floor + back > 100:
            yield place, f"recovery: only a score of {rule.floor + back} is so far over the floor"
    elif back > (threshold := _threshold(rule)):
        if isinstance(rule, OverrideGap) and rule.direction == "either":  # never below 0
            yield place, f"recovery: more than the threshold, {threshold}: it never recovers"
            if rule.clear.keep_firing_for:
                yield ("clear", "keep_firing_for"), "keep_firing_for: has no effect: see recovery"
        else:
            yield place, f"recovery: more than the threshold, {threshold}: only beyond `before`"


def _matching(rule: AnyRule) -> Iterator[tuple[Place, str]]:
    if rule.match is None:
        if "match" in rule.model_fields_set:
            yield ("match",), "match: says nothing: all are matched"
        return
    for key in type(rule.match).model_fields:
        ids = getattr(rule.match, key)
        for way in ("in", "out") if ids else ():
            listed = (ids.in_ if way == "in" else ids.out) or ()
            for at, one in enumerate(listed):
                place = ("match", key, way, at)
                if one in listed[:at]:
                    yield place, f"{key}: {one} is listed twice"
                elif key in {"accounts", "courses"} and int(one) >= SHARD_SIZE:
                    local = int(one) % SHARD_SIZE
                    yield place, f"{key}: {one} is a global id, is {local}, the local one, meant?"


def _beside(rules: tuple[AnyRule, ...], index: int) -> Iterator[Finding]:
    """Find another rule that makes one needless; of two that say the same, the second is."""
    rule = rules[index]
    for at, other in enumerate(rules):
        if at == index or _but_size(rule) != _but_size(other):
            continue
        if _threshold(rule) == _threshold(other):
            if at < index:
                what = f"says the same as {other.id!r}, and alerts with it"
                yield Finding(("rules", index), f"{rule.id}: {what}")
                return
        elif not isinstance(rule, ScoreBelow) and _threshold(other) < _threshold(rule):
            size = _threshold(other)
            start = in_words(other.silence) if isinstance(other, FeedSilent) else size
            least = f"from {start} on, just as loud"
            yield Finding(("rules", index), f"{rule.id}: needless: {other.id!r} alerts {least}")
            return


def _but_size(rule: AnyRule) -> tuple[object, ...]:
    """Return all that a rule says but its name, its size and its words."""
    said = rule.model_dump(exclude={"id", "text", "points", "floor", "percent", "silence"})
    return type(rule), isinstance(rule, Fall) and rule.percent is not None, said


def _threshold(rule: AnyRule) -> Decimal:
    if isinstance(rule, FeedSilent):
        return Decimal(rule.silence)
    return _NONE if isinstance(rule, ScoreVanished) else rule.threshold
