"""A healthy worker logs nothing at WARNING or above, whatever it waits for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

IMPATIENT = """
import sys
from faust.transport import consumer
from streams.__main__ import main
from streams.engine.fetch import ConsumerThread

def made(self, *told, as_usual=ConsumerThread.__init__, **more):
    as_usual(self, *told, **more)
    self.tp_fetch_request_timeout_secs = self.tp_fetch_response_timeout_secs = 0.5
    self.tp_stream_timeout_secs = self.tp_commit_timeout_secs = 0.5

async def looked(self, as_usual=consumer.Consumer.verify_all_partitions_active):
    await as_usual(self)
    print("THE MONITORS LOOKED", file=sys.stderr, flush=True)

ConsumerThread.__init__ = made
consumer.Consumer.verify_all_partitions_active = looked
main()
"""
"""A worker whose monitors of Faust wait for half a second instead of five minutes."""

LOUD = re.compile(r"^.* (WARNING|ERROR|CRITICAL) .*$", re.MULTILINE)
OF_A_TEST = "published development key"


def test_monitors_that_know_nothing_of_our_engine_say_nothing(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with running(flow, tmp_path, "worker", program=("-c", IMPATIENT)) as worker:
        until(lambda: bool(worker.get("/readyz")))
        flow.play(semester(30, 2_000, datetime(2026, 5, 15, 17, tzinfo=UTC)))
        flow.await_worked(2_000)
        until(lambda: worker.said().count("THE MONITORS LOOKED") >= 3)

        said = [line[0] for line in LOUD.finditer(worker.said())]
        assert [line for line in said if OF_A_TEST not in line] == []
