"""The table: partition → owner → item → bytes, written by whole batches, restored by whole batches.

An *owner* is who a partition is keyed by, an *item* one thing of theirs; the changelog's key is
``owner:item``, on the owner's partition. Values stay bytes until somebody reads them. Readers see
committed batches only: a batch's changes are published after its commit.

An owner that begins with ``~`` and has no ``:`` is *reserved*: its rows are the agent's own notes
on a partition. They are kept, restored and dropped as all are, and shown and counted nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from faust.stores.base import Store
from faust.tables import Table

from streams.engine import completeness
from streams.engine.wakes import Wakes, never

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from faust.types import TP

    from streams.engine.completeness import Source, SourceOffset
    from streams.engine.fetch import Record
    from streams.engine.wakes import Wake, WakeOf

    Committed = Mapping[int, int | None]

Owner = bytes
Item = bytes
Change = tuple[Owner, Item, bytes | None]
"""A row's new value; None removes the row."""


def changelog_key(owner: Owner, item: Item) -> bytes:
    """Return the key of a row on the changelog.

    Example:
        >>> changelog_key(b"44fJ:48", b"565")
        b'44fJ:48:565'
    """
    return b"%b:%b" % (owner, item)


def is_reserved(owner: Owner) -> bool:
    """Tell whether an owner's rows are an agent's own.

    Example:
        >>> is_reserved(b"~partition"), is_reserved(b"~tenant:48")
        (True, False)
    """
    return owner.startswith(b"~") and b":" not in owner


class Rows:
    """The rows of one partition.

    Attributes:
        owners: Owner → item → value; reserved ones are not among them.
        wakes: Which rows are to be woken up, and when; reserved ones never.
        position: Changelog offset up to which these rows hold everything. Our own later changes may
            be among them, too: reading on from here comes to the same rows, since each key's last
            record decides.
    """

    def __init__(self, wake_of: WakeOf = never) -> None:
        """Start empty, at the beginning of the changelog.

        Args:
            wake_of: Tells from a row's value when it is to be woken up.
        """
        self._wake_of = wake_of
        self.clear()

    def clear(self) -> None:
        """Forget all; the changelog is to be read from its beginning."""
        self.owners: dict[Owner, dict[Item, bytes]] = {}
        self.wakes = Wakes()
        self.position = 0
        self._reserved: dict[Owner, dict[Item, bytes]] = {}
        self._owners_of: defaultdict[Item, set[Owner]] = defaultdict(set)
        self._names: dict[bytes, bytes] = {}

    @property
    def source_offset(self) -> SourceOffset | None:
        """The source offset that these rows are complete up to; None where none was written."""
        value = self.row(completeness.OWNER, completeness.ITEM)
        return None if value is None else completeness.decode(value)

    @property
    def holds_anything(self) -> bool:
        """Whether there is any row, a reserved one included."""
        return bool(self.owners) or any(self._reserved.values())

    def owners_of(self, item: Item) -> Iterable[Owner]:
        """Return who has a row for an item, from an index."""
        return self._owners_of.get(item, ())

    def apply(self, changes: Iterable[Change]) -> None:
        """Change rows; None removes one."""
        owners, owners_of = self.owners, self._owners_of
        wake_of, wakes = self._wake_of, self.wakes
        # A name is one object, however many rows have it: 80 bytes a row.
        named = self._names.setdefault
        for told_owner, told_item, value in changes:
            owner, item = named(told_owner, told_owner), named(told_item, told_item)
            items = owners.get(owner)
            if items is None:
                if is_reserved(owner):
                    self._note(owner, item, value)
                    continue
                if value is None:
                    continue
                items = owners[owner] = {}
            held = items.get(item)
            if value is not None:
                items[item] = value
                if held is None:
                    owners_of[item].add(owner)
            elif held is not None:
                del items[item]
                owners_of[item].discard(owner)
            was = None if held is None else wake_of(held)
            wake = None if value is None else wake_of(value)
            if was != wake:
                wakes.move(owner, item, was, wake)

    def _note(self, owner: Owner, item: Item, value: bytes | None) -> None:
        """Change a reserved row."""
        items = self._reserved.setdefault(owner, {})
        if value is None:
            items.pop(item, None)
        else:
            items[item] = value

    def row(self, owner: Owner, item: Item) -> bytes | None:
        """Return one row, reserved ones among them, or None."""
        items = self.owners.get(owner)
        if items is None:
            items = self._reserved.get(owner)
        return None if items is None else items.get(item)

    def load(self, records: Iterable[Record]) -> int:
        """Apply a run of changelog records.

        Returns:
            How many had a key that is not ours; they are passed over.
        """
        foreign = 0
        changes: list[Change] = []
        for record in records:
            owner, colon, item = (record.key or b"").rpartition(b":")
            if colon:
                changes.append((owner, item, record.value))
            else:
                foreign += 1
        self.apply(changes)
        return foreign

    def __len__(self) -> int:
        """Return the number of rows; reserved ones do not count."""
        return sum(map(len, self.owners.values()))


class PartitionStore(Store[bytes, bytes]):
    """A Faust store whose rows live and go with their partition.

    Attributes:
        partitions: Rows by partition: ours, those being restored, and standbys.
        serving: Partitions that are ours and complete: readers see these only.
        faults: Partitions that are ours and cannot be completed: why not, by partition.
        source: Whose offsets the rows carry; to be set before there are any.
        wake_of: Tells from a row's value when it is to be woken up; to be set before there are any.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own
        """Start empty."""
        self.wake_of: WakeOf = never
        self.partitions: defaultdict[int, Rows] = defaultdict(lambda: Rows(self.wake_of))
        self.serving: set[int] = set()
        self.faults: dict[int, str] = {}
        self.source: Source
        super().__init__(*args, **kwargs)

    def _served(self) -> Iterator[Rows]:
        for partition in tuple(self.serving):
            yield self.partitions[partition]

    def items_of(self, owner: Owner) -> Mapping[Item, bytes]:
        """Return an owner's rows by item; empty where there are none here."""
        for rows in self._served():
            if owner in rows.owners:
                return rows.owners[owner]
        return {}

    def row(self, partition: int, owner: Owner, item: Item) -> bytes | None:
        """Return one row of a partition, reserved ones among them, or None."""
        return self.partitions[partition].row(owner, item)

    def waking(self, partition: int, before: int) -> Iterator[Wake]:
        """Yield what is to be woken up in a partition before a time, in that order."""
        return self.partitions[partition].wakes.before(before)

    def owners_of(self, item: Item) -> frozenset[Owner]:
        """Return who has a row for an item, from an index."""
        return frozenset(owner for rows in self._served() for owner in rows.owners_of(item))

    def owners(self) -> Iterator[Owner]:
        """Yield every owner here; none that is reserved."""
        for rows in self._served():
            yield from rows.owners

    def publish(self, partition: int, changes: Iterable[Change]) -> None:
        """Make a committed batch's changes visible; None removes a row."""
        self.partitions[partition].apply(changes)

    def assign(
        self, active: Collection[int], standbys: Collection[int], committed: Committed
    ) -> set[int]:
        """Take over an assignment: serve complete partitions, drop those of other workers.

        Rows that are ahead of the committed offset are cleared.

        Args:
            active: Partitions that are ours to serve.
            standbys: Partitions whose rows are kept for another worker.
            committed: The group's committed source offset by partition, None where there is none.

        Returns:
            Active partitions whose rows are to be read from the changelog first.
        """
        for partition in self.partitions.keys() - {*active, *standbys}:
            del self.partitions[partition]
        for number in active:
            if self._ahead(number, committed[number]):
                self.partitions[number].clear()
        self.faults.clear()
        self.serving = {number for number in active if self._agrees(number, committed[number])}
        return set(active) - self.serving

    def _agrees(self, partition: int, committed: int | None) -> bool:
        """Tell whether rows in memory are exactly those of the committed offset."""
        rows = self.partitions.get(partition)
        held = rows and rows.source_offset
        return bool(held) and held == (self.source.topic_id, committed)

    def _ahead(self, partition: int, committed: int | None) -> bool:
        """Tell whether rows in memory hold events that Kafka has not committed.

        A worker keeps committed rows only: Kafka was restored from an older backup, and the rows
        are read from its changelog again.
        """
        rows = self.partitions.get(partition)
        held = None if rows is None else rows.source_offset
        return held is not None and held.offset > (committed or 0)

    def complete(self, partition: int, committed: int | None) -> bool:
        """Serve a partition that was read to the end of the changelog, unless rows are missing.

        Args:
            partition: Number of the partition.
            committed: The group's committed offset of the source partition; None: there is none.

        Returns:
            Whether it is served. If not, `faults` says why.
        """
        rows = self.partitions[partition]
        fault = completeness.gap(
            rows.source_offset, self.source, partition, committed, empty=not rows.holds_anything
        )
        if fault:
            self.faults[partition] = fault
        else:
            self.serving.add(partition)
        return not fault

    # What Faust asks of a store. Keys are changelog keys; writing is the batch's business.

    def __getitem__(self, key: bytes) -> bytes:
        """Return the row under a changelog key.

        Raises:
            KeyError: There is none here.
        """
        owner, _, item = key.rpartition(b":")
        return self.items_of(owner)[item]

    def __iter__(self) -> Iterator[bytes]:
        """Yield every changelog key."""
        for rows in self._served():
            for owner, items in rows.owners.items():
                for item in items:
                    yield changelog_key(owner, item)

    def standby_rows(self) -> int:
        """Return the number of rows that are not served: standbys, and what is being restored."""
        kept = [rows for number, rows in self.partitions.items() if number not in self.serving]
        return sum(map(len, kept))

    def __len__(self) -> int:
        """Return the number of rows that are served."""
        return sum(map(len, self._served()))

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Refuse: rows change by committed batches only.

        Raises:
            TypeError: Always.
        """
        raise TypeError("rows change by committed batches only")

    def __delitem__(self, key: bytes) -> None:
        """Refuse: rows change by committed batches only.

        Raises:
            TypeError: Always.
        """
        raise TypeError("rows change by committed batches only")

    def persisted_offset(self, tp: TP) -> int | None:  # noqa: ARG002 - Faust's own
        """Return None: every restore reads the whole changelog."""
        return None

    def apply_changelog_batch(self, *_: Any) -> None:  # noqa: ANN401 - Faust's own
        """Refuse: ``engine.restore`` reads the changelog.

        Raises:
            TypeError: Always.
        """
        raise TypeError("the changelog is restored by engine.restore")

    def reset_state(self) -> None:
        """Forget everything."""
        self.partitions.clear()
        self.serving.clear()
        self.faults.clear()

    async def backup_partition(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        """Do nothing: the changelog is the backup."""

    def restore_backup(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        """Do nothing: the changelog is the backup."""


class BatchTable(Table[bytes, bytes]):
    """A Faust table over a ``PartitionStore``."""

    data: PartitionStore

    def _new_store(self) -> PartitionStore:
        return PartitionStore("partitioned://", self.app, self, table_name=self.name)

    async def on_start(self) -> None:
        """Start; topics.yaml makes the changelog, not Faust."""
        await self.add_runtime_dependency(self.data)
