"""A set of rules is stored and announced as canonical JSON: it says the same, and nothing else.

The hash is of the meaning: comments, layout, order of keys and spelled-out defaults are none.
"""

from __future__ import annotations

import json
from io import StringIO
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from streams.core.rules import GRACE, Kind, Rules, load
from tests.rule_files import KINDS, Fields, rule_files, rules

unhurried: Final = settings(deadline=None)

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "": {"for": "0s", "cooldown": "0h", "match": {}},
    "score": {"view": "posted", "min_history": 0},
    "score_below": {"from_null": False},
    "override": {"posted": False},
    "override_gap": {"against": "final_score", "direction": "either"},
    "assignment": {"posted": True},
}
"""Keys and what they are where nobody says so, by how kinds begin."""


def written(data: Fields) -> str:
    """Return data as YAML, each text on one line."""
    out, yaml = StringIO(), YAML(typ="safe", pure=True)
    yaml.width = 1000
    yaml.dump(data, out)
    return out.getvalue()


def shuffled(data: Any, draw: st.DataObject) -> Any:  # noqa: ANN401 - plain data
    """Return the same, the keys of every mapping in another order."""
    if isinstance(data, dict):
        keys = draw.draw(st.permutations(list(data)))
        return {key: shuffled(data[key], draw) for key in keys}
    return [shuffled(each, draw) for each in data] if isinstance(data, list) else data


def spelled_out(rule: Fields) -> Fields:
    """Return a rule with every default that it leaves out."""
    if rule["kind"] == "feed_silent":
        return {"match": {}} | rule
    said = [each for start, each in DEFAULTS.items() if rule["kind"].startswith(start)]
    defaults = {key: value for each in said for key, value in each.items()}
    clear = {"recovery": 0, "keep_firing_for": "0d"} | rule["clear"] if "clear" in rule else {}
    return defaults | rule | ({"clear": clear} if clear else {})


def test_the_strategies_know_every_kind() -> None:
    assert list(KINDS) == [str(kind) for kind in Kind]


@pytest.mark.parametrize("kind", KINDS)
@unhurried
@given(data=st.data())
def test_canonical_json_gives_the_same_rule_of_a_kind(kind: str, data: st.DataObject) -> None:
    file = {"rules": [data.draw(rules(kind))]}
    loaded = load(written(file), "rules.yaml")

    assert [rule.kind for rule in loaded.rules] == [kind]
    assert Rules.model_validate_json(loaded.canonical()) == loaded


@unhurried
@given(rule_files())
def test_canonical_json_gives_the_same_rules_and_the_same_hash(file: Fields) -> None:
    loaded = load(written(file), "rules.yaml")
    again = Rules.model_validate_json(loaded.canonical())

    assert again == loaded
    assert again.canonical() == loaded.canonical()
    assert again.hash == loaded.hash
    assert load(loaded.canonical(), "rules.yaml") == loaded  # JSON is YAML


@unhurried
@given(rule_files(), st.data())
def test_layout_comments_order_of_keys_and_defaults_are_no_meaning(
    file: Fields, data: st.DataObject
) -> None:
    spelled = {"grace": f"{GRACE}s"} | file | {"rules": [*map(spelled_out, file["rules"])]}
    other = "# why\n" + written(shuffled(spelled, data)).replace("\n", "\n\n")

    assert load(other, "b.yaml").hash == load(written(file), "a.yaml").hash
    assert load(json.dumps(file), "c.yaml").hash == load(written(file), "a.yaml").hash


@pytest.mark.parametrize("same", ["10.0", "10.00", "1e1", "'10'"])
def test_a_number_is_the_same_however_it_is_written(same: str) -> None:
    rule = "rules: [{{id: a, kind: score_drop, points: {}, severity: info}}]"

    assert load(rule.format(same), "f").hash == load(rule.format(10), "f").hash


def test_an_id_is_the_same_as_number_and_as_text() -> None:
    rule = (
        "rules: [{{id: a, kind: score_vanished, severity: info, match: {{courses: {{in: [{}]}}}}}}]"
    )

    assert load(rule.format(565), "f").hash == load(rule.format("'565'"), "f").hash
    assert load(rule.format(566), "f").hash != load(rule.format(565), "f").hash


@pytest.mark.parametrize(
    "changed",
    [
        {"points": 11},
        {"severity": "info"},
        {"severity": {"default": "warning", "critical": 20}},
        {"view": "unposted"},
        {"match": {"courses": {"out": [565]}}},
        {"for": "1s"},
        {"clear": {}},  # its alerts live: they open, change and resolve
        {"cooldown": "1s"},
        {"expire": "1d"},
        {"min_history": 1},
        {"text": {"next": "Look."}},
        {"id": "b"},
    ],
    ids=str,
)
def test_every_key_is_a_meaning(changed: Fields) -> None:
    rule = {"id": "a", "kind": "score_drop", "points": 10, "severity": "warning"}
    hashes = [load(json.dumps({"rules": [each]}), "f").hash for each in (rule, rule | changed)]

    assert hashes[0] != hashes[1]


def test_the_hash_of_the_minimal_rule_is_that_of_all_versions() -> None:
    rule = "rules: [{id: drop-10, kind: score_drop, points: 10, severity: warning}]"

    assert load(rule, "f").canonical() == (
        '{"rules":[{"id":"drop-10","kind":"score_drop","points":"10","severity":"warning"}]}'
    )
