"""The second opinion on living alerts holds its own promises, on logs of all kinds."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings

from streams.core.rules import Kind
from tests.living_crowds import a_crowded_log, elsewhere
from tests.living_logs import delays, logs, worlds
from tests.oracle.feeds import feeds
from tests.oracle.living import living
from tests.oracle.single_shots import single_shots
from tests.profiles import examples
from tests.timelines import found, timelines

if TYPE_CHECKING:
    from tests.oracle.living import Record, Told
    from tests.timelines import Timeline

LEGAL: Final = {
    "": {"opened"},
    "opened": {"updated", "recovering", "resolved"},
    "updated": {"updated", "recovering", "resolved"},
    "recovering": {"updated", "relapsed", "resolved"},
    "relapsed": {"updated", "recovering", "resolved"},
    "resolved": {"opened"},
}
"""Transition → what may come next of the same rule and subject."""

SUBJECT: Final = (
    "rule", "tenant", "student_id", "course_id", "grading_period_id", "assignment_id",
    "view",
)  # fmt: skip


STEPS: Final = {
    ("opened", "threshold_reached"),
    ("updated", "severity_raised"),
    ("updated", "deepened"),
    ("updated", "posted"),
    ("recovering", "recovered"),
    ("relapsed", "relapsed"),
    ("resolved", "recovered"),
    ("resolved", "score_deleted"),
    ("resolved", "override_removed"),
    ("resolved", "gap_closed"),
    ("resolved", "rule_removed"),
    ("resolved", "expired"),
}
"""All transitions and reasons."""


def step_of(alert: dict[str, Any]) -> tuple[str, str]:
    return alert["transition"], alert["reason"]


def assert_legal(told: list[Told]) -> None:
    """Check that every alert takes legal steps alone, and counts them without a gap."""
    lives: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for audience, _, alert in told:
        lives[audience, *(alert.get(name) for name in SUBJECT)].append(alert)
    for life in lives.values():
        last: dict[str, Any] = {"transition": "", "seq": 0}
        for alert in life:
            assert alert["transition"] in LEGAL[last["transition"]]
            is_first = alert["transition"] == "opened"
            assert alert["seq"] == (1 if is_first else last["seq"] + 1)
            assert is_first or alert["opened_at"] == last["opened_at"]
            last = alert


def all_told(log: list[Record]) -> list[Told]:
    """Return what rules of both sorts tell; of one record first those that do not live."""
    return sorted(single_shots(log) + living(log) + feeds(log), key=lambda told: told.offset)


@settings(max_examples=examples(50), deadline=None)
@given(logs())
def test_every_step_is_legal_and_counted(log: list[Record]) -> None:
    assert_legal(living(log))


def test_crowded_logs_take_every_step_and_each_is_legal() -> None:
    steps = Counter[tuple[str, ...]]()
    for seed in range(60):
        log = a_crowded_log(seed)
        told = living(log)
        assert_legal(told)
        steps.update((one.audience, *step_of(one.alert)) for one in told)
        posted = [one for one in told if one.audience == "posted"]
        assert posted == [one for one in living(elsewhere(log, seed)) if one.audience == "posted"]

    missing = {("staff", *step) for step in STEPS} | {
        ("posted", *step) for step in STEPS if step != ("updated", "posted")
    }
    assert missing - steps.keys() == set()


def test_what_is_posted_at_once_tells_nothing_of_unposted_and_muted_values() -> None:
    told = 0
    for seed in range(30):
        log = a_crowded_log(seed, single_shots=True)
        one, other = (
            [each for each in single_shots(world) if each.audience == "posted"]
            for world in (log, elsewhere(log, seed))
        )
        assert one == other
        told += len(one)

    assert told > 30


def test_the_golden_timelines_have_every_kind_and_step() -> None:
    every = [(audience, one) for one in timelines() for audience in ("staff", "posted")]
    steps = {step_of(told) for who, one in every for told in one.expected(who)}
    kinds = {
        (who, rule.kind.value) for who, one in every for rule in one.rules.rules
        if rule.lives and any(told["rule"] == rule.id for told in one.expected(who))
    }  # fmt: skip

    assert steps == STEPS
    students = {kind.value for kind in Kind} - {"feed_silent"}
    assert kinds == {(who, kind) for who in ("staff", "posted") for kind in students}


def test_the_golden_timelines_have_every_step_of_a_feed() -> None:
    steps = {step_of(told) for one in timelines() for told in one.expected("operator")}

    assert steps == {
        ("opened", "threshold_reached"),
        ("resolved", "recovered"),
        ("resolved", "rule_removed"),
    }


@settings(max_examples=examples(40), deadline=None)
@given(worlds())
def test_what_is_posted_tells_nothing_of_unposted_and_muted_values(
    pair: tuple[list[Record], list[Record]],
) -> None:
    one, other = [[told for told in living(log) if told.audience == "posted"] for log in pair]

    assert one == other


@settings(max_examples=examples(40), deadline=None)
@given(delays())
def test_lateness_up_to_grace_changes_nothing(pair: tuple[list[Record], list[Record]]) -> None:
    one, other = [[(told.audience, told.alert) for told in living(log)] for log in pair]

    assert one == other


@pytest.mark.parametrize("timeline", timelines(), ids=lambda timeline: timeline.name)
@pytest.mark.parametrize("audience", ["staff", "posted", "operator"])
def test_it_tells_what_a_golden_timeline_expects(timeline: Timeline, audience: str) -> None:
    told = all_told(timeline.records)
    said = [one.alert | {"offset": one.offset} for one in told if one.audience == audience]
    expected = timeline.expected(audience)

    assert_legal(living(timeline.records))
    assert found(expected, said) == expected
