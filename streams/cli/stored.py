"""Records that stand on a topic now: all of them, or those at some offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.cli.reading import reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from aiokafka import ConsumerRecord

    from streams.security import Kafka

_WAIT_MS = 500
_TRIES = 10
"""How many such waits a record at an offset is given."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""


async def every(
    kafka: Kafka, topic: str, partition: int | None = None
) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    """Yield the committed records that a topic holds now, each partition's in order.

    Args:
        kafka: Where.
        topic: Its full name.
        partition: Only this one.

    Raises:
        BrokerError: Kafka does not answer.
        TopicMismatchError: There is no such topic.
    """
    async with reader(kafka, topic) as consumer:
        if partition is not None:
            consumer.assign([TopicPartition(topic, partition)])
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
            for place, records in fetched.items():
                for record in records:
                    if record.offset < ends[place]:
                        yield record


async def at_offsets(kafka: Kafka, places: Collection[Place]) -> dict[Place, bytes | None]:
    """Return the values of committed records; None where there is none, or not any more.

    Args:
        kafka: Where.
        places: Of one topic, or of several.

    Raises:
        BrokerError: Kafka does not answer.
        TopicMismatchError: There is no such topic.
    """
    found: dict[Place, bytes | None] = dict.fromkeys(places)
    for topic in {place[0] for place in places}:
        async with reader(kafka, topic) as consumer:
            known = consumer.assignment()
            ends = await consumer.end_offsets(known)
            starts = await consumer.beginning_offsets(known)
            for place in sorted(one for one in places if one[0] == topic):
                at = TopicPartition(topic, place[1])
                if at in known and starts[at] <= place[2] < ends[at]:
                    consumer.seek(at, place[2])
                    for _ in range(_TRIES):
                        try:
                            some = await consumer.getmany(at, timeout_ms=_WAIT_MS, max_records=1)
                        except OffsetOutOfRangeError:  # deleted meanwhile
                            break
                        if some:
                            [record] = some[at]
                            found[place] = record.value if record.offset == place[2] else None
                            break
    return found
