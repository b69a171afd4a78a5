"""Simulated events are what Canvas sends.

Scores follow from marks, each event's ``old_*`` from the event before it; ids stand in the id space
that Canvas uses for each body.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from streams.core.events import (
    SCORES,
    CourseGradeChange,
    GradeChange,
    GradeEvent,
    GradeOverride,
)
from streams.core.ids import SHARD_SIZE
from streams.simulator.term import OVERRIDES_FROM
from tests.simulator.conftest import COUNT

if TYPE_CHECKING:
    from streams.simulator.wire import Fields


def named(sent: list[tuple[Fields, Fields]], name: str) -> list[tuple[Fields, Fields]]:
    return [event for event in sent if event[0]["event_name"] == name]


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


def test_course_scores_come_from_a_job_and_know_no_user(sent: list[tuple[Fields, Fields]]) -> None:
    for metadata, body in named(sent, "course_grade_change"):
        assert metadata["job_tag"] == "Enrollment.recompute_final_score_in_singleton"
        assert not {"user_id", "user_login", "client_ip", "url", "request_id"} & metadata.keys()
        assert int(metadata["context_id"]) >= SHARD_SIZE
        assert int(body["course_id"]) < SHARD_SIZE


def test_grades_from_a_request_carry_all_that_must_not_pass_intake(
    sent: list[tuple[Fields, Fields]],
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
    sent: list[tuple[Fields, Fields]],
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


def test_canvas_moves_scores_in_every_way_it_does(sent: list[tuple[Fields, Fields]]) -> None:
    courses = [body for _, body in named(sent, "course_grade_change")]
    grades = [body for _, body in named(sent, "grade_change")]
    overrides = [body for _, body in named(sent, "grade_override")]

    def moved(body: Fields, name: str) -> bool:
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


def test_the_term_ends_with_overrides_only(happened: list[GradeEvent]) -> None:
    end = happened[int((OVERRIDES_FROM + 0.01) * len(happened)) :]
    assert len(end) > 100
    assert all(isinstance(event, GradeOverride) for event in end)
