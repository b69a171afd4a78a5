"""Silent feeds: core and a second opinion agree, whatever the batches; one partition watches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import events
from streams.core.alerts import Place, Writer, headers
from streams.core.clock import State, decode_state, encode_state
from streams.core.events import Control
from streams.core.fates import Fate
from streams.core.feeds import WATCHED, hear
from streams.core.flow import Partition
from streams.core.replay import HeldRows, Replay
from streams.core.rules import load
from tests.core.test_living import played, shown
from tests.living_logs import encode, moment, numbered, rules_record, watermark
from tests.oracle import feeds as oracle
from tests.oracle.feeds import feeds
from tests.profiles import examples
from tests.test_agents import scored
from tests.test_agents_timelines import cuts, on_the_log

if TYPE_CHECKING:
    from streams.core.alerts import Alert
    from tests.oracle.living import Record

Fields = dict[str, Any]

ID_KEY: Final = b"sixteen bytes or more"
TENANTS: Final = ("a", "b", "c", "d")
QUIET: Final = "rules: [{id: quiet, kind: feed_silent, silence: 1d, severity: warning%s}]"

grid = st.builds(
    lambda step, rest: moment(step * 3600 + rest), st.integers(0, 60), st.sampled_from([0, 0.001])
)
silences = st.sampled_from(["1h", "2h", "12h", "24h", "1d"])
tenants = st.lists(st.sampled_from(TENANTS), min_size=1, max_size=2, unique=True)


@st.composite
def a_rule(draw: st.DrawFn) -> Fields:
    rule: Fields = {
        "id": draw(st.sampled_from(["one", "two", "three"])), "kind": "feed_silent",
        "silence": draw(silences), "severity": draw(st.sampled_from(["info", "critical"])),
    }  # fmt: skip
    if draw(st.booleans()):
        rule["match"] = {"tenants": {draw(st.sampled_from(["in", "out"])): draw(tenants)}}
    if draw(st.sampled_from([True, False, False, False, False])):
        rule = {"id": rule["id"], "kind": "score_drop", "points": 10, "severity": "info"}
    return rule


@st.composite
def feed_logs(draw: st.DrawFn) -> list[Record]:
    """Return a log of control records: watermarks in nearly their order, and rules that change."""
    sets = st.lists(a_rule(), max_size=3, unique_by=lambda rule: str(rule["id"]))
    values = [rules_record({"rules": draw(sets)})]
    for at in sorted(draw(st.lists(grid, min_size=4, max_size=30))):
        if draw(st.integers(0, 5)) == 0:
            values.append(rules_record({"rules": draw(sets)}, at))
        mark = watermark(at, draw(st.integers(0, 1)), 2)
        heard = draw(st.dictionaries(st.sampled_from(TENANTS), grid, max_size=2))
        honest = {name: min(when, at) for name, when in heard.items()}
        values.append(mark | ({"heard": honest} if honest else {}))
    return numbered(values)


def comparable(alert: Alert) -> Fields:
    return {"tenant": alert.tenant} | {
        name: value for name, value in shown(alert).items() if name != "gap_suspected"
    }


@settings(max_examples=examples(300), deadline=None)
@given(feed_logs())
def test_core_and_oracle_tell_the_same(log: list[Record]) -> None:
    ours = [(offset, comparable(alert)) for offset, alert in played(log)]

    assert ours == [(one.offset, one.alert) for one in feeds(log)]


@settings(max_examples=examples(60), deadline=None)
@given(feed_logs(), st.integers(0, 99))
def test_no_cut_into_batches_and_no_restart_changes_a_byte(log: list[Record], seed: int) -> None:
    records = on_the_log(log)

    assert scored(records, cuts(len(records), seed)) == scored(records, set())


@settings(max_examples=examples(60), deadline=None)
@given(feed_logs())
def test_a_log_delivered_again_repeats_no_alert_of_rules_that_stay(log: list[Record]) -> None:
    kept = [one.value for one in log if one.offset == 0 or one.value["kind"] == "watermark"]

    assert played(numbered([*kept, *kept])) == played(numbered(kept))


@settings(max_examples=examples(60), deadline=None)
@given(feed_logs())
def test_another_partition_tells_and_keeps_nothing(log: list[Record]) -> None:
    other = Partition(Writer(ID_KEY, place := Place("t", "", 1)), place, State(), HeldRows())

    assert [other.step(encode(one.value), one.offset, None).told for one in log] == [()] * len(log)
    assert (other.state.heard, other.state.silent) == ({}, ())


def a_replay(more: str = "") -> Replay:
    return Replay(load(QUIET % more, "f"), ID_KEY)


def silent(replay: Replay) -> Alert:
    """Return the alert of a tenant that was heard of for the last time at the start."""
    replay.hear("east", moment(0))
    [told] = replay.clock(moment(86_400))
    return told.alert


def test_an_alert_is_about_a_tenant_and_no_student() -> None:
    alert = silent(a_replay())
    told = json.loads(msgspec.json.encode(alert))

    assert told.keys() == {
        "alert_id", "fingerprint", "seq", "state", "transition", "reason", "kind", "rule",
        "rules_hash", "severity", "audience", "tenant", "event_time", "opened_at", "changed_at",
        "evidence", "summary", "inputs",
    }  # fmt: skip
    assert told["audience"] == "operator"
    assert told["summary"] == (
        "No grade event of east has come for 1 day, the last is of 2026-02-02T00:00:00.000Z;"
        " rule quiet."
    )
    assert dict(headers(alert))["ce_type"] == b"gradewatch.alert.feed_silent.opened.v1"


def test_its_key_is_the_tenant_and_its_evidence_the_watermark() -> None:
    replay = a_replay()
    replay.hear("east", moment(0))
    [told] = replay.clock(moment(90_000))

    [record] = told.alert.evidence
    assert told.key == b"east"
    assert (record.event, record.offset, record.partition) == ("control", 0, 0)
    assert record.event_time == moment(90_000)


def test_its_end_says_so_and_names_both_records() -> None:
    replay = a_replay()
    first = silent(replay)
    replay.hear("east", moment(90_000))
    [told] = replay.clock(moment(90_001))

    assert told.alert.summary.startswith("Grade events of east come again, the last is of 2026-02")
    assert [one.offset for one in told.alert.evidence] == [0, 1]
    assert (told.alert.alert_id, told.alert.seq) == (first.alert_id, 2)


def test_a_rule_says_it_in_its_own_words() -> None:
    words = ", text: {summary: '{tenant}: {silence} since {since}', next: '{rule}: {severity}'}"
    alert = silent(a_replay(words))

    assert alert.summary == "east: 1 day since 2026-02-02T00:00:00.000Z"
    assert alert.next == "quiet: warning"


def test_students_alerts_come_first_and_both_are_of_one_record() -> None:
    rules = load(
        "rules: [{id: a, kind: feed_silent, silence: 1h, severity: info},"
        " {id: b, kind: score_drop, points: 10, severity: info, for: 12h}]",
        "f",
    )
    replay = Replay(rules, ID_KEY)
    replay.event(a_fall())
    told = replay.clock(moment(9 * 86_400))

    assert [one.alert.audience for one in told] == ["posted", "staff", "operator"]


def a_fall() -> events.CourseGradeChange:
    return events.CourseGradeChange(
        event_id="1" * 16, posted_id="1" * 16, tenant="east", student_id="48", course_id="565",
        event_time=moment(0), old_current_score=90.0, current_score=70.0,
    )  # fmt: skip


def a_watermark(**heard: str) -> Control:
    return Control(kind="watermark", topic="raw", partitions=1, at=moment(0), heard=heard)


def test_only_so_many_tenants_are_watched_the_first_heard_of() -> None:
    many = {f"t{number:04}": moment(number) for number in range(WATCHED - 1)}
    state = hear(State(), a_watermark(**many))
    state = hear(state, a_watermark(y=moment(1), x=moment(1), t0000=moment(9_999)))

    assert len(state.heard) == WATCHED == oracle.WATCHED
    assert "x" in state.heard
    assert "y" not in state.heard
    assert state.heard["t0000"] == moment(9_999)


def test_equal_states_are_equal_bytes_and_are_read_whole() -> None:
    one = hear(hear(State(), a_watermark(a=moment(1))), a_watermark(b=moment(2), a=moment(0)))
    other = hear(hear(State(), a_watermark(b=moment(2))), a_watermark(a=moment(1)))

    assert encode_state(one) == encode_state(other)
    replay = a_replay()
    silent(replay)
    state = replay.partition.state
    assert state.silent
    assert decode_state(encode_state(state)) == state


def test_a_state_of_before_there_were_such_rules_has_none() -> None:
    state = State(rules="", clock=moment(0))
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(state))

    assert kept == {"clock": moment(0)}
    assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize("at", ["yesterday", "", "2026-13-01T00:00:00.000Z"])
def test_a_time_that_is_none_is_refused_and_changes_nothing(at: str) -> None:
    replay = a_replay()
    before = replay.partition.state

    outcome = replay.step(events.encode(a_watermark(a=at)))

    assert outcome.fate is Fate.REFUSED
    assert replay.partition.state == before
