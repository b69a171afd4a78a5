"""All committed records of a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message


def committed_records(servers: str, topic: str) -> Iterator[Message]:
    """Yield every committed record of a topic, each partition in order."""
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "benchmark",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    try:
        partitions = reader.list_topics(topic, 10).topics[topic].partitions
        reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        open_ends = len(partitions)
        while open_ends:
            for message in reader.consume(10_000, 1):
                if message.error() is None:
                    yield message
                else:
                    open_ends -= 1
    finally:
        reader.close()
