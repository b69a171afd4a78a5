"""A row of an earlier build that holds no percent, such as 1e308, is no row that is frozen."""

from __future__ import annotations

import pytest

from streams.core.events import CourseGradeChange, decode, encode
from streams.core.flow import Passed, take_in
from streams.core.intake import Reader
from streams.core.replay import Replay
from streams.core.rules import Rules
from streams.core.tracks import closings_of, with_closing
from tests.on_dicts import ID_KEY
from tests.scenarios import a_course_grade_change, moment

RULES = Rules.model_validate(
    {
        "grace": "1s",
        "rules": [
            {"id": "at-once", "kind": "score_drop", "points": 10, "severity": "info"},
            {
                "id": "slide", "kind": "score_slide", "points": 10, "window": "14d", "from": "peak",
                "severity": "info",
            },
        ],
    }
)  # fmt: skip
HUGE = 1e308


def event(old: float, new: float, at: float) -> CourseGradeChange:
    taken = take_in(Reader(), a_course_grade_change("48", current=(old, new), at=moment(at)), None)
    assert isinstance(taken, Passed)
    found = decode(taken.value)
    assert isinstance(found, CourseGradeChange)
    return found


@pytest.mark.parametrize("huge", [HUGE, -HUGE])
def test_it_goes_on_with_the_next_event(huge: float) -> None:
    replay = Replay(RULES, ID_KEY)
    first = event(80, 85, 0)
    # An earlier build let it pass.
    frozen = first.__class__(
        **{name: getattr(first, name) for name in first.__struct_fields__}
        | {"current_score": huge, "final_score": huge}
    )
    replay.step(encode(frozen))
    replay.clock(moment(10))
    fates = [replay.step(encode(event(80, 80 - 10 * n, 20 * n))) for n in range(1, 5)]

    assert [one.refusal for one in fates] == [None] * 4
    assert all(one.told for one in fates)
    [row] = replay.rows.values()
    replay.clock(moment(1_000))
    [row] = replay.rows.values()
    assert row.current_score == 40.0
    assert row.posted.current == 40.0


@pytest.mark.parametrize("score", [HUGE, -HUGE, float("inf"), float("-inf"), 1e6, -1e6])
def test_a_closing_is_kept_as_far_as_there_is_room(score: float) -> None:
    [(day, kept)] = closings_of(with_closing(b"", moment(0), score))

    assert day == moment(0)[:10]
    assert abs(kept) <= 300_000
    assert (kept > 0) is (score > 0)
