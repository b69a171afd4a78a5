"""The whole life of a partition against a model of Kafka: every served row is right at each step.

Workers join, leave, crash, freeze and wake up; partitions are assigned, restored, kept as standbys,
served, revoked and assigned again; the changelog is compacted, committed offsets are reset. The
committer, the table, the changelog reader and the recovery are the engine's own. A tape of numbers
decides what happens; ``make test-crash`` plays 10,000 of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine import commit
from streams.engine.blocking import Failed, Hung
from streams.engine.changelog import Changelog
from streams.engine.commit import Committer
from streams.engine.completeness import Source
from streams.engine.fetch import RecordBatch
from streams.engine.loop import Loop
from streams.engine.outputs import Outputs, Produced
from streams.engine.overlay import Overlay
from streams.engine.restore import BatchRecovery
from streams.engine.table import PartitionStore, Rows, changelog_key
from streams.engine.transactions import Member
from streams.engine.wakes import never
from tests.engine.schedules import Tape, immediately

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

SCHEDULES: Final = max(100, settings().max_examples)
PARTITIONS: Final = range(2)
SOURCE: Final = Source("source", "topic-id", "changelog")
OWN, STATE = b"~partition", b"state"
STEPS: Final = 4_000
"""After so many turns of the event loop a schedule that is not through yet will never be."""


class WrongRowsError(AssertionError):
    """A worker serves rows that the log never came to."""


class Record(NamedTuple):
    offset: int
    key: bytes
    amount: int


class Entry(NamedTuple):
    """A record of the changelog."""

    offset: int
    key: bytes
    value: bytes | None


def fold(log: Sequence[Record]) -> dict[tuple[bytes, bytes], bytes]:
    """Return the rows and the partition state that a log comes to."""
    rows: dict[tuple[bytes, bytes], bytes] = {}
    totals = defaultdict[bytes, int](int)
    for record in log:
        totals[record.key] += record.amount
        rows[record.key, b"sum"] = b"%d,%d" % (totals[record.key], record.offset)
        rows[OWN, STATE] = b"%d" % record.offset
    return rows


class Cluster:
    """What outlives every crash: logs, committed offsets, the group's generation."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.log: dict[int, list[Record]] = {number: [] for number in PARTITIONS}
        self.changelog: dict[int, list[Entry]] = {number: [] for number in PARTITIONS}
        self.beginnings = dict.fromkeys(PARTITIONS, 0)  # of the changelog
        self.ends = dict.fromkeys(PARTITIONS, 0)
        self.decided = dict.fromkeys(PARTITIONS, 0)  # its last stable offset
        self.offsets: dict[int, int | None] = dict.fromkeys(PARTITIONS)
        self.commits: dict[int, set[int]] = {number: {0} for number in PARTITIONS}
        self.outputs: list[tuple[int, int, bytes]] = []
        self.generation = 0
        self.epochs = defaultdict[str, int](int)  # of producers, by transactional id
        self.late: list[Callable[[], None]] = []  # hung calls that may still come through
        self.lost: set[int] = set()  # partitions whose changelog somebody deleted

    def append(self, partition: int, records: int) -> None:
        log = self.log[partition]
        for _ in range(records):
            log.append(Record(len(log), b"t:%d" % (len(log) % 3), len(log) + 1))

    def transact(
        self, name: str, epoch: int, steps: Sequence[Outputs], offsets: Mapping[TP, int],
        member: Member,
    ) -> None:  # fmt: skip
        if epoch != self.epochs[name] or member.generation != self.generation:
            raise Failed("fenced")
        for outputs in steps:
            for (topic, partition), records in outputs.records.items():
                for record in records:
                    if topic == SOURCE.changelog:
                        entry = Entry(self.ends[partition], record.key or b"", record.value)
                        self.changelog[partition].append(entry)
                        self.ends[partition] += 1
                    else:
                        offset, value = (record.value or b"").split(b":")
                        self.outputs.append((partition, int(offset), value))
        for tp, end in offsets.items():
            self.offsets[tp.partition] = end
            self.commits[tp.partition].add(end)
        # The coordinator marks the offsets first; readers of the changelog may have to wait.
        if self.tape.next() != 1:
            self.decide()

    def decide(self) -> None:
        """Every transaction is marked on every partition."""
        for number in PARTITIONS:
            if self.decided[number] < self.ends[number]:
                self.ends[number] += 1  # the marker
                self.decided[number] = self.ends[number]

    def come_through(self) -> None:
        """Carry out what hung, unless it was fenced."""
        while self.late:
            with suppress(Failed):
                self.late.pop()()

    def compact(self, partition: int) -> None:
        latest = {entry.key: entry for entry in self.changelog[partition]}
        kept = {id(entry) for entry in latest.values()}
        self.changelog[partition] = [
            entry
            for entry in self.changelog[partition]
            if id(entry) in kept or entry.offset >= self.decided[partition]
        ]

    def lose_changelog(self, partition: int) -> None:
        """Somebody deletes the changelog's records while no worker runs."""
        self.decide()
        self.changelog[partition].clear()
        self.beginnings[partition] = self.ends[partition]
        if self.offsets[partition]:
            self.lost.add(partition)

    @property
    def worked(self) -> bool:
        return all(
            number in self.lost or (self.offsets[number] or 0) == len(self.log[number])
            for number in PARTITIONS
        )


class Reader:
    """What the changelog is read with: aiokafka's consumer as far as it is asked."""

    def __init__(self, cluster: Cluster, isolation_level: str, **_: object) -> None:
        self._cluster, self._decided = cluster, isolation_level == "read_committed"
        self._positions: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        await asyncio.sleep(0)

    stop = start

    def assign(self, _: object) -> None:
        pass

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def _end(self, number: int) -> int:
        cluster = self._cluster
        return cluster.decided[number] if self._decided else cluster.ends[number]

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return {tp: self._end(tp.partition) for tp in tps}

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return {tp: self._cluster.beginnings[tp.partition] for tp in tps}

    async def getmany(
        self, *tps: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Entry]]:
        assert timeout_ms > 0 < max_records
        for _ in range(1 + self._cluster.tape.next()):
            await asyncio.sleep(0)
        if self._cluster.tape.ended:
            self._cluster.decide()
        found = {}
        for tp in tps:
            position, end = self._positions[tp], self._end(tp.partition)
            if position > end:
                raise OffsetOutOfRangeError({tp: position})
            entries = [
                entry
                for entry in self._cluster.changelog[tp.partition]
                if position <= entry.offset < end
            ]
            some = entries[: 1 + self._cluster.tape.next()]
            if some:
                found[tp] = some
            self._positions[tp] = some[-1].offset + 1 if len(some) < len(entries) else end
        return found


class Writer:
    """Fails before, after, or not at all; or hangs, and comes through later or never."""

    transactional = True

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self._name, self._epoch = cluster, name, -1

    def start(self) -> None:
        if self._epoch < 0:
            self._cluster.epochs[self._name] += 1
            self._epoch = self._cluster.epochs[self._name]

    def transact(self, steps: Sequence[Outputs], offsets: Mapping[TP, int], member: Member) -> None:
        self.start()
        cluster, name, epoch = self._cluster, self._name, self._epoch

        def carried_out() -> None:
            cluster.transact(name, epoch, steps, offsets, member)

        fault = cluster.tape.next()
        if fault == 1:
            raise Failed("before")
        if fault == 2:
            cluster.late.append(carried_out)
            raise Hung("hangs")
        carried_out()
        if fault == 3:
            raise Failed("after")

    def abandon(self) -> None:
        self._epoch = -1

    forget = abandon


class Consumer:
    """What committer and recovery ask of ours."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.epochs: defaultdict[TP, int] = defaultdict(int)
        self.positions: dict[TP, int] = {}
        self.done: dict[TP, int] = {}
        self.committed_at_assignment: dict[TP, int | None] = {}
        self.held_back: set[TP] = set()
        self.member: Member | None = None

    async def resume_offsets(self, partitions: Iterable[TP]) -> dict[TP, int]:
        await asyncio.sleep(0)
        return {tp: self._cluster.offsets[tp.partition] or 0 for tp in partitions}

    async def release(self, source: TP) -> None:
        self.held_back.discard(source)
        await asyncio.sleep(0)

    async def rewind(self, offsets: Mapping[TP, int]) -> None:
        for tp in offsets:
            self.epochs[tp] += 1
        await asyncio.sleep(0)
        for tp, offset in offsets.items():
            if tp in self.positions:
                self.epochs[tp] += 1
                self.positions[tp] = self.done[tp] = offset

    async def prepare(self, partitions: Iterable[int]) -> None:
        await asyncio.sleep(0)
        self.committed_at_assignment = {
            TP(SOURCE.topic, number): self._cluster.offsets[number] for number in partitions
        }

    def assigned(self, name: str) -> None:
        for tp, offset in self.committed_at_assignment.items():
            self.epochs[tp] += 1
            self.positions[tp] = self.done[tp] = offset or 0
        self.member = Member("group", self._cluster.generation, name, None)

    def revoked(self) -> None:
        self.member = None
        for tp in self.done:
            self.epochs[tp] += 1
        self.positions.clear()
        self.done.clear()


class Work(NamedTuple):
    steps: list[Outputs]
    changes: list[tuple[bytes, bytes, bytes | None]]


class Adding:
    """Keeps a sum for each key, and passes over what a row holds already."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay

    async def work(self, batch: RecordBatch) -> Work:
        outputs, rows, kept = Outputs(), Outputs(), dict[tuple[bytes, bytes], bytes]()
        partition, records = batch.tp.partition, batch.records
        for record in records:
            assert isinstance(record, Record)
            await asyncio.sleep(0)
            place = record.key, b"sum"
            held = kept.get(place) or self._overlay.row(partition, *place) or b"0,-1"
            total, last = map(int, held.split(b","))
            if record.offset <= last:
                continue
            kept[place] = b"%d,%d" % (total + record.amount, record.offset)
            state = kept.get((OWN, STATE)) or self._overlay.row(partition, OWN, STATE) or b"-1"
            kept[OWN, STATE] = b"%d" % max(record.offset, int(state))
            value = b"%d:%d" % (record.offset, total + record.amount)
            outputs.add("alerts", partition, Produced(None, value, 0, []))
        changes = [(*place, value) for place, value in kept.items()]
        for owner, item, value in changes:
            produced = Produced(changelog_key(owner, item), value, 0, [])
            rows.add(SOURCE.changelog, partition, produced)
        return Work([outputs, rows], [*changes])

    def refuse(self, batch: RecordBatch, failure: str) -> Work:
        raise AssertionError(failure, batch)


class SecondBook(PartitionStore):
    """The fault of before: a book beside the rows says which partitions are complete."""

    def leave(self, consumer: Consumer) -> None:
        self.left = getattr(self, "left", {})
        kept = {
            tp.partition: at for tp, at in consumer.done.items() if tp not in consumer.held_back
        }
        self.left |= kept

    def _agrees(self, partition: int, committed: int | None) -> bool:
        left = getattr(self, "left", {}).pop(partition, None)
        return left is not None and left == (committed or 0)


class Trusting(PartitionStore):
    """Rows that were read to the end of the changelog are served, whatever they are."""

    def complete(self, partition: int, _: int | None) -> bool:
        self.serving.add(partition)
        return True


class Keeping(PartitionStore):
    """Rows that are in memory are served, whatever was committed meanwhile."""

    def _agrees(self, partition: int, _: int | None) -> bool:
        return partition in self.partitions


class Worker:
    """A process from its start to its end."""

    def __init__(self, cluster: Cluster, name: str, store: type[PartitionStore]) -> None:
        self.cluster, self.name, self.consumer = cluster, name, Consumer(cluster)
        self.frozen = False
        self.store = store.__new__(store)
        self.store.partitions = defaultdict(lambda: Rows(never))
        self.store.serving, self.store.faults = set(), {}
        self.store.source, self.store.wake_of = SOURCE, never
        overlay = Overlay(self.store)
        self.committer = Committer(self, Writer(cluster, name), overlay, 6)  # type: ignore[arg-type]
        self._loop = Loop(Adding(overlay), self.committer, lambda *_: None, 1.0)
        self._recovery = BatchRecovery.__new__(BatchRecovery)
        self._recovery.app = self  # type: ignore[assignment]
        table: Any = self
        self.data = self.store
        self._recovery.tables = {"table": table}  # type: ignore[assignment]
        self._recovery.tp_to_table = {TP(SOURCE.changelog, number): table for number in PARTITIONS}
        self._changelog = Changelog(
            self, "reader", self._recovery._rows, self._recovery._restored  # type: ignore[arg-type]
        )  # fmt: skip
        self._tasks: list[asyncio.Task[None]] = []
        self._following: asyncio.Task[None] | None = None

    def aiokafka(self) -> dict[str, Any]:
        return {"cluster": self.cluster}

    async def start(self) -> None:
        await self.committer.start()
        self._tasks.append(asyncio.create_task(self._loop.run(self._stream())))

    async def assign(self, active: set[int], standbys: set[int]) -> None:
        """Do what the recovery service does after an assignment."""
        recovery = self._recovery
        recovery.active_tps = {TP(SOURCE.changelog, number) for number in active}
        recovery.standby_tps = {TP(SOURCE.changelog, number) for number in standbys}
        await self.committer.fence()
        await self.consumer.prepare(active)
        missing = recovery._missing()
        self.consumer.held_back = {TP(SOURCE.topic, tp.partition) for tp in missing}
        self.consumer.assigned(self.name)
        kept = {TopicPartition(*tp) for tp in recovery.standby_tps}
        following = self._changelog.follow(missing, kept)
        self._following = asyncio.create_task(following)

    async def revoke(self, *, settle: bool) -> None:
        await self._unfollow()
        if settle:
            await self.committer.settle()
        if isinstance(self.store, SecondBook):
            self.store.leave(self.consumer)
        self.consumer.revoked()

    async def _unfollow(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def end(self) -> None:
        """End at once, as by ``kill -9``."""
        await self._unfollow()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.committer._stopped.set()
        for future in self.committer._futures:
            future.cancel()

    async def _stream(self) -> AsyncIterator[RecordBatch]:
        fetched = deque[RecordBatch]()
        tape = self.cluster.tape
        while True:
            for tp, position in list(self.consumer.positions.items()):
                log = self.cluster.log[tp.partition]
                end = min(len(log), position + 1 + tape.next())
                if tp not in self.consumer.held_back and position < end and len(fetched) < 3:
                    records: Any = log[position:end]
                    epoch = self.consumer.epochs[tp]
                    fetched.append(RecordBatch(tp, epoch, position, end, records))
                    self.consumer.positions[tp] = end
            if fetched and not self.frozen:
                yield fetched.popleft()
            await asyncio.sleep(0)

    def check(self) -> None:
        """Compare every served row and partition state with what the log came to.

        Raises:
            WrongRowsError: They are those of no committed offset, or not of the latest one though
                this worker has the partition and nothing is under way.
        """
        cluster = self.cluster
        member = self.consumer.member
        current = member is not None and member.generation == cluster.generation
        for partition in self.store.serving:
            held = self.store.partitions[partition]
            rows = {
                (owner, item): value
                for owner, items in held.owners.items()
                for item, value in items.items()
            }
            state = held.row(OWN, STATE)
            rows |= {} if state is None else {(OWN, STATE): state}
            log, commits = cluster.log[partition], cluster.commits[partition]
            tp = TP(SOURCE.topic, partition)
            if current and tp in self.consumer.done and not self.committer.holds(tp):
                commits = {max(commits)}
            if all(rows != fold(log[:offset]) for offset in commits):
                raise WrongRowsError(self.name, partition, rows, sorted(commits))


class Group:
    """The workers, and what happens to them."""

    def __init__(self, tape: Tape, store: type[PartitionStore], standbys: int) -> None:
        self.tape, self.cluster, self._store = tape, Cluster(tape), store
        self._standbys = standbys
        self.workers: dict[str, Worker] = {}
        self.served: set[int] = set()

    async def lived(self) -> None:
        """Play the tape to its end, then let the rest be worked on.

        Raises:
            WrongRowsError: Somebody served wrong rows.
        """
        for number in PARTITIONS:
            self.cluster.append(number, 4)
        try:
            await self._join("a")
            while not self.tape.ended:
                await self._event()
                await self._turns(1 + 4 * self.tape.next())
            await self._finish()
        finally:
            for worker in self.workers.values():
                await worker.end()

    async def _turns(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
            for worker in self.workers.values():
                worker.check()

    async def _event(self) -> None:
        kind, which = self.tape.next(), self.tape.next()
        names = sorted(self.workers)
        name = names[which % len(names)] if names else ""
        absent = [each for each in "abc" if each not in self.workers]
        if kind == 0 and absent:
            await self._join(absent[which % len(absent)])
        elif kind == 1 and name:  # kill -9: the others notice at the next rebalance
            await self.workers.pop(name).end()
            await self._rebalance()
        elif kind == 2 and name:  # SIGTERM
            worker = self.workers.pop(name)
            await worker.revoke(settle=True)
            await worker.end()
            await self._rebalance()
        elif kind == 3:
            await self._rebalance()
        elif kind == 4:
            self.cluster.append(which % len(PARTITIONS), 1 + self.tape.next())
        elif kind == 5 and name:
            self.workers[name].frozen = not self.workers[name].frozen
        elif kind == 6:
            self.cluster.compact(which % len(PARTITIONS))
        elif kind == 7:
            self.cluster.decide()
            self.cluster.come_through()
        elif kind == 8:
            await self._everybody_ends(which)

    async def _everybody_ends(self, which: int) -> None:
        """No worker runs: offsets can be reset, or the changelog be deleted."""
        for name in sorted(self.workers):
            await self.workers.pop(name).end()
        partition = which % len(PARTITIONS)
        if which >= 2 * len(PARTITIONS):
            self.cluster.lose_changelog(partition)
        elif which >= len(PARTITIONS):
            committed = self.cluster.offsets[partition] or 0
            self.cluster.offsets[partition] = max(0, committed - self.tape.next()) or None
        await self._join("b")

    async def _join(self, name: str) -> None:
        self.workers[name] = Worker(self.cluster, name, self._store)
        await self.workers[name].start()
        await self._rebalance()

    async def _rebalance(self) -> None:
        """Assign all partitions anew; whoever is frozen does not hear of it."""
        awake = [worker for worker in self.workers.values() if not worker.frozen]
        for worker in awake:
            await worker.revoke(settle=self.tape.next() != 1)
        self.cluster.generation += 1
        if not awake:
            return
        active, kept = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
        for number in PARTITIONS:
            first = self.tape.next()
            active[awake[first % len(awake)].name].add(number)
            if self._standbys and len(awake) > 1:
                kept[awake[(first + 1) % len(awake)].name].add(number)
        for worker in awake:
            await worker.assign(active[worker.name], kept[worker.name])
            await self._turns(self.tape.next())

    async def _finish(self) -> None:
        for worker in self.workers.values():
            worker.frozen = False
        if not self.workers:
            await self._join("a")
        await self._rebalance()
        for _ in range(STEPS):
            await self._turns(1)
            self.cluster.decide()
            if self.cluster.worked and not any(map(self._busy, self.workers.values())):
                break
        else:
            pytest.fail("the schedule did not come to its end")
        await self._turns(1)
        self.served = set().union(*(worker.store.serving for worker in self.workers.values()))

    @staticmethod
    def _busy(worker: Worker) -> bool:
        restoring = worker.consumer.held_back - {
            TP(SOURCE.topic, number) for number in worker.store.faults
        }
        return bool(restoring) or any(worker.committer.holds(tp) for tp in worker.consumer.done)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "beside", immediately)
    monkeypatch.setattr(commit, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("streams.engine.changelog.aiokafka.AIOKafkaConsumer", Reader)
    logging.getLogger("gradewatch.engine").setLevel(logging.CRITICAL + 1)


def play(numbers: Sequence[int], standbys: int, store: type[PartitionStore]) -> Group:
    """Play a schedule; raise if any served row was ever wrong."""

    async def lived() -> Group:
        group = Group(Tape(numbers), store, standbys)
        await asyncio.wait_for(group.lived(), 20)
        return group

    return asyncio.run(lived())


@given(st.lists(st.integers(0, 8), max_size=150), st.integers(0, 1))
@settings(max_examples=SCHEDULES, deadline=None)
def test_every_served_row_is_right_whatever_happens_to_workers(
    numbers: list[int], standbys: int
) -> None:
    group = play(numbers, standbys, PartitionStore)

    cluster = group.cluster
    assert group.served == set(PARTITIONS) - cluster.lost
    for number in set(PARTITIONS) - cluster.lost:
        outputs = sorted(place[1:] for place in cluster.outputs if place[0] == number)
        totals = defaultdict[bytes, int](int)
        expected = []
        for record in cluster.log[number]:
            totals[record.key] += record.amount
            expected.append((record.offset, b"%d" % totals[record.key]))
        assert outputs == expected
        latest = {entry.key: entry.value for entry in cluster.changelog[number]}
        latest.pop(b"~source:offset", None)
        rows = fold(cluster.log[number])
        assert latest == {changelog_key(*place): value for place, value in rows.items()}


@pytest.mark.parametrize("store", [SecondBook, Trusting, Keeping])
def test_the_model_finds_what_is_wrong_with_a_store(store: type[PartitionStore]) -> None:
    chance = Random(23)  # noqa: S311 - the same schedules in every run
    for _ in range(3_000):
        numbers = [chance.randint(0, 8) for _ in range(chance.randint(10, 150))]
        try:
            play(numbers, chance.randint(0, 1), store)
        except WrongRowsError:
            return
    pytest.fail("no schedule showed it")
