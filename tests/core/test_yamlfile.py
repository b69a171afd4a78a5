"""A file that people write is read whole and strictly; whatever is wrong is said with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from streams.core.yamlfile import MAX_BYTES, Finding, did_you_mean, parse, review
from streams.errors import ConfigurationError


class _Rule(BaseModel, extra="forbid"):
    id: str
    points: float = 1


class _Rules(BaseModel, extra="forbid"):
    rules: tuple[_Rule, ...] = ()
    first: _Rule | None = None
    named: dict[str, _Rule] = {}


def _said(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        parse(text, _Rules, "rules.yaml")
    return [line.removeprefix("rules.yaml:") for line in str(raised.value).split("\n")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "1:1: the file is empty", id="empty"),
        pytest.param("# all\n# comments", "1:1: the file is empty", id="only comments"),
        pytest.param("- a", "1:1: must be a mapping: lines of 'key: value'", id="a list"),
        pytest.param("rules:\n\t- a", "2:1: a tab: YAML is indented with spaces", id="a tab"),
        pytest.param(
            "rules: []\n---\nrules: []", "2:1: a second document: one file holds one", id="two"
        ),
        pytest.param(
            "rules: []\nrules: []", "2:1: duplicate key 'rules', first on line 1", id="duplicate"
        ),
        pytest.param(
            "rules: &a [*a]", "1:8: an anchor, &a: write the value out each time", id="anchor"
        ),
        pytest.param("rules: *a", "1:8: found undefined alias 'a'", id="undefined alias"),
        pytest.param("rules: !x []", "1:8: a tag, !x: write plain values", id="a tag"),
        pytest.param(
            "first: !!python/name:os.system",
            "1:8: a tag, python/name:os.system: write plain values",
            id="a Python tag",
        ),
        pytest.param("1: a", "1:1: a key must be plain text: quote it", id="a number as key"),
        pytest.param("? [a]\n: b", "1:3: a key must be plain text: quote it", id="a list as key"),
        pytest.param(
            "rules: [{id: a, points: .nan}]",
            "1:25: neither true, false, null nor a plain decimal number",
            id="not a number",
        ),
        pytest.param(
            "rules: [{id: a, points: !!float '..'}]",
            "1:25: neither true, false, null nor a plain decimal number",
            id="a forced number",
        ),
        pytest.param("rules: " + "[" * 9000, "1:1: nested too deeply", id="deep"),
        pytest.param(b"rules: []\n  \xff", "2:3: not UTF-8 text", id="not UTF-8"),
        pytest.param("a: \x00", "1:4: a character that YAML forbids: U+0000", id="control"),
        pytest.param("{", "1:2: expected the node content, but found '<stream end>'", id="open"),
        pytest.param("rule: []", "1:1: unknown key 'rule', did you mean 'rules'?", id="unknown"),
        pytest.param(
            "first:\n  id: a\n  pints: 2",
            "3:3: unknown key 'pints', did you mean 'points'?",
            id="unknown, inside an optional part",
        ),
        pytest.param(
            "named:\n  x:\n    id: a\n    pints: 2",
            "4:5: unknown key 'pints', did you mean 'points'?",
            id="unknown, inside a named part",
        ),
        pytest.param("rules:\n- points: 2", "2:3: missing key 'id'", id="missing"),
        pytest.param(
            "rules:\n- id: a\n  points: ten",
            "3:11: points: must be a number",
            id="a bad value",
        ),
        pytest.param("rules:\n- id:", "2:3: id: has no value", id="no value"),
        pytest.param("rules:\n- id: a\n-", "3:2: has no value", id="no value in a list"),
        pytest.param("first: ~", "1:8: first: has no value", id="null where nothing may be"),
        pytest.param(
            "rules:\n- idd:\n  id: a",
            "2:3: unknown key 'idd', did you mean 'id'?",
            id="an unknown key without value",
        ),
        pytest.param(
            "rules:\n- id: 007",
            "2:7: a number with leading zeros: 7, or quote it",
            id="leading zeros",
        ),
        pytest.param("rules:\n- id: 7", "2:7: id: must be text: quote it, '7'", id="a number"),
        pytest.param(
            "rules:\n- {id: a, points: 7 %}",
            "2:19: points: must be a number: without the sign, 7",
            id="a percent sign",
        ),
        pytest.param("rules: 7", "1:8: rules: must be a list: lines of '- item'", id="no list"),
        pytest.param(
            "first: 7", "1:8: first: must be a mapping: lines of 'key: value'", id="no mapping"
        ),
        pytest.param(
            "first: {id: a, colour: 1}",
            "1:16: unknown key 'colour': there are id and points",
            id="unknown, and nothing is near",
        ),
        pytest.param(
            "#" * (MAX_BYTES + 1), "1:1: longer than 256 KiB: is it the right file?", id="long"
        ),
    ],
)
def test_what_is_wrong_is_said_with_line_and_column(text: str | bytes, said: str) -> None:
    assert _said(text) == [said]


def test_every_problem_is_said_in_the_order_of_the_file() -> None:
    assert _said("rules:\n- id: a\n  pints: 2\n- points: x\nrule: 1") == [
        "3:3: unknown key 'pints', did you mean 'points'?",
        "4:3: missing key 'id'",
        "4:11: points: must be a number",
        "5:1: unknown key 'rule', did you mean 'rules'?",
    ]


def test_a_check_over_the_whole_names_the_place_of_what_it_found() -> None:
    def twice(rules: _Rules) -> list[Finding]:
        return [Finding(("rules", len(rules.rules) - 1, "id"), "the last one")]

    with pytest.raises(ConfigurationError, match=r"^rules.yaml:3:7: the last one$"):
        parse("rules:\n- id: a\n- id: b", _Rules, "rules.yaml", twice)


def test_what_a_lint_finds_is_told_of_a_valid_file_with_its_place() -> None:
    def odd(rules: _Rules) -> list[Finding]:
        places = [("rules", index, "points") for index in range(len(rules.rules))]
        return [Finding(place, "odd") for place in reversed(places)]

    rules, told = review("rules:\n- id: a\n  points: 2\n- id: b", _Rules, "f", lint=odd)

    assert len(rules.rules) == 2
    assert told == ["f:3:11: odd", "f:4:3: odd"]


@pytest.mark.parametrize("word", ["on", "no", "yes", "off", "2026-02-03", "12:30:00"])
def test_words_that_older_yaml_converts_stay_text(word: str) -> None:
    assert parse(f"first: {{id: {word}}}", _Rules, "rules.yaml").first == _Rule(id=word)


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    assert parse(b"\xef\xbb\xbffirst:\r\n  id: a\r\n", _Rules, "f").first == _Rule(id="a")


_YAML_ISH = st.text(alphabet="ab1:-?[]{}&*!|>%@'\"#,. \n\t\\<~\x00\ud800é", max_size=40)


@given(_YAML_ISH | st.text(max_size=60) | st.binary(max_size=60))
def test_no_text_whatever_ends_as_another_error(text: str | bytes) -> None:
    try:
        parse(text, _Rules, "rules.yaml")
    except ConfigurationError as error:
        assert str(error).startswith("rules.yaml:")  # noqa: PT017 - most texts raise, not all


def test_a_hint_is_given_only_for_a_near_word() -> None:
    assert did_you_mean("point", ["points"]) == ", did you mean 'points'?"
    assert did_you_mean("colour", ["points"]) == ""
