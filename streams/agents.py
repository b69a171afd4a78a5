"""The two agents around the pure core: a batch in, its outputs and row changes out.

intake:   canvas-live-events → grade-events, grade-events-refused
scoring:  grade-events → grade-alerts, grade-scores-changelog, grade-events-refused

They move records; the core decides. Neither commits: the engine does, for whole batches.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.batch_rows import BatchRows
from streams.core import alerts, feeds, flow
from streams.core.alerts import Place, Writer
from streams.core.canvas import Refusal
from streams.core.clock import ITEM, OWNER, encode_state
from streams.core.events import Reason
from streams.core.fates import Fate
from streams.core.flow import Partition, Passed
from streams.core.outcome import Outcome
from streams.engine.outputs import Outputs, Produced
from streams.engine.routing import partition_of
from streams.engine.table import changelog_key
from streams.errors import place
from streams.metrics import Tally
from streams.watermarks import Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from faust.types import TP

    from streams.core.intake import Reader
    from streams.engine.fetch import Record, RecordBatch
    from streams.engine.overlay import Overlay
    from streams.engine.table import Change

log = logging.getLogger("gradewatch.agents")

BREATH: Final = 100
"""Records worked on before the event loop gets a turn: some 5 ms. An answer takes several turns."""

REFUSED_BYTES: Final = 1 << 20
"""Longest original value kept on ``grade-events-refused``; the topic takes 64 KiB more."""


class Topic(NamedTuple):
    """A topic as an agent writes to it: its name in this namespace, and its partitions."""

    name: str
    partitions: int


class Work(NamedTuple):
    """What a batch comes to.

    Attributes:
        steps: Records to produce, each step acknowledged before the next.
        changes: Rows to publish once the batch is committed.
        tally: What it adds to the numbers.
    """

    steps: Sequence[Outputs]
    changes: Sequence[Change]
    tally: Tally


class Intake:
    """Raw records → canonical events, or refusals; and how far the raw partition has come."""

    name = "intake"

    def __init__(self, reader: Reader, raw: Topic, events: Topic, refused: Topic) -> None:
        """Remember where to write."""
        self._reader = reader
        self._raw = raw
        self._events = events
        self._refused = refused

    async def work(self, batch: RecordBatch) -> Work:
        """Return what a batch of the raw topic comes to. Never raises for a record."""
        outputs, tally, progress = Outputs(), Tally(), Progress(batch)
        async for records in _breathing(batch):
            for record in records:
                self._take_in(batch.tp, record, outputs, tally, progress)
        if progress.at:
            watches = [*progress.records(self._raw.partitions, heard=True)]
            watermark = [*progress.records(self._raw.partitions, heard=False)]
            for partition in range(self._events.partitions):  # after the batch's own events
                for told in watches if partition == feeds.WATCHING else watermark:
                    outputs.add(self._events.name, partition, told)
        return Work([outputs], [], tally)

    def refuse(self, batch: RecordBatch, failure: str) -> Work:
        """Return what a batch of one record comes to that cannot be worked."""
        return _refused(batch, self._refused, failure)

    def _take_in(
        self, tp: TP, record: Record, outputs: Outputs, tally: Tally, progress: Progress
    ) -> None:
        # A record without a timestamp is no licence to be of any time.
        received = record.timestamp if record.timestamp >= 0 else progress.latest
        try:
            taken = flow.take_in(self._reader, record.value, received)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the flow
            taken = _bug(error, tp, record)
        if isinstance(taken, Passed):
            tally.fates[Fate.PASSED] += 1
            progress.passed(taken.tenant, taken.event_time, received)
            produced = Produced(taken.key, taken.value, received, _coordinates(tp, record))
            partition = partition_of(taken.key, self._events.partitions)
            outputs.add(self._events.name, partition, produced)
        elif taken is None:
            tally.fates[Fate.IGNORED] += 1
        else:
            tally.fates[Fate.REFUSED] += 1
            _refuse(outputs, self._refused, tp, record, taken, tally=tally)


class Scoring:
    """Canonical events → rows and alerts."""

    name = "scoring"

    def __init__(
        self,
        id_key: bytes,
        topic_id: str,
        table: Overlay,
        written: dict[str, Topic],
    ) -> None:
        """Remember where to read rows and where to write.

        Args:
            id_key: What alert ids are keyed with.
            topic_id: Kafka's id of the ``grade-events`` topic.
            table: The rows, uncommitted ones included.
            written: Topics by what they are: ``alerts``, ``posted``, ``state``, ``actions``,
                ``changelog``, ``refused``.
        """
        self._id_key = id_key
        self._topic_id = topic_id
        self._table = table
        self._alerts = {
            alerts.STAFF: written["alerts"],
            alerts.POSTED: written["posted"],
            alerts.OPERATOR: written["alerts"],
        }
        self._state, self._actions = written["state"], written["actions"]
        self._changelog = written["changelog"]
        self._refused = written["refused"]

    async def work(self, batch: RecordBatch) -> Work:
        """Return what a batch of ``grade-events`` comes to. Never raises for a record."""
        outputs, tally = Outputs(), Tally()
        rows = BatchRows(self._table, batch.tp.partition)
        place = Place(batch.tp.topic, self._topic_id, batch.tp.partition)
        partition = Partition(Writer(self._id_key, place), place, rows.state(), rows)
        before = partition.state
        async for records in _breathing(batch):
            for record in records:
                outcome = self._scored(batch.tp, record, partition)
                self._note(batch.tp, record, outcome, outputs, tally)
        tally.clock = partition.state.clock
        changes = rows.changes()
        if partition.state is not before:
            changes.append((OWNER, ITEM, encode_state(partition.state)))
        return Work([outputs, self._rows(batch, changes)], changes, tally)

    def refuse(self, batch: RecordBatch, failure: str) -> Work:
        """Return what a batch of one record comes to that cannot be worked."""
        return _refused(batch, self._refused, failure)

    def _scored(self, tp: TP, record: Record, partition: Partition) -> Outcome:
        try:
            return partition.step(record.value, record.offset, record.timestamp)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not stop the flow
            return Outcome(Fate.REFUSED, refusal=_bug(error, tp, record))

    def _note(
        self, tp: TP, record: Record, outcome: Outcome, outputs: Outputs, tally: Tally
    ) -> None:
        tally.fates[outcome.fate] += 1
        tally.without_baseline += outcome.no_baseline
        tally.gaps += outcome.gaps
        if outcome.refusal is not None:
            _refuse(outputs, self._refused, tp, record, outcome.refusal, tally=tally)
        for error in outcome.failures:
            _bug(error, tp, record)
            tally.failures += 1
        for fingerprint in outcome.erased:
            gone = Produced(fingerprint.encode(), None, record.timestamp, [])
            outputs.add(self._state.name, tp.partition, gone)
            outputs.add(self._actions.name, tp.partition, gone)
        for key, alert in outcome.told:
            tally.alerts[alert.audience, alert.kind, alert.transition, alert.severity] += 1
            value, headers = alerts.encode(alert), alerts.headers(alert)
            topic = self._alerts[alert.audience].name
            outputs.add(topic, tp.partition, Produced(key, value, record.timestamp, headers))
            latest = Produced(alert.fingerprint.encode(), value, record.timestamp, headers)
            outputs.add(self._state.name, tp.partition, latest)

    def _rows(self, batch: RecordBatch, changes: Sequence[Change]) -> Outputs:
        outputs = Outputs()
        latest = batch.records[-1].timestamp if changes else 0
        for owner, item, value in changes:
            produced = Produced(changelog_key(owner, item), value, latest, [])
            outputs.add(self._changelog.name, batch.tp.partition, produced)
        return outputs


async def _breathing(batch: RecordBatch) -> AsyncIterator[Sequence[Record]]:
    """Yield a batch's records by the run, letting the event loop do other things in between."""
    for first in range(0, len(batch.records), BREATH):
        if first:
            await asyncio.sleep(0)
        yield batch.records[first : first + BREATH]


def _refused(batch: RecordBatch, topic: Topic, failure: str) -> Work:
    outputs, tally = Outputs(), Tally()
    for record in batch.records:
        tally.fates[Fate.REFUSED] += 1
        _refuse(outputs, topic, batch.tp, record, Refusal(Reason.INTERNAL, failure), tally=tally)
    return Work([outputs], [], tally)


def _refuse(
    outputs: Outputs, topic: Topic, tp: TP, record: Record, refusal: Refusal, *, tally: Tally
) -> None:
    """Keep a record we do not take: original key and bytes, and why."""
    tally.refused[refusal.reason] += 1
    headers = [
        ("gradewatch.reason", refusal.reason.encode()),
        ("gradewatch.detail", refusal.detail.encode()),
        *_coordinates(tp, record),
    ]
    value = record.value
    if value is not None and len(value) > REFUSED_BYTES:
        # Too large an output would be retried for ever.
        told = f"{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}"
        headers.append(("gradewatch.truncated", told.encode()))
        value = value[:REFUSED_BYTES]
    # Dated now: its short retention counts from the refusal, whenever the event was.
    produced = Produced(record.key, value, 0, headers)
    outputs.add(topic.name, tp.partition % topic.partitions, produced)


def _coordinates(tp: TP, record: Record) -> list[tuple[str, bytes]]:
    return [
        ("gradewatch.topic", tp.topic.encode()),
        ("gradewatch.partition", b"%d" % tp.partition),
        ("gradewatch.offset", b"%d" % record.offset),
    ]


def _bug(error: Exception, tp: TP, record: Record) -> Refusal:
    """Note a failure of ours: where, and in which code; never the record's content."""
    where = place(error)
    log.error("%s[%d] at offset %d: %s", *tp, record.offset, where)
    return Refusal(Reason.INTERNAL, where)
