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

PATIENCE_MS = 30_000
"""How long nothing may arrive before a reading is given up."""


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
        silent = 0
        while await self._behind():
            fetched = await self._consumer.getmany(timeout_ms=500)
            silent = 0 if fetched else silent + 1
            if silent * 500 > PATIENCE_MS:
                raise BrokerError(
                    f"Kafka stopped answering while {self._topic} was read",
                    "try again; gradewatch broker status tells whether the embedded one runs",
                )
            for partition, records in fetched.items():
                for record in records:
                    found = _refusal(record)
                    if record.offset < self._ends[partition] and reason in {None, found.reason}:
                        yield found

    async def one(self, partition: int, offset: int) -> Refusal:
        """Return the refusal at a coordinate.

        Raises:
            NotFoundError: There is none: never was, or retention took it.
        """
        at = TopicPartition(self._topic, partition)
        if offset < self._ends.get(at, 0):
            first = (await self._consumer.beginning_offsets([at]))[at]
            self._consumer.seek(at, max(offset, first))
            while await self._consumer.position(at) <= offset:
                records = (await self._consumer.getmany(at, timeout_ms=500)).get(at, [])
                if records and records[0].offset == offset:
                    return _refusal(records[0])
        raise NotFoundError(
            f"there is no refused record at partition {partition}, offset {offset}",
            "gradewatch events refused list names those there are",
        )

    async def _behind(self) -> bool:
        return any([await self._consumer.position(at) < end for at, end in self._ends.items()])


@asynccontextmanager
async def opened(servers: str, topic: str) -> AsyncIterator[Refusals]:
    """Read the refused topic as it stands.

    Raises:
        BrokerError: Kafka does not answer.
        TopicMismatchError: The topic does not exist.
    """
    async with reader(servers, topic) as consumer:
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
