"""Rows stay when workers come and go, and rows that are incomplete are not served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, TopicPartition

from streams import doctor
from streams.doctor import Patient, State
from streams.simulator import semester
from tests.kafka.churn import (
    answer,
    assert_every_row_is_served,
    await_all_partitions,
    partitions_of,
)
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
EVENTS = 2_000


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


def test_a_worker_that_joins_and_leaves_in_a_quiet_moment_takes_no_rows_with_it(
    flow: Flow,
) -> None:
    joiner = flow.new_worker("joiner")
    with flow.worker:
        flow.play(semester(23, EVENTS, END))
        flow.await_worked(EVENTS)
        joiner.start()
        try:
            until(lambda: 0 < len(partitions_of(joiner)) < 4, 60)
        finally:
            joiner.stop()
        await_all_partitions(flow.worker)

        assert_every_row_is_served(flow)


def test_rows_that_are_not_on_the_changelog_are_not_served_as_none(flow: Flow) -> None:
    with flow.worker:
        flow.play(semester(24, EVENTS, END))
        flow.await_worked(EVENTS)
    flow.make_anew("grade-scores-changelog")

    flow.worker.start()
    try:
        until(lambda: "the changelog was lost" in str(answer(flow.worker, "/readyz")[1]), 60)
        status, said = answer(flow.worker, "/readyz")
        assert status == 503
        assert len([reason for reason in said["reasons"] if "holds no rows" in reason]) == 4
        student = next(iter(_students(flow)))
        assert answer(flow.worker, f"/api/v1/students/{student}")[0] == 503
        findings = [each for each in doctor.examine(Patient(flow.settings)) if each.check == "rows"]
        assert [each.state for each in findings] == [State.FAIL] * 4
        assert "Rows that are incomplete" in findings[0].remedy
    finally:
        flow.worker.stop()

    _delete_offsets(flow)
    with flow.worker:  # rebuilt as docs/own-kafka.md says
        until(lambda: flow.lag() == 0)
        student = next(iter(_students(flow)))
        assert answer(flow.worker, f"/api/v1/students/{student}")[0] == 200
        findings = [each for each in doctor.examine(Patient(flow.settings)) if each.check == "rows"]
        assert [each.state for each in findings] == [State.OK]


def _students(flow: Flow) -> set[str]:
    return {
        record.key.decode().rpartition(":")[2]
        for record in flow.read("grade-events")
        if record.key is not None and not record.value.startswith(b'{"type":"control",')
    }


def _delete_offsets(flow: Flow) -> None:
    client = KafkaAdminClient(bootstrap_servers=flow.servers)
    places = [TopicPartition(*tp) for tp in flow.partitions("grade-events")]

    def deleted() -> bool:  # Kafka refuses while a session is left
        client.delete_group_offsets(flow.settings.group, places)
        return flow.committed("grade-events") == 0

    try:
        until(deleted)
    finally:
        client.close()
