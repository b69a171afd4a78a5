"""A set of rules takes effect at one record in every partition of ``grade-events``.

``grade-rules`` keeps every set that was ever announced; its last record is the one announced last.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from msgspec import Raw

from streams.core.events import Control, encode
from streams.core.instants import instant
from streams.engine.blocking import Failed
from streams.engine.outputs import Outputs, Produced
from streams.engine.reading import beginning, reader, to_the_end
from streams.engine.transactions import Writer
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Consumer

    from streams.core.rules import Rules
    from streams.security import Kafka

ANSWER_SECONDS: Final = 10.0
"""How long Kafka may take to answer."""


class Known(NamedTuple):
    """The sets of rules that were announced.

    Attributes:
        latest: Hash of the last; empty: none was.
        sets: Each as JSON, by hash, in the order in which they were announced last.
    """

    latest: str
    sets: Mapping[str, bytes]


class Where(NamedTuple):
    """Where rules are announced.

    Attributes:
        rules: Name of ``grade-rules`` in this namespace.
        events: Name of ``grade-events`` in this namespace.
        partitions: How many ``grade-events`` has.
    """

    rules: str
    events: str
    partitions: int


def known(kafka: Kafka, group: str, topic: str) -> Known:
    """Return the sets of rules that stand on ``grade-rules``.

    Args:
        kafka: Where it is, and how to get in.
        group: The workers' consumer group; nobody joins it.
        topic: The topic's name in this namespace.

    Raises:
        BrokerError: Kafka does not answer, or refuses.
        ConfigurationError: A file that is needed to get in is missing or bad.
    """
    consumer = _reader(kafka, group)
    try:
        return _read(consumer, topic)
    except KafkaException as error:
        raise _unread(topic, error.args[0].str()) from None
    finally:
        consumer.close()


class Announcer:
    """Announces sets of rules for one worker."""

    def __init__(self, kafka: Kafka, group: str, transactional_id: str | None, to: Where) -> None:
        """Remember where; nothing connects before there is something to announce.

        Args:
            kafka: Where it is, and how to get in.
            group: The workers' consumer group.
            transactional_id: This worker's own; None: no transactions.
            to: Where rules are announced.
        """
        self._kafka = kafka
        self._group = group
        self._transactional_id = transactional_id
        self._to = to

    def announce(self, rules: Rules, at: int) -> bool:
        """The set is the one announced last.

        Args:
            rules: The set.
            at: The time of day, milliseconds since 1970.

        Returns:
            Whether it had to be announced: it was not the last one, or ``grade-events`` was made
            anew.

        Raises:
            BrokerError: Kafka does not answer, or refuses; the set may be announced or not.
            ConfigurationError: A file that is needed to get in is missing or bad.
        """
        if not self._is_news(rules):
            return False
        writer = Writer(self._kafka, f"{self._group}-rules", self._transactional_id)
        try:
            writer.write(self._steps(rules, at))
        except Failed as failed:
            raise BrokerError(
                f"the rules could not be announced on {self._to.events}: {failed}",
                "check that Kafka answers, and that all replicas are in sync: gradewatch doctor",
            ) from None
        finally:
            writer.abandon()
        return True

    def _is_news(self, rules: Rules) -> bool:
        consumer, to = _reader(self._kafka, self._group), self._to
        try:
            if _read(consumer, to.rules).latest != rules.hash:
                return True
            ends = [
                consumer.get_watermark_offsets(
                    TopicPartition(to.events, number), timeout=ANSWER_SECONDS
                )
                for number in range(to.partitions)
            ]
        except KafkaException as error:
            raise _unread(to.rules, error.args[0].str()) from None
        finally:
            consumer.close()
        return any(end is None or end[1] == 0 for end in ends)

    def _steps(self, rules: Rules, at: int) -> list[Outputs]:
        """Return what is to be written, last what keeps the next start from doing it again."""
        told, kept, canonical = Outputs(), Outputs(), rules.canonical().encode()
        control = Control(kind="rules", at=instant(at), rules=Raw(canonical), rules_hash=rules.hash)
        for partition in range(self._to.partitions):
            told.add(self._to.events, partition, Produced(None, encode(control), at, []))
        kept.add(self._to.rules, 0, Produced(rules.hash.encode(), canonical, at, []))
        return [told, kept]


def _reader(kafka: Kafka, group: str) -> Consumer:
    try:
        # A fetch that waits for records holds back every other question by as much: 3 s a start.
        return reader(kafka, group, f"{group}-rules", fetch_wait_ms=20)
    except Failed as failed:  # no OAuth token
        raise _unread("grade-rules", str(failed)) from None


def _read(consumer: Consumer, topic: str) -> Known:
    """Read all that stands on ``grade-rules``."""
    sets, latest = dict[str, bytes](), ""
    silent = time.monotonic() + ANSWER_SECONDS
    for messages in to_the_end(consumer, [beginning(topic, 0)]):
        for message in messages:
            key, value = message.key(), message.value()
            if key and value:
                latest = bytes(key).decode(errors="replace")
                sets.pop(latest, None)
                sets[latest] = bytes(value)
        if messages:
            silent = time.monotonic() + ANSWER_SECONDS
        elif time.monotonic() > silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its own name
    return Known(latest, sets)


def _unread(topic: str, why: str) -> BrokerError:
    return BrokerError(
        f"{topic} could not be read: {why}",
        "check KAFKA_BOOTSTRAP_SERVERS and that Kafka answers: gradewatch doctor",
    )
