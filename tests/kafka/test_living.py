"""Living alerts on a real broker: the golden timelines, and a semester through crashes.

The timelines stand in one log, each with students and a time of its own: a partition's clock never
goes back.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from streams.core.rules import Rules, load
from streams.simulator import semester
from tests.kafka.living import (
    assert_alerts_and_silence_are_explained,
    assert_all_is_as_recomputed,
)
from tests.kafka.running import (
    Flow,
    assert_last_states_are_the_last_alerts,
    assert_the_log_comes_to_the_same_bytes,
    until,
)
from tests.living_logs import encode, moment, rules_record, watermark
from tests.on_dicts import ROOT
from tests.test_agents_timelines import TOPICS
from tests.timelines import found, timelines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka
    from tests.timelines import Timeline

pytestmark = pytest.mark.kafka

Fields = dict[str, Any]

APART: Final = timedelta(days=200)
"""Between two timelines: more than any lasts."""

OVER: Final = moment(150 * 86_400)
"""When a timeline is over: no rules are in force, and whatever waits is settled silently."""

LATER: Final = 7_258_118_400_000
"""Kafka's time of every record: 2200, after the last timeline."""

AFTERWARDS: Final = (rules_record({"rules": []}, OVER), watermark(moment(190 * 86_400)))

EVENTS: Final = 6_000
END: Final = datetime(2026, 5, 15, 17, tzinfo=UTC)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_DAY: Final = re.compile(r'(?<="expire": ")\d{4}-\d\d-\d\d(?=")')


def moved(value: Fields, by: timedelta) -> Fields:
    """Return a record, or an alert, at another time."""

    def instant(match: re.Match[str]) -> str:
        time = datetime.fromisoformat(match[0]).replace(tzinfo=None) + by
        return f"{time.isoformat(timespec='milliseconds')}Z"

    def day(match: re.Match[str]) -> str:
        return (datetime.fromisoformat(match[0]) + by).date().isoformat()

    text = _DAY.sub(day, _INSTANT.sub(instant, json.dumps(value)))
    told: Fields = json.loads(text)
    if told.get("kind") == "rules":
        told["rules_hash"] = Rules.model_validate_json(json.dumps(told["rules"])).hash
    return told


def as_another(value: Fields, number: int) -> Fields:
    """Return a record of a timeline with its own students, at its own time."""
    told = _of_other_tenants(moved(value, number * APART), f"{number}0")
    return told | ({"student_id": f"{number}0{told['student_id']}"} if "student_id" in told else {})


def _of_other_tenants(told: Fields, mark: str) -> Fields:
    """Return a control record with marks before the tenants whose feeds it is about."""
    if "heard" in told:
        told |= {"heard": {f"{mark}{tenant}": at for tenant, at in told["heard"].items()}}
    if told.get("kind") == "rules":
        for rule in told["rules"]["rules"]:
            ids = rule.get("match", {}).get("tenants", {})
            for way in ids if rule["kind"] == "feed_silent" else ():
                ids[way] = [f"{mark}{tenant}" for tenant in ids[way]]
        told["rules_hash"] = Rules.model_validate_json(json.dumps(told["rules"])).hash
    return told


def write_log(flow: Flow, log: list[Fields]) -> None:
    """Write records to the first partition of ``grade-events``, as intake does."""

    async def write() -> None:
        producer = AIOKafkaProducer(**flow.kafka.aiokafka())
        await producer.start()
        try:
            for value in log:
                who = value.get("student_id")
                key = None if who is None else f"{value['tenant']}:{who}".encode()
                topic = flow.topic("grade-events")
                await producer.send(topic, encode(value), key, partition=0, timestamp_ms=LATER)
        finally:
            await producer.stop()

    with flow.records_say_when():
        asyncio.run(write())


def test_the_golden_timelines(kafka: Kafka, namespace: str, tmp_path: Path) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    every = timelines()
    log = [
        as_another(value, number)
        for number, timeline in enumerate(every)
        for value in [*(record.value for record in timeline.records), *AFTERWARDS]
    ]
    write_log(flow, log)

    with flow.worker:
        until(lambda: flow.committed("grade-events") >= len(log))
        alerts = [
            json.loads(record.value)
            for topic in sorted(set(TOPICS.values()))
            for record in flow.read(topic)
        ]
        told = {
            audience: [alert for alert in alerts if alert["audience"] == audience]
            for audience in TOPICS
        }
        assert_the_log_comes_to_the_same_bytes(flow)
        assert_last_states_are_the_last_alerts(flow)
    for number, timeline in enumerate(every):
        assert_told(timeline, number, told)


def assert_told(timeline: Timeline, number: int, told: dict[str, list[Fields]]) -> None:
    """Check that a timeline's alerts are there, in order."""
    for audience in TOPICS:
        name, whose = ("tenant", "[a-z]") if audience == "operator" else ("student_id", r"\d\d")
        expected = [
            {name: value for name, value in one.items() if name != "offset"}
            for one in timeline.expected(audience)
        ]
        ours = [alert for alert in told[audience] if re.fullmatch(f"{number}0{whose}", alert[name])]
        said = [
            moved(alert, -number * APART)
            | {
                name: alert[name].removeprefix(f"{number}0"),
                "at": moved({"at": alert["changed_at"]}, -number * APART)["at"],
                "pending_since": moved({"at": alert["event_time"]}, -number * APART)["at"],
                "gap_suspected": alert.get("gap_suspected", False),
            }
            for alert in ours
        ]
        # Whoever is silent is silent for later rules, too: those are told by a later clock.
        until_over = [one for one in said if max(one["at"], one["inputs"].get("clock", "")) < OVER]
        assert found(expected, until_over) == expected, timeline.name


@pytest.mark.crash
@pytest.mark.parametrize("name", ["university", "school"])
def test_a_worker_killed_twice_tells_the_shipped_rules_alerts_once(
    kafka: Kafka, namespace: str, tmp_path: Path, name: str
) -> None:
    shipped = ROOT / "rules" / f"{name}.yaml"
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, rules=shipped)
    flow.play(semester(11, EVENTS, END))
    slow = flow.new_worker("worker", batch_records=50)  # what is left outlasts the look at it
    for part in (1, EVENTS // 4):
        slow.start()
        until(lambda part=part: flow.committed("grade-events") >= part)  # type: ignore[misc]
        slow.kill()
        assert flow.lag() > 0, "invalid: the fault did not hit in mid-stream"
    with flow.worker:
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)
        rules = load(shipped.read_text(), shipped.name).students
        assert_alerts_and_silence_are_explained(flow, {rule.id for rule in rules})
        assert "the rules alert at once" not in flow.log()
