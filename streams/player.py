"""Plays raw records to a Kafka topic: as fast as it takes them, or at a given rate."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.partitioner import murmur2

from streams.connection import not_granted
from streams.errors import BrokerError, TopicMismatchError
from streams.security import Protocol, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from streams.security import Kafka
    from streams.simulator import RawRecord

_BATCH_BYTES: Final = 256 << 10  # below any broker's usual limit of 1 MiB for a batch
_IN_FLIGHT: Final = 32  # batches whose acknowledgement is outstanding
_SLICE: Final = 1000  # records between two reports of progress
_TICK: Final = 0.05  # seconds between two slices at a given rate, at least


class Player:
    """Writes records to one topic in whole batches; all are acknowledged when it is left.

    A record with a key goes where Kafka's own clients would put it; those without go round the
    partitions. In an ``async with``, that is: ``async with Player(...) as player``.
    """

    def __init__(self, kafka: Kafka, topic: str) -> None:
        """Prepare; ``async with`` connects.

        Args:
            kafka: Where it is, and how to get in.
            topic: It must exist.
        """
        self._kafka = kafka
        self._topic = topic
        self._partitions = 0
        self._turn = count()
        self._batches: dict[int, Any] = {}  # aiokafka ships no types
        self._sent: list[asyncio.Future[object]] = []

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            ConfigurationError: A file that is needed to get in is missing or bad.
            BrokerError: Kafka does not answer, or does not let us in.
            TopicMismatchError: The topic does not exist, or we may not see it.
        """
        self._producer = AIOKafkaProducer(
            **self._kafka.aiokafka(),
            acks="all",
            enable_idempotence=True,
            max_batch_size=_BATCH_BYTES,
            max_request_size=4 << 20,
            request_timeout_ms=10_000,
        )
        try:
            if self._kafka.security.protocol is not Protocol.PLAINTEXT:
                await entry.require(self._kafka)  # aiokafka would try for ever
            with _explained(self._kafka, self._topic):
                await self._producer.start()
                self._partitions = await self._count_partitions()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """Wait for every acknowledgement, and disconnect."""
        try:
            if failed is None:
                await self.flush()
        finally:
            await self._producer.stop()

    async def send(self, record: RawRecord) -> None:
        """Put a record into its partition's batch; a full one goes off.

        Raises:
            BrokerError: Kafka refused an earlier record, or does not answer any more.
        """
        if record.key is None:
            partition = next(self._turn) % self._partitions
        else:
            partition = (murmur2(record.key) & 0x7FFFFFFF) % self._partitions
        if not self._append(partition, record):
            await self._send(partition)
            self._append(partition, record)

    async def flush(self) -> None:
        """Wait until all that was sent is acknowledged.

        Raises:
            BrokerError: Kafka refused a record, or does not answer any more.
        """
        for partition in list(self._batches):
            await self._send(partition)
        await self._acknowledged()

    async def _count_partitions(self) -> int:
        known = await self._producer.client.fetch_all_metadata()
        if self._topic not in known.topics():  # asked by name, some brokers would make it
            raise TopicMismatchError(
                f"there is no topic {self._topic} on {self._kafka}",
                "see gradewatch topics plan; GRADEWATCH_RAW_TOPIC names Canvas's topic; without "
                "WRITE on it, it is not seen either",
            )
        return len(await self._producer.partitions_for(self._topic))

    def _append(self, partition: int, record: RawRecord) -> bool:
        batch = self._batches.get(partition)
        if batch is None:
            batch = self._batches[partition] = self._producer.create_batch()
        added = batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms)
        return added is not None

    async def _send(self, partition: int) -> None:
        batch = self._batches.pop(partition)
        with _explained(self._kafka, self._topic):
            future = await self._producer.send_batch(batch, self._topic, partition=partition)
        self._sent.append(future)
        if len(self._sent) >= _IN_FLIGHT:
            await self._acknowledged()

    async def _acknowledged(self) -> None:
        sent, self._sent = self._sent, []
        with _explained(self._kafka, self._topic):
            await asyncio.gather(*sent)


async def play(
    records: Iterable[RawRecord],
    kafka: Kafka,
    topic: str,
    rate: float | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> int:
    """Write records to a topic and return how many, all acknowledged (acks=all, idempotent).

    Args:
        records: What to write; taken as it is needed.
        kafka: Where it is, and how to get in.
        topic: It must exist.
        rate: Records per second; None: flat out.
        on_progress: Called now and then with the count so far.

    Raises:
        BrokerError: Kafka does not answer, or refused a record.
        TopicMismatchError: The topic does not exist.
    """
    done = 0
    async with Player(kafka, topic) as player:
        async for some in paced(records, rate):
            for record in some:
                await player.send(record)
            if rate:
                await player.flush()
            done += len(some)
            if on_progress:
                on_progress(done)
    return done


async def paced(
    records: Iterable[RawRecord], rate: float | None = None
) -> AsyncIterator[list[RawRecord]]:
    """Yield records in slices, each no earlier than the rate allows.

    Args:
        records: What to slice.
        rate: Records per second; None: as fast as they are taken.
    """
    rest = iter(records)
    clock = asyncio.get_running_loop().time
    started, done = clock(), 0
    while True:
        due = _SLICE if rate is None else min(_SLICE, int((clock() - started) * rate) - done)
        if rate is not None and due < 1:
            await asyncio.sleep(max(_TICK, (done + 1) / rate - (clock() - started)))
            continue
        some = list(islice(rest, due))
        if not some:
            return
        yield some
        done += len(some)


@contextmanager
def _explained(kafka: Kafka, topic: str) -> Iterator[None]:
    """Turn the client's errors into ours: cause and next step."""
    try:
        yield
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
        # Of the cluster: whoever may write no topic at all gets no producer id either.
        raise not_granted(f"WRITE on topic {topic}") from None
    except KafkaError as error:
        raise BrokerError(
            f"Kafka at {kafka} did not take records for {topic}: {error}",
            "check KAFKA_BOOTSTRAP_SERVERS and that Kafka answers: gradewatch broker status",
        ) from error
