"""The broker ends, in order or not, and is away for twenty seconds under load."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from streams.simulator import semester
from tests.kafka.crash.load import END, await_progress
from tests.kafka.running import Flow, assert_all_is_as_recomputed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import OwnKafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

AWAY_SECONDS = 20
EVENTS = 15_000


@pytest.mark.parametrize(("end", "workers"), [("stop", 1), ("kill", 3)])
def test_a_broker_that_is_away_for_twenty_seconds(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path, end: str, workers: int
) -> None:
    # Small batches: what is left outlasts the look at it.
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path, batch_records=50)
    names = [f"worker-{number}" for number in range(workers)]
    with flow.workers(*names) as started:
        for worker in started:  # or they would have kept up with the player
            os.kill(worker.pid, signal.SIGSTOP)
        flow.play(semester(51, EVENTS, END))
        for worker in started:
            os.kill(worker.pid, signal.SIGCONT)
        await_progress(flow)
        assert flow.lag() > 0, "invalid: nothing was under way"
        getattr(own_kafka, end)()
        time.sleep(AWAY_SECONDS)
        own_kafka.start()
        flow.play(semester(52, EVENTS, END))
        flow.await_worked(2 * EVENTS)
        for worker in started:
            worker.require_alive()

    assert_all_is_as_recomputed(flow)
