"""Simulated Canvas traffic is what Canvas sends, bad days included, and the same every time.

Scores follow from marks, each event's ``old_*`` from the event before it; ids stand in the id space
that Canvas uses for each body; nothing reads a clock.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from streams.core import alerts, flow, rules, scores
from streams.core.canvas import Refusal
from streams.core.events import (
    SCORES,
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    GradeOverride,
    Reason,
)
from streams.core.ids import SHARD_SIZE
from streams.core.intake import Reader
from streams.core.rules import Kind
from streams.settings import shipped
from streams.simulator import RawRecord, semester
from streams.simulator.broken import REASONS, spoil
from streams.simulator.term import OVERRIDES_FROM

COUNT = 20_000
END = datetime(2026, 5, 15, 17, tzinfo=UTC)
END_MS = int(END.timestamp() * 1000)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def records() -> list[RawRecord]:
    return list(semester(1, COUNT, END))


@pytest.fixture(scope="module")
def verdicts(records: list[RawRecord]) -> list[GradeEvent | Refusal | None]:
    reader = Reader()
    return [reader.read(record.value, record.timestamp_ms) for record in records]


@pytest.fixture(scope="module")
def happened(verdicts: list[GradeEvent | Refusal | None]) -> list[GradeEvent]:
    """What happened, each thing once, in the order of event times."""
    good = [verdict for verdict in verdicts if verdict and not isinstance(verdict, Refusal)]
    return sorted({event.event_id: event for event in good}.values(), key=lambda e: e.event_time)


@pytest.fixture(scope="module")
def sent(
    records: list[RawRecord], verdicts: list[GradeEvent | Refusal | None]
) -> list[tuple[Json, Json]]:
    """Metadata and body of the good events, as Canvas says them."""
    found = []
    for record, verdict in zip(records, verdicts, strict=True):
        if verdict and not isinstance(verdict, Refusal):
            assert record.value is not None
            event = json.loads(record.value)
            found.append((event.get("metadata") or event["attributes"], event["body"]))
    return found


def named(sent: list[tuple[Json, Json]], name: str) -> list[tuple[Json, Json]]:
    return [event for event in sent if event[0]["event_name"] == name]


def digest(seed: int, count: int) -> str:
    whole = hashlib.sha256()
    for record in semester(seed, count, END):
        whole.update(repr(record).encode())
    return whole.hexdigest()


def test_the_same_seed_count_and_end_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from datetime import UTC, datetime; from streams.simulator import *\n"
        "whole = hashlib.sha256()\n"
        "for r in semester(7, 1500, datetime(2026, 5, 15, 17, tzinfo=UTC)):\n"
        "    whole.update(repr(r).encode())\n"
        "print(whole.hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert digest(7, 1500) == other.stdout.strip()


def test_another_seed_is_another_semester() -> None:
    assert digest(7, 300) != digest(8, 300)


@pytest.mark.parametrize(("count", "students", "courses"), [(1, 1, 1), (500, 1, 40), (700, 90, 1)])
def test_any_size_gives_exactly_the_records_asked_for(
    count: int, students: int, courses: int
) -> None:
    assert len(list(semester(1, count, END, students=students, courses=courses))) == count


def test_time_is_the_given_end_and_never_the_clock() -> None:
    end = datetime(1999, 12, 31, 23, tzinfo=UTC)
    records = list(semester(1, 3000, end))
    times = [record.timestamp_ms for record in records]
    last = int(end.timestamp() * 1000)
    assert times == sorted(times)
    assert times[-1] <= last
    assert times[0] >= last - 17 * 7 * 86_400_000  # sixteen weeks, and some hours
    reader = Reader()
    read = [reader.read(record.value, record.timestamp_ms) for record in records]
    events = [event for event in read if event and not isinstance(event, Refusal)]
    assert {event.event_time[:4] for event in events} == {"1999"}


def test_nearly_all_records_pass_and_every_refusal_reason_occurs(
    verdicts: list[GradeEvent | Refusal | None],
) -> None:
    reasons = Counter(verdict.reason for verdict in verdicts if isinstance(verdict, Refusal))
    assert set(reasons) == set(Reason) - {Reason.INTERNAL}
    assert 0.01 * COUNT < reasons.total() < 0.02 * COUNT
    assert 0.02 * COUNT < sum(verdict is None for verdict in verdicts) < 0.04 * COUNT


@pytest.mark.parametrize("reason", REASONS)
def test_whatever_event_is_spoiled_it_is_refused_for_the_intended_reason(
    reason: Reason, sent: list[tuple[Json, Json]]
) -> None:
    rng = Random(1)  # noqa: S311 - reproducible, not secret
    reader = Reader()
    for metadata, body in sent[::40]:
        found = reader.read(spoil(rng, reason, metadata, body, END_MS), END_MS)
        assert isinstance(found, Refusal)
        assert found.reason is reason


def test_scores_continue_where_the_event_before_left_them(happened: list[GradeEvent]) -> None:
    """Continuity, as a consumer could check it on events that came all and in order."""
    last: dict[tuple[str, str], list[float | None]] = {}
    steps = 0
    for event in happened:
        if not isinstance(event, CourseGradeChange):
            continue
        row = event.student_id, event.course_id
        old = [getattr(event, f"old_{name}") for name in SCORES]
        assert old == last.get(row, [None, 0.0, None, 0.0])
        last[row] = [getattr(event, name) for name in SCORES]
        assert last[row] != old  # Canvas speaks up only where a score moved
        steps += 1
    assert steps > 0.4 * COUNT


def test_overrides_and_marks_continue_too(happened: list[GradeEvent]) -> None:
    overrides: dict[str | None, float | None] = {}
    marks: dict[str | None, tuple[float | None, str | None]] = {}
    for event in happened:
        if isinstance(event, GradeOverride):
            assert event.old_override_score == overrides.get(event.enrollment_id)
            overrides[event.enrollment_id] = event.override_score
        elif isinstance(event, GradeChange):
            assert (event.old_score, event.old_grade) == marks.get(
                event.submission_id, (None, None)
            )
            marks[event.submission_id] = event.score, event.grade
    assert overrides
    assert marks


def test_event_times_never_stand_still_so_that_their_order_is_what_happened(
    happened: list[GradeEvent],
) -> None:
    assert all(one.event_time < next_.event_time for one, next_ in pairwise(happened))


def test_course_scores_come_from_a_job_and_know_no_user(sent: list[tuple[Json, Json]]) -> None:
    for metadata, body in named(sent, "course_grade_change"):
        assert metadata["job_tag"] == "Enrollment.recompute_final_score_in_singleton"
        assert not {"user_id", "user_login", "client_ip", "url", "request_id"} & metadata.keys()
        assert int(metadata["context_id"]) >= SHARD_SIZE
        assert int(body["course_id"]) < SHARD_SIZE


def test_grades_from_a_request_carry_all_that_must_not_pass_intake(
    sent: list[tuple[Json, Json]],
) -> None:
    by_request = [m for m, _ in named(sent, "grade_change") if "job_id" not in m]
    sensitive = {
        "client_ip", "hostname", "referrer", "session_id", "url", "user_agent", "user_id",
        "user_login", "user_sis_id",
    }  # fmt: skip
    assert all(sensitive <= metadata.keys() for metadata in by_request)
    assert any("access_token=" in metadata["url"] for metadata in by_request)
    assert any("real_user_id" in metadata for metadata in by_request)
    assert any("developer_key_id" in metadata for metadata in by_request)


def test_ids_are_global_in_grade_changes_and_local_in_the_other_two(
    sent: list[tuple[Json, Json]],
) -> None:
    for _, body in named(sent, "grade_change"):
        assert int(body["student_id"]) >= SHARD_SIZE
        assert int(body["assignment_id"]) >= SHARD_SIZE
    local = [*named(sent, "course_grade_change"), *named(sent, "grade_override")]
    shards = Counter(int(body["user_id"]) // SHARD_SIZE for _, body in local)
    assert set(shards) == {0, 3011}  # users of another shard keep their global id
    assert shards[3011] < 0.06 * shards[0]


def test_the_three_events_join_on_canonical_ids(happened: list[GradeEvent]) -> None:
    rows: dict[type[GradeEvent], set[tuple[str, str]]] = defaultdict(set)
    for event in happened:
        rows[type(event)].add((event.student_id, event.course_id))
    assert rows[CourseGradeChange] <= rows[GradeChange]
    assert any(len(student) > 13 for student, _ in rows[GradeChange])


def test_canvas_moves_scores_in_every_way_it_does(sent: list[tuple[Json, Json]]) -> None:
    courses = [body for _, body in named(sent, "course_grade_change")]
    grades = [body for _, body in named(sent, "grade_change")]
    overrides = [body for _, body in named(sent, "grade_override")]

    def moved(body: Json, name: str) -> bool:
        return bool(body.get(name) != body.get(f"old_{name}"))

    posted, unposted = "current_score", "unposted_current_score"
    ways = {
        "posted": [moved(b, posted) and not moved(b, unposted) for b in courses],
        "unposted only": [moved(b, unposted) and not moved(b, posted) for b in courses],
        "muted": [b["muted"] for b in grades],
        "rescaled": [
            b["points_possible"] != b["old_points_possible"] and b["score"] == b["old_score"]
            for b in grades
            if "score" in b and "old_score" in b
        ],
        "excused": [b.get("score") is None and b.get("old_score") is not None for b in grades],
        "graded by Canvas": [b.get("grader_id") is None for b in grades],
        "partly graded": [not b["grading_complete"] and "score" in b for b in grades],
        "override set": [b.get("old_override_score") is None for b in overrides],
        "override changed": [
            None not in {b.get("old_override_score"), b.get("override_score")} for b in overrides
        ],
        "override removed": [b.get("override_score") is None for b in overrides],
        "nulls left out": ["grading_period_id" not in b for b in overrides],
    }
    assert {way for way, seen in ways.items() if not any(seen)} == set()


def test_a_student_with_two_sections_gets_two_overrides_within_a_second(
    happened: list[GradeEvent],
) -> None:
    overrides = [event for event in happened if isinstance(event, GradeOverride)]
    twins = [
        (one, two)
        for one, two in pairwise(overrides)
        if (one.student_id, one.course_id) == (two.student_id, two.course_id)
        and one.enrollment_id != two.enrollment_id
    ]
    assert twins
    for one, two in twins:
        assert one.override_score == two.override_score
        assert one.score_id != two.score_id
        between = datetime.fromisoformat(two.event_time) - datetime.fromisoformat(one.event_time)
        assert between.total_seconds() < 1


def test_some_records_come_twice_some_late_and_some_out_of_order(
    records: list[RawRecord], verdicts: list[GradeEvent | Refusal | None]
) -> None:
    values = Counter(record.value for record in records if record.value and record.value.strip())
    assert 0.005 * COUNT < values.total() - len(values) < 0.02 * COUNT
    arrived = [
        (datetime.fromisoformat(event.event_time).timestamp() * 1000, record.timestamp_ms)
        for record, event in zip(records, verdicts, strict=True)
        if event and not isinstance(event, Refusal)
    ]
    late = [arrival - time for time, arrival in arrived]
    assert min(late) >= 0
    assert sum(delay > 60_000 for delay in late) > 0.005 * COUNT
    assert max(late) > 86_400_000
    assert sum(one > two for (one, _), (two, _) in pairwise(arrived)) > 0.01 * COUNT


def test_the_term_ends_with_overrides_only(happened: list[GradeEvent]) -> None:
    end = happened[int((OVERRIDES_FROM + 0.01) * len(happened)) :]
    assert len(end) > 100
    assert all(isinstance(event, GradeOverride) for event in end)


def test_keys_say_nothing_about_students(records: list[RawRecord]) -> None:
    keys = Counter(record.key for record in records)
    assert 0.4 * COUNT < keys[None] < 0.6 * COUNT
    assert all(key is None or int(key) < 1000 for key in keys)
    assert all(record.key for record in records if record.value is None)


def test_envelopes_come_under_both_names(records: list[RawRecord]) -> None:
    starts = Counter((record.value or b"")[:10] for record in records)
    assert starts[b'{"metadata'] > 10 * starts[b'{"attribut'] > 0


def test_the_shipped_rules_raise_every_kind_of_alert_and_drops_for_a_few_per_cent(
    records: list[RawRecord],
) -> None:
    file = shipped("rules.yaml")
    judge = alerts.Judge(rules.load(Path(file).read_text(), str(file)), b"a key for a test")
    reader = Reader()
    rows: dict[tuple[str, str], scores.Row] = {}
    kinds: Counter[Kind] = Counter()

    def row_of(event: GradeEvent) -> scores.Row | None:
        return rows.get((event.student_id, event.course_id))

    for number, record in enumerate(records):
        passed = flow.take_in(reader, record.value, record.timestamp_ms)
        if not isinstance(passed, flow.Passed):
            continue
        at, source = scores.Position("log", number), scores.Source("raw", 0, number)
        outcome = flow.score(judge, row_of, passed.value, at, source)
        kinds.update(alert.kind for alert in outcome.alerts)
        if outcome.row is not None and outcome.event is not None:
            rows[outcome.event.student_id, outcome.event.course_id] = outcome.row
    assert set(kinds) == set(Kind)
    assert 0.02 * COUNT < kinds[Kind.SCORE_DROP] < 0.07 * COUNT
