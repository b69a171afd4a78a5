"""The batch protocol against a model of Kafka: nothing is lost or doubled, whatever fails when.

A tape of numbers, drawn by hypothesis, decides what fails; a failing one shrinks and is kept.
``make test-crash`` runs 10,000 of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine import commit
from streams.engine import loop as loops
from streams.engine.blocking import Failed, Hung, NeverTaken
from streams.engine.commit import Committer
from streams.engine.completeness import Source
from streams.engine.fetch import RecordBatch
from streams.engine.loop import Loop
from streams.engine.outputs import Outputs, Produced
from streams.engine.overlay import Overlay
from streams.engine.table import PartitionStore, Rows
from streams.engine.transactions import Member
from streams.engine.wakes import never
from tests.engine.schedules import Tape, immediately

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

SCHEDULES = max(300, settings().max_examples)
PARTITIONS = 2
PER_PARTITION = 12
FAILS, POISON, HUGE = "fails", "poison", "huge"


class Record(NamedTuple):
    offset: int
    key: bytes
    amount: int
    nature: str = ""


class Kafka:
    """What outlives every crash: the log, committed offsets, who may commit."""

    def __init__(self, natures: Mapping[tuple[int, int], str]) -> None:
        self.log = {
            TP("source", partition): [
                Record(
                    offset,
                    b"ab"[offset % 2 :][:1],
                    offset + 1,
                    natures.get((partition, offset), ""),
                )
                for offset in range(PER_PARTITION)
            ]
            for partition in range(PARTITIONS)
        }
        self.offsets = dict.fromkeys(self.log, 0)
        self.outputs: list[bytes] = []
        self.rows: dict[tuple[int, bytes], bytes] = {}
        self.generation = 1
        self.epoch = 0
        self.late: list[Callable[[], None]] = []  # hung calls that may still come through

    def transact(
        self, epoch: int, steps: Sequence[Outputs], offsets: Mapping[TP, int], member: Member
    ) -> None:
        if epoch != self.epoch or member.generation != self.generation:
            raise Failed("fenced")
        values = [
            (topic, partition, record)
            for outputs in steps
            for (topic, partition), records in outputs.records.items()
            for record in records
        ]
        if any(record.value == HUGE.encode() for _, _, record in values):
            raise NeverTaken("too large")
        for topic, partition, record in values:
            if topic == "changelog" and record.key != b"~source:offset":
                self.rows[partition, record.key or b""] = record.value or b""
            elif topic != "changelog":
                self.outputs.append(record.value or b"")
        self.offsets.update(offsets)

    def come_through(self) -> None:
        """What hung is carried out after all, unless it was fenced."""
        while self.late:
            with suppress(Failed):
                self.late.pop()()

    @property
    def done(self) -> bool:
        return all(offset == PER_PARTITION for offset in self.offsets.values())


class Writer:
    """Fails before, after, or not at all; or hangs, and comes through later or never."""

    transactional = True

    def __init__(self, kafka: Kafka, tape: Tape) -> None:
        self._kafka, self._tape, self._epoch = kafka, tape, -1

    def start(self) -> None:
        if self._epoch >= 0:
            return
        if self._tape.next() == 1:
            raise Failed("no answer")
        self._kafka.epoch += 1
        self._epoch = self._kafka.epoch

    def transact(self, steps: Sequence[Outputs], offsets: Mapping[TP, int], member: Member) -> None:
        self.start()
        epoch, fault = self._epoch, self._tape.next()

        def carried_out() -> None:
            self._kafka.transact(epoch, steps, offsets, member)

        if fault == 1:
            raise Failed("before")
        if fault == 2:
            self._kafka.late.append(carried_out)
            raise Hung("hangs")
        carried_out()
        if fault == 3:
            raise Failed("after")
        if fault == 4:
            raise Hung("after")

    def abandon(self) -> None:
        self._epoch = -1

    forget = abandon


class Consumer:
    """What the committer asks of ours."""

    def __init__(self, kafka: Kafka, tape: Tape) -> None:
        self._kafka, self._tape = kafka, tape
        self.epochs: defaultdict[TP, int] = defaultdict(int)
        self.positions: dict[TP, int] = {}
        self.done: dict[TP, int] = {}
        self.member: Member | None = None

    async def resume_offsets(self, partitions: Iterable[TP]) -> dict[TP, int]:
        await asyncio.sleep(0)
        if self._tape.next() == 1:
            raise Failed("pending")
        found = {tp: self._kafka.offsets[tp] for tp in partitions}
        if self._tape.next() >= 3:
            self._kafka.come_through()
        return found

    async def rewind(self, offsets: Mapping[TP, int]) -> None:
        for tp in offsets:
            self.epochs[tp] += 1
        await asyncio.sleep(0)
        for tp, offset in offsets.items():
            if tp in self.positions:
                self.epochs[tp] += 1
                self.positions[tp] = self.done[tp] = offset

    def revoked(self) -> None:
        self.member = None
        self.positions.clear()
        self.done.clear()
        for tp in self._kafka.log:
            self.epochs[tp] += 1

    def assigned(self) -> None:
        for tp, offset in self._kafka.offsets.items():
            self.epochs[tp] += 1
            self.positions[tp] = self.done[tp] = offset
        self.member = Member("group", self._kafka.generation, "me", None)


class Work(NamedTuple):
    steps: list[Outputs]
    changes: list[tuple[bytes, bytes, bytes | None]]


class Adding:
    """Keeps a sum for each key; what it puts out tells of a row that was wrong."""

    def __init__(self, overlay: Overlay, tape: Tape) -> None:
        self._overlay, self._tape = overlay, tape
        self._failed: set[int] = set()

    async def work(self, batch: RecordBatch) -> Work:
        outputs, changelog, sums = Outputs(), Outputs(), dict[bytes, int]()
        records: Any = batch.records
        for record in records:
            await asyncio.sleep(0)
            self._fail(batch, record)
            held = self._overlay.row(batch.tp.partition, record.key, b"sum") or b"0"
            total = sums[record.key] = sums.get(record.key, int(held)) + record.amount
            value = HUGE if record.nature == HUGE else told(batch.tp, record, total)
            outputs.add("alerts", 0, Produced(None, value.encode(), 0, []))
        changes = [(key, b"sum", str(total).encode()) for key, total in sums.items()]
        for key, _, row in changes:
            changelog.add("changelog", batch.tp.partition, Produced(key, row, 0, []))
        return Work([outputs, changelog], [*changes])

    def _fail(self, batch: RecordBatch, record: Record) -> None:
        first = id(record) not in self._failed
        if record.nature == POISON or (record.nature == FAILS and first):
            self._failed |= {id(record)} if len(batch.records) == 1 else set()
            raise ZeroDivisionError

    def refuse(self, batch: RecordBatch, failure: str) -> Work:
        assert failure
        outputs = Outputs()
        records: Any = batch.records
        (record,) = records
        outputs.add("refused", 0, Produced(None, told(batch.tp, record, None).encode(), 0, []))
        return Work([outputs], [])


def told(tp: TP, record: Record, total: int | None) -> str:
    return f"{tp.partition}/{record.offset}: {'refused' if total is None else total}"


def expected(kafka: Kafka) -> tuple[list[str], dict[tuple[int, bytes], bytes]]:
    outputs, sums = [], defaultdict[tuple[int, bytes], int](int)
    for tp, records in kafka.log.items():
        for record in records:
            if record.nature in {POISON, HUGE}:
                outputs.append(told(tp, record, None))
            else:
                sums[tp.partition, record.key] += record.amount
                outputs.append(told(tp, record, sums[tp.partition, record.key]))
    return sorted(outputs), {place: str(total).encode() for place, total in sums.items()}


class Life:
    """A worker from its start to its crash, or to the end of the log."""

    def __init__(self, kafka: Kafka, tape: Tape) -> None:
        self.kafka, self.tape = kafka, tape
        self.consumer = Consumer(kafka, tape)
        self.store = PartitionStore.__new__(PartitionStore)
        self.store.partitions, self.store.serving = defaultdict(Rows), set()
        self.store.source = Source("source", "topic-id", "changelog")
        self.store.wake_of = never
        overlay = Overlay(self.store)
        self.committer = Committer(self, Writer(kafka, tape), overlay, 6)  # type: ignore[arg-type]
        self.loop = Loop(Adding(overlay, tape), self.committer, lambda *_: None, 1.0)

    async def lived(self) -> None:
        await self.committer.start()
        work = asyncio.create_task(self.loop.run(self.stream()))
        try:
            await self.assign()
            while not self.kafka.done:
                for _ in range(1 + self.tape.next()):
                    await asyncio.sleep(0)
                event = self.tape.next()
                if event == 1:
                    return
                if event == 2:
                    await self.rebalance()
                if event == 3:
                    self.kafka.come_through()
            await self.committer.settle()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self.committer._stopped.set()
            for task in self.committer._futures:
                task.cancel()

    async def assign(self) -> None:
        while True:
            with suppress(Failed):
                await self.committer.fence()
                break
        self.store.partitions.clear()
        for (partition, key), value in self.kafka.rows.items():
            self.store.publish(partition, [(key, b"sum", value)])
        self.consumer.assigned()

    async def rebalance(self) -> None:
        """Partitions go, somebody else perhaps works on them, and they come back."""
        if self.tape.next() != 1:
            await self.committer.settle()
        self.consumer.revoked()
        self.kafka.generation += 1
        await asyncio.sleep(0)
        await self.assign()

    async def stream(self) -> AsyncIterator[RecordBatch]:
        """Fetch ahead, as Faust does: what is yielded may have become stale."""
        fetched = deque[RecordBatch]()
        while True:
            for tp, position in list(self.consumer.positions.items()):
                end = min(PER_PARTITION, position + 1 + self.tape.next())
                if position < end and len(fetched) < 3:
                    records: Any = self.kafka.log[tp][position:end]
                    epoch = self.consumer.epochs[tp]
                    fetched.append(RecordBatch(tp, epoch, position, end, records))
                    self.consumer.positions[tp] = end
                elif position == PER_PARTITION and len(fetched) < 3 and self.tape.next() == 1:
                    epoch = self.consumer.epochs[tp]
                    fetched.append(RecordBatch(tp, epoch, position, position, [], idle_at=1))
            if self.tape.next() == 4 and fetched and self._followed(fetched):
                fetched.popleft()  # Faust lost it
            if fetched:
                yield fetched.popleft()
            await asyncio.sleep(0)

    @staticmethod
    def _followed(fetched: deque[RecordBatch]) -> bool:
        first, *others = fetched
        return any(other.tp == first.tp and other.epoch == first.epoch for other in others)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "beside", immediately)
    monkeypatch.setattr(commit, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.0)
    logging.getLogger("gradewatch.engine").setLevel(logging.CRITICAL)


natures = st.dictionaries(
    st.tuples(st.integers(0, PARTITIONS - 1), st.integers(0, PER_PARTITION - 1)),
    st.sampled_from([FAILS, POISON, HUGE]),
    max_size=3,
)


@given(st.lists(st.integers(0, 4), max_size=120), natures)
@settings(max_examples=SCHEDULES, deadline=None)
def test_no_schedule_of_failures_loses_or_doubles_an_effect(
    numbers: list[int], natures: dict[tuple[int, int], str]
) -> None:
    kafka, tape = Kafka(natures), Tape(numbers)
    while not kafka.done:
        asyncio.run(asyncio.wait_for(Life(kafka, tape).lived(), 20))

    outputs, rows = expected(kafka)
    assert sorted(value.decode() for value in kafka.outputs) == outputs
    assert kafka.rows == rows
