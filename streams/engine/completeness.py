"""Whether a partition's rows are complete: the rows themselves carry the answer.

Every transaction that changes rows also writes, as its last record on the changelog, the source
offset that the rows are complete up to. The rows of a partition are served only where that offset
agrees with the group's committed offset. Nothing else is consulted: no list of partitions that
were ours before, and no position in the changelog.
"""

from __future__ import annotations

from typing import Final, NamedTuple

OWNER: Final = b"~source"
ITEM: Final = b"offset"
"""The reserved row that holds the source offset, on the changelog under ``~source:offset``."""


class Source(NamedTuple):
    """The topic whose partitions decide the rows of the same partitions of a table.

    Attributes:
        topic: Name of the source topic.
        topic_id: Kafka's id of the source topic: offsets compare only within one topic id.
        changelog: Name of the table's changelog topic.
    """

    topic: str
    topic_id: str
    changelog: str


class SourceOffset(NamedTuple):
    """The source offset that the rows of a partition are complete up to.

    Attributes:
        topic_id: Kafka's id of the source topic; empty where the value cannot be read.
        offset: Offset of the next record to apply.
    """

    topic_id: str
    offset: int


def encode(held: SourceOffset) -> bytes:
    """Return the value for the changelog.

    Example:
        >>> encode(SourceOffset("mZ4kXq", 1200))
        b'mZ4kXq 1200'
    """
    return f"{held.topic_id} {held.offset}".encode()


def decode(value: bytes) -> SourceOffset:
    """Return the source offset that `encode` wrote; one of no topic for any other value.

    Example:
        >>> decode(b"mZ4kXq 1200")
        SourceOffset(topic_id='mZ4kXq', offset=1200)
        >>> decode(b"written by somebody else")
        SourceOffset(topic_id='', offset=0)
    """
    topic_id, _, offset = value.decode(errors="replace").partition(" ")
    return SourceOffset(topic_id, int(offset)) if offset.isdecimal() else SourceOffset("", 0)


def gap(
    held: SourceOffset | None,
    source: Source,
    partition: int,
    committed: int | None,
    *,
    empty: bool,
) -> str:
    """Return what is missing of rows that were read to the end of the changelog.

    Rows may be ahead of the committed offset: somebody reset the offsets to an earlier one, or a
    crash came between changelog and offsets under ``at_least_once``. Both replay events that the
    rows already hold, and change nothing.

    Args:
        held: The source offset that the rows carry; None where they carry none.
        source: The table's source.
        partition: Number of the partition.
        committed: The group's committed offset of the source partition; None where there is none:
            then nobody claims that the rows hold anything.
        empty: Whether the partition of the changelog holds nothing at all.

    Returns:
        One sentence for operators; empty where the rows are complete.
    """
    if not committed:
        return ""
    name = f"{source.topic}[{partition}]"
    if held is None:
        # Builds before this one wrote rows without the offset. Their first commit adds it.
        return "" if not empty else (
            f"{source.changelog}[{partition}] holds no rows, but offset {committed} of {name} is "
            "committed: the changelog was lost"
        )  # fmt: skip
    if held.topic_id != source.topic_id:
        return (
            f"{source.changelog}[{partition}] holds the rows of an earlier topic {source.topic}, "
            f"but offset {committed} of the present one is committed"
        )
    if held.offset < committed:
        return (
            f"{source.changelog}[{partition}] holds rows up to offset {held.offset} of {name}, but "
            f"{committed} is committed: the end of the changelog was lost"
        )
    return ""
