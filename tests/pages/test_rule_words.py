"""Every rule that ships, and every kind there is, is said in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.core import rules
from streams.core.rules import Kind
from streams.pages.rule_words import rule_in_words
from tests.on_dicts import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = [ROOT / "rules.yaml", ROOT / "rules" / "university.yaml", ROOT / "rules" / "school.yaml"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_every_rule_that_ships_is_said_in_words_with_its_numbers(file: Path) -> None:
    text = file.read_text()
    for rule in json.loads(rules.load(text, "rules").canonical())["rules"]:
        said = rule_in_words(rule)
        assert said.startswith("Alerts when ")
        assert said.endswith(".")
        for name in ("points", "percent", "floor", "min_history"):
            assert name not in rule or f" {rule[name]} " in said, said


def test_no_kind_is_said_by_its_name_alone() -> None:
    for kind in Kind:
        rule = {
            "id": "r", "kind": kind.value, "points": "1", "floor": "2", "from": "peak",
            "window": "86400s", "silence": "86400s",
        }  # fmt: skip
        assert kind.value.replace("_", " ") not in rule_in_words(rule)
