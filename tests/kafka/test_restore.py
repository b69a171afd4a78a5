"""Rows after a restart or a failover: each partition serves as soon as its own are whole."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from streams.core.events import student_key
from streams.engine.routing import partition_of
from streams.simulator import semester
from tests.kafka.running import Flow, assert_all_is_as_recomputed, seen, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streams.cli.process import WorkerProcess
    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

END = datetime(2026, 5, 15, 17, tzinfo=UTC)
EVENTS = 8_000
HELD = 2
"""The partition whose changelog somebody keeps open."""


@pytest.fixture
def flow(kafka: Kafka, namespace: str, tmp_path: Path) -> Flow:
    return Flow(kafka.bootstrap_servers, namespace, tmp_path, standby_replicas=1)


@contextmanager
def closing(worker: WorkerProcess) -> Iterator[None]:
    try:
        yield
    finally:
        worker.stop()


def asked(worker: WorkerProcess, path: str) -> tuple[int, Any]:
    try:
        with urlopen(worker.url + path, timeout=10) as answer:  # noqa: S310 - ours
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)
    except URLError:  # not started yet
        return 0, {}


def number(worker: WorkerProcess, name: str, **labels: str) -> float:
    """Return one of a worker's numbers."""
    for family in text_string_to_metric_families(worker.get("/metrics")):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    raise AssertionError(f"no {name}")


def an_open_transaction(flow: Flow) -> Producer:
    """Return somebody who has written to one partition of the changelog and says no more."""
    somebody = Producer(
        {
            "bootstrap.servers": flow.servers,
            "transactional.id": f"{flow.settings.namespace}-somebody",
            "transaction.timeout.ms": 120_000,
        }
    )
    somebody.init_transactions(30)
    somebody.begin_transaction()
    somebody.produce(flow.topic("grade-scores-changelog"), b"never", b"a:b", HELD)
    assert somebody.flush(30) == 0
    return somebody


def is_held(worker: WorkerProcess) -> bool:
    """Tell whether a worker has restored all but the partition that is kept open."""
    return bool(asked(worker, "/readyz")[1].get("restoring", {}).get("partitions") == [HELD])


def students(flow: Flow) -> Iterator[tuple[int, str, str]]:
    """Yield partition, tenant and id of every student with a row."""
    partitions = len(flow.partitions("grade-events"))
    for tenant, student, _ in seen(flow).expected.rows:
        yield partition_of(student_key(tenant, student), partitions), tenant, student


@pytest.mark.crash
def test_a_partition_serves_as_soon_as_its_own_rows_are_restored(flow: Flow) -> None:
    """An open transaction keeps one partition from being whole; the others do not wait for it."""
    records = semester(40, 2 * EVENTS, END)
    flow.play(record for record, _ in zip(records, range(EVENTS), strict=False))
    with flow.worker:
        flow.await_worked(EVENTS)
    by_partition = {place: (tenant, student) for place, tenant, student in students(flow)}
    course = next(iter(seen(flow).expected.rows))[2]
    somebody = an_open_transaction(flow)

    worker = flow.new_worker("another")
    with closing(worker):
        worker.start()
        until(lambda: is_held(worker))
        for place, (tenant, student) in by_partition.items():
            status, answer = asked(worker, f"/api/v1/students/{student}?tenant={tenant}")
            assert status == (503 if place == HELD else 200), answer
        assert asked(worker, f"/api/v1/courses/{course}")[1]["partial"] is True
        before = flow.committed("grade-events")
        flow.play(records)
        until(lambda: flow.committed("grade-events") > before)
        assert asked(worker, "/readyz")[0] == 503
        assert flow.lag() > 0, "invalid: nothing waited for the rows"

        somebody.abort_transaction(30)
        flow.await_worked(2 * EVENTS - 1)
        assert asked(worker, "/readyz")[0] == 200
        assert "partial" not in asked(worker, f"/api/v1/courses/{course}")[1]
    assert_all_is_as_recomputed(flow)


@pytest.mark.crash
def test_a_standby_takes_over_without_reading_the_changelog_again(flow: Flow) -> None:
    flow.play(semester(41, EVENTS, END))
    with flow.workers("first", "second") as (first, second):
        flow.await_worked(EVENTS)
        rows = {"state": "serving"}
        kept = {"state": "standby"}

        def held(worker: WorkerProcess) -> tuple[float, float]:
            name = "gradewatch_rows"
            return number(worker, name, **rows), number(worker, name, **kept)

        until(lambda: held(first) == held(second)[::-1])
        total = sum(held(second))
        assert 0 < held(second)[0] < total, "invalid: one worker had all"

        first.kill()
        until(lambda: held(second) == (total, 0))
        second.await_ready()
        changelog = len(flow.read("grade-scores-changelog"))
        assert number(second, "gradewatch_restore_records", of="done") < changelog / 4

        flow.play(semester(42, EVENTS, END))
        flow.await_worked(2 * EVENTS)
    assert_all_is_as_recomputed(flow)


@pytest.mark.crash
def test_kill_9_in_the_middle_of_a_restore_five_times(flow: Flow) -> None:
    flow.play(semester(43, EVENTS, END))
    with flow.worker:
        flow.await_worked(EVENTS)
    somebody = an_open_transaction(flow)
    flow.play(semester(44, EVENTS, END))
    worker = flow.new_worker("another")
    with closing(worker):
        for _ in range(5):
            worker.start()
            until(lambda: is_held(worker))
            assert flow.lag() > 0, "invalid: nothing waited for the rows"
            worker.kill()
        somebody.abort_transaction(30)
        worker.start()
        worker.await_ready()
        flow.await_worked(2 * EVENTS)
    assert_all_is_as_recomputed(flow)
