"""Reads a whole topic, as programs beside the flow do: committed records only, in no group."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from streams import admin
from streams.connection import not_granted
from streams.errors import BrokerError, TopicMismatchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.security import Kafka


async def behind(consumer: AIOKafkaConsumer) -> bool:
    """Tell whether records that stand on the topic were not fetched yet."""
    ends = await consumer.end_offsets(consumer.assignment())
    return any([await consumer.position(at) < end for at, end in ends.items()])


@asynccontextmanager
async def reader(kafka: Kafka, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Read all of a topic, committed records only, in no consumer group.

    Raises:
        BrokerError: Kafka does not answer, or refuses.
        TopicMismatchError: There is no such topic.
    """
    count = await asyncio.to_thread(admin.partition_count, kafka, topic)
    if not count:
        raise TopicMismatchError(f"there is no topic {topic} on {kafka}", "gradewatch topics apply")
    consumer = AIOKafkaConsumer(
        **kafka.aiokafka(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, number) for number in range(count)])
        yield consumer
    except TopicAuthorizationFailedError:
        raise not_granted(f"READ on topic {topic}") from None
    except KafkaError as error:
        raise BrokerError(
            f"Kafka at {kafka} did not let {topic} be read: {error}",
            "check KAFKA_BOOTSTRAP_SERVERS and that Kafka answers: gradewatch broker status",
        ) from error
    finally:
        await consumer.stop()
