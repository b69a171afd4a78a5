"""A worker joins and dies at a random moment, again and again: the others keep every row."""

from __future__ import annotations

import resource
import signal
import time
from contextlib import suppress
from random import Random
from threading import Thread
from typing import TYPE_CHECKING

import psutil
import pytest

from streams.simulator import semester
from tests.kafka.churn import assert_every_row_is_served, await_all_partitions
from tests.kafka.crash.load import END
from tests.kafka.process import running
from tests.kafka.running import Flow, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.crash]

ROUNDS = 10
EVENTS = 2_000
MOST_SECONDS = 8.0
"""The latest moment of a fault after its worker began to start: it has its rows by then."""


def killed(worker: WorkerProcess) -> None:
    worker.kill()


def terminated(worker: WorkerProcess) -> None:
    worker.stop()


def starved(worker: WorkerProcess) -> None:
    """It gets no more memory from now on, and is killed for it a little later."""
    process = psutil.Process(worker.pid)
    process.rlimit(resource.RLIMIT_AS, (process.memory_info().vms, -1))
    time.sleep(2)
    with suppress(psutil.NoSuchProcess):
        worker.kill()
    worker.stop()


def frozen(worker: WorkerProcess) -> None:
    """It sleeps for longer than its session, wakes up as a zombie, and is told to end."""
    process = psutil.Process(worker.pid)
    process.suspend()
    time.sleep(12)
    process.resume()
    worker.stop()


FAULTS: tuple[Callable[[WorkerProcess], None], ...] = (killed, terminated, starved, frozen)


@pytest.mark.parametrize("standbys", [0, 1])
def test_workers_that_join_and_die_take_no_rows_with_them(
    kafka: Kafka, namespace: str, tmp_path: Path, standbys: int
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, standby_replicas=standbys)
    chance = Random(23 + standbys)  # noqa: S311 - to be had again
    played = 0
    with flow.worker as stays:
        for number in range(ROUNDS):
            load = Thread(target=flow.play, args=(semester(number, EVENTS, END), 400))
            quiet = bool(number % 2) and played > 0
            if not quiet:
                load.start()
                played += EVENTS
            joiner = flow.new_worker(f"joiner-{number}")
            joiner.start()
            time.sleep(chance.uniform(0.5, MOST_SECONDS))
            fault = FAULTS[number % len(FAULTS)] if number < 8 else chance.choice(FAULTS)
            fault(joiner)
            if not quiet:
                load.join()
            flow.await_worked(played)
            await_all_partitions(stays)
            stays.require_alive()

            assert_every_row_is_served(flow)


def test_processes_of_one_machine_that_die_take_no_rows_with_them(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    chance = Random(25)  # noqa: S311 - to be had again
    with flow.worker as stays:
        flow.play(semester(30, EVENTS, END))
        flow.await_worked(EVENTS)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            with running(flow, tmp_path, "worker", "--processes", "2") as processes:
                time.sleep(chance.uniform(1, MOST_SECONDS))
                family = psutil.Process(processes.popen.pid).children(recursive=True)
                processes.popen.send_signal(number)
                processes.popen.wait()
                until(lambda family=family: not any(one.is_running() for one in family))  # type: ignore[misc]
            await_all_partitions(stays)

            assert_every_row_is_served(flow)
