"""The changelog → the table, by whole record batches, before the first event is worked on.

Stock recovery replays one record at a time through the stream machinery (10,000 rows/s) and is off
by one on compacted changelogs. Here a consumer without a group reads each partition from its
beginning until its position reaches the end offset, which is right on compacted, empty and
marker-ended changelogs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import aiokafka
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition
from faust.tables import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from mode import Service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faust.types import TP

    from streams.engine.table import BatchTable

log = logging.getLogger("gradewatch.engine")

_PROGRESS_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 1.0


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
        """Seconds to go at the present rate; None while that cannot be known."""
        return (self.total - self.done) / self.rate if self.rate else None


class BatchRecovery(Recovery):
    """Faust's recovery service with our way of reading the changelog."""

    progress = Progress()

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            self._set_recovery_started()
            try:
                await self._wait(self._restore(set(self.active_tps)))
                await self._wait(self.on_recovery_completed(generation))
            except (RebalanceAgain, IllegalStateError):
                continue
            except ServiceStopped:
                break

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Do nothing: no changelog record comes through Faust's queue."""

    async def _restore(self, partitions: Iterable[TP]) -> None:
        """Bring the table to the end of the changelog, trying again while Kafka is away."""
        changelog = sorted(partitions)
        for table in self.tables.values():
            table.data.reset_state()
        while changelog:
            try:
                await self._read(changelog)
            except KafkaError as error:
                log.warning("restore: %s; trying again", type(error).__name__)
                await self.sleep(_RETRY_SECONDS)
            else:
                return

    async def _read(self, changelog: list[TP]) -> None:
        started = time.monotonic()
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=[f"{url.host}:{url.port}" for url in self.app.conf.broker],
            client_id=f"{self.app.conf.broker_client_id}-restore",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
            fetch_max_wait_ms=50,
        )
        await consumer.start()
        try:
            sources = {
                TopicPartition(*tp): cast("BatchTable", self.tp_to_table[tp]) for tp in changelog
            }
            consumer.assign(list(sources))
            await consumer.seek_to_beginning()
            beginnings = await consumer.beginning_offsets(list(sources))
            ends = await consumer.end_offsets(list(sources))
            total = sum(ends[tp] - beginnings[tp] for tp in sources)
            done, said = 0, started
            pending = {tp for tp in sources if ends[tp] > beginnings[tp]}
            while pending:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    self._load(sources[tp], tp, records)
                    done += len(records)
                pending = {tp for tp in pending if await consumer.position(tp) < ends[tp]}
                now = time.monotonic()
                self.progress = Progress(done, total, now - started)
                if now - said > _PROGRESS_SECONDS:
                    said = now
                    self._say("restoring")
                await asyncio.sleep(0)  # let the web server answer
            self.progress = Progress(done, done, time.monotonic() - started)
            if done:
                self._say("restored")
        finally:
            await consumer.stop()

    @staticmethod
    def _load(
        table: BatchTable, tp: TopicPartition, records: list[aiokafka.ConsumerRecord]
    ) -> None:
        foreign = table.data.load(tp.partition, records)
        if foreign:
            log.error("%s[%d]: passed over %d records that no worker wrote", *tp, foreign)

    def _say(self, what: str) -> None:
        done, total, _ = self.progress
        log.info(
            "%s: %d of %d changelog records, %.0f records/s", what, done, total, self.progress.rate
        )


class BatchTableManager(TableManager):
    """Faust's table manager with our recovery."""

    @property
    def recovery(self) -> BatchRecovery:
        """The service that restores tables after a rebalance."""
        if self._recovery is None:
            self._recovery = BatchRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery  # type: ignore[return-value]
