"""A partition's rows as a batch sees them: its own changes first, then the table's."""

from __future__ import annotations

from contextlib import suppress
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from streams.core.clock import ITEM, OWNER, State, decode_state
from streams.core.packed import waits_after
from streams.core.rows import Row, UnreadableError, decode_row, encode_row

if TYPE_CHECKING:
    from streams.engine.overlay import Overlay
    from streams.engine.table import Change
    from streams.engine.wakes import Wake


class BatchRows:
    """What ``flow.Partition`` asks for, on the table."""

    def __init__(self, table: Overlay, partition: int) -> None:
        """Begin a batch of a partition."""
        self._table = table
        self._partition = partition
        self._changed: dict[tuple[bytes, bytes], Row | None] = {}
        self._wakes: list[Wake] = []

    def state(self) -> State:
        """Return the partition's own state."""
        held = self._table.row(self._partition, OWNER, ITEM)
        return State() if held is None else decode_state(held)

    def of(self, owner: bytes, item: bytes) -> Row | None:
        """Return a row."""
        if (owner, item) in self._changed:
            return self._changed[owner, item]
        held = self._table.row(self._partition, owner, item)
        return None if held is None else decode_row(held)

    def keep(self, owner: bytes, item: bytes, row: Row) -> None:
        """Remember a row as changed; a batch's last is what the changelog gets."""
        self._changed[owner, item] = row
        if row.wake:
            heappush(self._wakes, (row.wake, owner, item))

    def drop(self, owner: bytes) -> list[tuple[bytes, Row]]:
        """Forget a student's rows; return those that can be read, with their courses."""
        known = {item for whose, item in self._changed if whose == owner}
        known.update(self._table.items_of(self._partition, owner))
        found = list[tuple[bytes, Row]]()
        for item in sorted(known):
            with suppress(UnreadableError):  # it goes all the same
                row = self.of(owner, item)
                found += [(item, row)] if row else []
            self._changed[owner, item] = None
        return found

    def waking(self, before: int) -> list[Wake]:
        """Return the rows that are to be looked at before a time.

        Of the changed ones it forgets them: whoever asks looks at them.
        """
        changed, wakes = self._changed, self._wakes
        found = {
            wake for wake in self._table.waking(self._partition, before) if wake[1:] not in changed
        }
        while wakes and wakes[0][0] < before:
            wake = heappop(wakes)
            row = changed[wake[1:]]
            if row is not None and row.wake == wake[0]:
                found.add(wake)
        return sorted(found)

    def recent(self, after: int) -> list[tuple[bytes, bytes]]:
        """Return the rows in which an event waits that is after a time."""
        changed = self._changed
        found = [key for key, row in changed.items() if row and row.newest > after]
        for owner, item, value in self._table.rows(self._partition):
            if waits_after(value, after) and (owner, item) not in changed:
                found.append((owner, item))
        return found

    def every(self) -> list[tuple[bytes, bytes]]:
        """Return owner and item of every row."""
        changed = self._changed
        found = [key for key, row in changed.items() if row]
        for owner, item, _ in self._table.rows(self._partition):
            if (owner, item) not in changed:
                found.append((owner, item))
        return found

    def changes(self) -> list[Change]:
        """Return the changed rows."""
        return [
            (owner, item, None if row is None else encode_row(row))
            for (owner, item), row in self._changed.items()
        ]
