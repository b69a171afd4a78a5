"""A fetched run of records → one batch, on the thread that owns the aiokafka consumer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from aiokafka.consumer import fetcher
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.cluster_faults import SET_BACK, no_longer_granted
from streams.engine.idle import Idle
from streams.errors import RecordsDeletedError, TopicChangedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aiokafka

    from streams.engine.transport import Consumer
    from streams.errors import GradewatchError

FETCH_WAIT_MS: Final = 50
"""How long the broker may hold a fetch for want of records. aiokafka has one fetch under way per
broker: an idle topic's long poll delays every other topic of that broker by as much."""

LOOK_SECONDS: Final = 0.5
"""How long one look for records lasts; then partitions that were held back meanwhile are seen."""


class Record(Protocol):
    """A record as aiokafka parsed it; its topic and partition are the batch's."""

    @property
    def offset(self) -> int:
        """Where it stands in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970; below 0: none."""

    @property
    def key(self) -> bytes | None:
        """None: it has no key."""

    @property
    def value(self) -> bytes | None:
        """None: a tombstone."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """In the order they were written."""


class RecordBatch(NamedTuple):
    """A run of records of one partition, as the consumer fetched it.

    Attributes:
        tp: The partition.
        epoch: The partition's epoch at the fetch.
        start: The consumer's position before the fetch.
        end: The consumer's position after it: what to commit once the batch is done.
        records: In offset order; none where only markers were passed, or the partition is idle.
        idle_at: Where it is idle: up to when it is known to have no more records, milliseconds
            since 1970. Else 0.
        fetched_at: When Kafka last answered a fetch of the partition, by this machine's clock,
            milliseconds since 1970.
    """

    tp: TP
    epoch: int
    start: int
    end: int
    records: Sequence[Record]
    idle_at: int = 0
    fetched_at: int = 0


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Hands records on as they were parsed.

    aiokafka would copy each into a ``ConsumerRecord`` that repeats topic and partition: a sixth of
    what a fetch costs.
    """

    def _consumer_record(self, _: object, record: Record) -> Record:
        return record


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    consumer: Consumer

    @cached_property
    def _idle(self) -> Idle:
        app = self.consumer.app
        return Idle(app.idle_topics, app.idle_seconds)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        fetcher.PartitionRecords = _PartitionRecords  # of this process: a worker's
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

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: `engine.watch` looks at progress.

        Faust's monitor logs errors for healthy workers: it sees neither our reading of the
        changelog nor our commits.
        """

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """Do nothing, for the same reason."""

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, Any]:
        before = self.consumer.positions
        active_partitions = active_partitions - self.consumer.held_back
        if not active_partitions:  # none would mean all of them
            await asyncio.sleep(LOOK_SECONDS)
            return {}
        try:
            fetched = await super()._fetch_records(
                consumer, active_partitions, min(timeout or 0, LOOK_SECONDS), max_records
            )
        except NoOffsetForPartitionError:  # before `perform_seek`, which says where to begin
            return {}
        except OffsetOutOfRangeError as error:
            raise await self._not_in_log(consumer, error.args[0]) from None
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError) as error:
            what = "topic" if isinstance(error, TopicAuthorizationFailedError) else "group"
            raise no_longer_granted(
                "READ", f"{what} {error.args[0]}", "nothing can be worked on"
            ) from None
        assignment = consumer._subscription.subscription.assignment  # noqa: SLF001
        batches = {}
        # No await between the fetch and here: the positions are those of this fetch.
        for partition, records in fetched.items():
            tp = TP(partition.topic, partition.partition)
            standing = assignment.state_value(partition)
            end = standing.position
            start = before.get(tp, records[0].offset)
            before[tp] = end
            self._idle.heard(tp)
            batches[tp] = RecordBatch(
                tp, self.consumer.epochs[tp], start, end, records,
                fetched_at=standing.timestamp or 0,
            )  # fmt: skip
        for tp in before.keys() & active_partitions - batches.keys():
            state = assignment.state_value(TopicPartition(*tp)) if assignment else None
            if state is None or not state.has_valid_position:
                continue
            epoch, start, end = self.consumer.epochs[tp], before[tp], state.position
            idle_at = self._idle.look(tp, epoch, state)
            # Transaction markers alone: nothing to work on, yet to be committed, or they would
            # stay as lag for as long as no record comes.
            if end > start or (end == start and idle_at):
                before[tp] = end
                batches[tp] = RecordBatch(tp, epoch, start, end, [], idle_at)
        return batches

    async def _not_in_log(
        self, consumer: aiokafka.AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
    ) -> GradewatchError:
        """Return why offsets that Kafka refused are not in the log, as far as it says so now."""
        try:
            ends = await consumer.end_offsets(list(offsets))
        except KafkaError:
            ends = {}
        return not_in_log(
            self.consumer.app.conf.id,
            {TP(*tp): at for tp, at in offsets.items()},
            {TP(*tp): end for tp, end in ends.items()},
        )

    async def on_own_loop(self, coroutine: Any) -> Any:  # noqa: ANN401 - whatever it returns
        """Return what a coroutine of the aiokafka consumer returns, run on its own thread.

        Unlike Faust's ``call_thread`` it neither queues behind a fetch nor swallows errors.
        """
        future = asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop)
        return await asyncio.wrap_future(future)


def not_in_log(
    group: str, offsets: Mapping[TP, int], ends: Mapping[TP, int]
) -> RecordsDeletedError | TopicChangedError:
    """Return the error for offsets to go on from that the log does not hold.

    Args:
        group: The workers' consumer group.
        offsets: The offsets, by partition.
        ends: Where the log of each partition ends; one that is missing is not known.
    """
    beyond = {tp: at for tp, at in offsets.items() if at > ends.get(tp, at)}
    if beyond:
        places = ", ".join(
            f"{tp.topic}[{tp.partition}] ends at offset {ends[tp]} now, and was worked on up to "
            f"{at}"
            for tp, at in sorted(beyond.items())
        )
        return TopicChangedError(
            f"{places}: Kafka lost records, or was restored from an older backup", SET_BACK
        )
    places = ", ".join(
        f"{tp.topic}[{tp.partition}] offset {at}" for tp, at in sorted(offsets.items())
    )
    return RecordsDeletedError(
        f"the log does not hold the records to go on from: {places}. Retention deleted them before "
        "they were read, or the topic is another one of the same name",
        "if they cannot be had again: stop every worker and go on without them, "
        f"kafka-consumer-groups.sh --group {group} --topic TOPIC:PARTITION --delete-offsets",
    )
