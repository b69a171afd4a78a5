"""The changelog → rows, by whole record batches: partitions being restored, then standbys.

A consumer without a group reads each partition from where its rows stand until its position reaches
the end of the log as it was at the assignment, which is right on compacted, empty and marker-ended
changelogs. (Stock recovery replays one record at a time through the stream machinery, 10,000
rows/s, and is off by one on compacted changelogs.) Standbys are read on for as long as they are
ours to keep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import aiokafka
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

    from aiokafka.structs import TopicPartition

    from streams.engine.table import Rows
    from streams.security import Kafka

log = logging.getLogger("gradewatch.engine")

PROGRESS_SECONDS: Final = 5.0
"""How often a restore says how far it is."""

_RETRY_SECONDS: Final = 1.0
_BREATH_RECORDS: Final = 4_000
"""Records applied before the event loop gets a turn: about 20 ms."""


class Progress(NamedTuple):
    """How far a restore is. Records count changelog records, several of which may be one row."""

    done: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Records per second so far."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds to go at the present rate; None while that cannot be known.

        Example:
            >>> Progress(done=300, total=900, seconds=2.0).remaining_seconds
            4.0
        """
        return (self.total - self.done) / self.rate if self.rate else None

    def __str__(self) -> str:
        """Say it as people read it.

        Example:
            >>> str(Progress(done=300, total=900, seconds=2.0))
            '300 of 900 changelog records, 150 a second, 4 s to go'
        """
        left = self.remaining_seconds
        togo = "" if left is None or self.done >= self.total else f", {left:.0f} s to go"
        return f"{self.done} of {self.total} changelog records, {self.rate:.0f} a second{togo}"


class Changelog:
    """Reads partitions of one assignment.

    Attributes:
        restoring: Partitions whose rows are not whole yet.
        progress: How far the restore is.
    """

    def __init__(
        self,
        kafka: Kafka,
        client_id: str,
        rows: Callable[[TopicPartition], Rows],
        restored: Callable[[TopicPartition], Awaitable[None]],
    ) -> None:
        """Prepare; `follow` does it.

        Args:
            kafka: Where it is, and how to get in.
            client_id: Names it in the broker's log.
            rows: Returns a partition's rows, which know how far they were read.
            restored: Called once a partition's rows are whole.
        """
        self._kafka = kafka
        self._client_id = client_id
        self._rows = rows
        self._restored = restored
        self.restoring: set[TopicPartition] = set()
        self.progress = Progress()

    async def follow(
        self, restoring: Iterable[TopicPartition], standbys: Iterable[TopicPartition]
    ) -> None:
        """Restore some partitions, then keep others up to date, until cancelled.

        Returns when all is restored and there are no standbys. Kafka may be away meanwhile: what
        was read stays read.

        Args:
            restoring: Ours to serve, once whole.
            standbys: Another's, kept for the day that they are ours.
        """
        self.restoring = set(restoring)
        kept = set(standbys)
        while True:
            try:
                await self._restore()
                if kept:
                    await self._keep(kept)
            except OffsetOutOfRangeError as error:  # the log is another one, or lost its beginning
                for tp in error.args[0]:
                    log.warning("%s[%d]: read again from its beginning", *tp)
                    self._rows(tp).clear()
            except KafkaError as error:
                log.warning("changelog: %s; trying again", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _restore(self) -> None:
        if not self.restoring:
            self.progress = Progress()
            return
        started = said = time.monotonic()
        async with self._reader(self.restoring, "read_uncommitted") as reader:
            # The end of the log, not of what is decided: open transactions are waited for.
            ends = await reader.end_offsets(list(self.restoring))
        async with self._reader(self.restoring, "read_committed") as reader:
            starts = await self._seek(reader, self.restoring)
            total = sum(ends[tp] - start for tp, start in starts.items())
            done = 0
            while True:
                self.progress = Progress(done, total, time.monotonic() - started)
                for tp in [tp for tp in self.restoring if self._rows(tp).position >= ends[tp]]:
                    self.restoring.discard(tp)
                    await self._restored(tp)
                if not self.restoring:
                    break
                if time.monotonic() - said > PROGRESS_SECONDS:
                    said = time.monotonic()
                    partitions = sorted(tp.partition for tp in self.restoring)
                    log.info("restoring partitions %s: %s", partitions, self.progress)
                done += await self._read(reader, self.restoring)
        # Compaction and markers: fewer records than offsets.
        self.progress = Progress(done, done, time.monotonic() - started)
        if done:
            log.info("restored: %s", self.progress)

    async def _keep(self, standbys: set[TopicPartition]) -> None:
        async with self._reader(standbys, "read_committed") as reader:
            await self._seek(reader, standbys)
            while True:
                await self._read(reader, standbys)

    async def _read(
        self, reader: aiokafka.AIOKafkaConsumer, partitions: Iterable[TopicPartition]
    ) -> int:
        """Apply what has come of some partitions; return how many records that was.

        Of no others: what is restored is written by ourselves, and would be undone.
        """
        fetched = await reader.getmany(*partitions, timeout_ms=200, max_records=_BREATH_RECORDS)
        for tp, records in fetched.items():
            foreign = self._rows(tp).load(records)
            if foreign:
                log.error("%s[%d]: passed over %d records that no worker wrote", *tp, foreign)
        for tp in partitions:
            self._rows(tp).position = await reader.position(tp)
        await asyncio.sleep(0)  # let the web server answer
        return sum(map(len, fetched.values()))

    async def _seek(
        self, reader: aiokafka.AIOKafkaConsumer, partitions: Iterable[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Go to where each partition's rows stand; return where that is."""
        for tp, beginning in (await reader.beginning_offsets(list(partitions))).items():
            rows = self._rows(tp)
            if 0 < rows.position < beginning:
                raise OffsetOutOfRangeError({tp: rows.position})
            rows.position = max(rows.position, beginning)
            reader.seek(tp, rows.position)
        return {tp: self._rows(tp).position for tp in partitions}

    @asynccontextmanager
    async def _reader(
        self, partitions: Iterable[TopicPartition], isolation_level: str
    ) -> AsyncIterator[aiokafka.AIOKafkaConsumer]:
        reader = aiokafka.AIOKafkaConsumer(
            **self._kafka.aiokafka(),
            client_id=self._client_id,
            isolation_level=isolation_level,
            auto_offset_reset="none",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
            fetch_max_wait_ms=50,
        )
        await reader.start()
        try:
            reader.assign(list(partitions))
            yield reader
        finally:
            await reader.stop()
