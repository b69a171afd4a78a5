"""Records that Kafka deleted before they were read are never passed over in silence."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, TopicPartition

from streams.errors import RecordsDeletedError
from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.simulator import RawRecord
    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

END = datetime(2026, 5, 15, 17, tzinfo=UTC)


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


def some(records: Iterator[RawRecord], number: int) -> list[RawRecord]:
    return [next(records) for _ in range(number)]


def delete(flow: Flow, name: str) -> None:
    """Kafka deletes all that a topic holds, as retention does."""
    admin = KafkaAdminClient(bootstrap_servers=flow.servers)
    try:
        admin.delete_records({TopicPartition(*tp): -1 for tp in flow.partitions(name)})
    finally:
        admin.close()


def test_a_worker_that_comes_back_too_late_stops_and_says_what_is_gone(
    flow: Flow, tmp_path: Path
) -> None:
    records = semester(30, 3_000, END)
    with running(flow, tmp_path, "worker") as first:
        flow.play(some(records, 1_000))
        flow.await_worked(1_000)
        assert first.told(signal.SIGTERM) == 0
    flow.play(some(records, 1_000))
    delete(flow, flow.settings.raw_topic)
    flow.play(some(records, 1_000))
    before = flow.committed(flow.settings.raw_topic)

    with running(flow, tmp_path, "worker") as second:
        assert second.popen.wait(60) == RecordsDeletedError.exit_code
        said = second.said()

    raw = flow.topic(flow.settings.raw_topic)
    assert f"{raw}[0] offset" in said
    assert f"--group {flow.settings.group}" in said
    assert flow.committed(flow.settings.raw_topic) == before, "it went on all the same"


def test_a_worker_that_falls_behind_stops_and_says_what_is_gone(flow: Flow, tmp_path: Path) -> None:
    records = semester(31, 3_000, END)
    with running(flow, tmp_path, "worker") as worker:
        flow.play(some(records, 1_000))
        flow.await_worked(1_000)
        os.kill(worker.popen.pid, signal.SIGSTOP)
        flow.play(some(records, 1_000))
        delete(flow, flow.settings.raw_topic)
        flow.play(some(records, 1_000))
        os.kill(worker.popen.pid, signal.SIGCONT)

        assert worker.popen.wait(60) == RecordsDeletedError.exit_code
        assert "the log does not hold the records" in worker.said()


def test_offsets_that_were_never_committed_begin_at_what_is_there(
    flow: Flow, tmp_path: Path
) -> None:
    """A new group on a topic whose beginning is gone has lost nothing that was its own."""
    records = semester(32, 2_000, END)
    flow.play(some(records, 1_000))
    delete(flow, flow.settings.raw_topic)
    flow.play(some(records, 1_000))

    with running(flow, tmp_path, "worker"):
        until(lambda: flow.committed(flow.settings.raw_topic) >= 2_000)
