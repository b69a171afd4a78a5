"""A batch's outputs, table changes and source offsets, made durable in that order.

At least once: a source offset is committed only after every output of its batch was acknowledged:
outputs, then changelog, then offsets. Were the changelog first, a crash between the two would make
the replay skip the event and lose its output. (One transaction for all three comes next; callers
will not notice.)
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka.producer.message_accumulator import BatchBuilder

    from streams.engine.transport import Consumer, RecordBatch

log = logging.getLogger("gradewatch.engine")

REQUEST_BYTES: Final = 900 * 1024
"""Bytes of one produced batch, below every topic's ``max.message.bytes`` of 1 MiB and more."""

_RETRY_SECONDS: Final = (0.1, 5.0)  # first and longest pause between tries


class Produced(NamedTuple):
    """A record to produce.

    Attributes:
        key: Its key.
        value: Its value; None is a tombstone.
        timestamp: Milliseconds since 1970; below 0: the time of producing.
        headers: Its headers.
    """

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: list[tuple[str, bytes]]


class Outputs:
    """Records to produce, by topic and partition, in the order they were added."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.records: defaultdict[tuple[str, int], list[Produced]] = defaultdict(list)

    def add(self, topic: str, partition: int, record: Produced) -> None:
        """Add one record."""
        self.records[topic, partition].append(record)

    def __bool__(self) -> bool:
        """Tell whether there is anything to produce."""
        return bool(self.records)

    async def produce(self, producer: aiokafka.AIOKafkaProducer) -> None:
        """Produce all, and return once every record is acknowledged.

        Args:
            producer: A started producer.

        Raises:
            KafkaError: A record was not acknowledged; others may have been.
        """
        futures = []
        for (topic, partition), records in self.records.items():
            batch = producer.create_batch()
            for record in records:
                if not _append(batch, record):
                    futures.append(await producer.send_batch(batch, topic, partition=partition))
                    batch = producer.create_batch()
                    _append(batch, record)
            batch.close()
            futures.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*futures)


def _append(batch: BatchBuilder, record: Produced) -> bool:
    """Append a record; False, and the batch closed, where it has no room left."""
    key, value, timestamp, headers = record
    when = timestamp if timestamp >= 0 else None
    return batch.append(key=key, value=value, timestamp=when, headers=headers) is not None


class Committer:
    """Makes batches durable, one at a time."""

    def __init__(self, consumer: Consumer, bootstrap_servers: str, client_id: str) -> None:
        """Prepare; the producer starts with the first batch.

        Args:
            consumer: Where batches come from and offsets go to.
            bootstrap_servers: ``host:port``, comma separated.
            client_id: Names the producer in the broker's log.
        """
        self._consumer = consumer
        self._servers = bootstrap_servers
        self._client_id = client_id
        self._producer: aiokafka.AIOKafkaProducer | None = None

    def current(self, batch: RecordBatch) -> bool:
        """Tell whether a batch may be worked on: fetched since the last seek or rebalance."""
        consumer = self._consumer
        return consumer.epochs[batch.tp] == batch.epoch and batch.tp in consumer.done

    async def commit(self, batch: RecordBatch, steps: Sequence[Outputs]) -> bool:
        """Make one batch's effects durable, trying until that is done or the batch is stale.

        Args:
            batch: What the effects come from.
            steps: Outputs, each acknowledged before the next is sent: last the changelog.

        Returns:
            True once offsets are committed: publish the table changes. False where the batch
            became stale: drop them; another fetch brings its records again.
        """
        if self.current(batch) and self._consumer.done[batch.tp] != batch.start:
            # A batch between was not committed. Going on would lose it.
            log.error("%s[%d]: offset %d came out of turn", *batch.tp, batch.start)
            await self.again(batch)
        pause, longest = _RETRY_SECONDS
        while self.current(batch):
            try:
                for outputs in steps:
                    if outputs:
                        await outputs.produce(await self._started())
                if not self.current(batch):
                    break
                await self._consumer.commit_positions({batch.tp: batch.end})
            except KafkaError as error:
                log.warning(
                    "%s[%d] at offset %d: %s; trying again in %.1f s",
                    *batch.tp, batch.start, type(error).__name__, pause,
                )  # fmt: skip
                await self.close()  # a producer that failed once may refuse everything after
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                return True
        return False

    async def again(self, batch: RecordBatch) -> None:
        """Have a batch's partition fetched again from where it was last committed."""
        if self.current(batch):
            await self._consumer.rewind({batch.tp: self._consumer.done[batch.tp]})

    async def _started(self) -> aiokafka.AIOKafkaProducer:
        if self._producer is None:
            producer = aiokafka.AIOKafkaProducer(
                bootstrap_servers=self._servers,
                client_id=self._client_id,
                enable_idempotence=True,
                linger_ms=0,
                max_batch_size=REQUEST_BYTES,
                max_request_size=8 << 20,
                request_timeout_ms=15_000,
                retry_backoff_ms=20,
                compression_type=None,
            )
            self._producer = producer  # so that one that cannot start is closed, too
            await producer.start()
        return self._producer

    async def close(self) -> None:
        """Stop the producer; the next batch starts a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await producer.stop()
            except KafkaError:
                log.debug("the producer failed once more while it stopped")
