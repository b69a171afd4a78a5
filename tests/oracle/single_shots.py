"""The second opinion on rules that do not live: each event that reaches one alerts at once.

The events count as they arrive. A late one regresses nothing, and is judged all the same, by its
own old and new. Both audiences are played on their own, as in ``living``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.oracle.living import AUDIENCES, Told
from tests.oracle.living_facts import PAIRS, Facts, fact_of, id_for, in_order, percent_of
from tests.oracle.living_kinds import is_concerned, start
from tests.oracle.living_life import plain
from tests.oracle.living_rules import (
    FALLS,
    LOUDNESS,
    SCORE_KINDS,
    Rule,
    exact,
    single_shot_rules,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    from tests.oracle.living import Record

Fields = dict[str, Any]


@dataclass
class Seen:
    """What one view of one student and course has seen, in the order of arrival."""

    view: str
    ids: set[str] = field(default_factory=set)
    events: list[tuple[str, Fields]] = field(default_factory=list)

    def facts(self) -> Facts:
        """Return the newest statement of each fact."""
        facts = Facts(self.view)
        for _, event in in_order(self.events):
            facts.take(event)
        return facts

    def hear(self, event: Fields) -> tuple[Facts, Facts] | None:
        """Return what was known before an event and what is with it; None: it was heard before."""
        if id_for(self.view, event) in self.ids:
            return None
        before = self.facts()
        self.ids.add(id_for(self.view, event))
        self.events.append((self.view, event))
        return before, self.facts()


def single_shots(records: Iterable[Record]) -> list[Told]:
    """Return the alerts of rules that do not live, in order; first for staff, then posted."""
    log = list(records)
    return [told for audience in AUDIENCES for told in _play(audience, log)]


def _play(audience: str, log: list[Record]) -> Iterator[Told]:
    rules: list[Rule] = []
    seen: dict[tuple[str, ...], Seen] = {}
    falls: dict[tuple[str, ...], Fields] = {}  # of each row the last one told that is unposted
    for offset, _, value in log:
        if value["type"] == "control":
            if value["kind"] == "rules":
                rules = [one for one in single_shot_rules(value["rules"]) if one.is_for(audience)]
            continue
        if value.get("muted") and audience == "posted":
            continue
        who = {key: value[key] for key in ("tenant", "student_id", "course_id")}
        for view in ["unposted", "posted"] if audience == "staff" else ["posted"]:
            heard = seen.setdefault((view, *who.values()), Seen(view)).hear(value)
            if heard is None:
                continue
            for rule in rules:
                if rule.view != view or (alert := _judge(rule, value, *heard)) is None:
                    continue
                row = tuple(who.values())
                records = _linked(row, alert, falls, rules) if audience == "staff" else [alert]
                yield from (Told(audience, offset, who | one) for one in records)


def _linked(
    row: tuple[str, ...], alert: Fields, falls: dict[tuple[str, ...], Fields], rules: list[Rule]
) -> list[Fields]:
    """Return what staff are told: of a fall that they know, that it is posted, and that once."""
    last = falls.get(row)
    if alert["view"] == "unposted":
        if alert["kind"] in FALLS and "late" not in alert:
            falls[row] = alert
        return [alert]
    if last is None or not _tells(last, alert, rules):
        return [alert]
    if last["at"] >= alert["at"] or last["transition"] == "updated":
        return []
    link = {"transition": "updated", "reason": "posted", "seq": 2, "at": alert["at"]}
    falls[row] = last | link
    return [falls[row]]


def _tells(last: Fields, alert: Fields, rules: list[Rule]) -> bool:
    """Tell whether staff know a posted fall from the last unposted one that they were told of."""
    return (
        last["kind"] == alert["kind"]
        and any(rule.id == last["rule"] for rule in rules)
        and LOUDNESS.index(last["severity"]) >= LOUDNESS.index(alert["severity"])
        and last["before"] >= alert["before"]
        and last["after"] <= alert["after"]
    )


def _judge(rule: Rule, event: Fields, known: Facts, now: Facts) -> Fields | None:
    is_silent = now.is_deleted or event.get("workflow_state") == "deleted"
    # A removal is judged by the event that removes, not by a move of the scores under it.
    is_other = event["type"] == "course_grade_change" and rule.kind not in SCORE_KINDS
    if (
        is_silent
        or is_other
        or not is_concerned(rule, event, known.view)
        or known.is_second_section(event)
    ):
        return None
    if rule.kind == "score_vanished" and event.get(f"old_{PAIRS[rule.view][0]}") is None:
        return None  # by its own old and new
    begun = start(rule, event, known, now)
    if begun is None or not rule.matches(event, event.get("account_id", now.account)):
        return None
    after = _own(rule, event, known)
    fall = None if begun.before is None or after is None else begun.before - after
    size = None if fall is None else abs(fall)
    if rule.in_percent and fall is not None and begun.before:
        size = fall * 100 / begun.before
    item = "assignment_id" if rule.kind == "assignment_drop" else "grading_period_id"
    is_muted = rule.kind == "assignment_drop" and event.get("muted")
    is_late = now.statements[fact_of(event)] is not event
    found = {
        "rule": rule.id,
        "kind": rule.kind,
        "view": "unposted" if is_muted else rule.view,
        item: event.get(item),
        "transition": "opened",
        "state": "firing",
        "reason": "threshold_reached",
        "seq": 1,
        "severity": rule.severity_at(size),
        "before": begun.before,
        "after": after,
        "change": None if fall is None else -fall,
        "size": size,
        "threshold": rule.threshold,
        "at": event["event_time"],
        "event_time": event["event_time"],
        "pending_since": event["event_time"],
        "opened_at": event["event_time"],
        "gap_suspected": _is_after_a_gap(rule, event, known, is_late=is_late) or None,
        "late": is_late or None,
        "score_now": _now(rule, event, now) if is_late else None,
    }
    return {key: plain(value) for key, value in found.items() if value is not None}


def _is_after_a_gap(rule: Rule, event: Fields, known: Facts, *, is_late: bool) -> bool:
    """Tell whether something was lost before an event, of those that everybody sees."""
    held = known.held("course_grade_change")
    if is_late or not held or rule.kind not in SCORE_KINDS or rule.view != "posted":
        return False
    names = PAIRS["posted"]
    return [event.get(f"old_{name}") for name in names] != [held.get(name) for name in names]


def _own(rule: Rule, event: Fields, known: Facts) -> Fraction | None:
    """Return the new value that the event itself says."""
    if rule.kind in SCORE_KINDS:
        return exact(event.get(PAIRS[rule.view][0]))
    if rule.kind == "assignment_drop":
        return percent_of(event.get("score"), event.get("points_possible"))
    override = exact(event.get("override_score"))
    return known.final if override is None else override


def _now(rule: Rule, event: Fields, now: Facts) -> Fraction | None:
    """Return what holds now of that which a late event was about."""
    if rule.kind in SCORE_KINDS:
        return now.score
    if rule.kind == "assignment_drop":
        return now.percent(event.get("assignment_id"))
    period = event.get("grading_period_id")
    override = now.override(period)
    if override is not None or period is not None:
        return override
    return exact(now.held("course_grade_change").get("final_score"))
