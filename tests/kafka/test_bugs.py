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
