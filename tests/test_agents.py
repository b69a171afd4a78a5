"""The shell adds nothing: however a log is cut into batches, agents write what the core says."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.agents import REFUSED_BYTES, Intake, Scoring, Topic
from streams.core import canvas, events, flow, rules
from streams.core.clock import ITEM, OWNER
from streams.core.events import Control
from streams.core.fates import Fate
from streams.core.intake import Reader
from streams.core.replay import announcement
from streams.engine.fetch import RecordBatch
from streams.engine.overlay import Overlay
from tests.on_dicts import FOUR_RULES
from tests.profiles import examples
from tests.scenarios import (
    a_course_grade_change,
    a_grade_change,
    an_override,
    milliseconds,
    moment,
)
from tests.tables import a_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.agents import Work
    from streams.engine.table import PartitionStore

EVENTS, REFUSED = Topic("grade-events", 4), Topic("grade-events-refused", 2)
RAW = Topic("canvas-live-events", 3)
WRITTEN = {
    "alerts": Topic("grade-alerts", 4),
    "posted": Topic("grade-alerts-posted", 4),
    "state": Topic("grade-alerts-state", 4),
    "actions": Topic("grade-alert-actions", 4),
    "changelog": Topic("grade-scores-changelog", 4),
    "refused": REFUSED,
}


ALERTS = ("alerts", "posted", "state", "actions")


class Record(NamedTuple):
    """A record as aiokafka hands it over, as far as the agents look."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def a_scoring(store: PartitionStore) -> Scoring:
    return Scoring(b"sixteen bytes or more", "topic-id", Overlay(store), WRITTEN)


def a_batch(topic: str, partition: int, records: Sequence[Record]) -> RecordBatch:
    start = records[0].offset
    return RecordBatch(TP(topic, partition), 0, start, start + len(records), records)


def raw(values: Sequence[bytes | None]) -> list[Record]:
    first = milliseconds(moment(0))
    return [Record(number, first + number, None, value) for number, value in enumerate(values)]


def produced(work: Work, topic: str) -> list[Any]:
    """Return what a batch writes to a topic, partition by partition."""
    return [
        (partition, record)
        for step in work.steps
        for (name, partition), records in sorted(step.records.items())
        if name == topic
        for record in records
    ]


def taken_in(values: Sequence[bytes | None]) -> Work:
    intake = Intake(Reader(), RAW, EVENTS, REFUSED)
    return asyncio.run(intake.work(a_batch("canvas-live-events", 1, raw(values))))


def test_intake_keys_events_by_student_and_tells_where_they_came_from() -> None:
    work = taken_in([a_course_grade_change(student="48")])

    [record] = [record for _, record in produced(work, "grade-events") if record.key]
    assert record.key.endswith(b":48")
    assert dict(record.headers) == {
        "gradewatch.topic": b"canvas-live-events",
        "gradewatch.partition": b"1",
        "gradewatch.offset": b"0",
    }
    assert record.timestamp == milliseconds(moment(0))


def test_a_refused_record_keeps_its_bytes_and_says_why() -> None:
    work = taken_in([b"[]"])

    [(partition, record)] = produced(work, "grade-events-refused")
    assert record.value == b"[]"
    assert partition in range(REFUSED.partitions)
    assert dict(record.headers) == {
        "gradewatch.reason": b"unknown_envelope",
        "gradewatch.detail": b"an array",
        "gradewatch.topic": b"canvas-live-events",
        "gradewatch.partition": b"1",
        "gradewatch.offset": b"0",
    }
    assert work.tally.fates == {Fate.REFUSED: 1}


def test_a_refused_record_too_large_for_its_topic_is_cut_and_says_so() -> None:
    work = taken_in([b"x" * (REFUSED_BYTES + 1)])

    [(_, record)] = produced(work, "grade-events-refused")
    assert len(record.value) == REFUSED_BYTES
    assert dict(record.headers)["gradewatch.truncated"].startswith(b"1048577 bytes, sha256 ")


def test_other_event_names_are_ignored_and_counted() -> None:
    work = taken_in([b'{"metadata":{"event_name":"submission_updated"},"body":{}}'])

    assert work.tally.fates == {Fate.IGNORED: 1}
    assert not produced(work, "grade-events")


def test_a_bug_of_ours_refuses_the_record_as_internal_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good, secret = a_course_grade_change(), a_course_grade_change(student="31337")

    def broken(value: bytes | None) -> Any:  # noqa: ANN401 - as the real one
        if value == secret:
            raise ZeroDivisionError(value)
        return parse(value)

    parse = canvas.parse
    monkeypatch.setattr(canvas, "parse", broken)

    work = taken_in([good, secret, good])

    assert work.tally.fates == {Fate.PASSED: 2, Fate.REFUSED: 1}
    assert work.tally.refused == {"internal": 1}
    [(_, record)] = produced(work, "grade-events-refused")
    assert dict(record.headers)["gradewatch.detail"].startswith(b"ZeroDivisionError in ")
    assert "31337" not in caplog.text


TIMELINE = [
    a_course_grade_change("48", current=(None, 84.25), at=moment(0)),
    a_grade_change("48", score=(5, 1), at=moment(50)),
    a_course_grade_change("48", current=(84.25, 71.5), at=moment(60)),
    an_override("48", score=(None, 95.0), at=moment(70)),
    b"nonsense",
    a_course_grade_change("48", current=(71.5, 84.25), at=moment(30)),
    a_course_grade_change("49", current=(90.0, 60.0), at=moment(60)),
    a_course_grade_change("48", current=(84.25, 71.5), at=moment(60)),
    an_override("48", score=(95.0, None), at=moment(80)),
    a_course_grade_change("49", course="7", current=(90.0, 60.0), at=moment(61), state="deleted"),
]


LIVING = rules.Rules.model_validate(
    {
        "grace": "1s",
        "rules": [
            {"id": "at-once", "kind": "score_drop", "points": 10, "severity": "warning"},
            {"id": "low", "kind": "score_below", "floor": 72, "severity": "info", "for": "5s"},
            {
                "id": "fall", "kind": "score_drop", "points": 10, "severity": "info",
                "expire": "15s",
            },
        ],
    }
)  # fmt: skip


def canonical(
    values: Sequence[bytes], in_force: rules.Rules = FOUR_RULES, erased: int | None = None
) -> list[Record]:
    """Return the records of ``grade-events``, on one partition: rules, events, watermarks."""
    reader = Reader()
    announced = events.encode(announcement(in_force, moment(0)))
    kept = [Record(0, milliseconds(moment(0)), None, announced)]
    latest = moment(0)
    for record in raw(values):
        taken = flow.take_in(reader, record.value, record.timestamp)
        if isinstance(taken, flow.Passed):
            kept.append(Record(0, record.timestamp, taken.key, taken.value))
            latest = max(latest, taken.event_time)
            kept.append(Record(0, milliseconds(latest), None, watermark(latest)))
    end = moment(3600)
    kept.append(kept[-1]._replace(timestamp=milliseconds(end), value=watermark(end)))
    if erased is not None:
        tenant = str(json.loads(kept[1].value or b"")["tenant"])
        gone = Control(kind="erase", at=moment(70), tenant=tenant, student_id="48")
        kept.insert(erased, kept[0]._replace(value=events.encode(gone)))
    return [record._replace(offset=number) for number, record in enumerate(kept)]


def watermark(at: str) -> bytes:
    return events.encode(Control(kind="watermark", topic=RAW.name, partitions=1, at=at))


def scored(
    records: Sequence[Record], cuts: set[int]
) -> tuple[dict[bytes, bytes], dict[str, list[Any]], dict[Fate, int]]:
    """Return rows, alerts by topic and fates of a log cut into batches at some offsets."""
    store = a_store()
    scoring = a_scoring(store)
    alerts: dict[str, list[Any]] = {WRITTEN[name].name: [] for name in ALERTS}
    fates = dict.fromkeys(Fate, 0)
    edges = sorted({0, len(records), *(cut for cut in cuts if cut < len(records))})
    for start, end in pairwise(edges):
        work = asyncio.run(scoring.work(a_batch("grade-events", 0, records[start:end])))
        store.publish(0, work.changes)
        for topic, told in alerts.items():
            told += [record for _, record in produced(work, topic)]
        for fate, number in work.tally.fates.items():
            fates[fate] += number
    rows = {key: store[key] for key in store}
    state = store.row(0, OWNER, ITEM)
    assert state is not None
    return rows | {OWNER: state}, alerts, fates


@pytest.mark.parametrize("in_force", [FOUR_RULES, LIVING], ids=["at once", "living"])
@given(cuts=st.sets(st.integers(1, 20)))
@settings(max_examples=examples(30), deadline=None)
def test_no_cut_into_batches_changes_rows_alerts_or_fates(
    in_force: rules.Rules, cuts: set[int]
) -> None:
    records = canonical(TIMELINE, in_force)

    assert scored(records, cuts) == scored(records, set())


@pytest.mark.parametrize("in_force", [FOUR_RULES, LIVING], ids=["at once", "living"])
@given(cuts=st.sets(st.integers(1, 20)), here=st.integers(2, 20))
@settings(max_examples=examples(15), deadline=None)
def test_no_cut_into_batches_changes_what_an_erasure_leaves(
    in_force: rules.Rules, cuts: set[int], here: int
) -> None:
    records = canonical(TIMELINE, in_force, here)
    rows, alerts, fates = scored(records, cuts)

    assert (rows, alerts, fates) == scored(records, set())
    gone = {one.key for one in alerts["grade-alert-actions"]}
    assert all(one.value is None for one in alerts["grade-alert-actions"])
    kept = {one.key: one.value for one in alerts["grade-alerts-state"]}
    told = {
        one.key for one in alerts["grade-alerts-state"]
        if one.value and json.loads(one.value)["student_id"] == "48"
    }  # fmt: skip
    assert {key for key in told if kept[key] is None} <= gone


def test_living_alerts_come_with_the_clock_and_last_states_are_kept_by_fingerprint() -> None:
    _, alerts, _ = scored(canonical(TIMELINE, LIVING), set())

    told = [json.loads(record.value) for record in alerts["grade-alerts"]]
    assert [
        (alert["rule"], alert["student_id"], alert["transition"], alert["reason"])
        for alert in told
        if alert["rule"] != "at-once"
    ] == [
        ("fall", "48", "opened", "threshold_reached"),
        ("low", "48", "opened", "threshold_reached"),
        ("fall", "49", "opened", "threshold_reached"),
        ("low", "49", "opened", "threshold_reached"),
        ("fall", "48", "resolved", "expired"),
        ("fall", "49", "resolved", "expired"),
    ]
    assert all(
        record.key == json.loads(record.value)["fingerprint"].encode()
        for record in alerts["grade-alerts-state"]
    )
    assert {record.value for record in alerts["grade-alerts-state"]} == {
        record.value for name in ("alerts", "posted") for record in alerts[WRITTEN[name].name]
    }


def test_the_timeline_gives_the_alerts_it_tells_of() -> None:
    rows, alerts, fates = scored(canonical(TIMELINE), set())

    told = [json.loads(record.value) for record in alerts["grade-alerts"]]
    posted = [json.loads(record.value) for record in alerts["grade-alerts-posted"]]
    assert [(alert["kind"], alert["student_id"], alert["change"]) for alert in told] == [
        ("score_drop", "48", -12.75),
        ("override_raised", "48", 23.5),
        ("score_drop", "49", -30.0),
        ("override_removed", "48", -23.5),
    ]
    assert [evidence["event"] for evidence in told[0]["evidence"]] == [
        "course_grade_change",
        "grade_change",
    ]
    assert [alert["change"] for alert in posted] == [-12.75, -30.0]
    assert len(rows) == 3 + 1  # the partition's own state
    assert fates[Fate.DUPLICATE] == 1
    assert fates[Fate.LATE] == 1


def test_records_delivered_again_change_no_row_and_repeat_no_alert() -> None:
    records = canonical(TIMELINE)
    played_twice = [
        record._replace(offset=number) for number, record in enumerate([*records, *records])
    ]
    once, twice = scored(records, set()), scored(played_twice, {len(records)})

    assert twice[0] == once[0]
    assert twice[1] == once[1]


def test_no_alert_header_holds_a_student_id() -> None:
    fall = a_course_grade_change("4815162342", current=(90.0, 60.0))
    _, alerts, _ = scored(canonical([fall]), set())

    assert alerts.pop("grade-alert-actions") == []
    for told in alerts.values():
        assert told
        assert all(b"4815162342" not in value for one in told for _, value in one.headers)


def test_a_foreign_record_on_grade_events_is_refused_not_raised() -> None:
    foreign = Record(0, 0, b"k", b'{"type":"nobody_knows"}')
    work = asyncio.run(a_scoring(a_store()).work(a_batch("grade-events", 0, [foreign])))

    assert work.tally.refused == {"internal": 1}
    assert len(produced(work, "grade-events-refused")) == 1
