"""The table as an agent sees it: its own uncommitted changes first, then the committed rows."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from streams.engine import completeness
from streams.engine.completeness import SourceOffset
from streams.engine.outputs import Outputs, Produced
from streams.engine.table import Change, changelog_key, is_reserved
from streams.engine.wakes import Wakes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from faust.types import TP

    from streams.engine.table import Item, Owner, PartitionStore
    from streams.engine.wakes import Wake, WakeOf


_SOURCE_KEY: Final = changelog_key(completeness.OWNER, completeness.ITEM)


class Overlay:
    """The table as an agent sees it: its own uncommitted changes first, then the committed rows.

    Changes are *open* until the round they belong to is sealed, and go with it: all published, or
    all dropped.
    """

    def __init__(self, store: PartitionStore) -> None:
        """Start without changes."""
        self._store = store
        self._open, self._sealed = _Changes(), _Changes()

    def row(self, partition: int, owner: Owner, item: Item) -> bytes | None:
        """Return one row of a partition as of the last batch worked on, or None."""
        place = partition, owner, item
        for changes in (self._open.rows, self._sealed.rows):
            if place in changes:
                return changes[place]
        return self._store.row(partition, owner, item)

    def waking(self, partition: int, before: int) -> list[Wake]:
        """Return what is to be woken up in a partition, as of the last batch worked on.

        Args:
            partition: Which.
            before: What is due at this time or later is left out.

        Returns:
            When, owner and item of each, in that order.
        """
        opened, sealed = self._open, self._sealed
        found = list(opened.wakes[partition].before(before))
        found += [
            wake
            for wake in sealed.wakes[partition].before(before)
            if (partition, *wake[1:]) not in opened.rows
        ]
        found += [
            wake
            for wake in self._store.waking(partition, before)
            if (place := (partition, *wake[1:])) not in opened.rows and place not in sealed.rows
        ]
        found.sort()
        return found

    def rows(self, partition: int) -> Iterator[tuple[Owner, Item, bytes]]:
        """Yield every row of a partition as of the last batch worked on; no reserved ones."""
        ours = {**self._sealed.rows, **self._open.rows}
        for owner, items in self._store.partitions[partition].owners.items():
            for item, value in items.items():
                if (partition, owner, item) not in ours:
                    yield owner, item, value
        for (number, owner, item), held in ours.items():
            if number == partition and held is not None and not is_reserved(owner):
                yield owner, item, held

    def items_of(self, partition: int, owner: Owner) -> set[Item]:
        """Return what an owner has rows of in a partition, or had in this round."""
        found = set(self._store.partitions[partition].owners.get(owner, ()))
        for changes in (self._sealed.rows, self._open.rows):
            found.update(item for at, whose, item in changes if (at, whose) == (partition, owner))
        return found

    def stage(self, partition: int, changes: Iterable[Change]) -> None:
        """Add a worked batch's changes."""
        self._open.add(partition, changes, self._store.wake_of)

    def seal(self, ends: Mapping[TP, int]) -> Outputs:
        """Close the round: what is staged from now on belongs to the next.

        Args:
            ends: The offset that each source partition is worked up to in this round.

        Returns:
            Changelog records, to be written after all others of the round: up to which source
            offset the rows of each partition are complete then.
        """
        outputs, source = Outputs(), self._store.source
        for tp, end in ends.items():
            if tp.topic == source.topic:
                value = completeness.encode(SourceOffset(source.topic_id, end))
                self.stage(tp.partition, [(completeness.OWNER, completeness.ITEM, value)])
                outputs.add(source.changelog, tp.partition, Produced(_SOURCE_KEY, value, 0, []))
        self._sealed, self._open = self._open, _Changes()
        return outputs

    def publish(self, partitions: Collection[int]) -> None:
        """Show the sealed round's changes of some partitions to everyone; forget the others."""
        changes = defaultdict[int, list[Change]](list)
        for (partition, owner, item), value in self._sealed.rows.items():
            changes[partition].append((owner, item, value))
        for partition in partitions:
            self._store.publish(partition, changes[partition])
        self._sealed = _Changes()

    def drop(self) -> None:
        """Forget every change that is not published."""
        self._sealed, self._open = _Changes(), _Changes()


class _Changes:
    """Rows as a round leaves them, and which of them are to be woken up."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, Owner, Item], bytes | None] = {}
        self.wakes = defaultdict[int, Wakes](Wakes)

    def add(self, partition: int, changes: Iterable[Change], wake_of: WakeOf) -> None:
        rows, wakes = self.rows, self.wakes[partition]
        for owner, item, value in changes:
            place = partition, owner, item
            held = rows.get(place)
            rows[place] = value
            if is_reserved(owner):
                continue
            was = None if held is None else wake_of(held)
            wake = None if value is None else wake_of(value)
            if was != wake:
                wakes.move(owner, item, was, wake)
