"""The clocks of ``grade-events``, as the changelog has them, and the record that sets them back.

Used by ``gradewatch clock`` and the doctor. Every call here blocks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException, TopicPartition
from faust.types import TP

from streams.core.clock import ITEM, OWNER, State, decode_state
from streams.core.events import Control, Instant, encode
from streams.engine.blocking import Failed
from streams.engine.outputs import Outputs, Produced
from streams.engine.reading import ANSWER_SECONDS, latest, reader
from streams.engine.table import changelog_key
from streams.engine.transactions import Writer, stable_offsets
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import Consumer

    from streams.security import Kafka
    from streams.settings import Settings

CHANGELOG: Final = "grade-scores-changelog"
EVENTS: Final = "grade-events"


class Clocks:
    """The clocks of one namespace."""

    def __init__(self, settings: Settings, kafka: Kafka) -> None:
        """Remember where they are.

        Args:
            settings: Name topics and group.
            kafka: Where Kafka is.
        """
        self._settings, self._kafka = settings, kafka

    def states(self) -> dict[int, State]:
        """Return the committed state of each partition that has one.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
            UnreadableError: Another version of gradewatch wrote one.
        """
        name = self._settings.topic(CHANGELOG)
        try:
            consumer = reader(self._kafka, self._settings.group, f"{self._settings.group}-clock")
        except Failed as failed:
            raise _refused(name, str(failed)) from None
        try:
            return _states(consumer, name)
        except KafkaException as error:
            raise _refused(name, error.args[0].str()) from None
        finally:
            consumer.close()

    def set_back(self, partitions: Collection[int], at: Instant) -> Mapping[TP, int]:
        """Write the record that sets clocks back; return where scoring must get to.

        Args:
            partitions: Of ``grade-events``.
            at: The latest time that stays; empty: Kafka's time of the record.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        name, group = self._settings.topic(EVENTS), self._settings.group
        told, outputs = encode(Control(kind="clock", at=at)), Outputs()
        for number in partitions:
            outputs.add(name, number, Produced(None, told, 0, []))
        writer = Writer(self._kafka, f"{group}-clock", None)
        try:
            writer.produce(outputs)
            # Beyond open transactions, which may begin before the record.
            level = "read_uncommitted"
            consumer = reader(self._kafka, group, f"{group}-clock", isolation_level=level)
        except Failed as failed:
            raise BrokerError(
                f"the record that sets clocks back could not be written: {failed}",
                "check that Kafka answers, and that WRITE on grade-events is granted; then again",
            ) from None
        finally:
            writer.abandon()
        try:
            return {TP(name, number): _bounds(consumer, name, number)[1] for number in partitions}
        finally:
            consumer.close()

    def is_worked(self, ends: Mapping[TP, int]) -> bool:
        """Return True if scoring has worked up to some offsets.

        Args:
            ends: As `set_back` returned them.

        Raises:
            Failed: Kafka does not say so yet.
        """
        found = stable_offsets(self._kafka, self._settings.group, [*ends], ANSWER_SECONDS)
        return all((found[place] or 0) >= end for place, end in ends.items())


def _states(consumer: Consumer, topic: str) -> dict[int, State]:
    told = _asked(topic, partial(consumer.list_topics, topic, timeout=ANSWER_SECONDS))
    bounds = {number: _bounds(consumer, topic, number) for number in told.topics[topic].partitions}
    found = latest(consumer, topic, bounds, changelog_key(OWNER, ITEM))
    return {number: decode_state(value) for number, value in sorted(found.items()) if value}


def _bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Return the first offset of a partition, and the one after its last."""
    place = TopicPartition(topic, partition)
    ask = partial(consumer.get_watermark_offsets, place, timeout=ANSWER_SECONDS)
    low, high = _asked(topic, ask)
    return low, high


def _asked(topic: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is asked for
    try:
        found = call()
    except KafkaException as error:
        raise _refused(topic, error.args[0].str()) from None
    if found is None:
        raise _refused(topic, "Kafka does not answer")
    return found


def _refused(topic: str, why: str) -> BrokerError:
    return BrokerError(
        f"the clocks could not be read from {topic}: {why}",
        "check KAFKA_BOOTSTRAP_SERVERS, and the ACLs: gradewatch topics acls print --role worker",
    )
