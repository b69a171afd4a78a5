"""Core and a second opinion agree on logs with times ahead of Kafka's, and clocks set back."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.instants import milliseconds
from streams.core.replay import Replay
from streams.core.rules import Rules
from tests.core.test_living import comparable, shown, told_by_oracle
from tests.living_logs import HOURS, LAST, encode, instants, logs, moment, numbered
from tests.on_dicts import ID_KEY
from tests.oracle.kafkas_time import as_it_counts
from tests.profiles import examples

if TYPE_CHECKING:
    from tests.oracle.living import Record

Fields = dict[str, Any]

lags = st.sampled_from([0, 0, 0, 1, 3_600, -1, -3_599, -3_600, -3_601, -86_400, -86_401])
"""Seconds from the time that a record names to Kafka's; below 0: it is ahead."""


@st.composite
def doubtful_logs(draw: st.DrawFn) -> list[tuple[Record, int]]:
    """Return a log with Kafka's time of each record; clocks are set back now and then."""
    values = [record.value for record in draw(logs(max_events=14))]
    for _ in range(draw(st.integers(0, 3))):
        back: Fields = {"type": "control", "kind": "clock"}
        at = draw(st.one_of(st.just(""), instants))
        back |= {"at": at} if at else {}
        values.insert(draw(st.integers(1, len(values))), back)
    for number, value in enumerate(values):
        if value.get("kind") == "watermark" and draw(st.integers(0, 4)) == 0:
            values[number] = value | {"idle": True}
    step = st.integers(0, LAST * HOURS).map(lambda hours: moment(hours * 3_600))
    named = [value.get("event_time") or value.get("at") or draw(step) for value in values]
    times = [milliseconds(at) + 1_000 * draw(lags) for at in named]
    return list(zip(numbered(values), times, strict=True))


@settings(max_examples=examples(100), deadline=None)
@given(doubtful_logs())
def test_core_and_oracle_tell_the_same(log: list[tuple[Record, int]]) -> None:
    replay = Replay(Rules.model_validate({"rules": []}), ID_KEY)
    story = defaultdict[Any, list[Fields]](list)
    counted = 0
    for record, timestamp in log:
        outcome = replay.step(encode(record.value), record.offset, timestamp)
        assert not outcome.failures
        assert outcome.refusal is None or outcome.refusal.reason == "future_event"
        counted += outcome.refusal is None
        for _, alert in outcome.told:
            who = alert.audience, alert.student_id, alert.course_id
            story[who].append(comparable(shown(alert) | {"offset": record.offset}))

    honest = as_it_counts(log)
    assert counted == len(honest)
    assert dict(story) == told_by_oracle(honest)
