"""Every batch that was fetched reaches its agent, or is fetched again: Faust would drop some."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from faust.types import TP

from streams.engine.app import BatchApp
from streams.engine.fetch import RecordBatch
from streams.security import Kafka

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from streams.engine.transport import Consumer

EVENTS = TP("events", 2)


@contextmanager
def a_consumer() -> Iterator[Consumer]:
    """Give a consumer that is not started: what it would fetch is made up."""
    consumer = BatchApp("app", Kafka("localhost:1")).consumer
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


def test_fausts_monitors_of_fetches_and_commits_say_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They see a partition that nothing was fetched of, as the changelog's of a healthy worker."""
    with a_consumer() as consumer:
        never = SimpleNamespace(timestamp=None, highwater=None, position=None)
        assignment = SimpleNamespace(active=True, state_value=lambda _: never)
        subscriptions = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
        thread: Any = consumer._thread
        thread._consumer = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=subscriptions))
        thread.time_started = 0.0
        consumer.verify_event_path(1e9, EVENTS)
        consumer.verify_recovery_event_path(1e9, EVENTS)
    assert caplog.records == []


def test_a_partition_that_is_revoked_while_it_is_restored_waits_for_the_next_assignment() -> None:
    async def released() -> set[TP]:
        with a_consumer() as consumer:
            consumer.held_back = {EVENTS}  # and nothing says where to go on
            await consumer.release(EVENTS)
            return consumer.held_back

    assert asyncio.run(released()) == {EVENTS}
