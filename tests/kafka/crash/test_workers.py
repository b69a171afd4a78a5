"""Workers killed, stopped, frozen and joined under load: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from streams.simulator import semester
from tests.kafka.crash.load import END, Load, await_progress
from tests.kafka.running import Flow, assert_all_is_as_recomputed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

BACKLOG = 25_000
"""Events that wait when a worker starts: more than it works on before it is stopped again."""


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path)


@pytest.fixture
def workers(flow: Flow, request: pytest.FixtureRequest) -> Iterator[list[WorkerProcess]]:
    """As many running workers as the test asks for."""
    with flow.workers(*(f"worker-{number}" for number in range(request.param))) as started:
        yield started


@pytest.mark.parametrize("workers", [1, 3], indirect=True)
def test_kill_9_twenty_times_under_load(flow: Flow, workers: list[WorkerProcess]) -> None:
    chance = random.Random(20)  # noqa: S311 - to be had again
    with Load(flow, 20) as load:
        for _ in range(20):
            await_progress(flow)
            time.sleep(chance.random())
            worker = chance.choice(workers)
            worker.kill()
            load.require_under_way()
            worker.start()

    assert_all_is_as_recomputed(flow)


@pytest.mark.parametrize("workers", [3], indirect=True)
def test_sigterm_one_after_the_other_under_load(flow: Flow, workers: list[WorkerProcess]) -> None:
    with Load(flow, 21) as load:
        for worker in workers * 2:
            await_progress(flow)
            load.require_under_way()
            assert worker.stop() == 0
            worker.start()
            worker.await_ready()

    assert_all_is_as_recomputed(flow)


def test_sigterm_amid_a_backlog(flow: Flow) -> None:
    """Under full load: batches are as large as they get, and the next ones are fetched already."""
    flow.play(semester(26, BACKLOG, END))
    worker = flow.worker
    for _ in range(4):
        worker.start()
        await_progress(flow)
        assert worker.stop() == 0
        assert flow.lag() > 0, "invalid: nothing was under way"
    with worker:
        flow.await_worked(BACKLOG)

    assert_all_is_as_recomputed(flow)


@pytest.mark.parametrize("workers", [2], indirect=True)
def test_a_zombie_that_wakes_up_changes_nothing(flow: Flow, workers: list[WorkerProcess]) -> None:
    """Frozen amid its work for longer than a session: another has its partitions by then."""
    with Load(flow, 22) as load:
        await_progress(flow)
        os.kill(workers[0].pid, signal.SIGSTOP)
        time.sleep(25)
        await_progress(flow)
        load.require_under_way()
        os.kill(workers[0].pid, signal.SIGCONT)
        await_progress(flow)

    assert_all_is_as_recomputed(flow)


@pytest.mark.parametrize("workers", [1], indirect=True)
def test_frozen_for_longer_than_a_transaction(flow: Flow, workers: list[WorkerProcess]) -> None:
    """Kafka has aborted what was under way; the worker finds out, and does it again."""
    with Load(flow, 23) as load:
        await_progress(flow)
        for _ in range(2):
            os.kill(workers[0].pid, signal.SIGSTOP)
            time.sleep(14)
            load.require_under_way()
            os.kill(workers[0].pid, signal.SIGCONT)
            await_progress(flow)

    assert_all_is_as_recomputed(flow)


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("workers", [1], indirect=True)
def test_workers_come_and_go(flow: Flow) -> None:
    more = [flow.new_worker("second"), flow.new_worker("third")]
    with Load(flow, 24) as load:
        for end in ("stop", "kill"):
            for worker in more:
                worker.start()
                worker.await_ready()
                await_progress(flow)
            for worker in more:
                load.require_under_way()
                getattr(worker, end)()
                await_progress(flow)

    assert_all_is_as_recomputed(flow)
