"""Which partition a key belongs to, by Kafka's own rule, so that any client agrees."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


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
