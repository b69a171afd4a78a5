"""A failure of our own code loses no record: the batch is worked on again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import (
    Flow,
    assert_alerts_are_as_recomputed,
    assert_refused_are_as_recomputed,
    seen,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

EVENTS = 5_000
FAILS = """
from streams import agents
from streams.__main__ import main

for agent in (agents.Intake, agents.Scoring):
    def work(self, batch, as_usual=agent.work, failed=set()):
        place = (self.name, *batch.tp)
        if place not in failed:  # each partition's first batch
            failed.add(place)
            raise KeyError("a student's id, not to be logged")
        return as_usual(self, batch)

    agent.work = work
main()
"""
"""A worker whose agents fail outside of what they do for one record."""


def test_a_batch_that_failed_in_our_own_code_is_worked_on_again(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with running(flow, tmp_path, "worker", program=("-c", FAILS)) as worker:
        until(lambda: bool(worker.get("/readyz")))
        flow.play(semester(11, EVENTS, datetime(2026, 5, 15, 17, tzinfo=UTC)))
        flow.await_worked(EVENTS)

        for source in (flow.settings.raw_topic, "grade-events"):
            topic = flow.topic(source)
            assert worker.said().count(f"{topic}[") >= 4, "invalid: the fault did not hit"
        assert "not to be logged" not in worker.said()
        found = seen(flow)
        assert len(found.events) == len({str(record.headers) for record in found.events})
        assert_alerts_are_as_recomputed(found)
        assert_refused_are_as_recomputed(found)


OUT_OF_THE_GROUP = """
from faust.assignor.partition_assignor import PartitionAssignor
from streams.__main__ import main

def on_assignment(self, assignment, as_usual=PartitionAssignor.on_assignment, calls=[]):
    calls.append(1)
    assert len(calls) == 1, "another URL"
    return as_usual(self, assignment)

PartitionAssignor.on_assignment = on_assignment
main()
"""
"""A worker whose second assignment kills aiokafka's coordination task, as another URL does."""


@pytest.mark.crash
def test_a_worker_that_fell_out_of_its_group_for_good_ends_and_says_so(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with running(flow, tmp_path, "worker", program=("-c", OUT_OF_THE_GROUP)) as worker:
        until(lambda: '"ready":true' in worker.get("/readyz"))
        with flow.new_worker("another"):
            assert worker.popen.wait(30) == 1
            # Whoever meets it first says so: a fetch that waits, or the watch.
            assert "during coordination" in worker.said() or "for good" in worker.said()
