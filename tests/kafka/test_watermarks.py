"""Every partition of ``grade-events`` says how far each raw partition has come, idle or not."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from streams.core.events import Control, decode
from streams.core.instants import milliseconds
from streams.settings import Guarantee
from streams.simulator import semester
from tests.kafka.process import running
from tests.kafka.running import Flow, assert_all_is_as_recomputed, source, until
from tests.kafka.test_crash import END

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

PARTITIONS = 4
EVENTS = 3_000
SOON_IDLE = """
from streams.__main__ import main
from streams.engine.app import BatchApp

BatchApp.idle_seconds = 1.0
main()
"""
"""A worker that finds a partition idle after a second."""

Said = dict[int, list[Control]]
"""By partition of ``grade-events``, in their order."""


def watermarks(flow: Flow) -> Said:
    said: Said = defaultdict(list)
    for record in flow.read("grade-events"):
        control = decode(record.value)
        if isinstance(control, Control) and control.kind == "watermark":
            assert record.key is None
            assert not record.headers
            said[record.partition].append(control)
    return said


def reached(flow: Flow, at: str) -> bool:
    """Tell whether each partition was told of all raw ones that they have come so far."""
    said = watermarks(flow)
    return all(
        {one.partition for one in said[number] if one.at >= at} == set(range(PARTITIONS))
        for number in range(PARTITIONS)
    )


@pytest.mark.parametrize("guarantee", Guarantee)
def test_what_is_worked_on_moves_the_watermark_of_its_partition_and_idleness_does_the_rest(
    kafka: Kafka, namespace: str, tmp_path: Path, guarantee: Guarantee
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path, guarantee=guarantee)
    raw = flow.topic(flow.settings.raw_topic)
    with running(flow, tmp_path, "worker", program=("-c", SOON_IDLE)) as worker:
        until(lambda: reached(flow, "2026-05-16"))  # nothing was ever written: idle
        began = max(one.at for told in watermarks(flow).values() for one in told)
        flow.play(semester(21, EVENTS, END))
        flow.await_worked(EVENTS)
        offsets = flow.committed(flow.settings.raw_topic)
        until(lambda: reached(flow, f"{began[:-1]}9Z"))

        assert flow.committed(flow.settings.raw_topic) == offsets == EVENTS
        said = watermarks(flow)
        for told in said.values():
            assert {(one.topic, one.partitions) for one in told} == {(raw, PARTITIONS)}
        assert worker.get("/readyz")
    flow_of_events_is_told(flow)
    assert_all_is_as_recomputed(flow)


def flow_of_events_is_told(flow: Flow) -> None:
    """Behind every event comes the watermark of its raw partition, as late as it is at least."""
    told: dict[tuple[int, int], str] = {}
    open_: dict[tuple[int, int], str] = {}
    for record in flow.read("grade-events"):
        one = decode(record.value)
        if isinstance(one, Control):
            if one.kind == "rules":
                continue
            place = record.partition, one.partition
            told[place] = max(told.get(place, ""), one.at)
            assert open_.pop(place, "") <= one.at
        else:
            place = record.partition, source(record)[0]
            assert milliseconds(one.event_time) <= record.timestamp, "invalid: not simulated so"
            open_[place] = max(open_.get(place, ""), one.event_time)
    assert told
    assert not open_
