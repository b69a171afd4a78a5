"""Earlier steps of an alert, from the topics that keep every step.

``grade-alerts-state`` is compacted: after some days it holds the last step alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from confluent_kafka import KafkaException

from streams.engine.blocking import Failed
from streams.engine.reading import beginning, reader, to_the_end
from streams.lists.held import Step, step

if TYPE_CHECKING:
    from streams.lists.held import Held
    from streams.security import Kafka

READ_SECONDS: Final = 3.0
"""How long is read, at most; some millions of records."""


def missing(held: Held) -> list[int]:
    """Return the numbers of the steps that are not known, in order."""
    return [seq for seq in range(1, held.listed.seq + 1) if seq not in held.steps]


def read(kafka: Kafka, group: str, topic: str, held: Held) -> list[Step]:
    """Return the steps of an alert that a topic still holds. Blocks.

    Args:
        kafka: Where it is, and how to get in.
        group: The workers' consumer group; it is not joined.
        topic: Name of ``grade-alerts`` or ``grade-alerts-posted``, by the alert's audience.
        held: The alert.

    Returns:
        Its steps, not all of them where that took longer than `READ_SECONDS`.

    Raises:
        Failed: Kafka does not answer, or refuses.
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    deadline, found = time.monotonic() + READ_SECONDS, list[Step]()
    subject, wanted = held.listed.fingerprint.encode(), held.listed.alert_id
    consumer = reader(kafka, group, f"{group}-steps")
    try:
        for messages in to_the_end(consumer, [beginning(topic, held.partition)]):
            for message in messages:
                # The header spares the decoding of everybody else's.
                if ("ce_subject", subject) in (message.headers() or ()):
                    alert_id, one = step(message.value() or b"")
                    found += [one] if alert_id == wanted else []
            if time.monotonic() > deadline:
                break
    except (KafkaException, msgspec.MsgspecError) as error:
        raise Failed(str(error.args[0])) from None
    finally:
        consumer.close()
    return found
