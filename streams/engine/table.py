"""The table: partition → owner → item → bytes, written by whole batches, restored by whole batches.

An *owner* is who a partition is keyed by, an *item* one thing of theirs; the changelog's key is
``owner:item``, on the owner's partition. Values stay bytes until somebody reads them. Readers see
committed batches only: a batch's changes are published after its commit.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from faust.stores.base import Store
from faust.tables import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from faust.types import TP

    from streams.engine.fetch import Record

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


class Rows:
    """The rows of one partition.

    Attributes:
        owners: Owner → item → value.
        position: Changelog offset up to which these rows hold everything. Our own later changes may
            be among them, too: reading on from here comes to the same rows, since each key's last
            record decides.
    """

    def __init__(self) -> None:
        """Start empty, at the beginning of the changelog."""
        self.clear()

    def clear(self) -> None:
        """Forget all; the changelog is to be read from its beginning."""
        self.owners: dict[Owner, dict[Item, bytes]] = {}
        self.position = 0
        self._owners_of: defaultdict[Item, set[Owner]] = defaultdict(set)
        self._names: dict[bytes, bytes] = {}

    def owners_of(self, item: Item) -> Iterable[Owner]:
        """Return who has a row for an item, from an index."""
        return self._owners_of.get(item, ())

    def apply(self, changes: Iterable[Change]) -> None:
        """Change rows; None removes one."""
        owners, owners_of = self.owners, self._owners_of
        # A name is one object, however many rows have it: 80 bytes a row.
        named = self._names.setdefault
        for told_owner, told_item, value in changes:
            owner, item = named(told_owner, told_owner), named(told_item, told_item)
            if value is not None:
                owners.setdefault(owner, {})[item] = value
                owners_of[item].add(owner)
            elif item in owners.get(owner, ()):
                del owners[owner][item]
                owners_of[item].discard(owner)

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
        """Return the number of rows."""
        return sum(map(len, self.owners.values()))


class PartitionStore(Store[bytes, bytes]):
    """A Faust store whose rows live and go with their partition.

    Attributes:
        partitions: Rows by partition: ours, those being restored, and standbys.
        serving: Partitions that are ours and restored: readers see these only.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Faust's own
        """Start empty."""
        self.partitions: defaultdict[int, Rows] = defaultdict(Rows)
        self.serving: set[int] = set()
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
        """Return one row of a partition, or None."""
        items = self.partitions[partition].owners.get(owner)
        return None if items is None else items.get(item)

    def owners_of(self, item: Item) -> frozenset[Owner]:
        """Return who has a row for an item, from an index."""
        return frozenset(owner for rows in self._served() for owner in rows.owners_of(item))

    def owners(self) -> Iterator[Owner]:
        """Yield every owner here."""
        for rows in self._served():
            yield from rows.owners

    def publish(self, partition: int, changes: Iterable[Change]) -> None:
        """Make a committed batch's changes visible; None removes a row."""
        self.partitions[partition].apply(changes)

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer ours."""
        self.serving.discard(partition)
        self.partitions.pop(partition, None)

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

    async def backup_partition(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        """Do nothing: the changelog is the backup."""

    def restore_backup(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Faust's own
        """Do nothing: the changelog is the backup."""


class Overlay:
    """The table as an agent sees it: its own uncommitted changes first, then the committed rows.

    Changes are *open* until the round they belong to is sealed, and go with it: all published, or
    all dropped.
    """

    def __init__(self, store: PartitionStore) -> None:
        """Start without changes."""
        self._store = store
        self._open: dict[tuple[int, Owner, Item], bytes | None] = {}
        self._sealed: dict[tuple[int, Owner, Item], bytes | None] = {}

    def row(self, partition: int, owner: Owner, item: Item) -> bytes | None:
        """Return one row of a partition as of the last batch worked on, or None."""
        place = partition, owner, item
        if place in self._open:
            return self._open[place]
        if place in self._sealed:
            return self._sealed[place]
        return self._store.row(partition, owner, item)

    def stage(self, partition: int, changes: Iterable[Change]) -> None:
        """Add a worked batch's changes."""
        for owner, item, value in changes:
            self._open[partition, owner, item] = value

    def seal(self) -> None:
        """Close the round: what is staged from now on belongs to the next."""
        self._sealed, self._open = self._open, {}

    def publish(self, partitions: Collection[int]) -> None:
        """Show the sealed round's changes of some partitions to everyone; forget the others."""
        changes = defaultdict[int, list[Change]](list)
        for (partition, owner, item), value in self._sealed.items():
            changes[partition].append((owner, item, value))
        for partition in partitions:
            self._store.publish(partition, changes[partition])
        self._sealed = {}

    def drop(self) -> None:
        """Forget every change that is not published."""
        self._sealed, self._open = {}, {}


class BatchTable(Table[bytes, bytes]):
    """A Faust table over a ``PartitionStore``."""

    data: PartitionStore
    source: str
    """The topic whose partitions decide the rows of the same partitions here."""

    def _new_store(self) -> PartitionStore:
        return PartitionStore("partitioned://", self.app, self, table_name=self.name)

    async def on_start(self) -> None:
        """Start; topics.yaml makes the changelog, not Faust."""
        await self.add_runtime_dependency(self.data)
