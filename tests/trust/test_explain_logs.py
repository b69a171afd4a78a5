"""Alerts of any log are explained: late events, repetitions, deletions, other rules in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings

from streams.core import alerts, events
from streams.core.alerts import Told
from streams.core.events import Control, CourseGradeChange, GradeEvent, GradeOverride
from streams.core.identity import identified
from streams.core.replay import Replay
from streams.core.rules import Rules
from streams.core.ruleset import NO_RULES
from streams.trust.explain import evidence, read_alert, rules_of, verdict
from tests.living_logs import encode, logs
from tests.profiles import examples
from tests.trust.played import ID_KEY

if TYPE_CHECKING:
    from tests.oracle.living import Record


FELL = {
    "id": "fell", "kind": "score_drop", "points": 10, "severity": "info",
    "clear": {"keep_firing_for": "3h"},
}  # fmt: skip
APART = {
    "id": "apart", "kind": "override_gap", "points": 10, "severity": "info", "for": "12h",
    "clear": {"recovery": 0},
}  # fmt: skip
REMOVED = {
    "id": "removed", "kind": "override_removed", "points": 5, "severity": "info",
    "clear": {"recovery": 0},
}  # fmt: skip


def explained(rule: dict[str, object], *told: GradeEvent) -> tuple[list[str], list[str]]:
    """Return which steps an alert takes in events an hour apart, and the clauses of all of them."""
    rules = Rules.model_validate({"rules": [rule]})
    replay, steps = Replay(rules, ID_KEY), list[Told]()
    for hour, event in enumerate(told, 10):
        at = msgspec.structs.replace(event, event_time=f"2026-02-03T{hour}:00:00.000Z")
        steps += replay.event(identified(at))
    steps += replay.clock("2026-02-04T00:00:00.000Z")
    staff = [one.alert for one in steps if one.alert.audience == alerts.STAFF]
    found = [one for each in staff for one in verdict(read_alert(alerts.encode(each)), rules)]
    assert [one.text for one in found if not one.holds] == []
    return [one.reason for one in staff], [one.text for one in found]


def scores(old: float | None, new: float | None, final: float | None = None) -> GradeEvent:
    return CourseGradeChange(
        event_id="", tenant="t", student_id="48", course_id="565", event_time="",
        old_current_score=old, current_score=new, old_final_score=final, final_score=final,
    )  # fmt: skip


def test_an_alert_whose_score_vanishes_while_it_recovers_is_explained() -> None:
    steps, said = explained(FELL, scores(90.0, 70.0), scores(70.0, 85.0), scores(85.0, None))

    assert steps == ["threshold_reached", "recovered", "recovered"]
    assert any(text.startswith("had recovered, and nothing known since says no") for text in said)


def test_a_removed_override_whose_final_score_falls_on_is_explained() -> None:
    removed = GradeOverride(
        event_id="", tenant="t", student_id="48", course_id="565", event_time="",
        old_override_score=60.1,
    )  # fmt: skip
    steps, said = explained(REMOVED, scores(55.0, 55.0, 55.0), removed, scores(55.0, 50.0, 50.0))

    assert steps == ["threshold_reached", "deepened"]
    assert "10.1 from 60.1 to 50, at least 5 more than 5.1" in said


def override(old: float | None, new: float) -> GradeOverride:
    return GradeOverride(
        event_id="", tenant="t", student_id="48", course_id="565", event_time="",
        old_override_score=old, override_score=new,
    )  # fmt: skip


def test_a_gap_whose_two_scores_move_while_it_settles_is_explained() -> None:
    steps, said = explained(
        APART, scores(60.0, 60.0, 60.0), override(None, 85.0), override(85.0, 100.0),
        scores(60.0, 85.0, 85.0),
    )  # fmt: skip

    assert steps == ["threshold_reached"]
    assert "25 between 60 and 85, at least 10" in said
    assert "held then: 15 between 85 and 100 with the threshold at 10" in said


@settings(max_examples=examples(60), deadline=None)
@given(logs(single_shots=True))
def test_alerts_of_any_log_are_explained(log: list[Record]) -> None:
    replay, sets = Replay(NO_RULES.rules, ID_KEY), dict[bytes, bytes]()
    records: dict[int, bytes | None] = {}
    for record in log:
        event = events.decode(encode(record.value))
        value = events.encode(event if isinstance(event, Control) else identified(event))
        records[record.offset] = value
        if isinstance(event, Control) and event.kind == "rules":
            sets[event.rules_hash.encode()] = bytes(event.rules)
        for told in replay.step(value, record.offset).told:
            alert = read_alert(alerts.encode(told.alert))
            rules = rules_of(sets.items(), alert.rules_hash)
            assert isinstance(rules, Rules)
            found = [*evidence(alert, records), *verdict(alert, rules)]
            assert [one.text for one in found if not one.holds] == []
