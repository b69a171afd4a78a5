"""Which rows count as complete, by the source offset that they carry."""

from __future__ import annotations

import pytest

from streams.engine.completeness import ITEM, OWNER, Source, SourceOffset, encode, gap
from streams.engine.table import Rows
from tests.tables import a_store

SOURCE = Source("grade-events", "this-topic", "grade-scores-changelog")
A_ROW = (b"t:48", b"565", b"row")


def up_to(offset: int, topic_id: str = "this-topic") -> tuple[bytes, bytes, bytes]:
    return OWNER, ITEM, encode(SourceOffset(topic_id, offset))


def said_of(rows: Rows, committed: int | None) -> str:
    return gap(rows.source_offset, SOURCE, 2, committed, empty=not rows.holds_anything)


@pytest.mark.parametrize(
    ("held", "committed"),
    [
        ([], None),
        ([], 0),
        ([A_ROW], None),
        ([A_ROW, up_to(7)], 7),
        ([A_ROW, up_to(7)], 5),  # offsets were reset: the replay changes nothing
        ([A_ROW, up_to(7, "an-earlier-topic")], None),
        ([up_to(7)], 7),
        ([A_ROW], 7),  # of a build that wrote no offset
        ([(b"~partition", b"state", b"state")], 7),
    ],
)
def test_complete(held: list[tuple[bytes, bytes, bytes]], committed: int | None) -> None:
    rows = Rows()
    rows.apply(held)

    assert said_of(rows, committed) == ""


@pytest.mark.parametrize(
    ("held", "committed", "said"),
    [
        ([], 7, "grade-scores-changelog[2] holds no rows, but offset 7 of grade-events[2]"),
        ([A_ROW, up_to(5)], 7, "up to offset 5 of grade-events[2], but 7 is committed"),
        ([A_ROW, up_to(9, "an-earlier-topic")], 7, "the rows of an earlier topic grade-events"),
        ([A_ROW, (OWNER, ITEM, b"\xff")], 7, "the rows of an earlier topic grade-events"),
    ],
)
def test_incomplete(held: list[tuple[bytes, bytes, bytes]], committed: int, said: str) -> None:
    rows = Rows()
    rows.apply(held)

    assert said in said_of(rows, committed)


@pytest.mark.parametrize(("committed", "kept"), [(9, True), (12, True), (7, False), (None, False)])
def test_rows_in_memory_that_kafka_has_not_committed_are_read_again(
    committed: int | None, *, kept: bool
) -> None:
    store = a_store()
    rows = store.partitions[2]
    rows.apply([A_ROW, up_to(9, store.source.topic_id)])
    rows.position = 30

    to_read = store.assign([2], [], {2: committed})

    assert to_read == (set() if committed == 9 else {2})
    assert (rows.position, rows.holds_anything) == ((30, True) if kept else (0, False))
