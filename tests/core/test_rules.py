"""rules.yaml: the minimal form stays valid for ever; what is wrong is told with line and column."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from streams.core.rules import ScoreDrop, Severity, load
from streams.errors import ConfigurationError
from streams.settings import shipped

WRONG: Final = sorted((Path(__file__).parent.parent / "examples" / "rules").iterdir())
EXPECT: Final = "# expect: "
"""Each wrong file begins with its problems: ``# expect: line:column: what``."""

GOOD = """\
rules:
  - id: drop-10
    kind: score_drop
    points: 10
    severity: warning
"""


def test_the_shipped_file_is_valid_and_names_each_rule_once() -> None:
    rules = load(shipped("rules.yaml").read_text(), "rules.yaml").rules

    assert rules
    assert len({rule.id for rule in rules}) == len(rules)


def test_the_minimal_form_is_valid() -> None:
    [rule] = load(GOOD, "rules.yaml").rules

    assert isinstance(rule, ScoreDrop)
    assert (rule.id, rule.points, rule.severity) == ("drop-10", Decimal(10), Severity.WARNING)


def test_points_are_the_decimal_that_was_written() -> None:
    [rule] = load(GOOD.replace("points: 10", "points: 10.1"), "rules.yaml").rules

    assert isinstance(rule, ScoreDrop)
    assert rule.points == Decimal("10.1")


def test_comments_and_layout_do_not_change_the_hash_but_meaning_does() -> None:
    same = load("# why\n" + GOOD + "\n", "rules.yaml")

    assert same.hash == load(GOOD, "rules.yaml").hash
    assert load(GOOD.replace("10\n", "11\n"), "rules.yaml").hash != same.hash


def test_no_rules_at_all_is_a_file_that_alerts_nothing() -> None:
    assert load("rules: []", "rules.yaml").rules == ()


def expected(text: str) -> list[str]:
    """Return the problems that a wrong file names in its first lines."""
    lines = text.splitlines()
    return [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]


def differs(said: list[str], wanted: list[str]) -> bool:
    """Tell whether the problems are not, one by one, those expected (or begin so)."""
    pairs = zip(said, wanted, strict=False)
    return len(said) != len(wanted) or not all(one.startswith(part) for one, part in pairs)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_with_line_column_and_what_is_wrong(path: Path) -> None:
    text = path.read_text()
    with pytest.raises(ConfigurationError) as raised:
        load(text, path.name)

    said = str(raised.value).splitlines()
    assert not differs(said, [f"{path.name}:{each}" for each in expected(text)]), said


def test_there_are_many_wrong_files_and_no_two_are_the_same() -> None:
    bodies = {re.sub(f"^{EXPECT}.*\n", "", path.read_text(), flags=re.MULTILINE) for path in WRONG}

    assert len(bodies) == len(WRONG) >= 100


LIBRARY = r"discriminator|\btag\b|enum|\bInput\b|valid (tuple|dict|str)|pydantic|Decimal|model"
"""Words of the library that checks, which nobody who writes rules knows."""


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_message_is_in_the_words_of_the_file(path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(path.read_text(), "f")

    for said in str(raised.value).splitlines():
        assert not re.search(LIBRARY, said)
        assert not re.match(r"f:\d+:\d+: \d+: ", said), "a number names no place"


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_an_example_names_a_line_a_column_and_a_cause(path: Path) -> None:
    problems = expected(path.read_text())

    assert problems
    assert all(re.match(r"[1-9]\d*:[1-9]\d*: \S", problem) for problem in problems)


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        ["6:1: points: must be greater than 0"],
        ["5:13: severity: "],
        ["5:13: points: must be greater than 0", "6:1: missing key 'severity'"],
    ],
)
def test_a_wrong_expectation_is_noticed(wanted: list[str]) -> None:
    said = ["5:13: points: must be greater than 0"]

    assert differs(said, wanted)
    assert not differs(said, ["5:13: points: must be greater"])


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = GOOD.replace("score_drop", "drop").replace("10\n    sev", "0\n    sev")
    with pytest.raises(ConfigurationError) as raised:
        load(wrong, "rules.yaml")

    assert [each.split(" ")[0] for each in str(raised.value).splitlines()] == [
        "rules.yaml:3:11:",
        "rules.yaml:4:13:",
    ]
