"""Alerts counted: by rule, severity, course, student and week; and two sets of rules compared."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import Struct, field

from streams.core.alerts import OPERATOR, STAFF

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.alerts import Told
    from streams.core.events import Instant

_MANY: Final = 3


class Opened(NamedTuple):
    """An alert that opened, as two sets of rules are compared by."""

    rule: str
    tenant: str
    course_id: str  # empty of an alert about a feed, as the next
    student_id: str
    subject: str | None
    opened_at: Instant


class Tally(Struct):
    """What some rules told."""

    opened: Counter[str] = field(default_factory=Counter)  # by rule
    resolved: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    severities: Counter[tuple[str, str]] = field(default_factory=Counter)  # rule, when it opened
    courses: Counter[str] = field(default_factory=Counter)
    students: Counter[bytes] = field(default_factory=Counter)
    weeks: Counter[str] = field(default_factory=Counter)  # by the Monday
    alerts: set[Opened] = field(default_factory=set)  # only where they are to be compared

    def count(self, told: Iterable[Told], audience: str, *, keep: bool) -> None:
        """Count alerts.

        Args:
            told: In the order they were told.
            audience: Whose are counted; with those of staff also those of operators, which stand
                on the same topic.
            keep: Whether to remember each, to compare.
        """
        for key, alert in told:
            if alert.audience != audience and (alert.audience, audience) != (OPERATOR, STAFF):
                continue
            if alert.transition == "opened":
                self.opened[alert.rule] += 1
                self.severities[alert.rule, alert.severity.value] += 1
                if alert.course_id is not None:
                    self.courses[alert.course_id] += 1
                    self.students[key] += 1
                self.weeks[monday(alert.opened_at)] += 1
                if keep:
                    subject = alert.grading_period_id or alert.assignment_id
                    self.alerts.add(
                        Opened(
                            alert.rule, alert.tenant, alert.course_id or "", alert.student_id or "",
                            subject, alert.opened_at,
                        )
                    )  # fmt: skip
            elif alert.transition == "resolved":
                self.resolved[alert.rule] += 1
            else:
                self.updated[alert.rule] += 1

    def merge(self, other: Tally) -> None:
        """Add what was counted elsewhere, of other students."""
        for name in self.__struct_fields__:
            getattr(self, name).update(getattr(other, name))

    def distribution(self, students: int) -> dict[str, int]:
        """Return how many of so many students got how many alerts.

        Example:
            >>> Tally(students=Counter({b"a:1": 1, b"a:2": 7})).distribution(10)
            {'0': 8, '1': 1, '2': 0, '3+': 1}
        """
        got = Counter(min(count, _MANY) for count in self.students.values())
        return {"0": students - got.total(), "1": got[1], "2": got[2], f"{_MANY}+": got[_MANY]}


def monday(at: Instant) -> str:
    """Return the day on which an instant's week began.

    Example:
        >>> monday("2026-02-05T12:00:00.000Z")
        '2026-02-02'
    """
    day = date.fromisoformat(at[:10])
    return (day - timedelta(day.weekday())).isoformat()
