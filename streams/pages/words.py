"""How pages say things: times, numbers, states, reasons. Words are about scores, never labels on
people."""  # noqa: D205, D209 - one thought

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from streams.core.evidence import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Final = {
    "score_drop": "Score fell",
    "score_slide": "Score slid",
    "score_below": "Score at or below a floor",
    "score_vanished": "Score vanished",
    "override_raised": "Override raised the grade",
    "override_lowered": "Override lowered the grade",
    "override_removed": "Override removed",
    "override_gap": "Override apart from the score",
    "assignment_drop": "Assignment score fell",
    "feed_silent": "Feed silent",
}
"""Kind of alert → what it is called."""

SEVERITIES: Final = {"critical": "Critical", "warning": "Warning", "info": "Info"}
"""Severity → its word, the loudest first."""

WORK: Final = {"new": "New", "seen": "Seen", "contacted": "Contacted", "closed": "Closed"}
"""What people did about an alert → its word, in the order it is done."""

STATES: Final = {"firing": "Open", "resolved": "Over"}
"""State of an alert → its word."""

TRANSITIONS: Final = {
    "opened": "Opened",
    "updated": "Changed",
    "recovering": "Began to recover",
    "relapsed": "Relapsed",
    "resolved": "Over",
}
"""Step in the life of an alert → its word."""

REASONS: Final = {
    "severity_raised": "it became more severe",
    "deepened": "it went on growing",
    "posted": "it was posted",
    "relapsed": "it had begun to recover, and has not",
    "recovered": "the score recovered",
    "score_deleted": "Canvas withdrew the scores",
    "override_removed": "the override was taken away",
    "gap_closed": "the gap closed",
    "rule_removed": "the rule is no longer in force",
    "expired": "it expired",
}
"""Why a step was taken → its words."""

EVENTS: Final = {
    "course_grade_change": "Course score changed",
    "grade_change": "Assignment graded",
    "grade_override": "Override changed",
    "control": "Time passed",
}
"""Type of a record → its words."""

ROLES: Final = {
    "operator": "Operator",
    "advisor": "Advisor",
    "instructor": "Instructor",
    "student": "Student",
    "service": "Program",
    "local": "This machine",
}
"""Role → its word."""

SCORES: Final = {
    "current_score": "current score",
    "unposted_current_score": "current score with unposted work",
    "effective_final_score": "final score with the override",
    "override_score": "override",
    "assignment_score": "assignment score",
}
"""Which score an alert is about → its words."""


def word(words: Mapping[str, str], key: object) -> str:
    """Return the word for a key; of one that a later version brought, the key itself.

    Example:
        >>> word(STATES, "firing"), word(STATES, "snoozed_for_now")
        ('Open', 'snoozed for now')
    """
    return words.get(str(key), str(key).replace("_", " "))


_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}(?:\.\d+)?Z")


@lru_cache(maxsize=4096)
def day(instant: str) -> str:
    """Return the day of an instant, or a day, as people write it.

    Example:
        >>> day("2026-09-04T16:26:34.552Z"), day("2026-09-04"), day("soon")
        ('4 Sep 2026', '4 Sep 2026', 'soon')
    """
    try:
        moment = datetime.fromisoformat(instant)
    except ValueError:
        return instant
    return f"{moment.day} {moment:%b %Y}"


@lru_cache(maxsize=4096)
def clock(instant: str) -> str:
    """Return the time of day of an instant, in UTC.

    Example:
        >>> clock("2026-09-04T16:26:34.552Z")
        '16:26 UTC'
    """
    try:
        return f"{datetime.fromisoformat(instant):%H:%M} UTC"
    except ValueError:
        return ""


def moment(instant: str) -> str:
    """Return an instant as people write it, in UTC.

    Example:
        >>> moment("2026-09-04T16:26:34.552Z")
        '4 Sep 2026, 16:26 UTC'
    """
    return f"{day(instant)}, {clock(instant)}" if clock(instant) else instant


def readable(text: str) -> str:
    """Return a text with the instants in it as people write them.

    Example:
        >>> readable("Ask what happened around 2026-09-04T16:26:34.552Z; it may be nothing.")
        'Ask what happened around 4 Sep 2026, 16:26 UTC; it may be nothing.'
    """
    return _INSTANT.sub(lambda found: moment(found[0]), text)


def number(value: float | None) -> str:
    """Return a number as people write it; a dash for none.

    Example:
        >>> number(84.25), number(70.0)
        ('84.25', '70')
    """
    return "–" if value is None else plain(value).replace("-", "−")  # noqa: RUF001 - a minus sign


def count(value: float) -> str:
    """Return how many, with thousands set apart; of few, tenths too.

    Example:
        >>> count(1234567), count(4810.4), count(12.25), count(0.0)
        ('1,234,567', '4,810', '12.2', '0')
    """
    told = f"{value:,.1f}" if isinstance(value, float) and value < 100 else f"{value:,.0f}"
    return told.removesuffix(".0")


def sentence(alert: Mapping[str, Any]) -> str:
    """Return why there is an alert, without which rule says so: that stands beside it.

    Example:
        >>> sentence({"rule": "r", "summary": "Score fell 14 (92 → 78); rule r alerts at 9. "
        ...     "It has become critical."})
        'Score fell 14 (92 → 78). It has become critical.'
        >>> sentence({"rule": "r", "summary": "Call the office."})
        'Call the office.'
    """
    summary = readable(str(alert["summary"]))
    said, found, rest = summary.partition(f"; rule {alert['rule']}")
    if not found:
        return summary
    more = rest.partition(". ")[2]
    return f"{said}. {more}" if more else said


def unit(alert: Mapping[str, Any]) -> str:
    """Return in what an alert's size and threshold are measured: its rule's measure.

    Example:
        >>> unit({"kind": "score_drop", "change": -14.0, "size": 14.0})
        'points'
        >>> unit({"kind": "score_drop", "change": -14.0, "size": 15.2174})
        '%'
    """
    if alert["kind"] == "assignment_drop":
        return "%"
    if alert["kind"] in {"score_drop", "score_slide"} and "change" in alert and "size" in alert:
        return "points" if abs(abs(alert["change"]) - abs(alert["size"])) < 0.001 else "%"
    return "points"


def size(alert: Mapping[str, Any]) -> str:
    """Return how far, in the rule's measure; empty where there is nothing to measure.

    Example:
        >>> size({"kind": "override_gap", "size": 22.5})
        '22.5 points'
        >>> size({"kind": "score_vanished"})
        ''
    """
    if alert.get("size") is None:
        return ""
    measure = unit(alert)
    if measure == "points" and alert["size"] == 1:
        measure = "point"
    return f"{number(abs(alert['size']))} {measure}"
