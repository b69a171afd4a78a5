"""A rule as people say it: one sentence, made of the rule as the log has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.core.conditions import decimal
from streams.core.durations import said
from streams.core.evidence import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

_VIEWS: Final = {"posted": "the current score", "unposted": "the current score with unposted work"}
_PLACES: Final = {"peak": "peak", "median": "median", "first": "first score"}


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """Return what a rule looks for, and for how long, in one sentence.

    Args:
        rule: As `Rules.canonical` has it: defaults left out, durations as "43200s".

    Example:
        >>> rule_in_words({"id": "r", "kind": "score_drop", "points": "12", "min_history": 5,
        ...     "for": "43200s", "severity": "warning"})
        'Alerts when the current score falls by 12 points or more at once, after 5 earlier scores, \
if it still holds after 12 hours.'
    """
    what = f"Alerts when {_what(rule)}"
    if rule.get("min_history"):
        scores = "score" if rule["min_history"] == 1 else "scores"
        what += f", after {rule['min_history']} earlier {scores}"
    if rule.get("for"):
        what += f", if it still holds after {_lasting(rule['for'])}"
    return f"{what}.{_end(rule)}"


def _what(rule: Mapping[str, Any]) -> str:
    kind = rule["kind"]
    score = _VIEWS.get(rule.get("view", "posted"), "the score")
    least = f"{_number(rule.get('points', 0))} points or more"
    if "percent" in rule:
        least = f"{_number(rule['percent'])} % or more of what it was"
    if kind == "score_slide":
        place = _PLACES.get(rule["from"], rule["from"])
        return f"{score} is {least} below the {place} of the last {_lasting(rule['window'])}"
    if kind == "feed_silent":
        return f"no grade event of a tenant has come for {_lasting(rule['silence'])}"
    return {
        "score_drop": f"{score} falls by {least} at once",
        "score_below": f"{score} comes down to {_number(rule.get('floor', 0))} or less",
        "score_vanished": f"{score} is gone, having been there",
        "override_raised": f"an override raises the final score by {least}",
        "override_lowered": f"an override lowers the final score by {least}",
        "override_removed": f"removing an override moves the final score by {least}",
        "override_gap": f"an override and the computed score are apart by {least}",
        "assignment_drop": f"an assignment's score falls by {_number(rule.get('points', 0))} % or "
        "more of the points possible",
    }.get(kind, str(kind).replace("_", " "))


def _end(rule: Mapping[str, Any]) -> str:
    clear, told = rule.get("clear") or {}, ""
    severity, below = rule.get("severity"), rule["kind"] == "score_below"
    steps = severity.items() if isinstance(severity, dict) else ()
    for word, least in steps:
        if word != "default":
            size = f"{_number(least)} points below that" if below else f"from {_number(least)} on"
            told += f" It is {word} {size}."
    if clear.get("recovery"):
        side = "below" if rule["kind"] == "override_gap" else "above"
        told += f" It is over {_number(clear['recovery'])} points {side} that"
        if clear.get("keep_firing_for"):
            told += f" for {_lasting(clear['keep_firing_for'])}"
        told += "."
    if rule.get("cooldown"):
        told += f" Then it is silent for {_lasting(rule['cooldown'])}."
    return told


def _lasting(written: object) -> str:
    return said(int(str(written).removesuffix("s")))


def _number(written: object) -> str:
    return plain(decimal(float(str(written))))
