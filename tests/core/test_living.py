"""Living alerts: the core and a second opinion agree, and nothing but the log decides."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from streams.core.replay import Replay
from streams.core.rules import Rules
from tests.living_crowds import a_crowded_log, elsewhere
from tests.living_logs import delays, encode, logs, worlds
from tests.on_dicts import ID_KEY
from tests.oracle.living import Record, living
from tests.oracle.single_shots import single_shots
from tests.profiles import examples
from tests.timelines import Timeline, found, timelines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.alerts import Alert

Fields = dict[str, Any]
Story = dict[tuple[str, str | None, str | None], list[Fields]]
"""Audience, student and course → what was told, in order."""

COMPARED = (
    "rule", "kind", "view", "grading_period_id", "assignment_id", "transition", "state", "reason",
    "seq", "severity", "before", "after", "change", "size", "threshold", "opened_at",
    "gap_suspected",
)  # fmt: skip


def played(records: Iterable[Record]) -> list[tuple[int, Alert]]:
    """Return what the core tells of a log, and at which offset."""
    replay = Replay(Rules.model_validate({"rules": []}), ID_KEY)
    told = []
    for record in records:
        outcome = replay.step(encode(record.value), record.offset)
        assert outcome.refusal is None
        assert not outcome.failures
        told += [(record.offset, one.alert) for one in outcome.told]
    return told


def told_by_core(records: Iterable[Record]) -> Story:
    story = defaultdict[Any, list[Fields]](list)
    for offset, alert in played(records):
        who = alert.audience, alert.student_id, alert.course_id
        story[who].append(comparable(shown(alert) | {"offset": offset}))
    return dict(story)


def shown(alert: Alert) -> Fields:
    values = {name: getattr(alert, name) for name in COMPARED}
    values |= {"at": alert.changed_at, "pending_since": alert.event_time}
    kept = {
        name: value for name, value in values.items() if value not in (None, False) or value == 0
    }
    kept = {name: value for name, value in kept.items() if value is not False}
    return {name: str(value) if isinstance(value, str) else value for name, value in kept.items()}


def comparable(told: Fields) -> Fields:
    """Return a step without its size where nothing was measured: the rule may be another now."""
    measured = told["reason"] not in {"score_deleted", "rule_removed", "expired"}
    return {name: value for name, value in told.items() if measured or name != "size"}


def told_by_oracle(records: list[Record]) -> Story:
    story = defaultdict[Any, list[Fields]](list)
    told = sorted(single_shots(records) + living(records), key=lambda one: one.offset)
    for one in told:
        alert, named = one.alert, (*COMPARED, "at", "pending_since")
        who = one.audience, alert["student_id"], alert["course_id"]
        said = {name: alert[name] for name in named if name in alert}
        story[who].append(comparable(said | {"offset": one.offset}))
    return dict(story)


def differences(core: Story, oracle: Story) -> list[str]:
    """Return where two stories part, each as far as it matters."""
    found = []
    for who in sorted(core.keys() | oracle.keys(), key=str):
        nothing: Fields = {}
        pairs = zip_longest(core.get(who, []), oracle.get(who, []), fillvalue=nothing)
        for number, (ours, theirs) in enumerate(pairs):
            if ours != theirs:
                names = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
                told = {name: (ours.get(name), theirs.get(name)) for name in names}
                found.append(f"{who} {number}: {told}")
                break
    return found


def posted_only(log: Iterable[Record]) -> list[tuple[int, Alert]]:
    return [(offset, alert) for offset, alert in played(log) if alert.audience == "posted"]


@pytest.mark.parametrize("timeline", timelines(), ids=lambda timeline: timeline.name)
@pytest.mark.parametrize("audience", ["staff", "posted", "operator"])
def test_golden_timelines(timeline: Timeline, audience: str) -> None:
    told = [
        shown(alert)
        | {"offset": offset, "tenant": alert.tenant}
        | {"student_id": alert.student_id, "course_id": alert.course_id}
        for offset, alert in played(timeline.records)
        if alert.audience == audience
    ]
    expected = timeline.expected(audience)
    assert found(expected, told) == expected


@pytest.mark.parametrize("seed", range(40))
def test_core_and_oracle_agree_on_crowds(seed: int) -> None:
    log = a_crowded_log(seed)
    assert differences(told_by_core(log), told_by_oracle(log)) == []
    assert posted_only(log) == posted_only(elsewhere(log, seed))


@settings(max_examples=examples(120), deadline=None)
@given(logs())
def test_core_and_oracle_tell_the_same_story(log: list[Record]) -> None:
    assert differences(told_by_core(log), told_by_oracle(log)) == []


@settings(max_examples=examples(80), deadline=None)
@given(worlds())
def test_what_is_posted_tells_nothing_of_what_is_not(
    pair: tuple[list[Record], list[Record]],
) -> None:
    one, other = map(posted_only, pair)
    assert one == other


@settings(max_examples=examples(80), deadline=None)
@given(delays())
def test_lateness_within_grace_does_not_change_which_alerts_open(
    pair: tuple[list[Record], list[Record]],
) -> None:
    def opened(log: list[Record]) -> list[Any]:
        return sorted(
            (
                *who,
                one["rule"],
                one["view"],
                one["opened_at"],
                one.get("before"),
            )
            for who, story in told_by_core(log).items()
            for one in story
            if one["transition"] == "opened"
        )

    assert opened(pair[0]) == opened(pair[1])
