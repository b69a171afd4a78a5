"""A topic read from its beginning in no group, committed records alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException

from streams.engine.blocking import Failed

if TYPE_CHECKING:
    from streams.security import Kafka

log = logging.getLogger("librdkafka")


def reader(kafka: Kafka, group: str, client: str) -> Consumer:
    """Return a consumer that is assigned by hand and commits nothing. Blocks for an OAuth token.

    Args:
        kafka: Where it is, and how to get in.
        group: It has to name one; nobody joins it.
        client: Names it in the broker's log.

    Raises:
        Failed: There is no OAuth token.
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    told = {
        **kafka.librdkafka(),
        "group.id": group,
        "client.id": client,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",  # where to go on is deleted: with what is left
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 8 << 10,
    }
    try:
        return Consumer(told, logger=log)
    except KafkaException as error:
        raise Failed(error.args[0].str()) from None
