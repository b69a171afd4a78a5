"""A fetched run of records → one Faust event.

Stock Faust explodes what the consumer fetched into one event per record (51 µs each before any
work). Here the agent gets the run itself: ``async for batch in stream``. Everything else of Faust
(agents, assignor, tables, web) stays. Three things Faust leaves open are closed on the way:

* the consumer position of the fetch travels with the batch, since that, not last offset + 1, is
  what to commit;
* every batch carries its partition's *epoch*; seek, revoke and assign raise it, so that a batch
  fetched before can be told apart (Faust's ``seek`` leaves the stream's queue alone);
* every source is read with ``read_committed`` (Faust does so only under its own exactly_once).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.engine.blocking import beside
from streams.engine.fetch import ConsumerThread, not_in_log
from streams.engine.transactions import Member, stable_offsets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from aiokafka.consumer.group_coordinator import GroupCoordinator

    from streams.engine.app import BatchApp

SETTLE_SECONDS: Final = 5.0
"""How long a rebalance, or a stop, waits for what is under way: half of a session timeout."""


class _Unread(dict[TP, int | None]):
    """What Faust read last of each partition: nothing.

    It passes over all that lies before, and notes what it read after a seek may have gone back
    behind it: the records would never come. Epochs and offsets of batches tell more.
    """

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass


class Consumer(driver.Consumer):
    """Faust's consumer, yielding one message per fetched run."""

    app: BatchApp
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own
        """Start with no epochs and no positions."""
        self.epochs: defaultdict[TP, int] = defaultdict(int)
        self.positions: dict[TP, int] = {}  # fetched up to
        self.done: dict[TP, int] = {}  # worked up to and committed
        self.committed_at_assignment: dict[TP, int | None] = {}  # None: nothing was committed
        self.resume: dict[TP, int] = {}  # where to go on after an assignment
        self.held_back: set[TP] = set()  # their rows are not complete yet
        self.member: Member | None = None
        super().__init__(*args, **kwargs)
        self._read_offset = _Unread()

    @property
    def coordinator(self) -> GroupCoordinator:
        """Aiokafka's side of the group membership."""
        return self._thread._ensure_consumer()._coordinator  # noqa: SLF001

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Yield one message for each partition that records came from.

        Args:
            timeout: Seconds to wait for records.

        Yields:
            The partition, and a message whose value is the ``RecordBatch``.
        """
        fetched, _ = await self._wait_next_records(timeout)
        batches: Mapping[TP, Any] = fetched or {}
        for tp, batch in batches.items():
            # Faust drops what comes while the flow stands. A batch of before the rebalance is
            # fetched again by its seek; one of after it would never come again.
            if not self.flow_active:
                await self.wait(self.can_resume_flow.wait())
            if self.should_stop:
                return
            if batch.epoch == self.epochs[tp]:
                yield (
                    tp,
                    ConsumerMessage(
                        tp.topic, tp.partition, batch.end - 1, 0.0, 0, [], None, batch, None, tp=tp,
                        generation_id=self.app.consumer_generation_id,
                    ),
                )  # fmt: skip

    async def prepare(self) -> None:
        """Learn where to go on, once nothing that was under way can change it.

        What a former life of this worker left open is aborted; what a former owner left open is
        waited for. Every row the changelog will ever get from them is on it then.

        Raises:
            Failed: Kafka did not say so in time.
            GradewatchError: A topic is another one than at the start.
        """
        if self.app.require_unchanged is not None:
            await self.app.require_unchanged()
        for committer in self.app.committers:
            await committer.fence()
        sources = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        self.committed_at_assignment = await self._stable(sources)
        self.resume = await self._within_log(self.committed_at_assignment)

    async def resume_offsets(self, sources: Iterable[TP]) -> dict[TP, int]:
        """Return the committed offset of each partition, its beginning where there is none.

        Raises:
            Failed: Kafka did not answer, or a transaction is still pending.
            RecordsDeletedError: Records to go on from were deleted.
            TopicChangedError: The log ends before the offset to go on from.
            aiokafka.errors.KafkaError: Kafka did not answer.
        """
        return await self._within_log(await self._stable(sources))

    async def _stable(self, sources: Iterable[TP]) -> dict[TP, int | None]:
        """Return committed offsets that no pending transaction can change; None: there is none."""
        wanted = list(sources)
        if not wanted:
            return {}
        ask = partial(stable_offsets, self.app.kafka, self.app.conf.id, wanted, SETTLE_SECONDS)
        return await beside(ask, 2 * SETTLE_SECONDS)

    async def _within_log(self, committed: Mapping[TP, int | None]) -> dict[TP, int]:
        """Return where to go on: committed offsets, and beginnings where there is none."""
        if not committed:
            return {}
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - our own thread
        places = [TopicPartition(*tp) for tp in committed]
        first = await self._thread.on_own_loop(consumer.beginning_offsets(places))
        ends = await self._thread.on_own_loop(consumer.end_offsets(places))
        last = {TP(*tp): end for tp, end in ends.items()}
        offsets = {tp: first[tp] if at is None else at for tp, at in committed.items()}
        gone = {tp: at for tp, at in offsets.items() if not first[tp] <= at <= last[tp]}
        if gone:
            raise not_in_log(self.app.conf.id, gone, last)
        return offsets

    async def ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Return the offset after the last committed record of each partition.

        Raises:
            aiokafka.errors.KafkaError: Kafka did not answer.
        """
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - our own thread
        places = [TopicPartition(*tp) for tp in partitions]
        found = await self._thread.on_own_loop(consumer.end_offsets(places))
        return {TP(*tp): end for tp, end in found.items()}

    async def perform_seek(self) -> None:
        """Move every source partition to where `prepare` found it."""
        await self.rewind(self.resume)

    async def release(self, source: TP) -> None:
        """Let the records of a partition come that was held back.

        Where the group rebalances again already, the partition has no place to go on from: what
        is assigned next decides.
        """
        if source in self.held_back and source in self.done:
            self.held_back.discard(source)
            # A look for records that is under way knows nothing of it: this wakes it up.
            await self.rewind({source: self.done[source]})

    async def rewind(self, offsets: Mapping[TP, int]) -> None:
        """Fetch partitions again, each from an offset; batches fetched before are stale at once."""
        for tp in offsets:
            self.epochs[tp] += 1
        await self._thread.on_own_loop(self._move(offsets))

    async def _move(self, offsets: Mapping[TP, int]) -> None:
        """Move on the thread that fetches: no fetch sees the new position and the old epoch."""
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - our own thread
        assigned = consumer.assignment()
        for tp, offset in offsets.items():
            if TopicPartition(*tp) not in assigned:
                continue
            consumer.seek(TopicPartition(*tp), offset)
            self.epochs[tp] += 1
            self.positions[tp] = self.done[tp] = offset

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Remember as whom we got them: commits of that generation only are ours to make."""
        coordinator = self.coordinator
        if coordinator.generation >= 0 and coordinator.member_id:
            self.member = Member(
                self.app.conf.id, coordinator.generation, coordinator.member_id,
                self.app.conf.consumer_group_instance_id or None,
            )  # fmt: skip
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let what was worked on be committed, then make the rest stale."""
        await super().on_partitions_revoked(revoked)
        self.member = None
        for tp in revoked:
            self.epochs[tp] += 1
            self.positions.pop(tp, None)
            self.done.pop(tp, None)

    async def wait_empty(self) -> None:
        """Return once all that agents have worked on is committed, or cannot be in time.

        A batch an agent is still at becomes stale: nobody waits for it.
        """
        settled = [asyncio.ensure_future(one.settle()) for one in self.app.committers]
        if settled:
            _, late = await asyncio.wait(settled, timeout=SETTLE_SECONDS)
            for one in late:
                one.cancel()

    async def commit_positions(self, offsets: Mapping[TP, int]) -> None:
        """Commit source offsets; returns once the group coordinator has them.

        Args:
            offsets: Partition → the next offset to read.

        Raises:
            aiokafka.errors.KafkaError: The coordinator refused; nothing was committed.
        """
        consumer = self._thread._ensure_consumer()  # noqa: SLF001 - our own thread
        committed = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()
        }
        await self._thread.on_own_loop(consumer.commit(committed))

    async def create_topic(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        """Do nothing: topics.yaml makes topics."""

    # Faust's own bookkeeping of acks commits past work in flight: ours is the only commit.

    def _new_offset(self, tp: TP) -> int | None:
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        return None

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        pass


class Transport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = Consumer
