"""A partition with lag and no progress is told of; one that idles or waits for rows is not."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.engine.watch import STALL_SECONDS, Watch

STUCK, IDLE, HELD, MOVING = (TP("events", number) for number in range(4))


class Consumer:
    """Where a consumer stands."""

    def __init__(self) -> None:
        self.done = dict.fromkeys((STUCK, IDLE, HELD, MOVING), 100)
        self.held_back = {HELD}
        self.positions = {STUCK: 150, IDLE: 100, HELD: 100, MOVING: 150}
        self.rewound: list[dict[TP, int]] = []

    def highwater(self, tp: TP) -> int | None:
        return None if tp == STUCK else 100

    async def rewind(self, offsets: dict[TP, int]) -> None:
        if offsets:
            self.rewound.append(offsets)


class Committer:
    """What is being committed of which partitions."""

    def __init__(self) -> None:
        self.held = {MOVING}

    def holds(self, tp: TP) -> bool:
        return tp in self.held


@pytest.fixture
def watch() -> Watch:
    committers = [Committer(), Committer()]
    app = SimpleNamespace(consumer=Consumer(), committers=committers)
    watch = Watch(app)  # type: ignore[arg-type]
    watch._ends = {STUCK: 150, IDLE: 100, HELD: 150, MOVING: 150}
    return watch


def test_a_stalled_partition_is_told_of_once_and_so_is_its_recovery(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = watch._app.consumer
    caplog.set_level(logging.WARNING, "gradewatch.engine")  # the protocol's tests silence it
    for second in range(0, int(STALL_SECONDS) + 11, 2):
        consumer.done[MOVING] += 1
        watch._compare(float(second))
    assert watch.stalled == {STUCK}
    assert [record.getMessage() for record in caplog.records] == [
        "events[0] stands at offset 100 with 50 to go, for 60 s"
    ]

    consumer.done[STUCK] = 120
    watch._compare(STALL_SECONDS + 12)

    assert watch.stalled == set()
    assert caplog.records[-1].getMessage() == "events[0] goes on"


def test_a_partition_that_went_to_another_worker_is_forgotten(watch: Watch) -> None:
    watch._compare(0.0)
    del watch._app.consumer.done[STUCK]
    watch._app.consumer.done[MOVING] += 1
    watch._compare(STALL_SECONDS + 1)

    assert watch.stalled == set()


def test_lag_is_what_kafka_says_where_a_fetch_that_hangs_would_say_none(watch: Watch) -> None:
    assert watch.lags() == {STUCK: 50, IDLE: 0, HELD: 50, MOVING: 50}


def test_records_that_were_fetched_and_got_lost_are_fetched_again(watch: Watch) -> None:
    consumer: Any = watch._app.consumer
    asyncio.run(watch._fetch_again({STUCK}))
    assert consumer.rewound == [{STUCK: 100}]


def test_what_was_never_fetched_or_may_yet_be_committed_is_left_alone(watch: Watch) -> None:
    consumer: Any = watch._app.consumer
    asyncio.run(watch._fetch_again({IDLE}))
    committer: Any = watch._app.committers[1]
    committer.held.add(STUCK)
    asyncio.run(watch._fetch_again({STUCK}))
    assert consumer.rewound == []
