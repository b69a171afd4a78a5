"""``gradewatch workers``: the group as Kafka sees it, and scale-in without a wait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from streams.cli.workers import workers
from streams.errors import GradewatchError, NotFoundError
from streams.settings import environment
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


def told(flow: Flow, *words: str) -> Result:
    return CliRunner(env=environment(flow.settings)).invoke(workers, words)


def partitions(flow: Flow) -> dict[str, list[int]]:
    """Return the partitions of ``grade-events`` by worker."""
    listed = json.loads(told(flow, "list", "--format", "json").output)["workers"]
    events = flow.topic("grade-events")
    return {each["worker"]: each["partitions"].get(events, []) for each in listed}


def test_a_worker_stopped_for_good_is_removed_and_its_partitions_move_at_once(flow: Flow) -> None:
    with flow.workers("first", "second") as (first, second):
        until(lambda: sorted(map(len, partitions(flow).values())) == [2, 2])
        assert "second  static member from " in told(flow, "list").output
        running = told(flow, "remove", "second")
        assert isinstance(running.exception, GradewatchError)
        assert "still runs" in str(running.exception)

        assert second.stop() == 0
        assert sorted(map(len, partitions(flow).values())) == [2, 2], "invalid: it left by itself"
        removed = told(flow, "remove", "second")
        assert (removed.exit_code, removed.output) == (
            0,
            "removed second; its 6 partitions move to the others\n",
        )
        until(lambda: partitions(flow) == {"first": [0, 1, 2, 3]}, seconds=30)
        first.await_ready()


def test_a_worker_that_is_not_there_is_told_with_those_that_are(flow: Flow) -> None:
    with flow.workers("only"):
        missing = told(flow, "remove", "gone")

        assert isinstance(missing.exception, NotFoundError)
        assert "no worker gone" in str(missing.exception)
        assert "there: only" in str(missing.exception)
