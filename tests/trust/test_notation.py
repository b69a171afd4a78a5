"""How rule tests write time and scores."""

from __future__ import annotations

import pytest

from streams.trust.notation import seconds, steps, written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("92", "92"),
        ("90x2", "90 90 90"),  # as promtool has it: 90, then twice again
        ("90x0", "90"),
        ("1+2x4", "1 3 5 7 9"),
        ("78-2x2", "78 76 74"),
        ("70.1-10x1", "70.1 60.1"),
        ("_", "_"),
        ("_x3", "_ _ _"),
        ("null", "None"),
        ("nullx1", "None None"),
        ("92 91 90x2 _ 78 79x3 88", "92 91 90 90 90 _ 78 79 79 79 79 88"),
    ],
)
def test_a_series_is_written_as_promtool_has_it(text: str, told: str) -> None:
    assert " ".join(str(step) for step in steps(text)) == told


@pytest.mark.parametrize(
    "text",
    ["", "x2", "90x", "90*2", "_+1x2", "null-1x2", "90+1", "1e3", "-5", "ninety", "90x9999 1x9"],
)
def test_what_is_no_series_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"none of|must have"):
        steps(text)


@pytest.mark.parametrize("text", ["0h", "6d13h", "1h30m", "1d1h1m1s", "45s", "120d"])
def test_times_are_read_as_they_are_written(text: str) -> None:
    assert written(seconds(text)) == text


@pytest.mark.parametrize(
    "text", ["", "6", "h", "1h1d", "1d1d", "-1d", "1.5d", "9999d", "1 d", None, 5]
)
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a time"):
        seconds(text)
