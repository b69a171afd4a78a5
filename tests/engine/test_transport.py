"""Every batch that was fetched reaches its agent, or is fetched again: Faust would drop some."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.app import BatchApp
from streams.engine.fetch import FEW_RECORDS, RecordBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from streams.engine.transport import Consumer

EVENTS = TP("events", 2)


@contextmanager
def a_consumer() -> Iterator[Consumer]:
    """Give a consumer that is not started: what it would fetch is made up."""
    consumer = BatchApp("app", broker="kafka://localhost:1").consumer
    try:
        yield consumer
    finally:
        consumer._thread.thread_loop.close()


def yielded(meanwhile: Callable[[Consumer], Any], then: Callable[[Consumer], Any]) -> list[int]:
    """Return where the batches start that come of a look for records.

    Args:
        meanwhile: Happens while the look is under way, before the records come.
        then: Happens after they came, if they wait.
    """

    async def look() -> list[int]:
        with a_consumer() as consumer:

            async def fetch(_: float) -> tuple[dict[TP, RecordBatch], None]:
                meanwhile(consumer)
                epoch = consumer.epochs[EVENTS]
                asyncio.get_running_loop().call_later(0.01, then, consumer)
                return {EVENTS: RecordBatch(EVENTS, epoch, 7, 9, [])}, None

            consumer._wait_next_records = fetch  # type: ignore[assignment]
            messages = [cast("Any", message) async for _, message in consumer.getmany(1.0)]
            return [message.value.start for message in messages]

    return asyncio.run(look())


def nothing(_: Consumer) -> None:
    pass


def rebalanced(consumer: Consumer) -> None:
    consumer.app.consumer_generation_id += 1
    consumer.epochs[EVENTS] += 1


def test_a_batch_comes() -> None:
    assert yielded(nothing, nothing) == [7]


def test_a_batch_fetched_after_the_rebalance_that_a_look_lasted_over_comes() -> None:
    assert yielded(rebalanced, nothing) == [7]


def test_a_batch_fetched_after_the_seek_waits_for_the_flow_and_comes() -> None:
    def stands(consumer: Consumer) -> None:
        rebalanced(consumer)
        consumer.stop_flow()

    assert yielded(stands, lambda consumer: consumer.resume_flow()) == [7]


def test_a_batch_of_before_a_rebalance_does_not_come() -> None:
    def again(consumer: Consumer) -> None:
        rebalanced(consumer)
        consumer.resume_flow()

    assert yielded(lambda consumer: consumer.stop_flow(), again) == []


def test_a_batch_may_end_before_one_that_faust_noted_after_the_seek() -> None:
    async def noted() -> int | None:
        with a_consumer() as consumer:
            consumer._read_offset[EVENTS] = 100
            return consumer._read_offset[EVENTS]

    assert asyncio.run(noted()) is None


RAW = TP("raw", 0)


def rests(fetched: int, done: int) -> set[TP]:
    async def asked() -> set[TP]:
        with a_consumer() as consumer:
            consumer.done = {EVENTS: done, TP("events", 3): 7, RAW: 5}
            consumer.positions = {EVENTS: fetched, TP("events", 3): 7, RAW: 5}
            return consumer.resting()

    return asyncio.run(asked())


def test_a_topic_with_a_few_records_under_way_is_left_alone_until_they_are_committed() -> None:
    assert rests(fetched=102, done=100) == {EVENTS, TP("events", 3)}
    assert rests(fetched=100, done=100) == set()


def test_a_backlog_is_fetched_while_the_last_of_it_is_being_committed() -> None:
    assert rests(fetched=100 + FEW_RECORDS, done=100) == set()


def gathered(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Consumer], Any]
) -> dict[Any, list[Any]]:
    """Return what a first record becomes that has another one behind it at the broker."""
    place: Any = TopicPartition(*EVENTS)

    async def behind(_: object, __: object, wanted: set[TP], *___: object) -> dict[Any, list[str]]:
        return {place: ["behind"]} if EVENTS in wanted else {}

    async def asked() -> dict[Any, list[Any]]:
        with a_consumer() as consumer:
            asyncio.get_running_loop().call_soon(meanwhile, consumer)
            first: Any = {place: ["first"]}
            return await consumer._thread._gathered(cast("Any", None), first)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", behind)
    return asyncio.run(asked())


def test_a_few_records_come_with_those_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gathered(monkeypatch, nothing) == {EVENTS: ["first", "behind"]}


def test_what_was_sought_meanwhile_is_not_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gathered(monkeypatch, rebalanced) == {}
