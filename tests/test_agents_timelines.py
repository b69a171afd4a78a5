"""The agent adds nothing to the core: golden timelines and crowds, whatever the batches."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from streams.core import alerts
from tests.core.test_living import played
from tests.living_crowds import a_crowded_log
from tests.living_logs import encode
from tests.test_agents import Record, scored
from tests.timelines import Timeline, found, timelines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.oracle.living import Record as Told

TOPICS = {
    "staff": "grade-alerts",
    "posted": "grade-alerts-posted",
    "operator": "grade-alerts",
}


LATER = 4_102_444_800_000
"""Kafka's time of every record: 2100, after all that happens in a log."""


def on_the_log(log: Iterable[Told]) -> list[Record]:
    return [Record(one.offset, LATER, one.key.encode() or None, encode(one.value)) for one in log]


def cuts(records: int, seed: int) -> set[int]:
    chance = Random(seed)  # noqa: S311 - reproducible, not secret
    return {chance.randrange(1, records) for _ in range(records // 3)}


@pytest.mark.parametrize("timeline", timelines(), ids=lambda timeline: timeline.name)
def test_golden_timelines(timeline: Timeline) -> None:
    records = on_the_log(timeline.records)
    _, told, _ = scored(records, cuts(len(records), 7))

    for audience, topic in TOPICS.items():
        every = [as_told(json.loads(record.value)) for record in told[topic]]
        said = [alert for alert in every if alert["audience"] == audience]
        expected = [
            {name: value for name, value in one.items() if name != "offset"}
            for one in timeline.expected(audience)
        ]
        assert found(expected, said) == expected


def as_told(alert: dict[str, Any]) -> dict[str, Any]:
    return alert | {
        "at": alert["changed_at"],
        "pending_since": alert["event_time"],
        "gap_suspected": alert.get("gap_suspected", False),
    }


@pytest.mark.parametrize("seed", range(10))
def test_crowds_come_to_the_same_bytes_whatever_the_cut(seed: int) -> None:
    log = a_crowded_log(seed)
    records = on_the_log(log)
    whole, told, fates = scored(records, set())

    assert scored(records, cuts(len(records), seed)) == (whole, told, fates)
    for audience, topic in TOPICS.items():
        every = [json.loads(record.value) for record in told[topic]]
        ours = [alert for alert in every if alert["audience"] == audience]
        theirs = [
            json.loads(alerts.encode(alert))
            for _, alert in played(log)
            if alert.audience == audience
        ]
        for alert in (*ours, *theirs):  # their ids are keyed with another key
            del alert["alert_id"], alert["fingerprint"]
        assert ours == theirs
