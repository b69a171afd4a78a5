"""A partition of ``grade-events`` in memory: what would come of a log, without Kafka.

Rule tests, backtests and explanations play logs through the very code that the worker runs.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from msgspec import Raw

from streams.core import events
from streams.core.alerts import Place, Writer
from streams.core.clock import State
from streams.core.events import Control
from streams.core.flow import Partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.alerts import Told
    from streams.core.events import GradeEvent, Instant
    from streams.core.outcome import Outcome
    from streams.core.rows import Row
    from streams.core.rules import Rules

PLACE: Final = Place("grade-events", "replay", 0)
"""Where a replayed log stands."""


class HeldRows:
    """Rows in a dict, and when they are to be looked at."""

    def __init__(self) -> None:
        """Start with none."""
        self.rows: dict[tuple[bytes, bytes], Row] = {}
        self._wakes: list[tuple[int, bytes, bytes]] = []

    def of(self, owner: bytes, item: bytes) -> Row | None:
        """Return a row, or None."""
        return self.rows.get((owner, item))

    def keep(self, owner: bytes, item: bytes, row: Row) -> None:
        """Keep a row."""
        self.rows[owner, item] = row
        if row.wake:
            heappush(self._wakes, (row.wake, owner, item))

    def drop(self, owner: bytes) -> list[tuple[bytes, Row]]:
        """Forget a student's rows, and return them with their courses."""
        items = sorted(item for whose, item in self.rows if whose == owner)
        return [(item, self.rows.pop((owner, item))) for item in items]

    def waking(self, before: int) -> list[tuple[int, bytes, bytes]]:
        """Return, and forget, what is to be looked at before a time: whoever asks looks at it."""
        due: dict[tuple[int, bytes, bytes], None] = {}
        while self._wakes and self._wakes[0][0] < before:
            wake, owner, item = heappop(self._wakes)
            row = self.rows.get((owner, item))
            if row is not None and row.wake == wake:
                due[wake, owner, item] = None
        return [*due]

    def recent(self, after: int) -> list[tuple[bytes, bytes]]:
        """Return the rows in which an event waits that is after a time."""
        return [key for key, row in self.rows.items() if row.newest > after]

    def every(self) -> list[tuple[bytes, bytes]]:
        """Return owner and item of every row."""
        return [*self.rows]


class Replay:
    """A log being played.

    Attributes:
        rows: As they are now.
        partition: What plays it.
        offset: Of the next record.
    """

    def __init__(self, rules: Rules, id_key: bytes, place: Place = PLACE) -> None:
        """Begin with rules in force and no clock.

        Args:
            rules: In force.
            id_key: What alert ids are keyed with.
            place: The partition that evidence points to.
        """
        self._held = HeldRows()
        self.rows = self._held.rows
        state = State(rules=rules.canonical())
        self.partition = Partition(Writer(id_key, place), place, state, self._held)
        self.offset = 0
        self._heard: dict[str, Instant] = {}

    def step(
        self, value: bytes | None, offset: int | None = None, timestamp: int | None = None
    ) -> Outcome:
        """Play one record, and return what it comes to.

        Args:
            value: As on ``grade-events``.
            offset: Its own; by default the next.
            timestamp: Kafka's time of the record, milliseconds since 1970; None: it has none.
        """
        at = self.offset if offset is None else offset
        self.offset = at + 1
        return self.partition.step(value, at, timestamp)

    def event(self, event: GradeEvent | bytes) -> Sequence[Told]:
        """Play an event, and return the alerts it brings at once."""
        value = event if isinstance(event, bytes) else events.encode(event)
        told = events.decode(event) if isinstance(event, bytes) else event
        if not isinstance(told, Control):
            self.hear(told.tenant, told.event_time)
        return self.step(value).told

    def hear(self, tenant: str, at: Instant) -> None:
        """Have the next watermark say that a tenant was heard of."""
        self._heard[tenant] = max(at, self._heard.get(tenant, ""))

    def clock(self, at: Instant) -> Sequence[Told]:
        """Move the clock, and return the alerts that were due."""
        heard, self._heard = self._heard, {}
        told = Control(kind="watermark", topic="replay", partitions=1, at=at, heard=heard)
        return self.step(events.encode(told)).told

    def reload(self, rules: Rules, at: Instant) -> Sequence[Told]:
        """Go on with other rules, and return the alerts that this ends."""
        return self.step(events.encode(announcement(rules, at))).told


def announcement(rules: Rules, at: Instant) -> Control:
    """Return the control record by which rules come into force."""
    canonical = Raw(rules.canonical().encode())
    return Control(kind="rules", at=at, rules=canonical, rules_hash=rules.hash)
