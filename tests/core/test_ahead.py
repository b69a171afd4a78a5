"""Kafka's time bounds every other one: of events, watermarks, rules, erasures and clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.core.events import Control, decode, encode
from streams.core.fates import Fate
from streams.core.flow import take_in
from streams.core.instants import instant, milliseconds, plus
from streams.core.intake import Reader
from streams.core.replay import Replay, announcement
from streams.core.rules import Rules
from tests.on_dicts import ID_KEY
from tests.scenarios import a_course_grade_change, moment

if TYPE_CHECKING:
    from streams.core.clock import State
    from streams.core.outcome import Outcome

NOW = moment(0)
HOUR, DAY = 3_600, 86_400
FAR = "2099-01-01T00:00:00.000Z"
PENDING = {
    "id": "fell", "kind": "score_drop", "points": 10, "severity": "info", "for": "12h",
    "expire": "30d", "cooldown": "7d",
}  # fmt: skip
QUIET = {"id": "quiet", "kind": "feed_silent", "silence": "2d", "severity": "critical"}


class Log:
    """A partition, and Kafka's time of its records."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.replay = Replay(Rules.model_validate({"rules": list(rules)}), ID_KEY)
        self.reader = Reader()

    @property
    def state(self) -> State:
        return self.replay.partition.state

    def control(self, kind: str, now: str = NOW, **told: Any) -> Outcome:  # noqa: ANN401
        told = {"topic": "raw", "partitions": 1} | told if kind == "watermark" else told
        return self.record(encode(Control(kind=kind, **told)), now)

    def fall(self, student: str, at: str, scores: tuple[float, float], now: str = "") -> Outcome:
        taken = take_in(self.reader, a_course_grade_change(student, current=scores, at=at), None)
        return self.record(taken.value, now or at)  # type: ignore[union-attr] # it passes

    def record(self, value: bytes, now: str) -> Outcome:
        return self.replay.step(value, timestamp=milliseconds(now))


def steps(outcome: Outcome) -> list[tuple[str | None, str, str]]:
    return [
        (one.alert.student_id, one.alert.transition, one.alert.reason)
        for one in outcome.told
        if one.alert.audience == "staff"
    ]


def test_a_watermark_is_never_later_than_its_record() -> None:
    log = Log()

    for ahead in (-HOUR, 0, 1, HOUR):
        at = plus(NOW, ahead)
        assert log.control("watermark", at=at, heard={"t": at}).fate is Fate.CONTROL
        assert log.state.clock == log.state.heard["t"] == min(at, NOW)


@pytest.mark.parametrize("told", [{"at": FAR}, {"at": NOW, "heard": {"t": FAR}}, {"at": "z"}])
def test_a_watermark_over_an_hour_ahead_is_refused_and_changes_nothing(
    told: dict[str, Any],
) -> None:
    log = Log(QUIET)
    log.control("watermark", at=NOW)
    before = log.state

    outcome = log.control("watermark", **told)
    assert (outcome.fate, outcome.refusal and outcome.refusal.reason) == (
        Fate.REFUSED, "future_event",
    )  # fmt: skip
    assert log.state == before


def test_an_idle_partition_has_come_to_kafkas_time_whatever_the_workers_clock_says() -> None:
    for at in (plus(NOW, -999 * DAY), NOW, FAR):
        log = Log()
        log.control("watermark", at=at, idle=True)
        assert log.state.clock == NOW


def test_an_event_over_a_day_ahead_of_kafkas_time_freezes_no_row() -> None:
    log = Log(PENDING)
    log.fall("48", NOW, (90, 85))

    assert log.fall("48", plus(NOW, DAY + 1), (0, 100), NOW).refusal is not None
    assert log.fall("48", plus(NOW, 1), (85, 84)).fate is Fate.KEPT
    assert log.fall("48", plus(NOW, DAY), (84, 83), NOW).fate is Fate.KEPT


def test_rules_and_an_erasure_are_dated_by_kafka_if_their_writers_clock_was_ahead() -> None:
    log = Log()
    log.control("erase", at=FAR, tenant="t", student_id="48")
    [erasure] = log.state.erased.values()
    assert erasure.at == NOW

    rules = Rules.model_validate({"rules": [PENDING]})
    assert log.record(encode(announcement(rules, FAR)), NOW).fate is Fate.CONTROL
    assert log.state.rules == rules.canonical()


def an_earlier_build(log: Log) -> Outcome:
    """Have the clock come to 2099, as a build without a bound let it."""
    return log.replay.step(
        encode(Control(kind="watermark", topic="raw", partitions=1, at=FAR, heard={"evil": FAR}))
    )


def test_the_way_back_keeps_rows_and_new_falls_alert_at_their_time() -> None:
    log = Log(PENDING)
    log.control("watermark", at=NOW, heard={"t": NOW})
    log.fall("48", NOW, (90, 70))
    log.fall("49", NOW, (90, 85))
    # What was pending fires and expires in one go, and its cooldown would last for weeks.
    assert steps(an_earlier_build(log)) == [
        ("48", "opened", "threshold_reached"), ("48", "resolved", "expired"),
    ]  # fmt: skip
    rows = {key: row.scores for key, row in log.replay.rows.items()}

    now = plus(NOW, HOUR)
    assert log.control("clock", now).told == ()
    assert (log.state.clock, log.state.horizon, log.state.watermarks) == ("", "", {})
    assert log.state.heard == {"evil": now, "t": NOW}
    assert {key: row.scores for key, row in log.replay.rows.items()} == rows

    # Nothing settles before each raw partition has said how far it has come.
    fell = plus(now, 60)
    assert steps(log.fall("48", fell, (70, 50))) == []
    assert steps(log.fall("49", fell, (85, 65))) == []
    assert steps(log.control("watermark", plus(fell, HOUR), at=plus(fell, HOUR))) == []
    assert log.state.clock == plus(fell, HOUR)
    later = plus(fell, 13 * HOUR)
    assert sorted(steps(log.control("watermark", later, at=later))) == [
        ("48", "opened", "threshold_reached"), ("49", "opened", "threshold_reached"),
    ]  # fmt: skip
    again = plus(later, DAY)
    assert steps(log.control("watermark", again, at=again)) == []


def test_an_alert_that_opened_too_early_opens_no_second_time_and_recovers() -> None:
    log = Log({name: value for name, value in PENDING.items() if name != "expire"})
    log.control("watermark", at=NOW)
    log.fall("48", NOW, (90, 70))
    assert steps(an_earlier_build(log)) == [("48", "opened", "threshold_reached")]
    now = plus(NOW, HOUR)
    log.control("clock", now)
    for hours in (2, 20, 40):
        at = plus(NOW, hours * HOUR)
        assert steps(log.control("watermark", at, at=at)) == []
    at = plus(NOW, 50 * HOUR)
    log.fall("48", at, (70, 90))
    assert steps(log.control("watermark", plus(at, HOUR), at=plus(at, HOUR))) == [
        ("48", "resolved", "recovered"),
    ]  # fmt: skip


def test_a_feed_is_watched_again() -> None:
    log = Log(QUIET)
    log.control("watermark", at=NOW, heard={"t": NOW})
    # Every feed is called silent at once, but for the one of 2099, which never is again.
    assert [one.alert.tenant for one in an_earlier_build(log).told] == ["t"]
    now = plus(NOW, HOUR)
    log.control("clock", now)

    back = plus(now, HOUR)
    told = log.control("watermark", back, at=back, heard={"t": back}).told
    assert [(one.alert.tenant, one.alert.transition) for one in told] == [("t", "resolved")]
    silent = plus(now, 2 * DAY)
    told = log.control("watermark", silent, at=silent).told
    assert [(one.alert.tenant, one.alert.opened_at) for one in told] == [("evil", silent)]


def test_a_clock_that_is_right_is_not_set_back_and_an_earlier_time_can_be_named() -> None:
    log = Log(PENDING)
    log.control("watermark", at=NOW, partitions=2)
    log.control("watermark", at=plus(NOW, -60), partition=1, partitions=2)
    before = log.state
    log.control("clock", plus(NOW, 1))
    assert log.state is before

    log.control("clock", plus(NOW, 1), at=plus(NOW, -30))
    assert (log.state.watermarks, log.state.clock) == ({1: plus(NOW, -60)}, before.clock)


def test_played_twice_the_log_comes_to_the_same_state() -> None:
    states = []
    for _ in range(2):
        log = Log(PENDING, QUIET)
        log.fall("48", NOW, (90, 70))
        log.control("watermark", at=FAR)
        log.control("watermark", plus(NOW, 9), at=plus(NOW, 99), heard={"t": plus(NOW, 50)})
        log.control("clock", plus(NOW, 10), at=plus(NOW, 5))
        states.append((log.state, log.replay.rows))
    assert states[0] == states[1]


def test_an_idle_watermark_says_so() -> None:
    idle = Control(kind="watermark", at=NOW, idle=True)

    assert decode(encode(idle)) == idle
    assert b"idle" not in encode(Control(kind="watermark", at=NOW))
    assert instant(milliseconds(NOW)) == NOW
