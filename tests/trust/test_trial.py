"""Rule tests judged: what passes, what fails and how that is said, coverage, JUnit, mutants."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from streams.core.rules import Rules
from streams.core.rules import load as load_rules
from streams.errors import ConfigurationError
from streams.trust import trial
from streams.trust.coverage import uncovered
from streams.trust.junit import report
from streams.trust.mutants import mutants
from streams.trust.mutate import measure
from streams.trust.testfile import RuleTests, load

RULES = load_rules(
    """
rules:
  - {id: settling, kind: score_drop, points: 10, severity: warning, for: 12h}
  - {id: lone, kind: score_vanished, severity: info}
""",
    "rules.yaml",
)
STORY = """
      - {student: s1, course: c1, every: 1d, current_score: "90 78 90"}
      - {student: s2, course: c1, every: 1d, current_score: "90 70 60"}
"""


def file_of(
    *expectations: str, story: str = STORY, more: str = "", rules: Rules = RULES
) -> RuleTests:
    expect = "\n".join(f"      - {one}" for one in expectations)
    text = f"""
rules: rules.yaml
start: 2026-09-01T00:00:00Z
tests:
  - name: "<one & only>"
    input:{story}
    expect:
{expect}
{more}
"""
    return load(text, "one.test.yaml", lambda _: rules)[0]


def failures(*expectations: str) -> list[trial.Failure]:
    [result] = trial.run(file_of(*expectations), RULES)
    return [*result.failures]


@pytest.mark.parametrize(
    "expectation",
    [
        "{at: 1d11h, rule: settling, alerts: []}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1}, {student: s2}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s2}, {student: s1}]}",
        "{at: 1d12h, rule: settling, audience: posted, alerts: [{student: s1}, {student: s2}]}",
        "{at: 3d, rule: settling, alerts: [{student: s2, transition: updated, after: 60}]}",
        (
            "{at: 3d, rule: settling, alerts: [{student: s1, state: resolved, reason: recovered},"
            " {student: s2, state: firing}]}"
        ),
        '{at: 3d, rule: "*", alerts: [{rule: settling, student: s2}]}',
        "{at: 3d, rule: lone, alerts: []}",
        # Two that fit either, and one of them only one: each is used once.
        "{at: 1d12h, rule: settling, alerts: [{}, {student: s1}]}",
        (
            "{at: 1d12h, rule: settling, alerts: [{opened_at: 1d12h, event_time: 1d, before: 90,"
            " change: -12.0, size: 12.0}, {opened_at: 2026-09-02T12:00:00.000Z, after: 70.0049}]}"
        ),
    ],
)
def test_what_is_so_passes(expectation: str) -> None:
    assert failures(expectation) == []


@pytest.mark.parametrize(
    "expectation",
    [
        "{at: 1d12h, rule: settling, alerts: []}",
        "{at: 3d, rule: settling, alerts: []}",  # it was told, though it is over
        "{at: 1d11h, rule: settling, alerts: [{student: s1}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1}]}",  # not whole
        "{at: 1d12h, rule: settling, alerts: [{student: s1}, {student: s1}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1}, {student: s2}, {}]}",
        "{at: 3d, rule: settling, alerts: [{student: s1, state: resolved}]}",
        "{at: 3d, rule: settling, alerts: [{student: s1}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1, severity: info}, {student: s2}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1, after: 78.01}, {student: s2}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1, opened_at: 1d13h}, {student: s2}]}",
        "{at: 1d12h, rule: settling, alerts: [{student: s1, after: null}, {student: s2}]}",
        "{at: 1d12h, rule: lone, alerts: [{student: s1}]}",
    ],
)
def test_what_is_not_so_fails(expectation: str) -> None:
    assert len(failures(expectation)) == 1


def test_a_failure_says_what_came_instead_in_the_words_of_the_file() -> None:
    [failure] = failures(
        "{at: 1d12h, rule: settling, alerts: [{student: s1, opened_at: 1d13h}, {student: s2}]}"
    )

    assert failure.where == "at 1d12h, rule settling, staff"
    assert failure.expected == ("{student: s1, opened_at: 1d13h}", "{student: s2}")
    assert failure.got[0].startswith("{student: s1, course: c1, rule: settling, state: firing, ")
    assert failure.got[0].endswith("before: 90, after: 78, opened_at: 1d12h}")
    assert failure.got[1] == "{student: s2}"  # that one is right, and alike on both sides


FEED = load_rules(
    """
rules:
  - {id: quiet, kind: feed_silent, silence: 30m, severity: warning}
  - {id: fell, kind: score_drop, points: 10, severity: warning}
""",
    "rules.yaml",
)
ONE_EVENT = """
      - {student: s1, course: c1, every: 1h, current_score: "90 _ 80"}
      - {student: s1, course: c1, tenant: east, every: 1d, current_score: "90"}
"""


def feed_failures(expectation: str) -> list[trial.Failure]:
    [result] = trial.run(file_of(expectation, story=ONE_EVENT, rules=FEED), FEED)
    return [*result.failures]


@pytest.mark.parametrize(
    "expectation",
    [
        "{at: 29m59s, rule: quiet, alerts: []}",
        "{at: 30m, rule: quiet, alerts: [{tenant: t1, opened_at: 30m}, {tenant: east}]}",
        "{at: 30m, rule: quiet, audience: operator, alerts: [{}, {}]}",
        '{at: 3h, rule: "*", alerts: [{rule: fell, student: s1}]}',
        "{at: 2h29m59s, rule: quiet, alerts: [{tenant: east}]}",
        "{at: 2h29m, rule: quiet, alerts: [{tenant: east}, {state: resolved, changed_at: 2h}]}",
        '{at: 3h, rule: "*", audience: operator, alerts: [{tenant: east}, {opened_at: 2h30m}]}',
    ],
)
def test_silence_is_judged_by_the_clock_alone(expectation: str) -> None:
    assert feed_failures(expectation) == []


def test_a_failure_about_a_feed_names_the_tenant() -> None:
    [failure] = feed_failures("{at: 1h, rule: quiet, alerts: [{tenant: east}]}")

    assert failure.where == "at 1h, rule quiet, operator"
    assert sorted(failure.got) == [
        "{tenant: east}",
        "{tenant: t1, rule: quiet, state: firing, reason: threshold_reached, severity: warning}",
    ]


@pytest.mark.parametrize(
    ("rule", "audience", "said"),
    [
        ("quiet", "staff", "audience: rule 'quiet' tells operators alone"),
        ("quiet", "posted", "audience: rule 'quiet' tells operators alone"),
        ("fell", "operator", "audience: rule 'fell' tells no operator"),
    ],
)
def test_whom_a_rule_never_tells_cannot_be_expected_to_hear(
    rule: str, audience: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        feed_failures(f"{{at: 1h, rule: {rule}, audience: {audience}, alerts: []}}")


def test_a_mutant_changes_the_silence_and_nothing_that_such_a_rule_has_not() -> None:
    names = {mutant.name for mutant in mutants(FEED) if "quiet" in mutant.name}

    assert names == {
        "without rule quiet", "quiet: silence 30m → 29m", "quiet: silence 30m → 31m",
        "quiet: severity warning → info", "quiet: severity warning → critical",
    }  # fmt: skip


def test_an_expectation_does_not_make_later_events_late() -> None:
    story = '\n      - {student: s, course: c, every: 1m, current_score: "90 90 70"}'
    expectations = [f"{{at: {n}m, rule: settling, alerts: []}}" for n in (0, 1, 2)]
    fires = "{at: 1d, rule: settling, alerts: [{before: 90, after: 70}]}"

    [result] = trial.run(file_of(*expectations, fires, story=story), RULES)

    assert result.failures == ()


def test_every_rule_needs_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires = "{at: 1d12h, rule: settling, alerts: [{}, {}]}"
    silent = "{at: 0h, rule: settling, alerts: []}"
    everybody = '{at: 0h, rule: "*", alerts: []}'
    by_alert = '{at: 1d12h, rule: "*", alerts: [{rule: lone}]}'

    assert uncovered(RULES, [file_of(fires)]) == [
        "rule settling: no test in which it stays silent (alerts: [])",
        "rule lone: no test in which it fires",
        "rule lone: no test in which it stays silent (alerts: [])",
    ]
    assert uncovered(RULES, [file_of(fires), file_of(silent, everybody, by_alert)]) == [
        "rule lone: no test in which it stays silent (alerts: [])",
    ]


def test_junit_is_well_formed_whatever_the_names() -> None:
    results = [*trial.run(file_of("{at: 1d12h, rule: settling, alerts: []}"), RULES)]

    document = ET.fromstring(report({"a\x00<b>": results}))  # noqa: S314 - our own

    assert document.attrib == {"tests": "1", "failures": "1"}
    case = document.find("testsuite/testcase")
    assert case is not None
    assert case.attrib == {"name": "<one & only>", "classname": "a?<b>"}
    text = case.findtext("failure")
    assert text is not None
    assert "expected\n    nothing\n  got\n    {student: s1," in text


def test_mutants_change_every_number_clause_and_choice() -> None:
    rules = load_rules(
        """
rules:
  - id: all
    kind: score_slide
    points: 10
    from: peak
    window: 2d
    view: unposted
    severity: {default: info, critical: 12.5}
    match: {courses: {in: ["1"]}}
    min_history: 2
    for: 12h
    clear: {recovery: 3, keep_firing_for: 1h}
    cooldown: 90m
    expire: 2026-12-20
    text: {next: Ask.}
""",
        "rules.yaml",
    )
    names = {mutant.name.removeprefix("all: ") for mutant in mutants(rules)}

    assert names >= {
        "grace 10m → 9m", "grace 10m → 11m", "without rule all",
        "points 10 → 9", "points 10 → 11", "from peak → median", "from peak → first",
        "window 2d → 1d", "window 2d → 3d", "view unposted → posted",
        "severity.default info → warning", "severity.critical 12.5 → 12.4",
        "severity.critical 12.5 → 12.6",
        "without match", "min_history 2 → 1", "min_history 2 → 3", "without min_history",
        "for 12h → 11h", "for 12h → 13h", "without for", "without clear",
        "clear.recovery 3 → 2", "clear.keep_firing_for 1h → 2h", "without clear.recovery",
        "cooldown 90m → 89m", "expire 2026-12-20 → 2026-12-19", "without expire",
        "without text",
    }  # fmt: skip
    assert len({mutant.rules.hash for mutant in mutants(rules)} | {rules.hash}) == len(names) + 1


def test_mutants_that_no_test_notices_are_named_unless_the_file_says_why() -> None:
    fires = "{at: 1d12h, rule: settling, alerts: [{severity: warning}, {severity: warning}]}"
    silent = "{at: 1d11h, rule: settling, alerts: []}"
    more = """
equivalent:
  - {mutant: "settling: points 10 → 9", reason: not tested here}
  - {mutant: "settling: for 12h → 13h", reason: this one is noticed}
  - {mutant: "settling: points 10 → 99", reason: there is no such mutant}
"""

    score = measure(file_of(fires, silent, more=more), RULES)

    assert "settling: points 10 → 11" in score.survivors
    assert score.equivalent == ("settling: points 10 → 9",)
    assert score.wrong == (
        "settling: points 10 → 99: there is no such mutant",
        "settling: for 12h → 13h: a test notices it",
    )
    assert score.noticed > 4
    assert score.percent == 100 * score.noticed / (score.noticed + len(score.survivors))
