"""Topics read from their beginning in no group, committed records alone. Every call here blocks."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from streams.engine.blocking import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import Message

    from streams.security import Kafka

log = logging.getLogger("librdkafka")

LOOK_SECONDS: Final = 0.25
"""How long a look waits for a first record."""

ANSWER_SECONDS: Final = 15.0
"""How long Kafka may be silent."""

TAIL: Final = 1_000
"""Offsets at the end of a partition that `latest` reads first; sixteen times as many next."""

_MOST: Final = 2_000


def reader(
    kafka: Kafka,
    group: str,
    client: str,
    *,
    fetch_wait_ms: int = 100,
    isolation_level: str = "read_committed",
) -> Consumer:
    """Return a consumer that is assigned by hand and commits nothing. Blocks for an OAuth token.

    Args:
        kafka: Where it is, and how to get in.
        group: It has to name one; nobody joins it.
        client: Names it in the broker's log.
        fetch_wait_ms: How long a fetch may wait for records; every other question waits behind it.
        isolation_level: ``read_uncommitted`` sees the end of a partition beyond open transactions.

    Raises:
        Failed: There is no OAuth token.
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    told = {
        **kafka.librdkafka(),
        "group.id": group,
        "client.id": client,
        "isolation.level": isolation_level,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",  # where to go on is deleted: with what is left
        "fetch.wait.max.ms": fetch_wait_ms,
        "queued.max.messages.kbytes": 8 << 10,
    }
    try:
        return Consumer(told, logger=log)
    except KafkaException as error:
        raise Failed(error.args[0].str()) from None


def look(consumer: Consumer, most: int = _MOST) -> list[Message]:
    """Return what has come; nothing where nothing does for `LOOK_SECONDS`.

    It does not wait to be full: librdkafka's own batch would, for as long as it may.

    Args:
        consumer: Assigned.
        most: Messages, at most.

    Raises:
        KafkaException: Kafka refuses.
    """
    first = consumer.poll(LOOK_SECONDS)
    return [] if first is None else [first, *consumer.consume(most - 1, 0)]


def is_end(error: KafkaError) -> bool:
    """Tell whether an error says no more than that a partition ends here."""
    return bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001 - its own name


def to_the_end(
    consumer: Consumer,
    places: Iterable[TopicPartition],
    ends: Mapping[tuple[str, int], int] | None = None,
) -> Iterator[list[Message]]:
    """Yield what stands on partitions, by the look, until each has come to its end.

    Args:
        consumer: Of `reader`; it is assigned to them.
        places: From where on.
        ends: By topic and partition, the offset to read up to at least; records of a transaction
            that is open before it are waited for. None: up to the last record that is decided.

    Yields:
        Records; none where nothing came: for how long that may go on is for whoever asks.

    Raises:
        KafkaException: Kafka refuses.
    """
    places = list(places)
    ahead = {(place.topic, place.partition) for place in places}
    consumer.assign(places)
    while ahead:
        found: list[Message] = []
        for message in look(consumer):
            error = message.error()
            if error is None:
                found.append(message)
            elif is_end(error):
                place = str(message.topic()), int(message.partition() or 0)
                if ends is None or int(message.offset() or 0) >= ends[place]:
                    ahead.discard(place)
            else:
                raise KafkaException(error)
        yield found


def latest(
    consumer: Consumer, topic: str, bounds: Mapping[int, tuple[int, int]], key: bytes
) -> dict[int, bytes | None]:
    """Return the last value of a key on partitions of a compacted topic, read from the end.

    Args:
        consumer: Of `reader`.
        topic: Name of the topic.
        bounds: By partition, its first offset and the one after its last.
        key: Key of the record. Where each transaction writes it, it is near the end.

    Returns:
        By partition: the value, None where no record has the key. A partition without any record
        is left out.

    Raises:
        KafkaException: Kafka refuses, or is silent for `ANSWER_SECONDS`.
    """
    found, tail = dict[int, bytes | None](), TAIL
    wanted = {number: span for number, span in bounds.items() if span[0] < span[1]}
    while wanted:
        starts = [
            TopicPartition(topic, number, max(low, high - tail))
            for number, (low, high) in wanted.items()
        ]
        ends = {(topic, number): high for number, (_, high) in wanted.items()}
        silent = time.monotonic() + ANSWER_SECONDS
        for messages in to_the_end(consumer, starts, ends):
            for message in messages:
                number = int(message.partition() or 0)
                found.setdefault(number, None)
                if message.key() == key:
                    found[number] = message.value()
            if messages:
                silent = time.monotonic() + ANSWER_SECONDS
            elif time.monotonic() > silent:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its own name
        wanted = {
            number: span
            for number, span in wanted.items()
            if found.get(number) is None and span[1] - tail > span[0]
        }
        tail *= 16
    return found


def beginning(topic: str, partition: int) -> TopicPartition:
    """Return a partition from its first record on."""
    return TopicPartition(topic, partition, OFFSET_BEGINNING)
