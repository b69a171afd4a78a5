"""A cluster that changes under a running worker: the worker stops and names what it met."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient

from streams.errors import TopicChangedError, TopicMismatchError
from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import Flow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
EVERY = [
    "canvas-live-events", "grade-events", "grade-events-refused", "grade-scores-changelog",
    "grade-alerts", "grade-alerts-posted", "grade-alerts-state", "grade-alert-actions",
    "grade-access-audit", "grade-rules",
]  # fmt: skip
SOURCES = ["canvas-live-events", "grade-events"]


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


@pytest.mark.parametrize("name", EVERY)
def test_a_topic_made_anew_ends_the_worker(flow: Flow, tmp_path: Path, name: str) -> None:
    with running(flow, tmp_path, "worker") as worker:
        flow.play(semester(30, 300, END))
        flow.await_worked(300)
        flow.make_anew(name)

        # A source that is gone for a moment may end the worker before it is there again.
        gone = {TopicMismatchError.exit_code} if name in SOURCES else set()
        assert worker.popen.wait(60) in {TopicChangedError.exit_code, *gone}, worker.said()
        assert f"the topic {flow.topic(name)} was " in worker.said()
        assert "Traceback" not in worker.said()


@pytest.mark.parametrize("name", EVERY)
def test_a_deleted_topic_ends_the_worker(flow: Flow, tmp_path: Path, name: str) -> None:
    with running(flow, tmp_path, "worker") as worker:
        flow.play(semester(30, 300, END))
        flow.await_worked(300)
        flow.delete(name)

        assert worker.popen.wait(60) == TopicMismatchError.exit_code, worker.said()
        assert f"{flow.topic(name)} was deleted" in worker.said()
        assert "Traceback" not in worker.said()


@pytest.mark.parametrize(
    ("name", "code"), [("canvas-live-events", 1), ("grade-events", 78), ("grade-alerts", 78)]
)
def test_more_partitions_end_the_worker(flow: Flow, tmp_path: Path, name: str, code: int) -> None:
    with running(flow, tmp_path, "worker") as worker:
        flow.play(semester(30, 300, END))
        flow.await_worked(300)
        client = KafkaAdminClient(bootstrap_servers=flow.servers)
        client.create_partitions({flow.topic(name): len(flow.partitions(name)) + 2})
        client.close()

        assert worker.popen.wait(60) == code, worker.said()
        assert f"{flow.topic(name)} has " in worker.said()
        assert "Traceback" not in worker.said()
