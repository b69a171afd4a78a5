"""What a rule test says that happens is told as Canvas would: each event knows what was before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.core import events
from streams.core.identity import event_id, posted_id
from streams.core.intake import Reader
from streams.core.rules import load as load_rules
from streams.trust.ndjson import Lines
from streams.trust.story import tell
from streams.trust.testfile import load
from tests.trust.played import lines

if TYPE_CHECKING:
    from streams.trust.story import Story

RULES = load_rules("rules: [{id: a, kind: score_drop, points: 10, severity: info}]", "rules.yaml")


def story(*entries: str) -> Story:
    given = "\n".join(f"      - {entry}" for entry in entries)
    text = f"""
rules: rules.yaml
start: 2026-09-01T00:00:00Z
tests:
  - name: one
    input:
{given}
    expect: [{{at: 1d, rule: a, alerts: []}}]
"""
    tests, _ = load(text, "one.test.yaml", lambda _: RULES)
    return tell(tests.tests[0], tests.start)


def told(*entries: str) -> list[dict[str, Any]]:
    fields = [
        {name: getattr(one.event, name) for name in one.event.__struct_fields__}
        for one in story(*entries).arrivals
    ]
    return [{"at": one.pop("event_time")[5:16], **one} for one in fields]


def pairs(entries: list[dict[str, Any]], score: str) -> list[tuple[float | None, float | None]]:
    return [(one[f"old_{score}"], one[score]) for one in entries]


def test_each_step_of_a_series_says_what_was_before() -> None:
    events_ = told('{student: s, course: c, every: 1d, at: 12h, current_score: "92 _ 90 null"}')

    assert [one["at"] for one in events_] == ["09-01T12:00", "09-03T12:00", "09-04T12:00"]
    assert pairs(events_, "current_score") == [(None, 92), (92, 90), (90, None)]


def test_scores_that_are_not_given_follow_until_they_are() -> None:
    events_ = told(
        '{student: s, course: c, every: 1d, current_score: "92 90"}',
        "{at: 2d, event: course_grade_change, student: s, course: c, final_score: 60}",
        "{at: 3d, event: course_grade_change, student: s, course: c, current_score: 80}",
    )

    assert pairs(events_, "current_score") == [(None, 92), (92, 90), (90, 90), (90, 80)]
    assert pairs(events_, "final_score") == [(None, 92), (92, 90), (90, 60), (60, 60)]
    assert pairs(events_, "unposted_current_score") == [(None, 92), (92, 90), (90, 90), (90, 80)]
    assert pairs(events_, "unposted_final_score") == [(None, 92), (92, 90), (90, 60), (60, 60)]


def test_what_an_entry_says_of_before_counts() -> None:
    [one] = told(
        "{at: 0h, event: course_grade_change, student: s, course: c, current_score: 80,"
        " old_current_score: 95}"
    )

    assert (one["old_current_score"], one["old_final_score"]) == (95, None)


def test_overrides_know_the_one_before_of_the_same_period() -> None:
    events_ = told(
        "{at: 0h, event: grade_override, student: s, course: c, override_score: 90}",
        "{at: 1h, event: grade_override, student: s, course: c, override_score: 70, period: p1}",
        "{at: 2h, event: grade_override, student: s, course: c, override_score: null}",
    )

    assert pairs(events_, "override_score") == [(None, 90), (None, 70), (90, None)]
    assert [one["grading_period_id"] is None for one in events_] == [True, False, True]


def test_marks_know_the_one_before_of_the_same_assignment() -> None:
    events_ = told(
        "{at: 0h, event: grade_change, student: s, course: c, assignment: a, score: 9,"
        " points_possible: 10, grader: t}",
        "{at: 1h, event: grade_change, student: s, course: c, assignment: b, score: 1}",
        "{at: 2h, event: grade_change, student: s, course: c, assignment: a, score: 4,"
        " grader: automatic}",
    )

    assert pairs(events_, "score") == [(None, 9), (None, 1), (9, 4)]
    assert pairs(events_, "points_possible") == [(None, 10), (None, None), (10, 10)]
    assert [one["grader_id"] is None for one in events_] == [False, True, True]


def test_an_event_may_arrive_late_and_is_still_told_in_its_place() -> None:
    found = story(
        "{at: 0h, event: course_grade_change, student: s, course: c, current_score: 90}",
        "{at: 1h, arrives: 3h, event: course_grade_change, student: s, course: c,"
        " current_score: 80}",
        "{at: 2h, event: course_grade_change, student: s, course: c, current_score: 70}",
    )

    scores = [one.event.current_score for one in found.arrivals]  # type: ignore[union-attr]
    assert scores == [90, 70, 80]
    assert found.arrivals[1].event.old_current_score == 80  # type: ignore[union-attr]


def test_words_are_ids_and_ids_are_their_own() -> None:
    found = story(
        "{at: 0h, event: course_grade_change, student: s1, course: 565, current_score: 90}",
        "{at: 0h, event: course_grade_change, student: s2, course: c, current_score: 90}",
    )
    ids = [(one.event.student_id, one.event.course_id) for one in found.arrivals]

    assert ids[0][1] == "565"
    assert len({*ids[0], *ids[1]}) == 4
    assert [found.names.word_of(one) for one in (*ids[0], *ids[1])] == ["s1", "565", "s2", "c"]


def test_ids_made_again_are_those_that_intake_made() -> None:
    reader = Lines(Reader())
    found = [events.decode(one.value) for line in lines(3_000, 30) for one in reader.read(line)]

    assert len({type(one) for one in found}) == 3
    for one in found:
        assert not isinstance(one, events.Control)
        assert event_id(one) == one.event_id
        if isinstance(one, events.CourseGradeChange) and one.posted_id:
            assert posted_id(one) == one.posted_id


@pytest.mark.parametrize("field", ["unposted_current_score", "old_unposted_final_score"])
def test_the_posted_id_is_that_of_posted_facts_alone(field: str) -> None:
    one, two = (
        story(
            "{at: 0h, event: course_grade_change, student: s, course: c, current_score: 90,"
            f" {field}: {score}}}"
        ).arrivals[0].event
        for score in (50, 60)
    )  # fmt: skip

    assert event_id(one) != event_id(two)
    assert posted_id(one) == posted_id(two)
