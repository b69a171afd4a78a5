"""How far a partition of the raw topic has come, said to every partition of ``grade-events``.

The first is also told when each tenant was heard of last: it watches for feeds that go silent. A
record may claim to be later than Kafka received it; it brings its partition no further than that.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

from streams.core.events import Control, Instant, encode
from streams.core.instants import instant
from streams.engine.outputs import Produced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.engine.fetch import RecordBatch

HEARD: Final = 200
"""Tenants named in one record: 200 of 255 four-byte characters each are 210 KB, a fifth of what
``grade-events`` takes."""


class Progress:
    """How far a batch brings its partition, and which tenants it was heard of."""

    def __init__(self, batch: RecordBatch) -> None:
        """Start with what the batch itself says: where it is idle, the time of day."""
        self._batch = batch
        self._passed: defaultdict[str, list[tuple[Instant, int]]] = defaultdict(list)

    @cached_property
    def latest(self) -> int:
        """The latest time at which Kafka can have received any record of the batch.

        Milliseconds since 1970. It stands for the timestamp of a record that has none (below 0).
        """
        return max([self._batch.fetched_at, *(one.timestamp for one in self._batch.records)])

    def passed(self, tenant: str, event_time: Instant, timestamp: int) -> None:
        """Note an event that passed intake.

        Args:
            tenant: Whose.
            event_time: When Canvas says it was.
            timestamp: When Kafka received the record, at the latest; milliseconds since 1970.
        """
        self._passed[tenant].append((event_time, timestamp))

    @cached_property
    def heard(self) -> dict[str, Instant]:
        """When the latest event of each tenant was, as far as Kafka's time lets it be."""
        return {tenant: _latest(passed) for tenant, passed in sorted(self._passed.items())}

    @cached_property
    def at(self) -> Instant:
        """The latest time that is known to be reached; empty: it brings it nowhere."""
        idle_at = self._batch.idle_at
        return max([*self.heard.values(), instant(idle_at) if idle_at else ""])

    def records(self, partitions: int, *, heard: bool) -> Iterator[Produced]:
        """Yield the watermark, after records that say which tenants were heard of.

        All of them come before the clock moves: no feed is called silent in between.

        Args:
            partitions: How many the raw topic has.
            heard: Whether it says which tenants were heard of: one partition is told, and watches.
        """
        tenants = iter(self.heard.items() if heard else ())
        parts = iter(lambda: dict(islice(tenants, HEARD)), {})
        last = next(parts, {})
        for part in parts:
            yield self._record(partitions, "", last)
            last = part
        yield self._record(partitions, self.at, last)

    def _record(self, partitions: int, at: Instant, heard: dict[str, Instant]) -> Produced:
        topic, partition = self._batch.tp
        told = Control(
            kind="watermark",
            at=at,
            idle=bool(self._batch.idle_at),
            topic=topic,
            partition=partition,
            partitions=max(partitions, partition + 1),  # it may have grown since we asked
            heard=heard,
        )
        # Kafka sets the time of every record on ``grade-events`` itself.
        return Produced(None, encode(told), max(self.latest, self._batch.idle_at), [])


def _latest(passed: list[tuple[Instant, int]]) -> Instant:
    """Return the latest event time, each at most its record's timestamp."""
    # The latest is nearly always older than its record, and the only one to be looked at.
    latest = [max(passed)]
    if not _is_honest(*latest[0]):
        latest = sorted(passed, reverse=True)
    reached = ""
    for event_time, timestamp in latest:
        if event_time <= reached:
            break
        honest = _is_honest(event_time, timestamp)
        reached = max(reached, event_time if honest else instant(timestamp))
    return reached


def _is_honest(event_time: Instant, timestamp: int) -> bool:
    """Return True if an event does not claim to be later than Kafka received it."""
    return event_time <= instant(timestamp)
