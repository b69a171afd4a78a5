"""What stands on a topic, read as it is: committed records, in no group, partition by partition."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from confluent_kafka import KafkaException, TopicPartition
from faust.types import TP
from msgspec import Raw

from streams.core.rows import UnreadableError, decode_row
from streams.core.tracks import closings_of
from streams.engine.blocking import Failed
from streams.engine.reading import beginning, reader, to_the_end
from streams.engine.routing import partition_of
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from confluent_kafka import Consumer, Message

    from streams.core.rows import Row
    from streams.security import Kafka
    from streams.settings import Settings

CHANGELOG: Final = "grade-scores-changelog"

ANSWER_SECONDS: Final = 15.0
"""How long Kafka may be silent."""


class Found(NamedTuple):
    """One record about a student.

    Attributes:
        topic: Its topic, without the namespace.
        partition: Its partition.
        offset: Its offset.
        key: Its key.
        value: Its value.
    """

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes

    def told(self) -> dict[str, Any]:
        """Return it as it is handed out."""
        place = {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        if self.topic != CHANGELOG:
            return place | {"value": msgspec.json.decode(self.value)}
        course = self.key.rpartition(b":")[2].decode()
        try:
            return place | {"course_id": course, "value": _row(decode_row(self.value))}
        except UnreadableError:
            return place | {"course_id": course, "value": "not of this version of gradewatch"}


class Records:
    """The topics of a namespace."""

    def __init__(self, settings: Settings, kafka: Kafka, progress: Callable[[str], None]) -> None:
        """Remember where they are.

        Args:
            settings: Name them.
            kafka: Where they are.
            progress: Told what is being read.
        """
        self._settings, self._kafka, self._progress = settings, kafka, progress
        self._known: dict[str, list[int]] = {}

    def place(self, topic: str, owner: bytes) -> TP:
        """Return a student's partition.

        Args:
            topic: Without the namespace.
            owner: The student's key.

        Raises:
            BrokerError: Kafka does not answer, or the topic is not there.
        """
        name = self._settings.topic(topic)
        return TP(name, partition_of(owner, len(self._partitions(topic))))

    def _partitions(self, topic: str) -> list[int]:
        name = self._settings.topic(topic)
        if topic in self._known:
            return self._known[topic]
        with self._consumer() as consumer:
            told = _asked(partial(consumer.list_topics, name, timeout=ANSWER_SECONDS)).topics[name]
        if not told.partitions:
            raise BrokerError(
                f"{name} is not there, or may not be read",
                "gradewatch topics acls print --role privacy shows what this needs",
            )
        found = self._known[topic] = sorted(told.partitions)
        return found

    def read(self, topic: str, owner: bytes | None) -> Iterator[Found]:
        """Yield the committed records of a student's partition; without one, of all partitions.

        Args:
            topic: Without the namespace.
            owner: The student's key.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        self._progress(f"reading {topic}")
        numbers = self._partitions(topic)
        if owner is not None:
            numbers = [partition_of(owner, len(numbers))]
        name = self._settings.topic(topic)
        ends = {(name, number): self.end(TP(name, number)) for number in numbers}
        silent = time.monotonic() + ANSWER_SECONDS
        with self._consumer() as consumer:
            looks = to_the_end(consumer, [beginning(*place) for place in ends], ends)
            while (messages := _asked(lambda: next(looks, None))) is not None:
                yield from (_found(topic, message) for message in messages)
                if messages:
                    silent = time.monotonic() + ANSWER_SECONDS
                elif time.monotonic() > silent:
                    raise BrokerError(f"Kafka fell silent while {name} was read", "try again")

    def end(self, place: TP) -> int:
        """Return where a partition ends, records of open transactions included.

        Raises:
            BrokerError: Kafka does not answer, or refuses.
        """
        there = TopicPartition(*place)
        with self._consumer("read_uncommitted") as consumer:
            found = _asked(partial(consumer.get_watermark_offsets, there, ANSWER_SECONDS))
        if found is None:
            raise BrokerError(f"Kafka does not say where {place.topic} ends", "try again")
        return int(found[1])

    def _consumer(self, isolation_level: str = "read_committed") -> _Closing:
        return _Closing(self._kafka, self._settings.group, isolation_level)


class _Closing:
    """A consumer that is closed with its block."""

    def __init__(self, kafka: Kafka, group: str, isolation_level: str) -> None:
        try:
            self._consumer = reader(
                kafka, group, f"{group}-privacy", isolation_level=isolation_level
            )
        except Failed as failed:
            raise BrokerError(f"no way into Kafka: {failed}", "gradewatch doctor") from None

    def __enter__(self) -> Consumer:
        return self._consumer

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _row(row: Row) -> dict[str, Any]:
    """Return a row with every name that it has; what is packed in it unpacked."""
    told: dict[str, Any] = _named(row)
    told["changes"] = _named(row.posted_grade_changes)
    told["muted_changes"] = _named(row.muted_grade_changes)
    for view, track in (("posted", row.posted), ("staff", row.staff)):
        told[view]["closings"] = closings_of(track.closings)
    return told


def _named(value: Any) -> Any:  # noqa: ANN401 - any part of a row
    if isinstance(value, msgspec.Struct):
        return {name: _named(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_named(each) for each in value]
    if isinstance(value, dict):
        return {name: _named(each) for name, each in value.items()}
    return value.hex() if isinstance(value, bytes) else None if isinstance(value, Raw) else value


def _found(topic: str, message: Message) -> Found:
    return Found(
        topic,
        int(message.partition() or 0),
        int(message.offset() or 0),
        message.key() or b"",
        message.value() or b"",
    )


def _asked(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever is asked for
    try:
        return call()
    except KafkaException as error:
        raise BrokerError(
            f"Kafka does not answer, or refuses: {error.args[0].str()}",
            "check KAFKA_BOOTSTRAP_SERVERS; gradewatch topics acls print --role privacy",
        ) from None
