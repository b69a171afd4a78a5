"""``gradewatch events`` on a real Kafka: what is sent is there to the byte, or an error says so."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient

from streams.errors import BrokerError, TopicMismatchError
from streams.player import play
from streams.simulator import RawRecord, semester
from tests.kafka.stage import PARTITIONS, Stage, staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def stage(kafka: Kafka, namespace: str) -> Iterator[Stage]:
    with staged(kafka.bootstrap_servers, namespace) as stage:
        yield stage


def test_a_simulated_semester_stands_on_the_raw_topic_to_the_byte(stage: Stage) -> None:
    end = "2026-05-15T17:00:00+00:00"
    result = stage.done("simulate", "--events", "3000", "--end", end, "--format", "json")
    summary = json.loads(result.stdout)
    assert (summary["events"], summary["to"]) == (3000, stage.raw)
    found = stage.played(3000)
    expected = semester(1, 3000, datetime.fromisoformat(end))
    assert Counter((r.value, r.key, r.timestamp) for r in found) == Counter(expected)
    shares = Counter(record.partition for record in found)
    assert min(shares.values()) > 3000 / PARTITIONS * 0.8


def test_more_than_a_batch_for_each_partition_arrives_and_progress_is_told(stage: Stage) -> None:
    told: list[int] = []
    end = datetime(2026, 5, 15, 17, tzinfo=UTC)
    records = semester(2, 6000, end)
    assert asyncio.run(play(records, stage.kafka, stage.raw, on_progress=told.append)) == 6000
    assert told == [1000, 2000, 3000, 4000, 5000, 6000]
    stage.played(6000)


def test_records_keep_their_order_within_a_partition(stage: Stage) -> None:
    records = [RawRecord(b"%d" % number, b"one key", number) for number in range(9000)]
    asyncio.run(play(records, stage.kafka, stage.raw))
    assert [int(record.value) for record in stage.played(9000)] == [*range(9000)]


def test_a_rate_holds_on_kafka_too(stage: Stage) -> None:
    result = stage.done("simulate", "--events", "40", "--rate", "80", "--format", "json")
    assert json.loads(result.stdout)["seconds"] >= 0.48
    stage.played(40)


def test_send_writes_each_line_as_it_is(stage: Stage) -> None:
    stage.done("send", "-", stdin=b'{"a":1}\r\n[]\n')
    stage.done("send", "-", "--raw", stdin=b"{broken\n\n")
    values = [record.value for record in stage.played(4)]
    assert sorted(values) == [b"", b"[]", b'{"a":1}', b"{broken"]


def test_a_bad_line_keeps_all_lines_from_being_sent(stage: Stage) -> None:
    assert stage.run("send", "-", stdin=b"{}\n{\n").exit_code == 1
    stage.played(0)


def test_a_record_that_kafka_refuses_is_an_error_that_says_so(stage: Stage) -> None:
    huge = [RawRecord(b" " * (2 << 20), None, 1_770_113_730_005)]
    with pytest.raises(BrokerError, match="did not take records"):
        asyncio.run(play(huge, stage.kafka, stage.raw))


def test_an_absent_topic_is_named_and_not_made(stage: Stage) -> None:
    other = stage._replace(namespace=f"{stage.namespace}x")
    for arguments, topic in ((["simulate"], other.raw), (["refused", "list"], other.refused)):
        error = other.run(*arguments).exception
        assert isinstance(error, TopicMismatchError)
        assert f"there is no topic {topic}" in str(error)
    admin = KafkaAdminClient(bootstrap_servers=stage.servers)
    try:
        assert not {other.raw, other.refused} & set(admin.list_topics())
    finally:
        admin.close()
