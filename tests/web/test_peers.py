"""What several workers answer becomes one answer; who does not answer is told of."""

from __future__ import annotations

import pytest

from streams.web.peers import Unreachable, course_of, one_of
from streams.web.problem import Problem

NOT_HERE = Problem(404, "not_found", "no scores of such a student are held here")


def a_student(student_id: str = "48", tenant: str = "t") -> dict[str, object]:
    return {"tenant": tenant, "student_id": student_id, "courses": [{"course_id": "565"}]}


def a_course(*students: str, tenant: str = "t", course_id: str = "565") -> dict[str, object]:
    rows = [{"student_id": student} for student in students]
    return {"tenant": tenant, "course_id": course_id, "students": rows}


def test_the_one_worker_that_has_a_student_answers() -> None:
    assert one_of([NOT_HERE, a_student(), NOT_HERE], "48") == a_student()


def test_the_spelling_asked_for_wins() -> None:
    both = [a_student("48"), a_student("10000000000048")]

    assert one_of(both, "10000000000048")["student_id"] == "10000000000048"


def test_a_student_of_two_tenants_needs_the_tenant() -> None:
    with pytest.raises(Problem, match="say which") as raised:
        one_of([a_student(), a_student(tenant="u")], "48")
    assert raised.value.code == "tenant_required"


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([NOT_HERE, NOT_HERE], "not_found"),
        ([NOT_HERE, Unreachable()], "worker_unreachable"),
        ([Problem(400, "bad_id", "an id is a number"), Unreachable()], "bad_id"),
    ],
)
def test_nothing_is_told_with_its_reason(answers: list[Problem], code: str) -> None:
    with pytest.raises(Problem) as student:
        one_of(answers, "48")
    with pytest.raises(Problem) as course:
        course_of(answers)
    assert student.value.code == course.value.code == code


def test_a_course_is_gathered_in_the_order_of_its_students() -> None:
    course = course_of([a_course("49", "7"), NOT_HERE, a_course("48")])

    assert [row["student_id"] for row in course["students"]] == ["7", "48", "49"]
    assert "partial" not in course


def test_a_course_without_one_of_its_workers_says_so() -> None:
    assert course_of([a_course("49"), Unreachable()])["partial"] is True


def test_a_course_of_two_tenants_needs_the_tenant() -> None:
    with pytest.raises(Problem, match="say which"):
        course_of([a_course("48"), a_course("48", tenant="u")])


def test_parts_of_several_workers_are_one_part() -> None:
    told = [a_course("1", "4", "7"), a_course("2", "3") | {"next_cursor": "3"}]
    course = course_of(told, 3)
    assert [row["student_id"] for row in course["students"]] == ["1", "2", "3"]
    assert course["next_cursor"] == "3"
    assert "next_cursor" not in course_of([a_course("1"), a_course("2")], 2)
