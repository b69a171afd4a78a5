"""What comes in repeated, shuffled, late, too large, from a topic made anew, or all at once."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from streams.simulator import RawRecord, semester
from tests import oracle
from tests.kafka.crash.load import END
from tests.kafka.running import (
    Flow,
    assert_alerts_are_as_recomputed,
    assert_all_is_as_recomputed,
    assert_changelog_is_as_recomputed,
    events_of,
    latest_rows,
    seen,
    source,
    until,
)
from tests.scenarios import a_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

EVENTS = 6_000
DAY_MS = 86_400_000


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


@pytest.mark.crash
def test_repeated_shuffled_and_a_day_late(flow: Flow) -> None:
    """Canvas's delivery at its worst: the order of arrival decides nothing that is not said."""
    chance = random.Random(60)  # noqa: S311 - to be had again
    records = list(semester(60, EVENTS, END))
    arrivals = [
        (record.timestamp_ms + chance.choice([0, 0, 0, DAY_MS]), record) for record in records
    ]
    arrivals += [
        (record.timestamp_ms + chance.randrange(7 * DAY_MS), record)
        for record in chance.sample(records, EVENTS // 5)
    ]
    arrivals.sort(key=lambda arrival: arrival[0] + chance.randrange(3_600_000))
    flow.play([record for _, record in arrivals])
    with flow.worker:
        flow.await_worked(len(arrivals))

    found = seen(flow)
    assert found.expected.fates["passed/late"], "invalid: nothing was late"
    assert found.expected.fates["passed/duplicate"], "invalid: nothing was repeated"
    assert_all_is_as_recomputed(flow)


@pytest.mark.crash
def test_offsets_reset_to_the_beginning_repeat_no_alert_and_change_no_row(flow: Flow) -> None:
    flow.play(semester(61, EVENTS, END))
    with flow.worker:
        flow.await_worked(EVENTS)
    alerts = [record.value for record in flow.read("grade-alerts")]
    rows = latest_rows(flow)
    events = len(events_of(flow))
    admin = KafkaAdminClient(bootstrap_servers=flow.servers)

    def reset() -> bool:
        for name in (flow.settings.raw_topic, "grade-events"):
            places = [TopicPartition(*tp) for tp in flow.partitions(name)]
            admin.delete_group_offsets(flow.settings.group, places)
        return flow.lag() > EVENTS

    try:
        until(reset)  # Kafka refuses while a session is left
    finally:
        admin.close()

    with flow.worker:
        flow.await_worked(EVENTS)

    assert len(events_of(flow)) == 2 * events, "invalid: nothing was read again"
    assert [record.value for record in flow.read("grade-alerts")] == alerts
    assert latest_rows(flow) == rows
    found = seen(flow)
    assert_alerts_are_as_recomputed(found)
    assert_changelog_is_as_recomputed(flow, found)


@pytest.mark.crash
def test_a_raw_topic_made_anew_is_read_from_its_beginning(flow: Flow) -> None:
    flow.play(semester(62, EVENTS, END))
    with flow.worker:
        flow.await_worked(EVENTS)
    raw = flow.settings.raw_topic
    first = {source_of(record): record for record in flow.read(raw)}
    last = {record.partition: record.offset for record in flow.read("grade-events")}
    flow.make_anew(raw)
    flow.play(semester(63, EVENTS // 2, END))
    second = {source_of(record): record for record in flow.read(raw)}
    with flow.worker:
        flow.await_worked(EVENTS // 2)

    journey, news = [], 0
    for record in events_of(flow):
        new = record.offset > last[record.partition]
        taken = (second if new else first)[source(record)]
        journey.append((taken.value, taken.timestamp, (raw, *source(record))))
        news += new
    assert news, "invalid: nothing new came"
    expected = oracle.fold(journey)
    alerts = [json.loads(record.value) for record in flow.read("grade-alerts")]
    assert sorted(map(shown, alerts)) == sorted(map(shown, expected.alerts))


def source_of(record: Any) -> tuple[int, int]:  # noqa: ANN401 - a consumer's record
    return record.partition, record.offset


def shown(alert: dict[str, Any]) -> str:
    names = ("kind", "student_id", "course_id", "before", "after", "event_time")
    return str([str(alert[name]) for name in names])


def test_a_record_that_comes_to_what_kafka_never_takes_is_refused_alone(flow: Flow) -> None:
    """The limit of ``grade-events`` is lowered below one canonical event's size.

    That of the longest name of a tenant, four bytes a letter: others are well below.
    """
    poison = [
        RawRecord(
            a_grade_change("9999", tenant="\U0001f393" * 255, at=moment(number)), None,
            milliseconds(moment(number)),
        )
        for number in range(1, 4)
    ]  # fmt: skip
    innocent = list(semester(64, 300, END))
    with flow.worker as worker:
        admin = KafkaAdminClient(bootstrap_servers=flow.servers)
        try:
            limit = {"max.message.bytes": "1500"}
            events = flow.topic("grade-events")
            resource = ConfigResource(ConfigResourceType.TOPIC, events, limit)
            admin.alter_configs([resource], incremental=True)
        finally:
            admin.close()
        for number, one in enumerate(poison):
            flow.play(innocent[number::3][:50], 300)
            flow.play([one])
            flow.play(innocent[number::3][50:], 300)
        flow.await_worked(len(innocent) + len(poison))
        worker.require_alive()

    refused = [
        record
        for record in flow.read("grade-events-refused")
        if dict(record.headers)["gradewatch.reason"] == b"internal"
    ]
    assert {record.value for record in refused} == {one.value for one in poison}
    assert len(refused) == len(poison)
    found = seen(flow)
    assert {source(event) for event in found.events} == found.passable - {
        source(record) for record in refused
    }
    assert_alerts_are_as_recomputed(found)


@pytest.mark.crash
def test_a_long_backlog_from_cold(flow: Flow) -> None:
    events = 200_000
    flow.play(semester(65, events, END))
    assert flow.lag() >= events, "invalid: no backlog"
    with flow.worker as worker:
        pid = worker.pid
        flow.await_worked(events)
        worker.require_alive()
        assert worker.pid == pid
        assert worker.get("/readyz")
    assert_all_is_as_recomputed(flow)
