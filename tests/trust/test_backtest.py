"""Backtests: the same counts however the work is shared, and what other rules would change."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from streams.core import events
from streams.core.events import Control
from streams.core.instants import plus
from streams.core.intake import Reader
from streams.core.replay import Replay
from streams.core.rules import load
from streams.trust.backtest import Backtest, Plan, Result
from streams.trust.ndjson import Lines
from streams.trust.tally import Tally
from tests.trust.played import ID_KEY, RULES, lines

if TYPE_CHECKING:
    from streams.core.flow import Passed
    from streams.core.rules import Rules

OTHER = load(
    """
rules:
  - {id: at-once, kind: score_drop, points: 8, severity: info}
  - {id: new, kind: score_below, floor: 60, severity: info}
""",
    "other.yaml",
)


@lru_cache(maxsize=1)
def semester_events() -> list[Passed]:
    reader = Lines(Reader())
    found = [one for line in lines(1_500, 25) for one in reader.read(line)]
    assert {"ignored", "future_event", "not_json"} <= reader.passed_over.keys()
    return [*found, *reader.rest()]


def played(processes: int, plan: Plan, *, logs: int = 0) -> Result:
    backtest = Backtest(plan, processes)
    try:
        for one in semester_events():
            backtest.record(one, None if not logs else len(one.key) % logs)
        return backtest.finish()
    finally:
        backtest.stop()


def directly(rules: Rules, audience: str) -> Tally:
    """Count what the log brings with a clock that moves with every event."""
    replay, tally, latest = Replay(rules, ID_KEY), Tally(), ""
    for one in semester_events():
        latest = max(latest, one.event_time)
        tally.count(replay.clock(f"{latest[:16]}:00.000Z"), audience, keep=True)
        tally.count(replay.event(one.value), audience, keep=True)
    end = latest[:10] + "T23:59:59.000Z"
    tally.count(replay.clock(end), audience, keep=True)
    return tally


@pytest.mark.parametrize("audience", ["staff", "posted"])
def test_the_counts_are_those_of_the_log(audience: str) -> None:
    result = played(1, Plan(RULES, OTHER, audience))
    end = max(one.opened_at for one in result.tally.alerts)

    expected = directly(RULES, audience)
    assert result.tally.alerts == {one for one in expected.alerts if one.opened_at <= end}
    assert result.tally.opened.total() > 100
    assert result.failures == 0


def test_processes_share_the_work_and_change_nothing() -> None:
    assert played(2, Plan(RULES, OTHER)) == played(1, Plan(RULES, OTHER))


def test_partitions_have_clocks_of_their_own() -> None:
    result = played(2, Plan(RULES), logs=3)

    assert result.tally.opened.total() > 100
    assert result == played(1, Plan(RULES), logs=3)


def test_other_rules_are_compared_by_what_opened() -> None:
    result = played(1, Plan(RULES, OTHER, "posted"))  # staff may know from unposted rules

    assert {one.rule for one in result.other.alerts} == {"at-once", "new"}
    ours = {one for one in result.tally.alerts if one.rule == "at-once"}
    theirs = {one for one in result.other.alerts if one.rule == "at-once"}
    assert theirs < ours


def test_nothing_is_remembered_where_nothing_is_compared() -> None:
    result = played(1, Plan(RULES))

    assert result.tally.alerts == set()
    assert result.other == Tally()
    assert result.tally.students.total() == result.tally.opened.total()
    assert result.tally.weeks.total() == result.tally.courses.total() == result.tally.opened.total()


QUIET = "rules: [{id: quiet, kind: feed_silent, silence: %s, severity: warning}]"


def fell_silent(seconds: int) -> list[str]:
    """Return when the feed of the semester had been silent for so long."""
    at = sorted(one.event_time for one in semester_events())
    return [due for start, end in pairwise(at) if (due := plus(start, seconds)) <= end]


@pytest.mark.parametrize("logs", [0, 3])
@pytest.mark.parametrize("processes", [1, 2])
def test_silences_are_those_of_all_logs_together(processes: int, logs: int) -> None:
    rules, other = (load(QUIET % silence, "quiet.yaml") for silence in ("6h", "1d"))
    result = played(processes, Plan(rules, other), logs=logs)

    assert len(fell_silent(6 * 3600)) > len(fell_silent(86_400)) > 1
    for tally, seconds in ((result.tally, 6 * 3600), (result.other, 86_400)):
        opened = fell_silent(seconds)
        assert sorted(one.opened_at for one in tally.alerts) == opened
        assert tally.resolved["quiet"] == len(opened)
        assert tally.weeks.total() == len(opened)
        assert not tally.courses
        assert not tally.students


def test_posted_eyes_count_no_silence() -> None:
    rules = load(QUIET % "6h", "quiet.yaml")

    assert played(1, Plan(rules, audience="posted")).tally == Tally()


def test_canonical_lines_are_read_as_what_canvas_sent() -> None:
    reader = Lines(Reader())
    raw = semester_events()[:500]
    again = [one for event in raw for one in reader.read(event.value + b"\n")] + [*reader.rest()]

    assert [one.value for one in again] == [one.value for one in raw]


def test_what_is_no_event_is_counted() -> None:
    reader = Lines(Reader())
    control = events.encode(Control(kind="watermark"))
    for line in (control, b'{"type":"course_grade_change"}', b'{"type":"x"}', b"", b"nonsense"):
        assert reader.read(line) == ()

    assert reader.passed_over == Counter(
        {"ignored": 1, "not a record of grade-events": 2, "empty": 1, "not_json": 1}
    )


def line_at(at: str) -> bytes:
    one = events.CourseGradeChange(
        event_id="", tenant="t", student_id="1", course_id="2", event_time=at, current_score=90.0
    )
    return events.encode(one)


@pytest.mark.parametrize(
    ("days", "played_", "refused"),
    [
        (["01", "02", "03"], ["01", "02", "03"], 0),
        (["01", "20", "02", "03"], ["01", "02", "03"], 1),  # alone in the future
        (["20", "01", "02"], ["01", "02"], 1),
        (["01", "20", "20", "21"], ["01", "20", "20", "21"], 0),  # a holiday
        (["01", "20"], ["01", "20"], 0),  # nobody can tell
        (["03", "01", "04"], ["01", "04"], 1),
    ],
)
def test_an_event_alone_in_the_future_does_not_move_the_clock(
    days: list[str], played_: list[str], refused: int
) -> None:
    reader = Lines(Reader())
    times = [f"2026-02-{day}T12:00:00.000Z" for day in days]
    found = [one for at in times for one in reader.read(line_at(at))] + [*reader.rest()]

    assert [one.event_time[8:10] for one in found] == played_
    assert reader.passed_over["future_event"] == refused
