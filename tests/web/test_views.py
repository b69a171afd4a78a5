"""The views show committed rows, whole and to nobody else's name; a row unknown to us is 404."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.access.roles import ANYBODY_HERE
from streams.core.rows import encode_row
from streams.web import row_fields, views
from streams.web.parts import MOST, Part, part_of
from streams.web.problem import Problem
from tests.on_dicts import Play
from tests.scenarios import (
    TENANT,
    a_course_grade_change,
    a_grade_change,
    an_override,
    global_id,
    moment,
)
from tests.tables import a_store

if TYPE_CHECKING:
    from streams.engine.table import PartitionStore


def a_table(*raw: bytes) -> PartitionStore:
    """Return a table as the worker would hold it after these events, on one partition."""
    table = a_store()
    played = Play().take((value, None, ("raw", 0, offset)) for offset, value in enumerate(raw))
    assert all(journey.startswith("passed/") for journey in played.journeys)
    for (owner, item), row in played.replay.rows.items():
        table.publish(0, [(owner, item, encode_row(row))])
    return table


def told(status: int, code: str) -> tuple[int, str]:
    return status, code


def problem(view: object, *arguments: object, **named: object) -> tuple[int, str]:
    with pytest.raises(Problem) as raised:
        view(*arguments, **named)  # type: ignore[operator]
    return raised.value.status, raised.value.code


SEMESTER = (
    a_course_grade_change("48", "565", current=(84.25, 71.5), at=moment(0)),
    a_grade_change("48", "565", score=(5, 1), at=moment(5)),
    an_override("48", "565", score=(None, 90.0), at=moment(10)),
    an_override("48", "565", score=(None, 80.0), period="3", at=moment(11)),
    a_course_grade_change("48", "7", current=(None, 55.0), at=moment(1)),
    a_course_grade_change("49", "565", current=(90.0, 95.0), at=moment(2)),
    a_course_grade_change("9", "565", current=(90.0, 95.0), at=moment(2)),
    a_course_grade_change("50", "565", current=(90.0, 95.0), at=moment(2), state="deleted"),
    a_grade_change("51", "565", score=(5, 1), at=moment(5)),
)


def test_a_row_shows_every_field_of_the_documentation() -> None:
    row = views.enrolment(a_table(*SEMESTER), ANYBODY_HERE, "48", "565")

    assert row == {
        "tenant": TENANT,
        "student_id": "48",
        "course_id": "565",
        "current_score": 71.5,
        "final_score": 71.5,
        "unposted_current_score": 71.5,
        "unposted_final_score": 71.5,
        "override_score": 90.0,
        "effective_final_score": 90.0,
        "workflow_state": "active",
        "updated_at": "2026-02-03T10:15:30.000Z",
        "event_time": "2026-02-03T10:15:30.000Z",
        "account_id": row["account_id"],
        "period_overrides": {"3": 80.0},
        "override_grader_id": row["override_grader_id"],
        "grade_changes": [
            {
                "assignment_id": "355",
                "event_time": "2026-02-03T10:15:35.000Z",
                "score": 1.0,
                "old_score": 5.0,
                "points_possible": 5.0,
                "old_points_possible": 5.0,
                "muted": False,
                "grader_id": row["grade_changes"][0]["grader_id"],
            }
        ],
        "history": [("2026-02-03", 71.5)],
        "unposted_history": [("2026-02-03", 71.5)],
    }
    assert list(row) == list(row_fields.ROW_FIELDS)


def test_a_student_has_all_their_courses_in_the_order_of_the_ids() -> None:
    answer = views.student(a_table(*SEMESTER), ANYBODY_HERE, "48")

    assert (answer["tenant"], answer["student_id"]) == (TENANT, "48")
    assert [row["course_id"] for row in answer["courses"]] == ["7", "565"]


def test_a_roster_leaves_out_deleted_rows_which_the_student_still_sees() -> None:
    table = a_table(*SEMESTER)

    roster = views.course(table, ANYBODY_HERE, "565")["students"]
    assert [row["student_id"] for row in roster] == ["9", "48", "49"]
    [row] = views.student(table, ANYBODY_HERE, "50")["courses"]
    assert row["workflow_state"] == "deleted"


def test_global_ids_find_what_local_ids_name() -> None:
    table = a_table(*SEMESTER)

    assert views.student(table, ANYBODY_HERE, global_id("48")) == views.student(
        table, ANYBODY_HERE, "48"
    )
    assert views.course(table, ANYBODY_HERE, global_id("565")) == views.course(
        table, ANYBODY_HERE, "565"
    )


def test_a_student_of_another_shard_is_found_whole_and_not_taken_for_a_local_one() -> None:
    foreign = global_id("48", shard=3011)
    table = a_table(*SEMESTER, a_course_grade_change(foreign, "565", current=(None, 12.0)))

    assert views.student(table, ANYBODY_HERE, foreign)["student_id"] == foreign
    assert views.enrolment(table, ANYBODY_HERE, foreign, global_id("565"))["current_score"] == 12.0
    assert views.enrolment(table, ANYBODY_HERE, "48", "565")["current_score"] == 71.5


def test_an_override_alone_makes_a_row_dated_by_it_with_unknown_scores() -> None:
    row = views.enrolment(
        a_table(an_override(period="3", at=moment(10))), ANYBODY_HERE, "48", "565"
    )

    assert (row["event_time"], row["period_overrides"]) == (moment(10), {"3": 90.0})
    assert (row["current_score"], row["effective_final_score"], row["workflow_state"]) == (
        None,
        None,
        None,
    )


def test_a_removed_override_is_not_shown_as_set() -> None:
    table = a_table(
        an_override(period="3", at=moment(10)),
        an_override(period="3", score=(90.0, None), at=moment(20)),
    )

    assert views.enrolment(table, ANYBODY_HERE, "48", "565")["period_overrides"] == {}


@pytest.mark.parametrize("student", ["999", "51"])  # 51: a grade_change alone makes no row
def test_an_unknown_student_is_404(student: str) -> None:
    table = a_table(*SEMESTER)

    assert problem(views.student, table, ANYBODY_HERE, student)[0] == 404
    assert problem(views.enrolment, table, ANYBODY_HERE, student, "565")[0] == 404


def test_an_unknown_course_is_404() -> None:
    assert problem(views.course, a_table(*SEMESTER), ANYBODY_HERE, "999")[0] == 404


@pytest.mark.parametrize("bad", ["abc", "-1", "0", "1e3", "9" * 30])
def test_what_is_no_id_is_400(bad: str) -> None:
    assert problem(views.student, a_table(*SEMESTER), ANYBODY_HERE, bad) == told(400, "bad_id")


def test_an_id_of_two_tenants_needs_one_named() -> None:
    table = a_table(
        a_course_grade_change("48", "565", tenant="north", current=(None, 1.0)),
        a_course_grade_change("48", "565", tenant="south", current=(None, 2.0)),
    )

    assert problem(views.student, table, ANYBODY_HERE, "48") == told(400, "tenant_required")
    assert problem(views.course, table, ANYBODY_HERE, "565") == told(400, "tenant_required")
    assert views.enrolment(table, ANYBODY_HERE, "48", "565", tenant="south")["current_score"] == 2.0
    assert problem(views.student, table, ANYBODY_HERE, "48", tenant="west")[0] == 404


def a_long_table(courses: int, students: int) -> PartitionStore:
    """Return a table of student 48 in many courses, and of many students in course 565."""
    raw = [
        *(a_course_grade_change("48", str(n), current=(90.0, 80.0)) for n in range(1, courses + 1)),
        *(
            a_course_grade_change(str(n), "565", current=(90.0, 80.0))
            for n in range(1001, 1001 + students)
        ),
    ]
    return a_table(*raw)


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 500])
def test_parts_put_together_are_the_whole_and_none_is_longer_than_asked_for(limit: int) -> None:
    table, parts = a_long_table(20, 9), list[list[str]]()
    part = Part(limit)
    while True:
        found = views.student(table, ANYBODY_HERE, "48", part=part)
        parts.append([row["course_id"] for row in found["courses"]])
        if "next_cursor" not in found:
            break
        part = Part(limit, int(found["next_cursor"]))

    assert all(1 <= len(each) <= limit for each in parts)
    assert [course for each in parts for course in each] == [str(n) for n in range(1, 21)]


def test_a_course_comes_in_parts_too() -> None:
    table = a_long_table(0, 9)
    first = views.course(table, ANYBODY_HERE, "565", part=Part(5))
    rest = views.course(table, ANYBODY_HERE, "565", part=Part(5, int(first["next_cursor"])))

    assert [row["student_id"] for row in first["students"]] == [str(n) for n in range(1001, 1006)]
    assert [row["student_id"] for row in rest["students"]] == [str(n) for n in range(1006, 1010)]
    assert "next_cursor" not in rest


def test_a_student_of_thousands_of_courses_is_answered_in_a_part() -> None:
    table = a_table(a_course_grade_change("48", "1", current=(90.0, 80.0)))
    [owner] = table.owners()
    row = table.items_of(owner)[b"1"]
    table.publish(0, [(owner, str(n).encode(), row) for n in range(1, 5_001)])

    found = views.student(table, ANYBODY_HERE, "48")
    assert (len(found["courses"]), found["next_cursor"]) == (MOST, str(MOST))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 200}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
    ],
)
def test_a_part_that_is_none_is_refused(query: dict[str, str], field: str) -> None:
    with pytest.raises(Problem, match=field) as raised:
        part_of(query)
    assert (raised.value.status, raised.value.code) == (400, "bad_parameter")
