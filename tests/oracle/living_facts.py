"""What is known of one student in one course, through the eyes of one view.

A view's facts are made from the events that it may see, in the order of settling. Everything ever
settled is kept. The posted view reads the posted pair of scores, the unposted view the unposted
one; everything else is the same for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from tests.oracle.living_rules import exact, moment

Fields = dict[str, Any]

KINDS_IN_ORDER: Final = ("grade_change", "course_grade_change", "grade_override")
"""Of one instant: the order in which they are judged."""

PAIRS: Final = {
    "posted": ("current_score", "final_score"),
    "unposted": ("unposted_current_score", "unposted_final_score"),
}
"""View → the score that its rules judge, and the final one beside it."""

KEPT_CLOSINGS: Final = 32
MOST_PERCENT: Final = Fraction(1_000_000)
SECTION_SECONDS: Final = 60


@dataclass
class Facts:
    """What is known; see the module.

    Attributes:
        statements: Fact → its newest settled statement.
        closings: UTC day → the last known score of that day.
        settled_scores: How many score statements have settled.
        gap: When last a statement's old values were not what was known.
        account: Of the newest event about scores or an override that named one.
        newest: Kind of event → how new the newest settled one is; muted grade changes apart.
    """

    view: str
    statements: dict[tuple[str, str | None], Fields] = field(default_factory=dict)
    closings: dict[date, Fraction] = field(default_factory=dict)
    settled_scores: int = 0
    gap: datetime | None = None
    account: str | None = None
    newest: dict[tuple[str, bool], tuple[str, str]] = field(default_factory=dict)

    def held(self, kind: str, item: str | None = None) -> Fields:
        """Return the newest settled statement of a fact; empty where there is none."""
        return self.statements.get((kind, item), {})

    @property
    def is_deleted(self) -> bool:
        return self.held("course_grade_change").get("workflow_state") == "deleted"

    @property
    def score(self) -> Fraction | None:
        """The score that rules of this view judge."""
        return exact(self.held("course_grade_change").get(PAIRS[self.view][0]))

    @property
    def final(self) -> Fraction | None:
        """The final score; Canvas gives 0.0 before anything is graded, which is not known."""
        held = self.held("course_grade_change")
        current, final = PAIRS[self.view]
        return None if held.get(current) is None else exact(held.get(final))

    def override(self, period: str | None) -> Fraction | None:
        return exact(self.held("grade_override", period).get("override_score"))

    def percent(self, assignment: str | None) -> Fraction | None:
        """Return an assignment's score as percent of points possible."""
        held = self.held("grade_change", assignment)
        return percent_of(held.get("score"), held.get("points_possible"))

    def copy(self) -> Facts:
        """Return what is known now, to look at it later."""
        return replace(self, statements=dict(self.statements), closings=dict(self.closings))

    def is_newer(self, event: Fields) -> bool:
        """Tell whether an event is newer than what is settled of its kind."""
        return instant(event) > self.newest.get(kind_of(event), ("", ""))

    def is_second_section(self, event: Fields) -> bool:
        """Tell whether this repeats, for another enrolment, the override that is known."""
        held = self.statements.get(fact_of(event))
        if event["type"] != "grade_override" or held is None:
            return False
        enrolments = {held.get("enrollment_id"), event.get("enrollment_id")}
        if None in enrolments or len(enrolments) == 1:
            return False
        apart = abs(moment(event["event_time"]) - moment(held["event_time"]))
        same = held.get("override_score") == event.get("override_score")
        return same and apart <= timedelta(seconds=SECTION_SECONDS)

    def take(self, event: Fields) -> None:
        """Let a settled event become what is known."""
        now = moment(event["event_time"])
        if self.differs(event):
            self.gap = now
        self.statements[fact_of(event)] = event
        self.newest[kind_of(event)] = max(instant(event), self.newest.get(kind_of(event), ("", "")))
        if event["type"] != "grade_change":
            self.account = event.get("account_id", self.account)
        if event["type"] != "course_grade_change":
            return
        self.settled_scores += 1
        if self.score is not None and not self.is_deleted:
            self.closings[now.date()] = round(self.score, 4)
            for day in sorted(self.closings)[:-KEPT_CLOSINGS]:
                del self.closings[day]

    def differs(self, event: Fields) -> bool:
        """Tell whether something was lost before an event."""
        held = self.statements.get(fact_of(event))
        if held is None or event["type"] == "grade_change" or self.is_second_section(event):
            return False
        is_score = event["type"] == "course_grade_change"
        if self.view == "unposted" and not is_score:  # rules of that view judge scores alone
            return False
        names = PAIRS[self.view] if is_score else ("override_score",)
        return [event.get(f"old_{name}") for name in names] != [held.get(name) for name in names]

    def window(self, at: datetime, length: timedelta) -> list[Fraction]:
        """Return the closings that a slide is measured by, oldest first."""
        first = at.date() - length
        before = [day for day in self.closings if day < first]
        within = [day for day in sorted(self.closings) if first <= day <= at.date()]
        return [self.closings[day] for day in [*sorted(before)[-1:], *within]]


def fact_of(event: Fields) -> tuple[str, str | None]:
    """Return what an event is a statement of: the scores, an override, an assignment."""
    item = {"grade_change": "assignment_id", "grade_override": "grading_period_id"}
    return event["type"], event.get(item.get(event["type"], ""))


def kind_of(event: Fields) -> tuple[str, bool]:
    """Return the kind of an event; muted grade changes are one of their own."""
    return event["type"], event["type"] == "grade_change" and bool(event.get("muted"))


def instant(event: Fields) -> tuple[str, str]:
    """Return how new a statement is."""
    return event["event_time"], event.get("updated_at") or ""


def percent_of(score: float | None, possible: float | None) -> Fraction | None:
    """Return points as percent of points possible; None where either is unknown, or none are."""
    points, most = exact(score), exact(possible)
    if points is None or most is None or most <= 0:
        return None
    return max(-MOST_PERCENT, min(points * 100 / most, MOST_PERCENT))


def id_for(view: str, event: Fields) -> str:
    """Return the id by which a view knows an event again."""
    posted = event.get("posted_id") if view == "posted" else None
    return str(posted or event["event_id"])


def in_order(events: list[tuple[str, Fields]]) -> list[tuple[str, Fields]]:
    """Return unsettled events, each with the view that sees it, in the order of settling.

    Of one fact and instant, one that another follows from (its values are the other's old ones)
    comes first, then the smaller digest. What the unposted view sees comes first.
    """

    def place(entry: tuple[str, Fields]) -> tuple[Any, ...]:
        view, event = entry
        names = {
            "course_grade_change": PAIRS[view],
            "grade_change": ("score", "points_possible"),
            "grade_override": ("override_score",),
        }[event["type"]]
        new = [event.get(name) for name in names]
        is_followed = any(
            [other.get(f"old_{name}") for name in names] == new
            for seen, other in events
            if (seen, fact_of(other), instant(other)) == (view, fact_of(event), instant(event))
            and other is not event
        )
        return (
            event["event_time"],
            KINDS_IN_ORDER.index(event["type"]),
            event.get("updated_at") or "",
            view != "unposted",
            not is_followed,
            id_for(view, event),
        )

    return sorted(events, key=place)
