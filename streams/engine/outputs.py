"""What a batch comes to: records to produce, by topic and partition."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple


class Produced(NamedTuple):
    """A record to produce.

    Attributes:
        key: Its key.
        value: Its value; None is a tombstone.
        timestamp: Milliseconds since 1970; 0: the time of producing.
        headers: Its headers.
    """

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: list[tuple[str, bytes]]


class Outputs:
    """Records to produce, by topic and partition, in the order they were added."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.records: defaultdict[tuple[str, int], list[Produced]] = defaultdict(list)

    def add(self, topic: str, partition: int, record: Produced) -> None:
        """Add one record."""
        self.records[topic, partition].append(record)

    def extend(self, others: Outputs) -> None:
        """Add all records of others."""
        for place, records in others.records.items():
            self.records[place] += records
