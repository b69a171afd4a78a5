"""After a rebalance: where to go on, which rows are complete, and which are still to be read.

Records flow again as soon as Kafka has said where to go on; a partition whose rows are not complete
is held back until they are (`engine.completeness` says when).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition
from faust.tables import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from streams.engine.blocking import Failed
from streams.engine.changelog import Changelog

if TYPE_CHECKING:
    from typing import Any

    from streams.engine.app import BatchApp
    from streams.engine.table import BatchTable, PartitionStore, Rows

log = logging.getLogger("gradewatch.engine")

_RETRY_SECONDS: Final = 1.0


class BatchRecovery(Recovery):
    """Faust's recovery service with our way of reading the changelog."""

    app: BatchApp

    def __init__(self, app: BatchApp, tables: TableManager, **told: Any) -> None:  # noqa: ANN401
        """Begin with nothing to read."""
        super().__init__(app, tables, **told)
        self.changelog = Changelog(
            app.kafka,
            f"{app.conf.broker_client_id}-restore",
            self._rows,
            self._restored,
        )
        self._following: asyncio.Task[None] | None = None

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            self._set_recovery_started()
            try:
                await self._unfollow()
                await self._wait(self._prepare())
                restoring = self._missing()
                standbys = {TopicPartition(*tp) for tp in self.standby_tps}
                self.app.consumer.held_back = set(map(self._source, restoring))
                await self._wait(self.on_recovery_completed(generation))
                following = self.changelog.follow(restoring, standbys)
                self._following = asyncio.create_task(self._followed(following))
            except (RebalanceAgain, IllegalStateError):
                continue
            except ServiceStopped:
                break

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Do nothing: no changelog record comes through Faust's queue."""

    async def _prepare(self) -> None:
        """Learn where to go on, trying again while Kafka is away."""
        while True:
            try:
                await self.app.consumer.prepare()
            except (KafkaError, Failed) as error:
                log.warning("restore: %s; trying again", error)
                await self.sleep(_RETRY_SECONDS)
            else:
                return

    def _missing(self) -> set[TopicPartition]:
        """Take over the assignment; return the changelog partitions that are to be read first."""
        missing = set()
        for table in cast("list[BatchTable]", list(self.tables.values())):
            changelog, data = table.data.source.changelog, table.data
            mine, kept = (
                {tp.partition for tp in tps if tp.topic == changelog}
                for tps in (self.active_tps, self.standby_tps)
            )
            committed = {number: self._committed(data, number) for number in mine}
            missing |= {
                TopicPartition(changelog, number) for number in data.assign(mine, kept, committed)
            }
        return missing

    async def _restored(self, changelog: TopicPartition) -> None:
        """Serve a partition that was read to its end, and let its records come.

        A partition that lacks rows is neither served nor worked on: scoring its events against
        rows that are missing would lose them for good.
        """
        data, partition = self._table(TP(*changelog)).data, changelog.partition
        if data.complete(partition, self._committed(data, partition)):
            await self.app.consumer.release(self._source(changelog))
        else:
            log.error("partition %d is not served: %s", partition, data.faults[partition])

    def _committed(self, data: PartitionStore, partition: int) -> int | None:
        return self.app.consumer.committed_at_assignment.get(TP(data.source.topic, partition))

    def _table(self, changelog: TP) -> BatchTable:
        return cast("BatchTable", self.tp_to_table[changelog])

    def _rows(self, changelog: TopicPartition) -> Rows:
        return self._table(TP(*changelog)).data.partitions[changelog.partition]

    def _source(self, changelog: TP | TopicPartition) -> TP:
        return TP(self._table(TP(*changelog)).data.source.topic, changelog.partition)

    async def _followed(self, following: Any) -> None:  # noqa: ANN401 - a coroutine
        """Read the changelog; a failure of ours there ends the worker."""
        try:
            await following
        except Exception as error:  # noqa: BLE001 - nobody else waits for the task
            await self.crash(error)

    async def _unfollow(self) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop reading at once: nothing more is to be served."""
        super().on_partitions_revoked(revoked)
        if self._following is not None:
            self._following.cancel()

    async def on_stop(self) -> None:
        """Stop reading."""
        await self._unfollow()


class BatchTableManager(TableManager):
    """Faust's table manager with our recovery."""

    @property
    def recovery(self) -> BatchRecovery:
        """The service that restores tables after a rebalance."""
        if self._recovery is None:
            app = cast("BatchApp", self.app)
            self._recovery = BatchRecovery(app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery  # type: ignore[return-value]
