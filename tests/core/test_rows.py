"""Rows on the changelog: equal rows are equal bytes, however they came about."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw, structs

from streams.core.history import Seen
from streams.core.rows import NO_CHANGES, Position, Row, Settled, decode_row, encode_row
from streams.core.tracks import Track

ROW = Row(Position("topic", 1))
COPIES: dict[str, Any] = {
    "changes": Raw(bytes(NO_CHANGES)),
    "muted_changes": Raw(bytes(NO_CHANGES)),
    "seen_scores": Seen(),
    "seen_overrides": Seen(),
    "settled": Settled(),
    "posted": Track(),
    "staff": Track(),
}
"""For each field whose default is an object: another one that is equal to it."""


def test_every_field_whose_default_is_an_object_is_tried() -> None:
    simple = (str, int, tuple, type(None))
    objects = {
        field.name
        for field in structs.fields(Row)
        if not field.required and field.name != "period_overrides"
        and not isinstance(field.default, simple)
    }  # fmt: skip

    assert set(COPIES) == objects


@pytest.mark.parametrize("name", COPIES)
def test_a_value_that_equals_the_default_is_written_as_the_default(name: str) -> None:
    """Msgspec omits a default by identity alone: a row that settled nothing was longer by it."""
    row = structs.replace(ROW, **{name: COPIES[name]})
    assert row == ROW

    assert encode_row(row) == encode_row(ROW)
    assert decode_row(encode_row(row)) == ROW
