"""``gradewatch rules test``, ``mutate`` and ``backtest`` on files: what they say, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from streams.cli.backtest import backtest
from streams.cli.mutate import mutate
from streams.cli.rule_tests import rule_tests
from streams.errors import ConfigurationError
from tests.trust.played import lines

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

RULES = "rules: [{id: drop, kind: score_drop, points: 10, severity: warning, for: 12h}]"
TESTS = """
rules: rules.yaml
start: 2026-09-01T00:00:00Z
tests:
  - name: it settles
    input:
      - {student: s1, course: c1, every: 1d, current_score: "90 80"}
      - {student: s2, course: c1, every: 1d, current_score: "90 80.5"}
    expect:
      - {at: 1d11h, rule: drop, alerts: []}
      - {at: 1d12h, rule: drop, audience: posted, alerts: [{severity: warning}]}
      - {at: 1d12h, rule: drop, alerts: [{student: s1, severity: warning, after: 80}]}
"""
LATE = """
  - name: what comes late
    input:
      - {student: s1, course: c1, every: 1h, current_score: "90"}
      - {at: 1d, arrives: 1d10m, event: course_grade_change, student: s1, course: c1, current_score: 70}
      - {at: 1d30s, event: course_grade_change, student: s1, course: c1, current_score: 71}
      - {student: s2, course: c1, every: 1h, current_score: "90"}
      - {at: 1d, arrives: 1d10m30s, event: course_grade_change, student: s2, course: c1, current_score: 70}
      - {at: 1d10s, event: course_grade_change, student: s2, course: c1, current_score: 71}
    expect:
      - {at: 2d, rule: drop, alerts: [{student: s1}]}
"""  # noqa: E501 - a line of YAML is one event


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "one.test.yaml").write_text(TESTS)
    return tmp_path


def run(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(rule_tests, [str(folder / "one.test.yaml"), *options])


def test_tests_that_pass_are_one_line_each(folder: Path) -> None:
    result = run(folder)

    assert result.output.splitlines() == ["ok    one.test.yaml: it settles", "1 passed, 0 failed"]
    assert result.exit_code == 0


def test_a_failure_says_what_was_expected_and_what_came(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("warning", "critical"))

    result = run(folder)

    assert result.exit_code == 1
    assert result.output.splitlines()[:4] == [
        "FAIL  one.test.yaml: it settles",
        "      at 1d12h, rule drop, posted",
        "        expected",
        "          {severity: warning}",
    ]
    assert result.output.endswith("0 passed, 1 failed\n")


def test_a_diff_is_a_unified_one(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("warning", "critical"))

    told = [line.strip() for line in run(folder, "--diff").output.splitlines()]

    assert told[1].startswith("--- expected")
    assert "-{severity: warning}" in told
    assert any(line.startswith("+{student: s1, course: c1, rule: drop,") for line in told)


def test_a_rule_that_is_not_covered_fails_unless_that_is_left_out(folder: Path) -> None:
    other = ", {id: gone, kind: score_vanished, severity: info}]"
    (folder / "rules.yaml").write_text(RULES.replace("}]", "}" + other))

    result = run(folder, "--junit", str(folder / "out.xml"))

    assert result.exit_code == 1
    assert "FAIL  rule gone: no test in which it fires" in result.output
    assert result.output.endswith("1 passed, 0 failed, 2 not covered\n")
    root = ET.fromstring((folder / "out.xml").read_bytes())  # noqa: S314 - our own
    assert root.attrib == {"tests": "3", "failures": "2"}
    assert run(folder, "--no-coverage").exit_code == 0


def test_only_some_tests_are_run_by_name(folder: Path) -> None:
    (folder / "one.test.yaml").write_text(TESTS + LATE)

    assert run(folder, "--run", "^what").output.splitlines() == [
        "ok    one.test.yaml: what comes late",
        "1 passed, 0 failed",
    ]
    assert run(folder, "--run", "nothing").exit_code == 2
    assert "no regular expression" in run(folder, "--run", "(").output


def test_a_wrong_file_is_a_configuration_error(folder: Path) -> None:
    (folder / "rules.yaml").unlink()

    result = run(folder)

    assert isinstance(result.exception, ConfigurationError)
    assert "rules.yaml cannot be read" in str(result.exception)


def test_mutants_that_survive_are_named(folder: Path) -> None:
    runner, file = CliRunner(), str(folder / "one.test.yaml")

    few = runner.invoke(mutate, [file, "--processes", "1"])

    assert few.exit_code == 1
    assert "survived  grace 10m → 9m" in few.output
    (folder / "one.test.yaml").write_text(TESTS + LATE)
    all_ = runner.invoke(mutate, [file, "--processes", "2"])
    assert all_.output.endswith("mutants noticed (100.0 %)\n"), all_.output
    assert all_.exit_code == 0


def test_mutants_of_failing_tests_are_not_made(folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("warning", "critical"))

    result = CliRunner().invoke(mutate, [str(folder / "one.test.yaml")])

    assert result.exit_code == 1
    assert "a test fails already: it settles" in result.output


@pytest.fixture
def semester(folder: Path) -> Path:
    file = folder / "semester.ndjson"
    file.write_bytes(b"".join(lines(1_500, 25)))
    return file


def test_a_backtest_is_a_report(folder: Path, semester: Path) -> None:
    rules = str(folder / "rules.yaml")
    (folder / "other.yaml").write_text(RULES.replace("10", "15"))
    options = ["--rules", rules, "--against", str(folder / "other.yaml"), "--processes", "1"]

    told = CliRunner().invoke(backtest, [str(semester), *options])
    data = json.loads(
        CliRunner().invoke(backtest, [str(semester), *options, "--format", "json"]).output
    )

    assert told.exit_code == 0, told.output
    [rule] = data["rules"]
    assert rule["opened"] == rule["warning"] == rule["resolved"] + rule["open"] > 0
    assert sum(data["weeks"].values()) == rule["opened"]
    assert sum(data["students_by_alerts"].values()) == data["students"]
    added, removed = data["against"]["added"], data["against"]["removed"]
    assert removed > added
    assert f"the other rules would add {added} and remove {removed}\n" in told.output
    assert "student_id" not in json.dumps(data)
    assert "future_event" in data["passed_over"]


def test_a_backtest_names_students_only_where_that_is_asked_for(
    folder: Path, semester: Path
) -> None:
    options = ["--rules", str(folder / "rules.yaml"), "--processes", "1", "--format", "json"]

    plain, named = (
        json.loads(CliRunner().invoke(backtest, [str(semester), *options, *more]).output)
        for more in ([], ["--ids"])
    )

    assert named["students_with_most"]
    assert named["students_with_most"].keys().isdisjoint(json.dumps(plain))
    assert "students_with_most" not in plain


def test_a_backtest_of_a_time_plays_only_that(folder: Path, semester: Path) -> None:
    options = ["--rules", str(folder / "rules.yaml"), "--processes", "1", "--format", "json"]
    period = ["--from", "2026-03-01", "--to", "2026-04-01T00:00:00+00:00"]

    result = CliRunner().invoke(backtest, ["-", *options, *period], input=semester.read_bytes())

    told = json.loads(result.output)
    assert "2026-03-01" <= told["first"] <= told["last"] < "2026-04-01"
    assert 0 < told["events"] < 1_000
    assert CliRunner().invoke(backtest, ["-", "--from", "then"]).exit_code == 2
