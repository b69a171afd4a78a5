"""Which rows are due, against a naive model; what is the agent's own is nobody else's to see."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.engine.overlay import Overlay
from streams.engine.table import changelog_key
from tests.tables import a_store

NOTES = b"~partition"
END = 1 << 64
"""After every time: a row that waits for no time is among what is due before it, too."""


def wake_of(value: bytes) -> int | None:
    return int.from_bytes(value[1:9]) if value[0] == 4 else None


STORE = a_store()
STORE.wake_of = wake_of

Held = dict[tuple[int, bytes, bytes], bytes | None]

partitions = st.integers(0, 1)
owners = st.sampled_from([b"t:1", b"t:2", b"~t:3", NOTES])
items = st.sampled_from([b"5", b"6"])
times = st.one_of(st.integers(0, 9), st.just(END - 1))
values = st.one_of(
    st.none(), st.just(b"\x03"), times.map(lambda at: b"\x04" + at.to_bytes(8) + b"row")
)
changes = st.lists(st.tuples(owners, items, values), max_size=6)


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def due(rows: Held, partition: int, before: int) -> list[tuple[int, bytes, bytes]]:
    """Return what is due, as one who looks at every row sees it."""
    return sorted(
        (at, owner, item)
        for (number, owner, item), value in rows.items()
        if number == partition and owner != NOTES and value is not None
        if (at := wake_of(value)) is not None and at < before
    )


class Waking(RuleBasedStateMachine):
    """A table and its overlay, beside dictionaries that are looked through from end to end."""

    @initialize()
    def begin(self) -> None:
        self.store = STORE
        self.store.reset_state()
        self.store.serving = {0, 1}
        self.overlay = Overlay(self.store)
        self.held: Held = {}
        self.sealed: Held = {}
        self.open: Held = {}

    @rule(partition=partitions, told=changes)
    def stage(self, partition: int, told: list[Any]) -> None:
        self.overlay.stage(partition, told)
        self.open |= {(partition, owner, item): value for owner, item, value in told}

    @rule(ours=st.sets(partitions))
    def end_a_round(self, ours: set[int]) -> None:
        self.overlay.publish(ours)
        self.held |= {place: value for place, value in self.sealed.items() if place[0] in ours}
        self.overlay.seal({})
        self.sealed, self.open = self.open, {}

    @rule()
    def drop(self) -> None:
        self.overlay.drop()
        self.sealed, self.open = {}, {}

    @rule(partition=partitions, told=changes)
    def load(self, partition: int, told: list[Any]) -> None:
        records = [Record(0, 0, changelog_key(own, item), value, []) for own, item, value in told]
        assert self.store.partitions[partition].load(records) == 0
        self.held |= {(partition, owner, item): value for owner, item, value in told}

    @rule(partition=partitions, again=st.booleans())
    def lose(self, partition: int, again: bool) -> None:  # noqa: FBT001 - drawn
        if again:
            self.store.partitions[partition].clear()
        else:
            self.store.partitions.pop(partition, None)
        self.held = {place: value for place, value in self.held.items() if place[0] != partition}

    @invariant()
    def agree(self) -> None:
        seen = {**self.held, **self.sealed, **self.open}
        for partition in range(2):
            for before in (0, 3, 8, END - 1, END):
                expected = due(seen, partition, before)
                assert self.overlay.waking(partition, before) == expected
            for owner in (b"t:1", b"~t:3", NOTES):
                place = partition, owner, b"5"
                assert self.overlay.row(*place) == seen.get(place)

    @invariant()
    def nothing_of_the_agents_own_is_seen(self) -> None:
        people = [
            (owner, item)
            for (_, owner, item), value in self.held.items()
            if owner != NOTES and value is not None
        ]
        assert len(self.store) == len(people)
        assert sorted(self.store) == sorted(changelog_key(*each) for each in people)
        assert set(self.store.owners()) >= {owner for owner, _ in people}
        assert NOTES not in set(self.store.owners())
        assert self.store.owners_of(b"5") == {owner for owner, item in people if item == b"5"}
        assert self.store.items_of(NOTES) == {}
        assert changelog_key(NOTES, b"5") not in list(self.store)


TestWaking = Waking.TestCase


@given(changes)
def test_a_standbys_reserved_rows_are_not_counted(told: list[Any]) -> None:
    STORE.reset_state()
    STORE.publish(3, told)
    held = {(owner, item): value for owner, item, value in told if owner != NOTES}

    assert STORE.standby_rows() == sum(value is not None for value in held.values())
