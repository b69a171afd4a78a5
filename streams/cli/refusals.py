"""Reads ``grade-events-refused``: every refusal, or the one at a coordinate."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.cli.reading import reader
from streams.errors import BrokerError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.security import Kafka

PATIENCE_MS = 30_000
"""How long nothing may arrive before a reading is given up."""

_WAIT_MS = 500


@dataclass(frozen=True)
class Refusal:
    """One record of the refused topic."""

    partition: int
    offset: int
    time: str
    headers: dict[str, str]
    key: bytes | None
    value: bytes | None

    @property
    def reason(self) -> str:
        """Why it was refused: a ``Reason``, or empty where another producer wrote it."""
        return self.headers.get("gradewatch.reason", "")

    @property
    def source(self) -> str:
        """The topic it came to us on."""
        return self.headers.get("gradewatch.topic", "")

    @property
    def truncated(self) -> bool:
        """Whether it was too large to keep: the value is not the original then."""
        return "gradewatch.truncated" in self.headers

    def fields(self) -> dict[str, Any]:
        """Return what may be shown: all but the key and the bytes, which hold personal data."""
        named = {
            name: self.headers.get(f"gradewatch.{name}", "")
            for name in ("reason", "detail", "topic", "partition", "offset")
        }
        return {
            "partition": self.partition,
            "offset": self.offset,
            "time": self.time,
            "reason": named["reason"],
            "detail": named["detail"],
            "truncated": self.truncated,
            "source": {name: named[name] for name in ("topic", "partition", "offset")},
        }


class Refusals:
    """The refused topic from its beginning to where it ended when this was made."""

    def __init__(
        self, topic: str, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> None:
        """Hold the topic, a consumer of all its partitions, and the offsets to stop at."""
        self._topic = topic
        self._consumer = consumer
        self._ends = ends

    async def read(self, reason: str | None = None) -> AsyncIterator[Refusal]:
        """Yield each refusal, a partition's in their order; only those with a reason if given.

        Raises:
            BrokerError: Kafka fell silent before the end.
        """
        await self._consumer.seek_to_beginning()
        async for found in self._up_to(self._ends):
            if reason in {None, found.reason}:
                yield found

    async def one(self, partition: int, offset: int) -> Refusal:
        """Return the refusal at a coordinate.

        Raises:
            BrokerError: Kafka fell silent.
            NotFoundError: There is none: never was, or retention took it.
        """
        at = TopicPartition(self._topic, partition)
        if offset < self._ends.get(at, 0):
            first = (await self._consumer.beginning_offsets([at]))[at]
            self._consumer.seek(at, max(offset, first))
            found = [refusal async for refusal in self._up_to({at: offset + 1})]
            if found:
                return found[0]
        raise NotFoundError(
            f"there is no refused record at partition {partition}, offset {offset}",
            "gradewatch events refused list names those there are",
        )

    async def _up_to(self, ends: dict[TopicPartition, int]) -> AsyncIterator[Refusal]:
        """Yield what stands between where the consumer is and these offsets."""
        silent_ms = 0
        while any([await self._consumer.position(at) < end for at, end in ends.items()]):
            fetched = await self._consumer.getmany(*ends, timeout_ms=_WAIT_MS)
            silent_ms = 0 if fetched else silent_ms + _WAIT_MS
            if silent_ms > PATIENCE_MS:
                raise BrokerError(
                    f"Kafka stopped answering while {self._topic} was read",
                    "try again; gradewatch broker status tells whether the embedded one runs",
                )
            for at, records in fetched.items():
                for record in records:
                    if record.offset < ends[at]:
                        yield _refusal(record)


@asynccontextmanager
async def opened(kafka: Kafka, topic: str) -> AsyncIterator[Refusals]:
    """Read the refused topic as it stands.

    Raises:
        BrokerError: Kafka does not answer.
        TopicMismatchError: The topic does not exist.
    """
    async with reader(kafka, topic) as consumer:
        yield Refusals(topic, consumer, await consumer.end_offsets(consumer.assignment()))


def _refusal(record: ConsumerRecord[bytes, bytes]) -> Refusal:
    moment = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Refusal(
        record.partition,
        record.offset,
        f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
        {name: printable(value) for name, value in record.headers},
        record.key,
        record.value,
    )


def printable(value: bytes) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in value.decode(errors="replace"))
