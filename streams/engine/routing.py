"""Which partition a key belongs to, by Kafka's own rule, so that any client agrees."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from aiokafka.partitioner import murmur2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@lru_cache(maxsize=1 << 18)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key: murmur2, as the Java producer's default partitioner does.

    Args:
        key: The record key.
        partitions: The topic's number of partitions.

    Example:
        >>> partition_of(b"44fJ:48", 4)
        0
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def holders(
    assignments: Mapping[str, Mapping[str, Iterable[int]]], changelog: str
) -> dict[int, str]:
    """Return who holds each partition of a table, by the changelog's partitions.

    Faust's own routing hashes the changelog's key, which is the row's, not the owner's.

    Args:
        assignments: URL of a worker → topic → partitions, as the leader of the group told all.
        changelog: Name of the table's changelog.

    Example:
        >>> holders({"http://a:1": {"t": [0, 2]}, "http://b:2": {"t": [1]}}, "t")
        {0: 'http://a:1', 2: 'http://a:1', 1: 'http://b:2'}
    """
    return {
        partition: url
        for url, topics in assignments.items()
        for partition in topics.get(changelog, ())
    }
