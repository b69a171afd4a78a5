"""What an agent does with its stream: each batch worked, handed to the committer, never lost.

A batch that fails in our own code is halved until the record that fails stands alone; that one is
tried again, then refused. A batch whose outputs Kafka will never take goes record by record, too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from streams.errors import place

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterator, Sequence

    from streams.engine.commit import Committer
    from streams.engine.fetch import RecordBatch
    from streams.engine.outputs import Outputs
    from streams.engine.table import Change

log = logging.getLogger("gradewatch.engine")

ATTEMPTS: Final = 2
"""How often a record is tried that fails in our own code."""

FIRST_RECORDS: Final = 2_000
"""How many records are worked on at once before it is known how long they take."""

RETRY_SECONDS: Final = 1.0
"""Pause before what failed in our own code is tried again."""


class Worked(Protocol):
    """What a batch comes to."""

    @property
    def steps(self) -> Sequence[Outputs]:
        """Records to produce, in the order that at-least-once sends them."""

    @property
    def changes(self) -> Sequence[Change]:
        """Rows to publish once the batch is committed."""


W = TypeVar("W", bound=Worked)
W_co = TypeVar("W_co", bound=Worked, covariant=True)


class Agent(Protocol[W_co]):
    """What turns batches into effects. It keeps nothing of its own: it may be asked again."""

    async def work(self, batch: RecordBatch) -> W_co:
        """Return what a batch comes to."""

    def refuse(self, batch: RecordBatch, failure: str) -> W_co:
        """Return what a batch of one record comes to that cannot be worked."""


class Loop(Generic[W]):
    """One agent's loop over its stream."""

    def __init__(
        self,
        agent: Agent[W],
        committer: Committer,
        counted: Callable[[W, float], None],
        seconds: float,
    ) -> None:
        """Prepare; `run` does it.

        Args:
            agent: What works.
            committer: What commits.
            counted: Told of each committed batch: what it came to, and the seconds it took.
            seconds: How long a batch is worked on, at most, before it is handed over.
        """
        self._agent = agent
        self._committer = committer
        self._counted = counted
        self._seconds = seconds
        self._size = FIRST_RECORDS

    async def run(self, stream: AsyncIterable[RecordBatch]) -> None:
        """Work every batch, as long as the stream lasts. Raises nothing: Faust would go on."""
        async for batch in stream:
            try:
                if self._committer.suspects(batch):
                    for one in _singles(batch):
                        await self._committer.settle()  # each in a round of its own
                        await self._through(one)
                else:
                    for piece in self._pieces(batch):
                        await self._through(piece)
            except Exception as error:  # noqa: BLE001 - a bug of the engine's; nothing is lost by it
                _say(batch, place(error))
                await asyncio.sleep(RETRY_SECONDS)
                await self._committer.again(batch)

    def _pieces(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """Yield a batch in pieces that take about the time they may, as far as can be known."""
        first, records = 0, len(batch.records)
        if not records:
            yield batch
        while first < records:
            end = min(first + self._size, records)
            yield _part(batch, first, end)
            first = end

    def _pace(self, records: int, seconds: float) -> None:
        """Learn how many records can be worked on in the time that a batch may take."""
        if records and seconds > self._seconds / 10:  # too few say nothing
            fitting = int(records * self._seconds / seconds)
            self._size = max(1, (self._size + fitting) // 2)

    async def _through(self, batch: RecordBatch) -> None:
        if not self._committer.current(batch):
            return
        started = time.monotonic()
        work = await self._worked(batch)
        if work is None:
            for half in _halves(batch):
                await self._through(half)
            return

        def counted() -> None:
            self._counted(work, time.monotonic() - started)

        await self._committer.take(batch, work.steps, work.changes, counted)

    async def _worked(self, batch: RecordBatch) -> W | None:
        """Return what a batch comes to; None where it fails and can be halved."""
        failure = self._committer.refusal(batch)
        for _ in range(0 if failure else ATTEMPTS):
            started = time.monotonic()
            try:
                work = await self._agent.work(batch)
            except Exception as error:  # noqa: BLE001 - a bug of the agent's
                failure = place(error)
                _say(batch, failure)
            else:
                self._pace(len(batch.records), time.monotonic() - started)
                return work
            if len(batch.records) > 1:
                return None
            await asyncio.sleep(RETRY_SECONDS)
        return self._agent.refuse(batch, failure)


def _say(batch: RecordBatch, failure: str) -> None:
    log.error("%s[%d] from offset %d: %s", *batch.tp, batch.start, failure)


def _halves(batch: RecordBatch) -> Iterator[RecordBatch]:
    middle = len(batch.records) // 2
    yield _part(batch, 0, middle)
    yield _part(batch, middle, len(batch.records))


def _singles(batch: RecordBatch) -> Iterator[RecordBatch]:
    for number in range(len(batch.records)):
        yield _part(batch, number, number + 1)


def _part(batch: RecordBatch, first: int, end: int) -> RecordBatch:
    """Return some records of a batch as one that joins what was before and what comes after.

    Example:
        >>> from collections import namedtuple
        >>> from streams.engine.fetch import RecordBatch
        >>> Record = namedtuple("Record", "offset")
        >>> batch = RecordBatch(None, 0, 4, 9, [Record(5), Record(6), Record(8)])
        >>> [(part.start, part.end) for part in _singles(batch)]
        [(4, 6), (6, 8), (8, 9)]
    """
    records = batch.records
    return batch._replace(
        start=records[first].offset if first else batch.start,
        end=records[end].offset if end < len(records) else batch.end,
        records=records[first:end],
    )
