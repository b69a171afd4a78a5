"""What Canvas sends, one file per variant: the core and the oracle both say what the file expects.

The files hold every payload of Canvas's page "Grade" and the variants 1 to 24 that the field knows:
records, and the fates, rows and alerts that the domain rules give them, with the shipped rules in
force. The expectations were written from the rules, not from the code. They name the fields that
matter; a list of alerts, rows or fates is always whole.
"""

from __future__ import annotations

import base64
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from tests import oracle
from tests.on_dicts import Play, Raw
from tests.scenarios import milliseconds

EXAMPLES: Final = Path(__file__).parent.parent / "examples" / "canvas"
FILES: Final = sorted(EXAMPLES.iterdir())
ARRIVAL: Final = "2026-02-03T12:00:00.000Z"
"""The Kafka timestamp of a record that gives none."""

_NAME: Final = re.compile(r"(page-[1-3]|variant-(\d\d)[a-z]?)-[a-z0-9-]+\.json")
_SOURCE: Final = re.compile(
    r'Canvas page "Grade" \(data_service_canvas_grade\), example [1-3]|reference §3 variant \d+'
)


def _read(file: Path) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(file.read_text())
    return example


def _raw(records: list[dict[str, Any]]) -> list[Raw]:
    return [
        (_value(record), milliseconds(record.get("timestamp", ARRIVAL)), ("canvas", 0, offset))
        for offset, record in enumerate(records)
    ]


def _value(record: dict[str, Any]) -> bytes | None:
    if "value" in record:
        return json.dumps(record["value"], ensure_ascii=False).encode()
    if "text" in record:
        return str(record["text"]).encode()
    return None if record["base64"] is None else base64.b64decode(record["base64"])


def _lacks(actual: Any, expected: Any, path: str = "") -> list[str]:  # noqa: ANN401 - JSON
    """Return where ``actual`` is not what ``expected`` says; fields it does not name are free."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected:
        parts = [(actual.get(key), expected[key], f"{path}.{key}") for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) <= len(actual):
        parts = [(actual[at], one, f"{path}[{at}]") for at, one in enumerate(expected)]
    else:
        same = actual == expected and isinstance(actual, bool) == isinstance(expected, bool)
        return [] if same else [f"{path}: {actual!r} instead of {expected!r}"]
    return [lack for part in parts for lack in _lacks(*part)]


def _expected_rows(expect: dict[str, Any]) -> list[dict[str, Any]]:
    if "rows" in expect:
        rows: list[dict[str, Any]] = expect["rows"]
        return rows
    return [] if expect["row"] is None else [expect["row"]]


def _differs(played: Play | oracle.Result, expect: dict[str, Any]) -> list[str]:
    """Return where a play and an expectation part."""
    rows = [
        {"tenant": tenant, "student_id": student, "course_id": course, **row}
        for (tenant, student, course), row in played.rows.items()
    ]
    said: dict[str, Any] = {"fates": played.journeys, "rows": rows, "alerts": played.alerts}
    wanted: dict[str, Any] = {
        "fates": expect["fates"],
        "rows": _expected_rows(expect),
        "alerts": expect["alerts"],
    }
    counts = [f"{key}: {len(said[key])}" for key in said if len(said[key]) != len(wanted[key])]
    return counts + _lacks(said, wanted)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_core_says_what_the_example_expects(file: Path) -> None:
    example = _read(file)
    played = Play().take(_raw(example["records"]))
    assert _differs(played, example["expect"]) == []
    assert _lacks(played.events, example["expect"].get("events", [])) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_oracle_says_what_the_example_expects(file: Path) -> None:
    example = _read(file)
    records = _raw(example["records"])
    assert _differs(oracle.fold(records), example["expect"]) == []
    said = [oracle.canonical(value, timestamp) for value, timestamp, _ in records]
    assert _lacks(said, example["expect"].get("events", [])) == []


def test_every_payload_of_the_page_and_every_variant_from_1_to_24_has_an_example() -> None:
    sources = {_read(file)["source"] for file in FILES}
    page = 'Canvas page "Grade" (data_service_canvas_grade), example'
    wanted = {f"reference §3 variant {number}" for number in range(1, 25)}
    assert sources == wanted | {f"{page} {number}" for number in range(1, 4)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_example_is_named_after_its_source_and_whole(file: Path) -> None:
    named = _NAME.fullmatch(file.name)
    assert named, "no test reads a file of another name"
    example = _read(file)
    assert _SOURCE.fullmatch(example["source"])
    number = named[2] or named[1]
    assert int(number.removeprefix("page-")) == int(example["source"].split()[-1])
    assert set(example) == {"what", "source", "records", "expect"}
    assert set(example["expect"]) - {"events"} in (
        {"fates", "row", "alerts"},
        {"fates", "rows", "alerts"},
    )
    assert example["what"].endswith(".")
    assert len(example["expect"]["fates"]) == len(example["records"]) > 0
    for record in example["records"]:
        assert len(record.keys() & {"value", "text", "base64"}) == 1
        assert record.keys() <= {"value", "text", "base64", "timestamp"}


def test_no_two_examples_show_the_same() -> None:
    shown = sorted(json.dumps(_read(file)["records"], sort_keys=True) for file in FILES)
    assert not [one for one, other in pairwise(shown) if one == other]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"fates": ["passed/late"]}, id="another fate"),
        pytest.param({"fates": []}, id="no fate"),
        pytest.param({"row": None}, id="no row"),
        pytest.param({"row": {"current_score": 71.4}}, id="another score"),
        pytest.param({"row": {"period_overrides": {"47": 90.0}}}, id="an override"),
        pytest.param({"alerts": []}, id="no alert"),
        pytest.param({"alerts": [{"change": 12.75}]}, id="another sign"),
        pytest.param({"alerts": [{"late": True}]}, id="late"),
        pytest.param({"alerts": [{"evidence": [{"offset": 1}]}]}, id="other evidence"),
        pytest.param({"alerts": [{}, {}]}, id="one alert more"),
    ],
)
def test_a_wrong_expectation_is_noticed(wrong: dict[str, Any]) -> None:
    example = _read(EXAMPLES / "variant-01-drop.json")
    records = _raw(example["records"])
    for played in (Play().take(records), oracle.fold(records)):
        assert _differs(played, example["expect"] | wrong)
