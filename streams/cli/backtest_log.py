"""Reads the past from ``grade-events``, as a backtest plays it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams import admin
from streams.cli.reading import reader
from streams.core import events
from streams.core.events import Control
from streams.core.flow import Passed
from streams.core.instants import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

    from streams.core.events import Instant
    from streams.settings import Settings
    from streams.trust.backtest import Backtest

_WAIT_MS = 500


async def play_log(
    chosen: Settings,
    played: Backtest,
    start: Instant | None,
    end: Instant | None,
    on_progress: Callable[[int, int, int | None], None],
) -> None:
    """Play what ``grade-events`` holds now, each partition by its own clock.

    Args:
        chosen: Where it is.
        played: What plays it.
        start: Only records that came then or later; None: from the first.
        end: Only records that came before; None: to the last.
        on_progress: Told records, events and the total of records.

    Raises:
        BrokerError: Kafka does not answer.
        TopicMismatchError: There is no such topic.
    """
    topic = chosen.topic("grade-events")
    async with reader(admin.bootstrap(chosen), topic) as consumer:
        ends = await _offsets(consumer, end)
        starts = await consumer.beginning_offsets(consumer.assignment())
        if start is not None:
            starts = await _offsets(consumer, start)
        for place, offset in starts.items():
            consumer.seek(place, offset)
        total = sum(max(0, ends[place] - starts[place]) for place in ends)
        done = 0
        while await _is_behind(consumer, ends):
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
            for place, records in fetched.items():
                for record in records:
                    passed = _passed(record) if record.offset < ends[place] else None
                    if passed is not None:
                        played.record(passed, place.partition)
                done += len(records)
            on_progress(done, played.events, total)


async def _is_behind(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    return any([await consumer.position(place) < end for place, end in ends.items()])


async def _offsets(consumer: AIOKafkaConsumer, at: Instant | None) -> dict[TopicPartition, int]:
    """Return the first offsets of a time or later, and the ends where there are none."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
    if at is None:
        return ends
    found = await consumer.offsets_for_times(dict.fromkeys(ends, milliseconds(at)))
    return {
        place: end if found.get(place) is None else found[place].offset
        for place, end in ends.items()
    }


def _passed(record: ConsumerRecord[bytes, bytes]) -> Passed | None:
    """Return the event of a record; None for a control record, and what intake did not write."""
    try:
        event = events.decode(record.value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if isinstance(event, Control):
        return None
    key = events.student_key(event.tenant, event.student_id)
    return Passed(key, record.value or b"", event.event_time, event.tenant)
