"""A log of raw records → the rows, the alerts and the fate of every record."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tests.oracle.reading import SCORES, Fields, Refused, canonical, event_id, posted_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Key = tuple[str, str, str]
"""Tenant, student, course."""

Source = tuple[str, int, int]
"""Topic, partition and offset of a raw record."""

SHIPPED_RULES: Final[tuple[Fields, ...]] = (
    {"id": "drop-10", "kind": "score_drop", "points": 10, "severity": "warning"},
    {"id": "override-raised-10", "kind": "override_raised", "points": 10, "severity": "info"},
    {"id": "override-lowered-10", "kind": "override_lowered", "points": 10, "severity": "warning"},
    {"id": "override-removed-10", "kind": "override_removed", "points": 10, "severity": "info"},
)
"""What rules.yaml says, written a second time."""

KEPT_HISTORY: Final = 8
"""Score events, and override events, that a row remembers."""

KEPT_CAUSES: Final = 3
"""Assignments whose newest grade change a row remembers, of muted ones and of the others."""

KEPT_TIED: Final = 4
"""Statements of one fact at one instant that a row remembers."""


@dataclass
class Result:
    """What must stand after a log.

    Attributes:
        rows: What the web view shows of every student and course.
        alerts: In the order of the events that raised them.
        journeys: Every record's fate: ``refused/<reason>``, ``ignored`` or ``passed/<fate>``.
    """

    rows: dict[Key, Fields] = field(default_factory=dict)
    alerts: list[Fields] = field(default_factory=list)
    journeys: list[str] = field(default_factory=list)

    @property
    def fates(self) -> Counter[str]:
        """How many records met each fate."""
        return Counter(self.journeys)


@dataclass
class _Fact:
    """One fact: what the newest statement about it says."""

    values: tuple[str, ...]  # the fields it consists of; each has an old_ twin
    tied: list[Fields] = field(default_factory=list)  # of one instant, the newest first

    @property
    def held(self) -> Fields:
        return self.tied[0] if self.tied else {}

    @property
    def posted(self) -> Fields:
        """What holds for those who know posted values alone: ``held``, but for ties."""
        seen: dict[str, Fields] = {}
        for one in self.tied:  # of those that look the same to them, the first
            seen.setdefault(one["posted_id"], one)
        names = [name for name in self.values if "unposted" not in name]

        def rank(one: Fields) -> tuple[bool, str]:
            new = [one.get(name) for name in names]
            others = (other for other in seen.values() if other is not one)
            followed = any([other.get(f"old_{name}") for name in names] == new for other in others)
            return not followed, one["posted_id"]

        return max(seen.values(), key=rank, default={})

    def hear(self, event: Fields) -> bool:
        """Take a statement in, and tell whether it is the newest."""
        instant, now = _instant(event), _instant(self.held)
        if instant > now:
            self.tied = [event]
        elif instant == now and all(event["id"] != other["id"] for other in self.tied):
            self.tied.append(event)
            # Not in place: a list that is being sorted looks empty to its own key.
            order = sorted(
                self.tied, key=lambda one: (not self._is_followed(one), one["id"]), reverse=True
            )
            self.tied = order[:KEPT_TIED]
        return self.held is event

    def _is_followed(self, event: Fields) -> bool:
        new = [event.get(name) for name in self.values]
        return any(
            [other.get(f"old_{name}") for name in self.values] == new
            for other in self.tied
            if other is not event
        )


@dataclass
class _Seen:
    """The events of one kind that a row has judged."""

    recent: list[tuple[str, str, str]] = field(default_factory=list)  # event_time, posted_id, id
    evicted: str = ""  # the newest event_time that was forgotten

    def verdict(self, event: Fields) -> tuple[str, bool]:
        """Return ``duplicate``, ``too late`` or ``new``, and remember a new one.

        Also whether it is new to those who know posted values alone.
        """
        entry = event["event_time"], event["posted_id"], event["id"]
        twins = [known for known in self.recent if known[:2] == entry[:2]]
        if entry in twins or len(twins) >= KEPT_TIED:
            return "duplicate", False
        if event["event_time"] <= self.evicted:
            return "too late", False
        self.recent = sorted([*self.recent, entry])
        while len(posted := sorted({known[:2] for known in self.recent})) > KEPT_HISTORY:
            self.evicted = max(self.evicted, posted[0][0])
            self.recent = [known for known in self.recent if known[:2] != posted[0]]
        return "new", not twins


@dataclass
class _Row:
    """All that is known of one student in one course."""

    scores: _Fact = field(default_factory=lambda: _Fact(SCORES))
    overrides: dict[str | None, _Fact] = field(  # by grading period; None: the course's
        default_factory=lambda: defaultdict(lambda: _Fact(("override_score",)))
    )
    assignments: dict[bool, dict[str | None, _Fact]] = field(  # by whether they are muted
        default_factory=lambda: {False: {}, True: {}}
    )
    seen: dict[str, _Seen] = field(default_factory=lambda: defaultdict(_Seen))
    forgotten: dict[bool, str] = field(  # event_time of the newest grade change let go
        default_factory=lambda: {False: "", True: ""}
    )
    account: tuple[str, str] = ("", "")  # when the newest event was, and whose

    @property
    def is_deleted(self) -> bool:
        return self.scores.posted.get("workflow_state") == "deleted"

    @property
    def known_final(self) -> float | None:
        """``final_score``, which Canvas gives as 0.0 before anything is graded."""
        held = self.scores.posted
        return None if held.get("current_score") is None else held.get("final_score")

    def note(self, event: Fields) -> str:
        """Remember a grade change as a likely cause, and return its fate."""
        assignment, muted = event.get("assignment_id"), bool(event.get("muted"))
        known = self.assignments[muted]
        fact = known.get(assignment) or _Fact(("score", "points_possible"))
        if fact.held.get("id") == event["id"]:
            return "duplicate"
        if event["event_time"] <= self.forgotten[muted] or not fact.hear(event):
            return "late"
        known[assignment] = fact
        if len(known) > KEPT_CAUSES:
            held = {key: (one.held["event_time"], one.held["id"]) for key, one in known.items()}
            oldest = min(held, key=held.__getitem__)
            self.forgotten[muted] = max(self.forgotten[muted], held[oldest][0])
            del known[oldest]
        return "kept"

    def view(self) -> Fields | None:
        """Return what the web shows; None where only assignments are known."""
        held = self.scores.held
        stated = [fact.held for fact in self.overrides.values() if fact.held]
        if not held and not stated:
            return None
        override = self.overrides[None].held
        origin = held or override or max(stated, key=_instant)
        score = override.get("override_score")
        return {
            **{name: held.get(name) for name in SCORES},
            "override_score": score,
            "effective_final_score": held.get("final_score") if score is None else score,
            "workflow_state": held.get("workflow_state", "active") if held else None,
            "event_time": origin["event_time"],
            "updated_at": origin.get("updated_at"),
            "account_id": self.account[1] or None,
            "period_overrides": {
                period: fact.held["override_score"]
                for period, fact in self.overrides.items()
                if period is not None and fact.held.get("override_score") is not None
            },
        }


def fold(
    records: Iterable[tuple[bytes | None, int | None, Source]],
    rules: Sequence[Mapping[str, Any]] = SHIPPED_RULES,
    tenants: Mapping[str, str] | None = None,
    default_tenant: str = "default",
) -> Result:
    """Return rows, alerts and fates of a log.

    Args:
        records: Raw value, Kafka timestamp in milliseconds, and coordinates, in the order in which
            ``grade-events`` holds them (the order per student is what counts).
        rules: Each with ``id``, ``kind``, ``points`` and ``severity``.
        tenants: ``root_account_id`` → tenant.
        default_tenant: The tenant of events that name no root account.
    """
    result = Result()
    rows: dict[Key, _Row] = defaultdict(_Row)
    for value, timestamp, source in records:
        event = canonical(value, timestamp, tenants, default_tenant)
        if event is None or isinstance(event, Refused):
            result.journeys.append("ignored" if event is None else f"refused/{event.reason}")
            continue
        of_scores = event["type"] == "course_grade_change"
        event["id"], known = event_id(event), posted_id(event) if of_scores else None
        event["posted_id"] = known or event["id"]
        row = rows[event["tenant"], event["student_id"], event["course_id"]]
        fate, alerts = _apply(row, event, rules)
        topic, partition, offset = source
        evidence = {"topic": topic, "partition": partition, "offset": offset}
        result.alerts += [alert | {"evidence": [evidence]} for alert in alerts]
        result.journeys.append(f"passed/{fate}")
    views = {key: row.view() for key, row in rows.items()}
    result.rows = {key: view for key, view in views.items() if view is not None}
    return result


def _apply(
    row: _Row, event: Fields, rules: Sequence[Mapping[str, Any]]
) -> tuple[str, list[Fields]]:
    """Return the event's fate and its alerts, once the row has taken it in."""
    if event["type"] == "grade_change":
        return row.note(event), []
    is_override = event["type"] == "grade_override"
    fact = row.overrides[event.get("grading_period_id")] if is_override else row.scores
    before = fact.held
    verdict, is_new_to_all = row.seen[event["type"]].verdict(event)
    if verdict == "duplicate":
        return "duplicate", []
    if verdict == "too late" and not is_override:
        return "late", []
    is_newest = fact.hear(event)
    if "account_id" in event:
        row.account = max(row.account, (event["event_time"], event["account_id"]))
    if verdict == "too late":
        return "late", []
    judged = is_new_to_all and not row.is_deleted and event.get("workflow_state") != "deleted"
    alerts = _judge(row, event, before, rules) if judged else []
    # To those who know posted values alone another may hold than to staff.
    holds = is_newest if is_override else row.scores.posted["posted_id"] == event["posted_id"]
    if not holds:
        score_now = _score_now(row, event)
        late = {"late": True} | ({} if score_now is None else {"score_now": score_now})
        alerts = [alert | late for alert in alerts]
    return "alerted" if alerts else "kept" if is_newest else "late", alerts


def _judge(
    row: _Row, event: Fields, held: Fields, rules: Sequence[Mapping[str, Any]]
) -> list[Fields]:
    """Return the alerts of one event; ``held`` is what its fact said before it."""
    if event["type"] == "course_grade_change":
        kind, old, new = "score_drop", event.get("old_current_score"), event.get("current_score")
        if old is None or new is None or new >= old:
            return []
    else:
        old, new = event.get("old_override_score"), event.get("override_score")
        kind = "override_removed" if new is None else ""
        if event.get("grading_period_id") is None:
            old = row.known_final if old is None else old
            new = row.known_final if new is None else new
        if old is None or new is None or _is_second_section(event, held):
            return []
        kind = kind or ("override_raised" if new > old else "override_lowered")
    change = Decimal(repr(new)) - Decimal(repr(old))
    who = {key: event[key] for key in ("tenant", "student_id", "course_id", "event_time")}
    period = event.get("grading_period_id")
    return [
        who
        | {"kind": kind, "rule": rule["id"], "severity": rule["severity"], "view": "posted"}
        | {"score": "current_score" if kind == "score_drop" else "effective_final_score"}
        | {"before": old, "after": new, "change": float(change), "threshold": rule["points"]}
        | ({} if period is None else {"grading_period_id": period})
        for rule in rules
        if rule["kind"] == kind and change and abs(change) >= Decimal(str(rule["points"]))
    ]


def _is_second_section(event: Fields, held: Fields) -> bool:
    """Tell whether this repeats, for another enrolment, the override that the row holds."""
    enrollments = {event.get("enrollment_id"), held.get("enrollment_id")}
    if not held or None in enrollments or len(enrollments) == 1:
        return False
    apart = datetime.fromisoformat(event["event_time"]) - datetime.fromisoformat(held["event_time"])
    same = event.get("override_score") == held.get("override_score")
    return same and abs(apart.total_seconds()) <= 60


def _score_now(row: _Row, event: Fields) -> float | None:
    """Return what the row says now of that which a late event was about."""
    if event["type"] == "course_grade_change":
        now: float | None = row.scores.posted.get("current_score")
    elif (period := event.get("grading_period_id")) is not None:
        now = row.overrides[period].held.get("override_score")
    else:
        now = row.overrides[None].held.get("override_score")
        now = row.scores.posted.get("final_score") if now is None else now
    return now


def _instant(statement: Fields) -> tuple[str, str]:
    return statement.get("event_time", ""), statement.get("updated_at", "")
