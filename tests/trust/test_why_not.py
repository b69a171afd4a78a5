"""Silence explained: the clause that fails is named, with its values."""

from __future__ import annotations

import pytest

from streams.core import events
from streams.core.events import Control, student_key
from streams.core.instants import instant
from streams.core.replay import Replay
from streams.core.rules import load as load_rules
from streams.trust.story import tell
from streams.trust.testfile import load
from streams.trust.why_not import Answer, history, why_not

_SERIES = "{student: 48, course: 565, every: 1d, current_score: "


def answer(rule: str, *entries: str, upto: int = 30) -> Answer:
    """Return why a rule is silent, some days after the start."""
    rules = load_rules(f"rules:\n  - {{id: r, severity: info, {rule}}}", "rules.yaml")
    given = "\n".join(f"      - {entry}" for entry in entries)
    text = f"""
rules: rules.yaml
start: 2026-09-01T00:00:00Z
tests:
  - name: one
    input:
{given}
    expect: [{{at: 1d, rule: r, alerts: []}}]
"""
    tests, _ = load(text, "one.test.yaml", lambda _: rules)
    story = tell(tests.tests[0], tests.start)
    replay, values = Replay(rules, b"a key of the tests alone"), []
    for arrival in story.arrivals:
        values.append(events.encode(arrival.event))
        replay.event(arrival.event)
    at = instant(story.moment(upto * 86_400))
    values.append(events.encode(Control(kind="watermark", topic="raw", partitions=1, at=at)))
    replay.step(values[-1])
    known = history(values, replay, student_key("t1", "48"), "565")
    return why_not(known, known.rules.students[0])


def failing(found: Answer) -> list[str]:
    return [one.text for one in found.found if not one.holds]


SETTLING = "kind: score_drop, points: 10, for: 12h"


@pytest.mark.parametrize(
    ("rule", "entries", "reason"),
    [
        (SETTLING, ['"90 81"}'], "9 from 90 to 81, at least 10"),
        (SETTLING, ['"90 91"}'], "-1 from 90 to 91, at least 10"),
        (SETTLING, ['"90"}'], "none before, 90 now: nothing to compare"),
        (f"{SETTLING}, min_history: 3", ['"90x1 70"}'], "2 score events before it, at least 3"),
        (
            f"{SETTLING}, match: {{courses: {{out: ['565']}}}}",
            ['"90 70"}'],
            "is about account None, course 565, graded by None",
        ),
        (
            SETTLING,
            ['"90 70", at: 29d}'],
            (
                "due at 2026-10-01T12:00:00.000Z; judged up to 2026-09-30T23:49:59.999Z,"
                " the clock less the grace"
            ),
        ),
        (
            SETTLING,
            ['"90 70"}'],
            "nothing under way; there is one firing since 2026-09-02T12:00:00.000Z",
        ),
        (
            "kind: score_slide, points: 10, from: peak, window: 7d",
            ['"95 91 88 87"}'],
            "8 from 95 to 87, at least 10",
        ),
        ("kind: score_below, floor: 70", ['"80 71"}'], "80 to 71 crosses the floor of 70"),
        ("kind: score_below, floor: 70", ['"null 65"}'], "none to 65 crosses the floor of 70"),
        ("kind: score_vanished, for: 1h", ['"80 71"}'], "80 before, and none"),
        ("kind: override_raised, points: 5", ['"80"}'], "no event that it could be about"),
    ],
)
def test_the_clause_that_fails_is_named(rule: str, entries: list[str], reason: str) -> None:
    assert reason in failing(answer(rule, *(_SERIES + entry for entry in entries)))


def test_what_was_corrected_while_it_settled_is_said() -> None:
    back = "{at: 1d6h, event: grade_change, student: 48, course: 565, assignment: a, score: 1}"
    typo = "{at: 1d, event: course_grade_change, student: 48, course: 565, current_score: 9}"
    found = answer(SETTLING, _SERIES + '"90"}', typo, back)

    assert not [text for text in failing(found) if "held then" in text]

    mended = typo.replace("1d,", "1d6h,").replace("9}", "90}")
    assert failing(answer(SETTLING, _SERIES + '"90"}', typo, mended))


@pytest.mark.parametrize(
    ("rule", "score", "reason"),
    [
        ("kind: override_raised, points: 5", 84, "4 from 80 to 84, at least 5"),
        ("kind: override_raised, points: 5", 70, "the event is override_lowered, the rule"),
        ("kind: override_raised, points: 5, for: 1h", 84, "4 from 80 to 84, at least 5"),
        ("kind: override_gap, points: 15", 90, "10 between 80 and 90, at least 15"),
    ],
)
def test_overrides_are_explained_too(rule: str, score: int, reason: str) -> None:
    override = (
        f"{{at: 1d, event: grade_override, student: 48, course: 565, override_score: {score}}}"
    )
    found = answer(rule, _SERIES + '"80"}', override)

    assert any(text.startswith(reason) for text in failing(found))


def test_an_assignment_is_explained_too() -> None:
    entry = "{at: %s, event: grade_change, student: 48, course: 565, assignment: a, score: %s%s}"
    found = answer(
        "kind: assignment_drop, points: 30",
        entry % ("1d", 9, ", points_possible: 10"),
        entry % ("2d", 7, ""),
    )

    assert failing(found) == ["20 from 90 to 70, at least 30"]
