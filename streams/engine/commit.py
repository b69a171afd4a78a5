"""A batch's outputs, table changes and source offsets, visible together or not at all.

Worked batches gather in a *round* while the round before is being committed: a trickle is answered
at once, a backlog in big transactions. When a round is not committed, everything worked on since
is dropped, the overlay of the table with it, and its partitions are fetched again.

``exactly_once``: one Kafka transaction per round. ``at_least_once``: outputs, then changelog, then
offsets, each acknowledged before the next; were the changelog first, a crash between the two would
make the replay skip the event and lose its output.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError
from mode import Service

from streams.engine.blocking import Failed, Hung, NeverTaken, NotGranted, beside
from streams.engine.outputs import Outputs
from streams.engine.transactions import TRANSACTION_SECONDS
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faust.types import TP

    from streams.engine.app import BatchApp
    from streams.engine.fetch import RecordBatch
    from streams.engine.overlay import Overlay
    from streams.engine.table import Change
    from streams.engine.transactions import Member, Writer
    from streams.engine.transport import Consumer

log = logging.getLogger("gradewatch.engine")

RETRY_SECONDS: Final = (0.1, 5.0)
"""First and longest pause between tries."""

HANG_SECONDS: Final = TRANSACTION_SECONDS + 2
"""After this, whatever librdkafka is at has no transaction any more."""


class Round:
    """Worked batches that are committed together."""

    def __init__(self) -> None:
        """Start with none."""
        self.batches: list[RecordBatch] = []
        self.ends: dict[TP, int] = {}
        self.steps: list[Outputs] = []
        self.after: list[Callable[[], None]] = []
        self.records = 0

    def add(self, batch: RecordBatch, steps: Sequence[Outputs], after: Callable[[], None]) -> None:
        """Add a batch that starts where its partition's last one ended."""
        self.batches.append(batch)
        self.ends[batch.tp] = batch.end
        self.steps += [Outputs() for _ in steps[len(self.steps) :]]
        for mine, more in zip(self.steps, steps, strict=False):
            mine.extend(more)
        self.after.append(after)
        self.records += len(batch.records)


class Committer(Service):
    """Commits one agent's work, round after round."""

    def __init__(self, app: BatchApp, writer: Writer, overlay: Overlay, records: int) -> None:
        """Prepare; it begins when the app starts.

        Args:
            app: Whose consumer the batches come from.
            writer: What produces.
            overlay: The table as of the last batch that was taken.
            records: How many a round may gather before the agent has to wait.
        """
        super().__init__()
        self._app = app
        self._writer = writer
        self._overlay = overlay
        self._limit = records
        self._open, self._sealed = Round(), Round()
        self._wanted, self._idle = asyncio.Event(), asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._suspect: dict[TP, int] = {}  # up to where a partition is worked record by record
        self._refused: dict[TP, tuple[int, str]] = {}

    @property
    def _consumer(self) -> Consumer:
        return self._app.consumer

    def current(self, batch: RecordBatch) -> bool:
        """Tell whether a batch may be worked on: fetched since the last seek or rebalance."""
        consumer = self._consumer
        return consumer.epochs[batch.tp] == batch.epoch and batch.tp in consumer.done

    def holds(self, tp: TP) -> bool:
        """Tell whether something of a partition was taken, and is not committed or dropped yet."""
        return tp in self._open.ends or tp in self._sealed.ends

    async def take(
        self,
        batch: RecordBatch,
        steps: Sequence[Outputs],
        changes: Sequence[Change],
        after: Callable[[], None],
    ) -> None:
        """Take over a worked batch; waits while there is more than enough to commit.

        A batch that became stale meanwhile is dropped: another fetch brings its records again.

        Args:
            batch: What the effects come from.
            steps: Outputs, in the order that at-least-once sends them: last the changelog.
            changes: Rows, seen by the next batch at once and by everyone after the commit.
            after: Called once they are committed.
        """
        if not self.current(batch):
            return
        tp = batch.tp
        end = self._open.ends.get(tp, self._sealed.ends.get(tp, self._consumer.done[tp]))
        if end != batch.start:  # a batch between was not taken: going on would lose it
            log.warning("%s[%d]: offset %d came out of turn; reading again", *tp, batch.start)
            await self.again(batch)
            return
        self._open.add(batch, steps, after)
        self._overlay.stage(tp.partition, changes)
        self._wanted.set()
        while self._open.records >= self._limit:
            self._idle.clear()
            await self._idle.wait()

    def suspects(self, batch: RecordBatch) -> bool:
        """Tell whether Kafka will never take what one of a batch's records comes to."""
        return batch.start < self._suspect.get(batch.tp, 0)

    def refusal(self, batch: RecordBatch) -> str:
        """Return why Kafka never takes what a batch of one record comes to; empty if it may."""
        offset, why = self._refused.get(batch.tp, (-1, ""))
        return why if offset == batch.start and len(batch.records) == 1 else ""

    async def again(self, batch: RecordBatch) -> None:
        """Have a batch's partition fetched again, from where it was last committed."""
        await self.settle()
        if self.current(batch):
            await self._consumer.rewind({batch.tp: self._consumer.done[batch.tp]})

    async def fence(self) -> None:
        """Abort what a former life of this worker left open.

        Raises:
            Failed: Kafka does not answer.
        """
        await self._blocking(self._writer.start)

    async def settle(self) -> None:
        """Return once nothing is under way: all that was taken is committed, or dropped."""
        while self._open.batches or self._sealed.batches:
            self._idle.clear()
            await self._idle.wait()

    @Service.task
    async def _rounds(self) -> None:
        while not self.should_stop:
            await self._wanted.wait()
            self._wanted.clear()
            if not self._open.batches:
                continue
            self._sealed, self._open = self._open, Round()
            self._sealed.steps.append(self._overlay.seal(self._sealed.ends))
            await self._end(self._sealed)
            self._sealed = Round()
            self._idle.set()
            if self._open.batches:
                self._wanted.set()

    async def _end(self, round_: Round) -> None:
        """Commit a round, or drop it with everything that rests on it.

        Raises:
            BrokerError: Kafka grants us no longer what a commit needs.
        """
        member = self._consumer.member
        if member is None or not all(map(self.current, round_.batches)):
            await self._drop(round_, {})
            return
        try:
            await self._commit(round_, member)
        except NotGranted as error:
            raise BrokerError(
                f"Kafka does not grant what a worker needs any more: {error}",
                "gradewatch doctor names the ACL that is missing; have it granted, then start the "
                "worker again",
            ) from None
        except (Failed, KafkaError) as error:
            log.warning("not committed: %s; asking what became of it", error)
            if isinstance(error, NeverTaken):
                self._suspect_all(round_, str(error))
            await self._recover(round_)
        else:
            self._publish(round_)

    async def _commit(self, round_: Round, member: Member) -> None:
        writer = self._writer
        if writer.transactional:
            await self._blocking(partial(writer.transact, round_.steps, round_.ends, member))
            return
        for outputs in round_.steps:
            await self._blocking(partial(writer.produce, outputs))
        if all(map(self.current, round_.batches)):
            await self._consumer.commit_positions(round_.ends)

    def _suspect_all(self, round_: Round, why: str) -> None:
        """Remember that one of a round's records comes to what Kafka will never take."""
        for batch in round_.batches:
            self._suspect[batch.tp] = max(batch.end, self._suspect.get(batch.tp, 0))
            if round_.records == 1:
                self._refused[batch.tp] = batch.start, f"Kafka refuses what it comes to: {why}"

    async def _recover(self, round_: Round) -> None:
        """Find out whether a round was committed; if not, its partitions are fetched again."""
        pause, longest = RETRY_SECONDS
        while any(map(self.current, round_.batches)):
            try:
                await self._blocking(self._writer.abandon)
                await self._blocking(self._writer.start)  # from here on nothing comes through late
                committed = await self._consumer.resume_offsets(round_.ends)
            except (Failed, KafkaError) as error:
                log.warning("%s; trying again in %.1f s", error, pause)
                await self.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                if committed == round_.ends:
                    self._publish(round_)
                else:
                    await self._drop(round_, committed)
                return
        await self._drop(round_, {})

    def _publish(self, round_: Round) -> None:
        """Show a committed round's changes, but for partitions that went elsewhere meanwhile."""
        ours = {batch.tp for batch in round_.batches if self.current(batch)}
        self._consumer.done.update({tp: round_.ends[tp] for tp in ours})
        self._overlay.publish({tp.partition for tp in ours})
        for done in round_.after:
            done()

    async def _drop(self, round_: Round, committed: Mapping[TP, int]) -> None:
        """Forget what was worked on; what is still ours comes again."""
        later, self._open = self._open, Round()
        self._overlay.drop()
        batches = [*round_.batches, *later.batches]
        ours = {batch.tp for batch in batches if self.current(batch)}
        await self._consumer.rewind({tp: committed.get(tp, self._consumer.done[tp]) for tp in ours})

    async def _blocking(self, call: Callable[[], object]) -> None:
        """Have the writer do something, one thing at a time.

        Raises:
            Failed: It could not, or hangs: the next `start` makes a new producer.
        """
        async with self._one_at_a_time:
            try:
                await beside(call, HANG_SECONDS)
            except Hung:
                self._writer.forget()
                raise

    async def on_stop(self) -> None:
        """Stop the writer; what it had under way and uncommitted comes again."""
        self._wanted.set()
        with suppress(Failed):
            await self._blocking(self._writer.abandon)
