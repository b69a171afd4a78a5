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
from faust.types import TP
from mode import Service

from streams.engine.blocking import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.engine.app import BatchApp
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

    app: BatchApp
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
        assigned = sorted(partitions)
        while True:
            try:
                await self.app.consumer.prepare()
                await self._read(self._missing(assigned))
            except (KafkaError, Failed) as error:
                log.warning("restore: %s; trying again", error)
                await self.sleep(_RETRY_SECONDS)
            else:
                return

    def _missing(self, assigned: list[TP]) -> list[TP]:
        """Forget what may have changed without us; return which partitions are to be read.

        Rows stay where their source's committed offset is the one we left it at: rows and offset
        only ever change together.
        """
        consumer, missing = self.app.consumer, []
        for tp in assigned:
            table = cast("BatchTable", self.tp_to_table[tp])
            source = TP(table.source, tp.partition)
            left = consumer.left.get(source)
            if left is None or left != consumer.resume.get(source):
                missing.append(tp)
                table.data.drop(tp.partition)
                consumer.left.pop(source, None)  # half restored rows are not what we left
        held = {(tp.topic, tp.partition) for tp in assigned}
        for table in self.tables.values():
            for partition in list(table.data.partitions):
                if (table.changelog_topic_name, partition) not in held:
                    table.data.drop(partition)
        return missing

    async def _read(self, changelog: list[TP]) -> None:
        if not changelog:
            return
        started = time.monotonic()
        ends = await self._ends(changelog)
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.app.bootstrap_servers,
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

    async def _ends(self, changelog: list[TP]) -> dict[TopicPartition, int]:
        """Return the ends of the log, not of what is decided: an open transaction is waited for."""
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self.app.bootstrap_servers,
            client_id=f"{self.app.conf.broker_client_id}-restore",
            isolation_level="read_uncommitted",
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets([TopicPartition(*tp) for tp in changelog])
            return cast("dict[TopicPartition, int]", ends)
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
