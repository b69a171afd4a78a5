"""The core as a peer calls it, by the record; and the rules that every benchmark judges by.

Imports no Kafka client, nor `streams.settings`, which does: each peer has its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.core import events, rules
from streams.core.alerts import Place, Writer
from streams.core.clock import State
from streams.core.events import Control
from streams.core.flow import Partition
from streams.core.rows import Row, decode_row, encode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RULES_FILE: Final = Path(__file__).parent.parent / "rules.yaml"
RULES: Final = rules.load(RULES_FILE.read_text(), "rules.yaml")
ID_KEY: Final = b"sixteen bytes or more"
PARTITIONS: Final = 4
EVERY: Final = 500 * PARTITIONS
"""Events after which every partition gets a watermark: one per 500 records of its own."""


def watermark(at: events.Instant) -> bytes:
    """Return the record that says how far the one source has come."""
    return events.encode(Control(kind="watermark", topic="raw", partitions=1, at=at))


class Rows:
    """Rows in a peer's store. They are settled when next asked for: nothing else is ever due of
    rules without a life, and no peer's store can tell which of its rows wait."""  # noqa: D205, D209 - one thought

    def __init__(
        self,
        get: Callable[[bytes, bytes], bytes | None],
        put: Callable[[bytes, bytes, bytes], None],
    ) -> None:
        """Remember how to read and write the store, by owner and item."""
        self._get, self._put = get, put

    def of(self, owner: bytes, item: bytes) -> Row | None:
        """Return a row."""
        held = self._get(owner, item)
        return None if held is None else decode_row(held)

    def keep(self, owner: bytes, item: bytes, row: Row) -> None:
        """Keep it."""
        self._put(owner, item, encode_row(row))

    def waking(self, before: int) -> Sequence[tuple[int, bytes, bytes]]:
        """Return none."""
        del before
        return ()

    def recent(self, after: int) -> Sequence[tuple[bytes, bytes]]:
        """Return none."""
        del after
        return ()


def a_partition(number: int, rows: Rows) -> Partition:
    """Return a partition of ``grade-events`` by the shipped rules."""
    place = Place("grade-events", "topic", number)
    return Partition(Writer(ID_KEY, place), place, State(rules=RULES.canonical()), rows)
