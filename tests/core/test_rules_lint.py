"""What a valid rules.yaml says and nobody means is found, with its line and column."""

from __future__ import annotations

import pytest

from streams.core.rule_lint import inspect
from streams.settings import shipped

GOOD = """\
rules:
  - id: drop-10
    kind: score_drop
    points: 10
    severity: warning
"""
DROP = "id: a, kind: score_drop, points: 10, severity: info"
SLIDE = "id: a, kind: score_slide, points: 10, from: peak, window: 2d, severity: info"
BELOW = "id: a, kind: score_below, floor: 70, severity: info"
GAP = "id: a, kind: override_gap, points: 10, severity: info"
QUIET = "id: a, kind: feed_silent, silence: 1d, severity: info"
GONE = "id: a, kind: score_vanished, severity: info"


def said(text: str) -> list[str]:
    return [each.removeprefix("f:") for each in inspect(text, "f")[1]]


def of(*rules: str) -> list[str]:
    """Return what is said of rules, each on a line of its own; the first is on line 2."""
    return said("rules:\n" + "\n".join(f"- {{{rule}}}" for rule in rules))


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (f"{BELOW.replace('70', '0')}", "floor: 0: only a score of 0 alerts"),
        (
            f"{BELOW.replace('70', '100.5')}",
            "floor: 100.5: with extra credit only is a score above it",
        ),
        (
            f"{DROP.replace('10', '101')}",
            "points: 101: with extra credit only does a score move so far",
        ),
        (
            f"{SLIDE}, for: 49h",
            "for: longer than the window, 2d: what it slid from is out of it",
        ),
        (
            f"{DROP}, for: 12h, clear: {{keep_firing_for: 2d}}, expire: 59h",
            "expire: shorter than for and keep_firing_for together, 60h",
        ),
        (f"{DROP}, for: 12h, expire: 11h", "expire: shorter than for and keep_firing_for together"),
        (f"{DROP}, cooldown: 0d", "cooldown: 0 has no effect"),
        (
            f"{GONE}, clear: {{recovery: 5}}",
            "recovery: has no effect: score_vanished is over, or not",
        ),
        (
            f"{BELOW}, clear: {{recovery: 31}}",
            "recovery: only a score of 101 is so far over the floor",
        ),
        (
            f"{DROP}, clear: {{recovery: 11}}",
            "recovery: more than the threshold, 10: only beyond `before`",
        ),
        (f"{GAP}, clear: {{recovery: 11}}", "recovery: more than the threshold, 10: it never reco"),
        (
            f"{GAP}, direction: above, clear: {{recovery: 11}}",
            "recovery: more than the threshold, 10: only beyond `before`",
        ),
        (f"{DROP}, match: {{}}", "match: says nothing: all are matched"),
        (f"{DROP}, match: {{courses: {{in: [565, 7, '565']}}}}", "courses: 565 is listed twice"),
        (f"{DROP}, match: {{tenants: {{out: [x, x]}}}}", "tenants: x is listed twice"),
        (
            f"{DROP}, match: {{courses: {{in: [21070000000000565]}}}}",
            "courses: 21070000000000565 is a global id, is 565, the local one, meant?",
        ),
        (f"{QUIET}, match: {{}}", "match: says nothing: all are matched"),
        (f"{QUIET}, match: {{tenants: {{in: [x, x]}}}}", "tenants: x is listed twice"),
        (f"{QUIET}, text: {{summary: Look.}}", "summary: names no variable"),
        (f"{DROP}, text: {{summary: Look.}}", "summary: names no variable: all its alerts read"),
        (f"{DROP}, text: {{summary: '{{{{points}}}}'}}", "summary: names no variable"),
    ],
)
def test_an_oddity_of_one_rule_is_found_at_its_key(rule: str, found: str) -> None:
    [only] = of(rule)
    line, column, message = only.split(":", 2)

    assert line == "2"
    assert message.strip().startswith(found)
    assert rule[int(column) - 4 :].startswith(_value(rule, found)), only


def _value(rule: str, found: str) -> str:
    """Return what stands where an oddity must be shown."""
    if "twice" in found:
        return rule[rule.rindex("'565'") if "'565'" in rule else rule.rindex("x") :][:3]
    key = found.partition(":")[0]
    if "global" in found:
        return "21070"
    return rule.split(f"{key}: ", 1)[1][:3]


@pytest.mark.parametrize(
    "rule",
    [
        DROP.replace("10", "100"),
        BELOW.replace("70", "100"),
        BELOW.replace("70", "0.5"),
        f"{SLIDE}, for: 2d",
        f"{DROP}, for: 12h, clear: {{keep_firing_for: 2d}}, expire: 60h",
        f"{DROP}, for: 12h, expire: 2020-01-01",  # no clock is read
        f"{DROP}, cooldown: 1s",
        f"{BELOW}, clear: {{recovery: 30}}",
        f"{DROP}, clear: {{recovery: 10}}",
        f"{GAP}, clear: {{recovery: 10, keep_firing_for: 1d}}",
        f"{GONE}, clear: {{recovery: 0, keep_firing_for: 1d}}",
        f"{DROP}, match: {{courses: {{in: [565, 7]}}, accounts: {{in: [565]}}}}",
        f"{DROP}, match: {{tenants: {{in: [21070000000000565]}}}}",
        f"{DROP}, text: {{summary: 'Fell by {{change}}.', next: Look.}}",
        f"{QUIET}, match: {{tenants: {{in: [21070000000000565, y]}}}}",
        f"{QUIET}, text: {{summary: 'None since {{since}}.', next: Look.}}",
    ],
)
def test_what_is_just_right_is_not_odd(rule: str) -> None:
    assert of(rule) == []


def test_a_gap_that_never_closes_makes_its_waiting_needless() -> None:
    assert of(f"{GAP}, clear: {{recovery: 11, keep_firing_for: 1d}}") == [
        "2:77: recovery: more than the threshold, 10: it never recovers",
        "2:98: keep_firing_for: has no effect: see recovery",
    ]


def test_no_rule_at_all_is_odd() -> None:
    assert said("grace: 5m\nrules: []") == ["2:8: no rule: nothing alerts"]


@pytest.mark.parametrize(
    ("grace", "found"),
    [
        ("0s", ["1:8: grace: nothing may come late: what does is not judged in place"]),
        ("25h", ["1:8: grace: more than 1d: every alert that lives waits for 25h"]),
        ("1d", []),
        ("1s", []),
    ],
)
def test_a_grace_of_nothing_or_of_days_is_odd(grace: str, found: list[str]) -> None:
    assert said(f"grace: {grace}\n{GOOD}") == found


@pytest.mark.parametrize("rule", [DROP, SLIDE, BELOW, GAP, GONE, f"{DROP}, for: 1d", QUIET])
def test_a_rule_that_another_repeats_is_found_once(rule: str) -> None:
    assert of(rule, rule.replace("id: a", "id: b")) == [
        "3:3: b: says the same as 'a', and alerts with it"
    ]


@pytest.mark.parametrize("rule", [DROP, SLIDE, GAP, DROP.replace("points", "percent")])
def test_a_rule_that_another_makes_needless_is_found_before_it_and_after(rule: str) -> None:
    more = rule.replace("id: a", "id: b").replace("10", "20")
    found = "b: needless: 'a' alerts from 10 on, just as loud"

    assert of(rule, more) == [f"3:3: {found}"]
    assert of(more, rule) == [f"2:3: {found}"]


@pytest.mark.parametrize(
    "other",
    [
        "id: b, kind: score_drop, points: 20, severity: warning",
        "id: b, kind: score_drop, percent: 20, severity: info",
        "id: b, kind: score_drop, points: 20, severity: info, view: unposted",
        "id: b, kind: score_drop, points: 20, severity: info, match: {courses: {in: [565]}}",
        "id: b, kind: score_drop, points: 20, severity: info, for: 1d",
        "id: b, kind: score_slide, points: 20, from: peak, window: 2d, severity: info",
        "id: b, kind: assignment_drop, points: 20, severity: info",
    ],
)
def test_a_rule_that_differs_is_not_needless(other: str) -> None:
    assert of(DROP, other) == []


def test_another_floor_is_another_alert() -> None:
    assert of(BELOW, "id: b, kind: score_below, floor: 60, severity: info") == []


def test_a_longer_silence_is_needless_unless_it_is_louder() -> None:
    longer = QUIET.replace("id: a", "id: b").replace("1d", "2d")

    assert of(longer, QUIET) == ["2:3: b: needless: 'a' alerts from 1d on, just as loud"]
    assert of(longer.replace("info", "critical"), QUIET) == []


def test_the_shipped_file_has_nothing_odd() -> None:
    assert inspect(shipped("rules.yaml").read_text(), "rules.yaml")[1] == []
