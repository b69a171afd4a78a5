"""``gradewatch events`` on a real Kafka: what is sent is there, what was refused can be sent again.

The refused records are hand-written, some in an aborted transaction: nobody may ever see those.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from streams.cli.events import events
from streams.errors import BrokerError, NotFoundError, TopicMismatchError
from streams.player import play
from streams.simulator import RawRecord, semester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

PARTITIONS = 3
DEADLINE = 30.0
SECRET = b'{"metadata":{"client_ip":"192.0.2.77"},"body":{}}'


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


class Stage:
    """The two topics of one test, and a command line that knows them."""

    def __init__(self, bootstrap_servers: str, namespace: str) -> None:  # noqa: D107 - as the class
        self.servers = bootstrap_servers
        self.raw = f"{namespace}-canvas-live-events"
        self.refused = f"{namespace}-grade-events-refused"
        self.environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "GRADEWATCH_NAMESPACE": namespace,
        }

    def run(self, *arguments: str, stdin: bytes | None = None) -> Result:
        return CliRunner(env=self.environment).invoke(events, arguments, input=stdin)

    def done(self, *arguments: str, stdin: bytes | None = None) -> Result:
        result = self.run(*arguments, stdin=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        return result

    def read(self, topic: str, count: int) -> list[tuple[int, bytes | None, bytes | None, int]]:
        """Return partition, key, value and timestamp of all records; there must be ``count``."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False)
        try:
            places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(places)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(places)
            found = []
            deadline = time.monotonic() + DEADLINE
            while any(consumer.position(place) < ends[place] for place in places):
                assert time.monotonic() < deadline
                for records in consumer.poll(timeout_ms=200).values():
                    found += [(r.partition, r.key, r.value, r.timestamp) for r in records]
        finally:
            consumer.close()
        assert len(found) == count
        return found


@pytest.fixture
def stage(kafka: Kafka, namespace: str) -> Iterator[Stage]:
    stage = Stage(kafka.bootstrap_servers, namespace)
    admin = KafkaAdminClient(bootstrap_servers=stage.servers)
    try:
        # Simulated records are as old as their semester.
        forever = {"retention.ms": "-1"}
        names = [stage.raw, stage.refused]
        admin.create_topics([NewTopic(n, PARTITIONS, 1, topic_configs=forever) for n in names])
        until(lambda: set(names) <= set(admin.list_topics()), "the new topics are known")
        yield stage
        admin.delete_topics(names)
    finally:
        admin.close()


def refuse(stage: Stage) -> None:
    """Six refused records are there, and a transaction of nine that was aborted."""
    asyncio.run(_refuse(stage))
    consumer = KafkaConsumer(bootstrap_servers=stage.servers, isolation_level="read_committed")
    places = [TopicPartition(stage.refused, number) for number in (0, 1)]
    try:
        # 2 + 1 and 2 + 1 committed, 5 + 4 aborted, and a marker after each transaction
        def ends() -> list[int]:
            found = consumer.end_offsets(places)
            return [found[place] for place in places]

        until(lambda: ends() == [11, 10], "all is committed")
    finally:
        consumer.close()


async def _refuse(stage: Stage) -> None:
    """Write six refused records as intake does, in transactions, one of them aborted."""
    producer = AIOKafkaProducer(
        bootstrap_servers=stage.servers, transactional_id=f"{stage.refused}-test"
    )
    await producer.start()
    try:
        for reason, count, committed in (
            ("bad_id", 4, True),
            ("empty", 9, False),
            ("empty", 2, True),
        ):
            await producer.begin_transaction()
            for number in range(count):
                headers = {
                    "reason": reason, "detail": "body.user_id\x1b[2J", "topic": stage.raw,
                    "partition": "1", "offset": str(number),
                }  # fmt: skip
                await producer.send(
                    stage.refused,
                    SECRET if reason == "bad_id" else None,
                    key=b"42" if reason == "bad_id" else b"0",
                    partition=number % 2,
                    timestamp_ms=1_770_113_730_005 + number,
                    headers=[(f"gradewatch.{k}", v.encode()) for k, v in headers.items()],
                )
            await (producer.commit_transaction if committed else producer.abort_transaction)()
    finally:
        await producer.stop()


def test_a_simulated_semester_stands_on_the_raw_topic_to_the_byte(stage: Stage) -> None:
    end = "2026-05-15T17:00:00+00:00"
    result = stage.done("simulate", "--events", "3000", "--end", end, "--format", "json")
    summary = json.loads(result.stdout)
    assert (summary["events"], summary["to"]) == (3000, stage.raw)
    found = stage.read(stage.raw, 3000)
    expected = semester(1, 3000, datetime.fromisoformat(end))
    assert Counter(record[1:] for record in found) == Counter(
        (record.key, record.value, record.timestamp_ms) for record in expected
    )
    shares = Counter(partition for partition, *_ in found)
    assert min(shares.values()) > 3000 / PARTITIONS * 0.8


def test_more_than_a_batch_for_each_partition_arrives_and_progress_is_told(stage: Stage) -> None:
    told: list[int] = []
    end = datetime(2026, 5, 15, 17, tzinfo=UTC)
    records = semester(2, 6000, end)
    assert asyncio.run(play(records, stage.servers, stage.raw, on_progress=told.append)) == 6000
    assert told == [1000, 2000, 3000, 4000, 5000, 6000]
    stage.read(stage.raw, 6000)


def test_records_keep_their_order_within_a_partition(stage: Stage) -> None:
    records = [RawRecord(b"%d" % number, b"one key", number) for number in range(9000)]
    asyncio.run(play(records, stage.servers, stage.raw))
    assert [int(value or b"") for _, _, value, _ in stage.read(stage.raw, 9000)] == [*range(9000)]


def test_a_rate_holds_on_kafka_too(stage: Stage) -> None:
    result = stage.done("simulate", "--events", "40", "--rate", "80", "--format", "json")
    assert json.loads(result.stdout)["seconds"] >= 0.48
    stage.read(stage.raw, 40)


def test_send_writes_each_line_as_it_is(stage: Stage) -> None:
    stage.done("send", "-", stdin=b'{"a":1}\r\n[]\n')
    stage.done("send", "-", "--raw", stdin=b"{broken\n\n")
    values = [value for _, _, value, _ in stage.read(stage.raw, 4)]
    assert sorted(value or b"" for value in values) == [b"", b"[]", b'{"a":1}', b"{broken"]


def test_a_bad_line_keeps_all_lines_from_being_sent(stage: Stage) -> None:
    assert stage.run("send", "-", stdin=b"{}\n{\n").exit_code == 1
    stage.read(stage.raw, 0)


def test_a_record_that_kafka_refuses_is_an_error_that_says_so(stage: Stage) -> None:
    huge = [RawRecord(b" " * (2 << 20), None, 1_770_113_730_005)]
    with pytest.raises(BrokerError, match="did not take records"):
        asyncio.run(play(huge, stage.servers, stage.raw))


def test_an_absent_topic_is_named_and_not_made(stage: Stage, namespace: str) -> None:
    other = Stage(stage.servers, f"{namespace}x")
    for arguments, topic in ((["simulate"], other.raw), (["refused", "list"], other.refused)):
        error = other.run(*arguments).exception
        assert isinstance(error, TopicMismatchError)
        assert f"there is no topic {topic}" in str(error)
    admin = KafkaAdminClient(bootstrap_servers=stage.servers)
    try:
        assert not {other.raw, other.refused} & set(admin.list_topics())
    finally:
        admin.close()


def test_an_empty_refused_topic_lists_nothing(stage: Stage) -> None:
    assert stage.done("refused", "list").stdout == "0 of 0 refused events\n"
    assert json.loads(stage.done("refused", "list", "--format", "json").stdout) == []
    assert "no refused events" in stage.done("refused", "retry", "--yes").stdout


def test_refused_events_are_listed_without_what_was_in_them(stage: Stage) -> None:
    refuse(stage)
    text = stage.done("refused", "list").output
    assert "6 of 6 refused events" in text
    assert f"{stage.raw}[1]@3" in text
    assert "192.0.2.77" not in text
    assert "\x1b" not in text  # nothing written there steers a terminal
    rows = json.loads(stage.done("refused", "list", "--format", "json").stdout)
    assert Counter(row["reason"] for row in rows) == {"bad_id": 4, "empty": 2}
    assert rows[-1] == {
        "partition": 1, "offset": 1, "time": "2026-02-03T10:15:30.008Z", "reason": "bad_id",
        "detail": "body.user_id?[2J",
        "source": {"topic": stage.raw, "partition": "1", "offset": "3"},
    }  # fmt: skip


def test_a_list_is_cut_to_the_newest_and_to_a_reason(stage: Stage) -> None:
    refuse(stage)
    result = stage.done("refused", "list", "--reason", "bad_id", "--limit", "2", "--format", "json")
    assert [row["source"]["offset"] for row in json.loads(result.stdout)] == ["2", "3"]


def test_one_refused_event_is_shown_its_bytes_only_when_asked_for(stage: Stage) -> None:
    refuse(stage)
    shown = stage.done("refused", "show", "0", "0").output
    assert "bad_id" in shown
    assert "192.0.2.77" not in shown
    with_payload = stage.done("refused", "show", "0", "0", "--payload")
    assert with_payload.stdout_bytes == SECRET
    assert "personal data" in with_payload.stderr


def test_what_is_not_there_is_said_not_waited_for(stage: Stage) -> None:
    refuse(stage)
    # never written; in another partition; a commit marker; in the aborted transaction
    for partition, offset in ((0, 99), (9, 0), (0, 2), (0, 3)):
        error = stage.run("refused", "show", str(partition), str(offset)).exception
        assert isinstance(error, NotFoundError)


def test_retry_sends_key_and_bytes_again_and_leaves_the_refused_ones(stage: Stage) -> None:
    refuse(stage)
    before = time.time() * 1000
    result = stage.done("refused", "retry", "--yes")
    assert result.stdout == f"6 refused events sent to {stage.raw} again\n"
    sent = stage.read(stage.raw, 6)
    assert Counter((key, value) for _, key, value, _ in sent) == {
        (b"42", SECRET): 4,
        (b"0", None): 2,
    }
    assert all(timestamp >= before for *_, timestamp in sent)
    assert "6 of 6" in stage.done("refused", "list").output


def test_retry_of_a_reason_or_of_one_sends_those_only(stage: Stage) -> None:
    refuse(stage)
    stage.done("refused", "retry", "--reason", "empty", "--yes")
    stage.read(stage.raw, 2)
    stage.done("refused", "retry", "1", "0", "--yes")
    assert sum(value == SECRET for _, _, value, _ in stage.read(stage.raw, 3)) == 1


@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", 6), (b"n\n", 0)])
def test_retry_asks_on_a_terminal(stage: Stage, answer: bytes, sent: int) -> None:
    refuse(stage)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        result = subprocess.run(
            [sys.executable, "-c", "from streams.cli.events import events; events()",
             "refused", "retry"],
            stdin=theirs, capture_output=True, text=True, timeout=DEADLINE, check=False,
            env={"PATH": "", **stage.environment},
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert f"Send 6 refused events to {stage.raw} again?" in result.stdout
    assert result.returncode == (0 if sent else 1)
    stage.read(stage.raw, sent)
