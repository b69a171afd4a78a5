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
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.engine.blocking import beside
from streams.engine.transactions import Member, stable_offsets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    import aiokafka
    from aiokafka import ConsumerRecord

    from streams.engine.app import BatchApp

FETCH_WAIT_MS: Final = 50
"""How long the broker may hold a fetch for want of records. aiokafka has one fetch under way per
broker: an idle topic's long poll delays every other topic of that broker by as much."""

SETTLE_SECONDS: Final = 5.0
"""How long a rebalance, or a stop, waits for what is under way: half of a session timeout."""


class RecordBatch(NamedTuple):
    """A run of records of one partition, as the consumer fetched it.

    Attributes:
        tp: The partition.
        epoch: The partition's epoch at the fetch.
        start: The consumer's position before the fetch.
        end: The consumer's position after it: what to commit once the batch is done.
        records: aiokafka's records, in offset order; none where only markers were passed.
    """

    tp: TP
    epoch: int
    start: int
    end: int
    records: Sequence[ConsumerRecord]


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    consumer: Consumer

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes both; aiokafka reads them when the consumer starts.
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    async def on_thread_stop(self) -> None:
        """Stop the consumer; while Kafka is away, too.

        A fetch that waits to try again makes aiokafka's ``stop`` raise its own cancellation, and
        mode would wait for this thread for ever.
        """
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, Any]:
        before = self.consumer.positions
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001
        batches = {}
        # No await between the fetch and here: the positions are those of this fetch.
        for partition, records in fetched.items():
            tp = TP(partition.topic, partition.partition)
            end = assignment.state_value(partition).position
            start = before.get(tp, records[0].offset)
            before[tp] = end
            batches[tp] = RecordBatch(tp, self.consumer.epochs[tp], start, end, records)
        for tp in before.keys() & active_partitions - batches.keys():
            state = assignment.state_value(TopicPartition(*tp)) if assignment else None
            if state is not None and state.has_valid_position and state.position > before[tp]:
                # Transaction markers alone: nothing to work on, yet to be committed, or they
                # would stay as lag for as long as no record comes.
                passed = RecordBatch(tp, self.consumer.epochs[tp], before[tp], state.position, [])
                before[tp], batches[tp] = state.position, passed
        return batches

    async def on_own_loop(self, coroutine: Any) -> Any:  # noqa: ANN401 - whatever it returns
        """Return what a coroutine of the aiokafka consumer returns, run on its own thread.

        Unlike Faust's ``call_thread`` it neither queues behind a fetch nor swallows errors.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop)
        return await asyncio.wrap_future(future)


class Consumer(driver.Consumer):
    """Faust's consumer, yielding one message per fetched run."""

    app: BatchApp
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own
        """Start with no epochs and no positions."""
        self.epochs: defaultdict[TP, int] = defaultdict(int)
        self.positions: dict[TP, int] = {}  # fetched up to
        self.done: dict[TP, int] = {}  # worked up to and committed
        self.left: dict[TP, int] = {}  # the same of partitions that were ours before
        self.resume: dict[TP, int] = {}  # where to go on after an assignment
        self.member: Member | None = None
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Yield one message for each partition that records came from.

        Args:
            timeout: Seconds to wait for records.

        Yields:
            The partition, and a message whose value is the ``RecordBatch``.
        """
        generation = self.app.consumer_generation_id
        fetched, _ = await self._wait_next_records(timeout)
        batches: Mapping[TP, Any] = fetched or {}
        for tp, batch in batches.items():
            # What is left unyielded is fetched again: a rebalance ends in `perform_seek`.
            if (
                self.should_stop
                or not self.flow_active
                or self.app.consumer_generation_id != generation
            ):
                break
            yield (
                tp,
                ConsumerMessage(
                    tp.topic, tp.partition, batch.end - 1, 0.0, 0, [], None, batch, None, tp=tp,
                    generation_id=generation,
                ),
            )  # fmt: skip

    async def prepare(self) -> None:
        """Learn where to go on, once nothing that was under way can change it.

        What a former life of this worker left open is aborted; what a former owner left open is
        waited for. Every row the changelog will ever get from them is on it then.

        Raises:
            Failed: Kafka did not say so in time.
        """
        for committer in self.app.committers:
            await committer.fence()
        sources = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
        self.resume = await self.resume_offsets(sources)

    async def resume_offsets(self, sources: Iterable[TP]) -> dict[TP, int]:
        """Return the committed offset of each partition, its beginning where there is none.

        Raises:
            Failed: Kafka did not answer, or a transaction is still pending.
            aiokafka.errors.KafkaError: Kafka did not answer.
        """
        servers = ",".join(self.app.bootstrap_servers)
        ask = partial(stable_offsets, servers, self.app.conf.id, list(sources), SETTLE_SECONDS)
        stable = await beside(ask, 2 * SETTLE_SECONDS)
        offsets = {tp: offset for tp, offset in stable.items() if offset is not None}
        fresh = [TopicPartition(*tp) for tp, offset in stable.items() if offset is None]
        if fresh:
            consumer = self._thread._ensure_consumer()  # noqa: SLF001 - our own thread
            first = await self._thread.on_own_loop(consumer.beginning_offsets(fresh))
            offsets.update({TP(*tp): offset for tp, offset in first.items()})
        return offsets

    async def perform_seek(self) -> None:
        """Move every source partition to where `prepare` found it."""
        await self.rewind(self.resume)

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
            self._read_offset[tp] = None

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Remember as whom we got them: commits of that generation only are ours to make."""
        coordinator = self._thread._ensure_consumer()._coordinator  # noqa: SLF001
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
            if tp in self.done:
                self.left[tp] = self.done.pop(tp)

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

    def lags(self) -> dict[TP, int]:
        """Return, by source partition, how many records lie after the position worked up to."""
        lags = {}
        for tp, offset in self.done.items():
            highwater = self.highwater(tp)
            if highwater is not None:
                lags[tp] = max(0, highwater - offset)
        return lags

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
