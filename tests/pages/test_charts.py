"""Charts stand where their numbers say, and the numbers beside them are the answer's."""

from __future__ import annotations

import re

import pytest

from streams import pages
from streams.pages import charts
from tests.pages import samples


def test_a_sparkline_goes_from_edge_to_edge_and_marks_the_alert() -> None:
    (alert, *_) = samples.alert_items()
    line = charts.spark(alert)

    assert line is not None
    spots = [tuple(map(int, spot.split(","))) for spot in line.line.split()]
    assert (spots[0][0], spots[-1][0]) == (4, charts.SPARK[0] - 4)
    assert min(down for _, down in spots) == 4
    assert spots[-1] == line.mark == (128, 32)
    assert line.threshold is not None
    # 79.5 lies between 92.5, at the top, and 68, at the bottom.
    assert line.threshold == round(32 - 28 * (79.5 - 68) / (92.5 - 68))


def test_only_the_last_eight_weeks_are_shown() -> None:
    alert = samples.alert_items()[0] | {"points": samples.history("50 90 91 92", every=28)}
    line = charts.spark(alert)

    assert line is not None
    assert len(line.line.split()) == 3


@pytest.mark.parametrize("points", [[], [["2026-10-23", None]], None])
def test_without_points_there_is_no_sparkline(points: object) -> None:
    assert charts.spark(samples.alert_items()[0] | {"points": points}) is None


def test_all_courses_have_one_scale() -> None:
    rows = samples.student()["courses"]
    days = charts.span(rows)
    drawn = [charts.course_chart(row, days) for row in rows]

    assert len({(each.grid, each.first_day, each.last_day) for each in drawn}) == 1
    assert drawn[0].grid[0] == (186, 0)
    assert drawn[0].grid[-1] == (10, 100)


def test_a_score_stands_where_its_percent_is() -> None:
    row = {"history": [["2026-09-01", 0.0], ["2026-09-03", 50.0], ["2026-09-05", 130.0]]}
    drawn = charts.course_chart(row, charts.span([row]))

    assert drawn.line == "34,186 190,98 346,10"  # what is above 100 stands at the edge


def test_alerts_and_overrides_are_marked_where_they_are() -> None:
    (row,) = [each for each in samples.student()["courses"] if each["course_id"] == "571"]
    drawn = charts.course_chart(row, charts.span([row]))

    assert [mark.severity for mark in drawn.marks] == ["info"]
    assert drawn.override == round(10 + 176 * (1 - 84 / 100))


def test_every_score_is_in_one_bar_of_the_histogram() -> None:
    scores = [-3.0, 0.0, 9.99, 10.0, 55.5, 99.0, 100.0, 117.5]
    bars = charts.histogram(scores)

    assert [bar.many for bar in bars] == [3, 1, 0, 0, 0, 1, 0, 0, 0, 3]
    assert max(bar.height for bar in bars) == bars[0].height
    assert [bar.height for bar in bars if not bar.many] == [0] * 6


def test_the_table_beside_a_chart_has_the_answers_numbers() -> None:
    page = pages.student(samples.student(), samples.me("local"))
    beside = re.findall(r'aria-label="Scores in course 571, by day">(.*?)</table>', page, re.DOTALL)
    told = re.findall(r'<td>.*?</td><td class="num">(.*?)</td>', beside[0])

    assert [float(each) for each in told] == [value for _, value in reversed(samples.SLID)]


def test_a_roster_is_sorted_by_any_column() -> None:
    answer, me = samples.course(), samples.me("local")
    scores = {each["student_id"]: each["current_score"] for each in answer["students"]}

    def order(sort: str) -> list[str]:
        return re.findall(
            r'<th scope="row"><a href="[^"]+">(\d+)<', pages.course(answer, me, {"sort": sort})
        )

    assert order("student") == sorted(scores, key=int)
    assert order("-student") == sorted(scores, key=int, reverse=True)
    assert [scores[each] for each in order("current")] == sorted(scores.values())
    assert order("nonsense")[:2] == ["4801", "4915"]  # those with alerts first


def test_every_score_of_a_roster_is_on_its_row() -> None:
    answer = samples.course()
    page = pages.course(answer, samples.me("local"))
    rows = dict(
        re.findall(r'<th scope="row"><a href="[^"]+">(\d+)</a></th>(.*?)</tr>', page, re.DOTALL)
    )

    for row in answer["students"]:
        told = re.findall(r'<td class="num">([^<]*)</td>', rows[row["student_id"]])
        assert [float(each) for each in told[:2]] == [row["current_score"], row["final_score"]]
