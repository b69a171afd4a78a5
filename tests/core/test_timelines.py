"""Core and oracle agree where events of one row crowd: ties, sections, more than a row remembers.

Also whatever the rules, and event by event. Any order of arrival, within what a row remembers,
gives the same rows and finds the same drops.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import rules as core_rules
from streams.core.replay import Replay
from tests import oracle
from tests.on_dicts import ID_KEY, Play
from tests.oracle.reading import event_id, posted_id
from tests.profiles import examples
from tests.scenarios import (
    a_course_grade_change,
    a_grade_change,
    an_override,
    milliseconds,
    moment,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.on_dicts import Raw

ARRIVAL: Final = milliseconds(moment(3600))

# Few values, so that pairs chain, and some exactly 10 apart only in decimals.
values = st.sampled_from([None, 0.0, 60.1, 70.0, 70.1, 80.1, 84.25, 90.1, 104.5])
pairs = st.tuples(values, values)
# Instants collide; 60 s and a millisecond more apart, for the two sections.
instants = st.sampled_from([0, 0.001, 1, 2, 3, 20, 60, 60.001, 61, 80, 120, 300]).map(moment)
# The time of the score row breaks some ties and leaves others.
versions = st.sampled_from([0, 1, 2]).map(moment)
students = st.sampled_from(["48", "48", "48", "49"])
courses = st.sampled_from(["565", "565", "565", "566"])

score_changes = st.builds(
    a_course_grade_change, students, courses, current=pairs, final=pairs, unposted_current=pairs,
    at=instants, updated_at=versions, state=st.sampled_from(["active"] * 5 + ["deleted"]),
)  # fmt: skip
overrides = st.builds(
    an_override, students, courses, score=pairs, at=instants, updated_at=versions,
    period=st.sampled_from([None, None, "47", "46"]),
    enrollment=st.sampled_from(["44", "44", "45", None]),
)  # fmt: skip
# The score follows from assignment and time: one assignment is never graded twice in an instant.
grade_changes = st.builds(
    lambda student, course, assignment, second, muted: a_grade_change(
        student, course, assignment=assignment, score=(second, second + 1), at=moment(second),
        muted=muted,
    ),
    students, courses, st.sampled_from(["1", "2", "3", "4", "5"]), st.integers(0, 8),
    st.booleans(),
)  # fmt: skip
strangers = st.sampled_from(
    [None, b"", b"[]", b"{", b'{"metadata":{"event_name":"heartbeat"},"body":{}}']
)
rule_sets = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([rule["kind"] for rule in oracle.SHIPPED_RULES]),
            "points": st.sampled_from(["0.1", "9.9", "10", "10.0", "14.15", "34.4"]),
            "severity": st.sampled_from(["info", "warning", "critical"]),
        }
    ),
    max_size=6,
)


# Up to four moves from score to score, all at one instant.
walks = st.lists(values, min_size=3, max_size=5, unique=True)


facts = st.sampled_from(["current_score", "override_score"])


def walked(walk: list[float | None], fact: str) -> list[bytes]:
    """Return the events of a walk, in its order."""
    if fact == "override_score":
        return [an_override(score=pair) for pair in pairwise(walk)]
    return [a_course_grade_change(current=pair) for pair in pairwise(walk)]


def remembered(told: list[bytes]) -> list[bytes]:
    """Return the events without repeats, and without a fifth of one instant: a row forgets it."""
    kept, tied = [], Counter[tuple[object, ...]]()
    names = ("type", "student_id", "course_id", "grading_period_id", "event_time", "updated_at")
    for value in dict.fromkeys(told):
        event = oracle.canonical(value, ARRIVAL)
        assert isinstance(event, dict)
        instant = tuple(event.get(name) for name in names)
        tied[instant] += 1
        if tied[instant] <= oracle.folding.KEPT_TIED:
            kept.append(value)
    return kept


@st.composite
def timelines(draw: st.DrawFn) -> list[bytes | None]:
    """Return values as they arrive: some twice, some of no use."""
    events = st.one_of(score_changes, score_changes, overrides, overrides, grade_changes)
    told = draw(st.lists(events, min_size=1, max_size=24))
    told = remembered(told + draw(st.builds(walked, walks, facts)))
    again = draw(st.lists(st.sampled_from(told), max_size=8))
    useless = draw(st.lists(strangers, max_size=2))
    return draw(st.permutations([*told, *again, *useless]))


def a_log(told: Sequence[bytes | None]) -> list[Raw]:
    """Return records as they stand on the raw topic."""
    return [(one, ARRIVAL, ("canvas", 0, offset)) for offset, one in enumerate(told)]


def in_common(alert: dict[str, Any]) -> dict[str, Any]:
    """Return of an alert what the oracle says too; what the oracle lacks must not be there."""
    unsaid = {
        "alert_id", "fingerprint", "seq", "state", "transition", "reason", "rules_hash", "audience",
        "size", "opened_at", "changed_at", "summary", "inputs", "gap_suspected",
    }  # fmt: skip
    first = {key: alert["evidence"][0][key] for key in ("partition", "offset")}
    return {key: alert[key] for key in alert if key not in unsaid} | {"evidence": [first]}


def assert_same(played: Play, said: oracle.Result) -> None:
    assert played.journeys == said.journeys
    assert played.rows == said.rows
    falls = [alert for alert in played.alerts if alert["kind"] == "score_drop"]
    assert [in_common(alert) for alert in played.posted] == [in_common(alert) for alert in falls]
    assert [in_common(alert) for alert in played.alerts] == [
        # A log's records stand on grade-events where they stood on the raw topic.
        alert | {"evidence": [{key: one[key] for key in ("partition", "offset")}]}
        for alert in said.alerts
        for one in alert["evidence"]
    ]


@settings(max_examples=examples(200), deadline=None)
@given(timelines())
def test_core_and_oracle_agree_on_crowded_timelines(told: list[bytes | None]) -> None:
    log = a_log(told)
    assert_same(Play().take(log), oracle.fold(log))


@settings(max_examples=examples(60), deadline=None)
@given(timelines(), rule_sets)
def test_they_agree_whatever_the_rules(
    told: list[bytes | None], drawn: list[dict[str, Any]]
) -> None:
    stated = [{"id": f"rule-{number}", **rule} for number, rule in enumerate(drawn)]
    rules = core_rules.Rules.model_validate({"rules": stated})
    log = a_log(told)
    played = Play(Replay(rules, ID_KEY)).take(log)
    said = oracle.fold(log, [rule | {"points": float(rule["points"])} for rule in stated])
    assert_same(played, said)


@settings(max_examples=examples(40), deadline=None)
@given(timelines())
def test_they_agree_on_every_canonical_event_and_its_id(told: list[bytes | None]) -> None:
    log = a_log(told)
    for (value, timestamp, _), event in zip(log, Play().take(log).events, strict=True):
        said = oracle.canonical(value, timestamp)
        if event is None:
            assert said is None or isinstance(said, oracle.Refused)
        else:
            assert isinstance(said, dict)
            ids = {"event_id": event_id(said)}
            if said["type"] == "course_grade_change":
                ids["posted_id"] = posted_id(said)
            assert event == said | ids


@settings(max_examples=examples(80), deadline=None)
@given(
    st.lists(score_changes, max_size=8),
    st.lists(overrides, max_size=8),
    st.lists(grade_changes, max_size=3),
    st.data(),
)
def test_any_arrival_order_within_the_kept_history_gives_the_same_rows(
    of_scores: list[bytes], of_overrides: list[bytes], of_grades: list[bytes], data: st.DataObject
) -> None:
    told = remembered(of_scores + of_overrides + of_grades)
    otherwise = data.draw(st.permutations(told))
    assert Play().take(a_log(told)).rows == Play().take(a_log(otherwise)).rows


@settings(max_examples=examples(100), deadline=None)
@given(walks, facts, st.data())
def test_of_moves_at_one_instant_the_last_of_the_chain_holds_however_they_arrive(
    walk: list[float | None], fact: str, data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(walked(walk, fact)))
    [row] = Play().take(a_log(arrived)).rows.values()
    assert row[fact] == walk[-1]


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(score_changes, max_size=8, unique=True), st.data())
def test_any_arrival_order_finds_the_same_drops_of_rows_never_deleted(
    told: list[bytes], data: st.DataObject
) -> None:
    active = [value for value in told if b'"deleted"' not in value]
    otherwise = data.draw(st.permutations(active))

    def found(log: list[bytes]) -> list[str]:
        return sorted(alert["alert_id"] for alert in Play().take(a_log(log)).posted)

    assert found(active) == found(otherwise)


# One event more than a row remembers, the oldest first; each is a drop of 10.
NINE: Final = [
    a_course_grade_change(current=(90.1, 80.1), at=moment(second)) for second in range(9)
]


@pytest.mark.parametrize("event", range(9))
def test_an_event_the_row_has_forgotten_is_late_and_not_judged_again(event: int) -> None:
    log = a_log([*NINE, NINE[event]])
    played = Play().take(log)
    assert_same(played, oracle.fold(log))
    assert len(played.alerts) == 9
    assert played.journeys[-1] == ("passed/late" if event == 0 else "passed/duplicate")


def test_a_forgotten_override_that_is_its_periods_newest_is_held_and_not_judged() -> None:
    told = [an_override(score=(60.1, 60.1), at=moment(second)) for second in range(1, 10)]
    log = a_log([*told, an_override(score=(60.1, 90.1), period="47", at=moment(0))])
    played = Play().take(log)
    assert_same(played, oracle.fold(log))
    assert played.journeys[-1] == "passed/late"
    assert not played.alerts
    [row] = played.rows.values()
    assert row["period_overrides"] == {"47": 90.1}


@pytest.mark.parametrize(
    ("constant", "wrong"), [("KEPT_HISTORY", 7), ("KEPT_HISTORY", 9), ("KEPT_CAUSES", 2)]
)
def test_an_oracle_that_remembers_another_number_is_noticed(
    monkeypatch: pytest.MonkeyPatch, constant: str, wrong: int
) -> None:
    graded = [a_grade_change(assignment=each, at=moment(int(each))) for each in "123"]
    log = a_log([*NINE, *NINE[:2], *graded, graded[0]])
    assert_same(Play().take(log), oracle.fold(log))
    monkeypatch.setattr(oracle.folding, constant, wrong)
    with pytest.raises(AssertionError):
        assert_same(Play().take(log), oracle.fold(log))
