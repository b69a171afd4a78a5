"""rules.yaml: the minimal form stays valid for ever; what is wrong is told with line and column."""

from __future__ import annotations

from decimal import Decimal

import pytest

from streams.core.rules import Kind, Severity, load
from streams.errors import ConfigurationError
from streams.settings import shipped

GOOD = """\
rules:
  - id: drop-10
    kind: score_drop
    points: 10
    severity: warning
"""


def test_the_shipped_file_has_one_rule_of_each_kind_at_ten_points() -> None:
    rules = load(shipped("rules.yaml").read_text(), "rules.yaml").rules

    assert [rule.kind for rule in rules] == list(Kind)
    assert {rule.points for rule in rules} == {Decimal(10)}


def test_the_minimal_form_is_valid() -> None:
    [rule] = load(GOOD, "rules.yaml").rules

    assert (rule.id, rule.points, rule.severity) == ("drop-10", Decimal(10), Severity.WARNING)


def test_points_are_the_decimal_that_was_written() -> None:
    [rule] = load(GOOD.replace("points: 10", "points: 10.1"), "rules.yaml").rules

    assert rule.points == Decimal("10.1")


def test_comments_and_layout_do_not_change_the_hash_but_meaning_does() -> None:
    same = load("# why\n" + GOOD + "\n", "rules.yaml")

    assert same.hash == load(GOOD, "rules.yaml").hash
    assert load(GOOD.replace("10\n", "11\n"), "rules.yaml").hash != same.hash


def test_no_rules_at_all_is_a_file_that_alerts_nothing() -> None:
    assert load("rules: []", "rules.yaml").rules == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: score_drop", "kind: score_dropped", "rules.yaml:3:"),
        ("kind: score_drop", "", "missing key 'kind'"),
        ("points: 10", "points: 0", "rules.yaml:4:"),
        ("points: 10", "points: -5", "rules.yaml:4:"),
        ("points: 10", "points: 1001", "rules.yaml:4:"),
        ("points: 10", "points: .inf", "rules.yaml:4:"),
        ("points: 10", "points: ten", "rules.yaml:4:"),
        ("points: 10", "points: [10]", "rules.yaml:4:"),
        ("points: 10", "point: 10", "did you mean 'points'?"),
        ("severity: warning", "severity: loud", "rules.yaml:5:"),
        ("severity: warning", "severity: warning\n    severity: info", "rules.yaml:6:"),
        ("id: drop-10", "id: Drop 10", "rules.yaml:2:"),
        ("id: drop-10", "id: ''", "rules.yaml:2:"),
        ("    severity: warning\n", "    severity: warning\n" + GOOD[7:], "rules.yaml:6:"),
        ("rules:", "rule:", "did you mean 'rules'?"),
        (GOOD, "", "rules.yaml:"),
        (GOOD, "- just\n- a list\n", "rules.yaml:1:1:"),
        ("    kind", "\tkind", "rules.yaml:3:"),
        (GOOD, GOOD + "---\n" + GOOD, "rules.yaml:6:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        load(GOOD.replace(old, new), "rules.yaml")

    assert message in str(told.value)
    assert str(told.value).startswith("rules.yaml:")
