"""The newest records of ``grade-events-refused``: why and where, read from their headers alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException, TopicPartition

from streams.core.instants import instant
from streams.engine.blocking import Failed
from streams.engine.reading import reader, to_the_end

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from streams.security import Kafka

LOOKED_AT: Final = 500
"""Of each partition, the newest records that are looked at."""

READ_SECONDS: Final = 5.0
"""How long is read, at most."""

_PREFIX: Final = "gradewatch."


def newest(kafka: Kafka, group: str, topic: str) -> list[dict[str, Any]]:
    """Return the newest refused records, the latest first. Blocks.

    Args:
        kafka: Where it is, and how to get in.
        group: The workers' consumer group; it is not joined.
        topic: Name of ``grade-events-refused`` in this namespace.

    Raises:
        Failed: Kafka does not answer, or refuses.
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    consumer = reader(kafka, group, f"{group}-refused")
    try:
        found = _read(consumer, topic)
    except KafkaException as error:
        raise Failed(str(error.args[0])) from None
    finally:
        consumer.close()
    return sorted(found, key=lambda one: (one["at"], one["partition"], one["offset"]), reverse=True)


def _read(consumer: Consumer, topic: str) -> list[dict[str, Any]]:
    deadline, found = time.monotonic() + READ_SECONDS, list[dict[str, Any]]()
    places = consumer.list_topics(topic, timeout=READ_SECONDS).topics[topic].partitions
    starts = list[TopicPartition]()
    for number in places:
        ends = consumer.get_watermark_offsets(TopicPartition(topic, number), READ_SECONDS)
        if ends is not None and ends[1] > ends[0]:
            starts.append(TopicPartition(topic, number, max(ends[0], ends[1] - LOOKED_AT)))
    for messages in to_the_end(consumer, starts):
        found += [_told(message, topic) for message in messages]
        if time.monotonic() > deadline:
            break
    return found


def _told(message: Message, topic: str) -> dict[str, Any]:
    headers = dict[str, str]()
    for header in message.headers() or ():
        name, value = str(header[0]), header[1]
        if name.startswith(_PREFIX) and isinstance(value, bytes):
            headers[name.removeprefix(_PREFIX)] = value.decode(errors="replace")
    return {
        "topic": topic,
        "partition": message.partition(),
        "offset": message.offset(),
        "reason": headers.get("reason", ""),
        "detail": headers.get("detail", ""),
        "source_topic": headers.get("topic", ""),
        "source_partition": _number(headers.get("partition", "")),
        "source_offset": _number(headers.get("offset", "")),
        "at": instant(message.timestamp()[1]),
    }


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
