"""What no field list names never passes intake, and a refusal names a field, never a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import events
from streams.core.canvas import Refusal
from streams.core.intake import Reader
from tests.profiles import examples
from tests.scenarios import START, a_course_grade_change, a_grade_change, an_override, milliseconds

if TYPE_CHECKING:
    from streams.core.events import GradeEvent

NOW: Final = milliseconds(START)
REAL: Final = [a_course_grade_change(), a_grade_change(), an_override()]
USED: Final = {
    "metadata": {
        "event_name", "event_time", "root_account_uuid", "root_account_id", "context_type",
        "context_id", "context_account_id", "user_id",
    },
    "body": {
        "user_id", "student_id", "course_id", "submission_id", "assignment_id", "grader_id",
        "score_id", "enrollment_id", "grading_period_id", "workflow_state", "created_at",
        "updated_at", "grade", "old_grade",
    },
}  # fmt: skip
"""The texts that may pass."""

OTHERS: Final = {
    "metadata": [
        "url", "referrer", "hostname", "client_ip", "user_agent", "session_id", "request_id",
        "real_user_id", "user_login", "user_sis_id", "context_sis_source_id",
        "context_role", "time_zone", "developer_key_id", "root_account_lti_guid", "new_in_canvas",
    ],
    "body": ["student_sis_id", "assignment_name", "user_name", "new_in_canvas"],
}  # fmt: skip
"""What Canvas sends too, or may one day."""


def marked(raw: bytes) -> dict[str, Any]:
    """Return the event with a mark of its own in every text that may not pass, nested ones too."""
    value: dict[str, Any] = json.loads(raw)
    for part, others in OTHERS.items():
        texts = [name for name, held in value[part].items() if isinstance(held, str)]
        for name in {*others, *texts} - USED[part]:
            value[part][name] = f"MARK-{part}-{name}"
        value[part]["nested"] = {"MARK-key": ["MARK-item", {"deep": "MARK-deep"}]}
    return value | {"MARK-top": "MARK-of-the-envelope"}


def taken(value: dict[str, Any]) -> GradeEvent | Refusal | None:
    return Reader().read(json.dumps(value).encode(), NOW)


@pytest.mark.parametrize("raw", REAL, ids=["scores", "grade", "override"])
def test_no_text_outside_the_fields_we_use_passes(raw: bytes) -> None:
    value = marked(raw)
    assert json.dumps(value).count("MARK-") > 20

    event = taken(value)

    assert event is not None
    assert not isinstance(event, Refusal)
    assert b"MARK" not in events.encode(event)
    assert event == Reader().read(raw, NOW)


def test_a_field_that_passes_would_be_noticed() -> None:
    value = marked(REAL[1])
    value["body"]["grade"] = "MARK-grade"

    event = taken(value)

    assert event is not None
    assert not isinstance(event, Refusal)
    assert b"MARK-grade" in events.encode(event)


@given(st.sampled_from(REAL), st.sampled_from(["metadata", "body"]), st.data())
@settings(max_examples=examples(300), deadline=None)
def test_a_refusal_repeats_nothing_of_the_record(
    raw: bytes, part: str, data: st.DataObject
) -> None:
    """Neither the value at fault nor any other: all texts are marks, the fault too or odd."""
    value = marked(raw)
    fault = data.draw(st.sampled_from(sorted(value[part])))
    odd = st.sampled_from(
        ["MARK", ["MARK"], {"MARK": "MARK"}, True, -47.11, 4711 * 10**30, "4711-02-30T00:00:00Z"]
    )
    value[part][fault] = data.draw(odd)

    refused = taken(value)

    if isinstance(refused, Refusal):
        assert "MARK" not in refused.detail
        assert "47" not in refused.detail
        assert len(refused.detail) < 200


@pytest.mark.parametrize(
    "broken",
    [b"", b"x", b"}", b'"MARK', b"\\u12", b"\xff", b"NaN", b"1e999", b"9" * 5000, b"[" * 5000],
    ids=range(10),
)
@pytest.mark.parametrize("raw", REAL, ids=["scores", "grade", "override"])
@pytest.mark.parametrize("cut", [True, False], ids=["cut", "whole"])
def test_broken_json_is_told_by_its_place_alone(raw: bytes, broken: bytes, *, cut: bool) -> None:
    value = json.dumps(marked(raw)).encode()
    at = value.index(b'"nested"') + len(b'"nested": ')

    rest = b"" if cut else b', "rest": ' + value[at:]

    refused = Reader().read(value[:at] + broken + rest, NOW)

    if not isinstance(refused, Refusal):  # an odd number in a field that nobody reads
        assert not cut
        assert broken[:1] in b"19"
        return
    assert "MARK" not in refused.detail
    assert "999" not in refused.detail
    assert len(refused.detail) < 200
