"""A wrong file of rule tests: every mistake is named with its line and column."""

from __future__ import annotations

import pytest

from streams.core.rules import load as load_rules
from streams.errors import ConfigurationError
from streams.trust.testfile import load

RULES = load_rules("rules: [{id: a, kind: score_drop, points: 10, severity: info}]", "rules.yaml")
GOOD = """\
rules: rules.yaml
start: 2026-09-01T00:00:00Z
tests:
  - name: one
    input:
      - {student: s, course: c, every: 1d, current_score: "92 91"}
      - {at: 0h, event: grade_override, student: s, course: c, override_score: 9}
    expect:
      - {at: 1d, rule: a, alerts: [{student: s, before: 92, after: null}]}
"""

WRONG = [
    ("start: 2026-09-01T00:00:00Z", "start: yesterday", "2:8: start: must be a time with"),
    ("start: 2026-09-01T00:00:00Z", "start: 2026-09-01", "2:8: start: must be a time with"),
    ("name: one", "nam: one", "4:5: missing key 'name'"),
    ('"92 91"', '"92 x"', "6:59: current_score: 'x' is none of: 92, 90x2"),
    ("every: 1d", "every: day", "every: must be a time after the start, such as 6d13h"),
    ("every: 1d", "every: 0h", "every: must be longer than 0"),
    ('current_score: "92 91"', "at: 1d", "say at least one of current_score, final_score"),
    ('"92 91"}', '"92 91", final_score: "9"}', "the same number of steps: current_score 2, final"),
    ("grade_override", "grade_overide", "event must be course_grade_change, grade_change or"),
    ("override_score: 9", "override_score: nine", "override_score: must be a"),
    ("override_score: 9", "override_score: true", "override_score: must be a"),
    ("override_score: 9", "overide_score: 9", "missing key 'override_score'"),
    ("at: 0h, ", "at: 2h, arrives: 1h, ", "arrives: must not be before at"),
    ("student: s, course: c, override", "student: [s], course: c, override", "must be a word such"),
    ("rule: a,", "rule: b,", "9:24: no rule 'b' in rules.yaml"),
    ("[{student: s,", "[{rule: b, student: s,", "9:43: no rule 'b' in rules.yaml"),
    ("before: 92", "befor: 92", "unknown key 'befor'"),
    ("before: 92", "state: open", "state: must be 'firing' or 'resolved'"),
    ("before: 92", "opened_at: noon", "opened_at: must be a time after the start, such as 6d13h"),
    ("before: 92", "opened_at: 2026-99", "opened_at: must be such as 6d13h, or 2026-09-07"),
    ("alerts: [{student: s, before: 92, after: null}]", "alert: []", "missing key 'alerts'"),
]  # fmt: skip


def problem(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(text, "one.test.yaml", lambda _: RULES)
    return str(caught.value)


def test_the_good_one_is_good() -> None:
    tests, rules = load(GOOD, "one.test.yaml", lambda _: RULES)

    assert rules is RULES
    assert tests.tests[0].expect[0].alerts[0].model_fields_set == {"student", "before", "after"}


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG, ids=[one[1] for one in WRONG])
def test_every_mistake_is_named_with_its_place(right: str, wrong: str, message: str) -> None:
    assert right in GOOD

    said = problem(GOOD.replace(right, wrong))

    assert message in said
    assert all(line.startswith("one.test.yaml:") for line in said.splitlines())


def test_two_tests_of_one_name_are_a_mistake() -> None:
    test = GOOD[GOOD.index("  - name") :]

    assert "another test has the name 'one'" in problem(GOOD + test)


def test_a_value_that_is_not_written_is_a_mistake() -> None:
    assert "after: has no value" in problem(GOOD.replace("after: null", "after: "))


def test_wrong_rules_are_said_as_those_of_their_own_file() -> None:
    with pytest.raises(ConfigurationError, match=r"r\.yaml:1:1"):
        load(GOOD, "one.test.yaml", lambda name: load_rules("rule: []", name.replace("rules", "r")))
