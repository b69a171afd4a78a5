"""A crash loses nothing and doubles nothing: all is as recomputed from the raw topic, once.

With ``at_least_once`` a crash may repeat records; what repeats is identical, and changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from streams.settings import Guarantee
from streams.simulator import semester
from tests.kafka import running
from tests.kafka.running import Flow, latest_rows, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka, OwnKafka
    from tests.kafka.running import Seen

pytestmark = pytest.mark.kafka

EVENTS = 30_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)


def assert_all_is_as_recomputed(flow: Flow) -> Seen:
    found = running.assert_all_is_as_recomputed(flow)
    running.assert_rows_are_as_recomputed(flow, found)
    return found


def test_a_semester_comes_out_as_recomputed_and_the_fates_add_up(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker as worker:
        flow.play(semester(7, EVENTS, END))
        flow.await_worked(EVENTS)
        numbers = worker.numbers()
        found = assert_all_is_as_recomputed(flow)

    assert numbers.of("intake") == EVENTS
    assert numbers.scored == numbers.passed == len(found.events)
    assert sum(numbers.alerts.values()) == len(found.alerts)
    assert numbers.refused.total() == len(found.refused)
    scoring = {
        fate.removeprefix("passed/"): number
        for fate, number in found.expected.fates.items()
        if fate.startswith("passed/")
    }
    assert {
        fate: number
        for (agent, fate), number in numbers.fates.items()
        if agent == "scoring" and fate != "control"
    } == scoring


@pytest.mark.parametrize(
    "guarantee",
    [
        Guarantee.EXACTLY_ONCE,
        pytest.param(Guarantee.AT_LEAST_ONCE, marks=pytest.mark.crash),
    ],
)
def test_kill_9_of_the_worker_in_mid_stream_loses_nothing(
    kafka: Kafka, namespace: str, tmp_path: Path, guarantee: Guarantee
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, guarantee=guarantee)
    flow.play(semester(8, EVENTS, END))
    slow = flow.new_worker("worker", batch_records=50)  # what is left outlasts the look at it
    for part in (1, EVENTS // 4):
        slow.start()
        until(lambda part=part: flow.committed("grade-events") >= part)  # type: ignore[misc]
        slow.kill()
        assert flow.lag() > 0, "invalid: the fault did not hit in mid-stream"

    with flow.worker:
        flow.await_worked(EVENTS)
        assert_all_is_as_recomputed(flow)


def test_a_raw_topic_played_twice_changes_no_row_and_repeats_no_alert(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker:
        flow.play(semester(9, 5_000, END))
        flow.await_worked(5_000)
        before = latest_rows(flow)
        alerts = len(flow.read("grade-alerts"))
        flow.play(semester(9, 5_000, END))
        flow.await_worked(10_000)

        after = latest_rows(flow)
        assert len(flow.read("grade-alerts")) == alerts > 0
        assert after == before


@pytest.mark.crash
def test_kill_9_of_the_broker_makes_the_worker_wait_and_go_on(
    own_kafka: OwnKafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(own_kafka.bootstrap_servers, namespace, tmp_path)
    first, then = 5_000, EVENTS - 5_000
    records = semester(10, EVENTS, END)
    with flow.worker as worker:
        flow.play(record for record, _ in zip(records, range(first), strict=False))
        until(lambda: flow.committed("grade-events") > 0)
        own_kafka.kill()
        worker.require_alive()
        own_kafka.start()
        feeder = Thread(target=flow.play, args=(records,))
        feeder.start()
        feeder.join()
        flow.await_worked(first + then - 1)
        worker.require_alive()
        assert_all_is_as_recomputed(flow)


@pytest.mark.parametrize("signal", ["stop", "kill"])
def test_no_worker_outlives_its_end(
    kafka: Kafka, namespace: str, tmp_path: Path, signal: str
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker as worker:
        pid = worker.pid
        if signal == "stop":
            assert worker.stop() == 0
        else:
            worker.kill()

    import psutil  # noqa: PLC0415 - only here

    assert not psutil.pid_exists(pid)
