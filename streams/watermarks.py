"""How far a partition of the raw topic has come, said to every partition of ``grade-events``.

A record may claim to be later than Kafka got it; it brings its partition no further than that.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from streams.core.events import Control, Instant, encode
from streams.core.instants import instant
from streams.engine.outputs import Produced

if TYPE_CHECKING:
    from streams.engine.fetch import RecordBatch


class Progress:
    """How far a batch brings its partition."""

    def __init__(self, batch: RecordBatch) -> None:
        """Start with what the batch itself says: where it is idle, the time of day."""
        self._batch = batch
        self._passed: list[tuple[Instant, int]] = []

    def passed(self, event_time: Instant, timestamp: int) -> None:
        """Note an event that passed intake.

        Args:
            event_time: When Canvas says it was.
            timestamp: The record's Kafka timestamp, milliseconds since 1970; below 0: none.
        """
        self._passed.append((event_time, timestamp))

    @cached_property
    def at(self) -> Instant:
        """The latest time that is known to be reached; empty: it brings it nowhere."""
        idle_at = self._batch.idle_at
        reached = instant(idle_at) if idle_at else ""
        if not self._passed:
            return reached
        # The latest is nearly always older than its record, and the only one to be looked at.
        latest = [max(self._passed)]
        if not _is_honest(*latest[0]):
            latest = sorted(self._passed, reverse=True)
        for event_time, timestamp in latest:
            if event_time <= reached:
                break
            honest = _is_honest(event_time, timestamp)
            reached = max(reached, event_time if honest else instant(timestamp))
        return reached

    def record(self, partitions: int) -> Produced:
        """Return the watermark, dated as the batch's last record is.

        Args:
            partitions: How many the raw topic has.
        """
        topic, partition = self._batch.tp
        told = Control(
            kind="watermark",
            at=self.at,
            topic=topic,
            partition=partition,
            partitions=max(partitions, partition + 1),  # it may have grown since we asked
        )
        records = self._batch.records
        timestamp = records[-1].timestamp if records else self._batch.idle_at
        return Produced(None, encode(told), max(timestamp, 0), [])


def _is_honest(event_time: Instant, timestamp: int) -> bool:
    """Tell whether an event does not claim to be later than Kafka got it."""
    return timestamp < 0 or event_time <= instant(timestamp)
