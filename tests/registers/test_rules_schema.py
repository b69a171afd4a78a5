"""docs/rules.schema.json is the model's: it takes what `load` takes, and little else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given, settings

from streams.core import yamlfile
from streams.core.rule_schema import DIALECT, schema
from streams.core.rules import Kind, load
from tests.rule_files import Fields, rule_files

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "rules.schema.json"
PAGE = (ROOT / "docs" / "alerts.md").read_text()
GOOD: Final = sorted([ROOT / "rules.yaml", *(ROOT / "deploy").rglob("rules*.yaml")])
WRONG: Final = sorted((ROOT / "tests" / "examples" / "rules").glob("*.yaml"))
NEEDS_MORE: Final = {
    "expire-at-once", "expire-on-no-day", "for-too-long", "id-twice",
    "match-of-a-sis-id", "grader-misspelt", "points-of-many-places", "severity-by-size-of-nothing",
    "severity-by-size-of-vanished", "severity-step-above-all-percents",
    "severity-step-above-the-floor", "severity-step-at-the-threshold",
    "severity-step-below-the-threshold", "severity-step-under-the-default",
    "severity-steps-in-the-wrong-order", "silence-too-short", "silence-with-a-score",
    "text-empty", "text-on-two-lines", "text-with-a-format",
    "text-with-a-name", "text-with-an-empty-brace", "text-with-an-open-brace",
    "text-with-an-unknown-variable", "window-of-hours", "window-of-nothing",
}  # fmt: skip
"""Wrong files that the schema takes: their mistake needs more than one field, or a calendar."""

CHECKER: Final = jsonschema.Draft202012Validator(json.loads(schema()))


def read(path: Path) -> Any:  # noqa: ANN401 - plain data
    """Return a file's plain data, as the project reads YAML; None where it is none."""
    tree = yamlfile._Tree()
    data = tree.read(path.read_text())
    return None if tree.problems else data


READ: Final = [path for path in WRONG if read(path) is not None]


def test_the_published_schema_is_the_models() -> None:
    assert SCHEMA.read_text() == schema(), "gradewatch rules schema > docs/rules.schema.json"


def test_the_schema_is_one_of_its_dialect() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))

    assert CHECKER.schema["$schema"] == DIALECT


@pytest.mark.parametrize("path", GOOD, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_good_file_is_valid(path: Path) -> None:
    load(path.read_text(), path.name)

    CHECKER.validate(read(path))


@settings(deadline=None)
@given(rule_files())
def test_whatever_may_be_written_is_valid(file: Fields) -> None:
    CHECKER.validate(file)
    CHECKER.validate(json.loads(load(json.dumps(file), "f").canonical()))


@pytest.mark.parametrize("path", READ, ids=lambda path: path.stem)
def test_a_wrong_file_is_not_valid_where_one_field_shows_it(path: Path) -> None:
    assert CHECKER.is_valid(read(path)) == (path.stem in NEEDS_MORE)


def test_most_wrong_files_are_not_valid() -> None:
    assert {path.stem for path in READ} > NEEDS_MORE
    assert len(READ) - len(NEEDS_MORE) >= 80


def test_every_key_and_kind_has_a_description_or_is_one_on_the_page() -> None:
    kinds = json.loads(schema())["$defs"]
    rules = {name: each for name, each in kinds.items() if "kind" in each.get("properties", ())}
    keys = {key for each in rules.values() for key in each["properties"]}

    assert [name for name, each in rules.items() if not each.get("description")] == []
    assert [key for key in keys if not re.search(rf"`{key}[`:,]", PAGE)] == []
    assert [kind for kind in Kind if f"`{kind}`" not in PAGE] == []
