"""Whatever the bytes, intake gives an event, a named refusal, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import events
from streams.core.canvas import Refusal
from streams.core.events import CourseGradeChange, GradeChange, GradeOverride, Reason
from streams.core.intake import Reader
from tests.profiles import examples
from tests.scenarios import (
    START,
    a_course_grade_change,
    a_grade_change,
    an_override,
    global_id,
    milliseconds,
)

NOW = milliseconds(START)
GOOD = [a_course_grade_change(), a_grade_change(), an_override()]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(value: bytes | None, **reader: Any) -> Any:  # noqa: ANN401 - event, refusal or None
    taken = Reader(**reader).read(value, NOW)
    if taken is not None and not isinstance(taken, Refusal):
        assert events.decode(events.encode(taken)) == taken
    return taken


def changed(raw: bytes, where: str, **fields: object) -> bytes:
    value = json.loads(raw)
    value[where] |= fields
    return json.dumps(value).encode()


def without(raw: bytes, where: str, *names: str) -> bytes:
    value = json.loads(raw)
    value[where] = {key: held for key, held in value[where].items() if key not in names}
    return json.dumps(value).encode()


def reason(value: bytes | None) -> str:
    taken = read(value)
    assert isinstance(taken, Refusal), taken
    return taken.reason


@given(st.binary(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_arbitrary_bytes_never_raise(value: bytes) -> None:
    assert isinstance(read(value), Refusal | None)


@given(JSON)
@settings(max_examples=examples(300), deadline=None)
def test_arbitrary_json_never_raises(value: object) -> None:
    assert isinstance(read(json.dumps(value).encode()), Refusal | None)


@given(
    st.sampled_from(GOOD),
    st.sampled_from(["metadata", "body"]),
    st.data(),
    JSON,
)
@settings(max_examples=examples(600), deadline=None)
def test_a_good_event_with_any_field_replaced_never_raises(
    raw: bytes, where: str, data: st.DataObject, junk: object
) -> None:
    field = data.draw(st.sampled_from(sorted(json.loads(raw)[where])))

    read(changed(raw, where, **{field: junk}))


@given(st.sampled_from(GOOD), st.integers(0, 2000), st.binary(min_size=1, max_size=3))
@settings(max_examples=examples(300), deadline=None)
def test_a_good_event_with_bytes_overwritten_never_raises(raw: bytes, at: int, junk: bytes) -> None:
    at %= len(raw)
    read(raw[:at] + junk + raw[at + len(junk) :])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b" \n", Reason.EMPTY),
        (GOOD[0][:-5], Reason.NOT_JSON),
        (GOOD[0] + GOOD[0], Reason.NOT_JSON),
        (b"\xff\xfe", Reason.NOT_JSON),
        (GOOD[0].replace(b'"canvas"', b'"canv\xe4s"'), Reason.NOT_JSON),  # in a field we skip
        (b"[" * 100_000, Reason.NOT_JSON),
        (b"[" + GOOD[0] + b"]", Reason.UNKNOWN_ENVELOPE),
        (b'"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"', Reason.UNKNOWN_ENVELOPE),
        (b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln", Reason.UNKNOWN_ENVELOPE),
        (b'{"sensor":"x","data":[]}', Reason.UNKNOWN_ENVELOPE),
        (b'{"MessageId":"1","Body":"{}"}', Reason.UNKNOWN_ENVELOPE),
        (b"null", Reason.UNKNOWN_ENVELOPE),
        (b"{}", Reason.UNKNOWN_ENVELOPE),
        (changed(GOOD[1], "metadata", event_name="course_grade_change"), Reason.SHAPE_MISMATCH),
        (changed(GOOD[0], "metadata", event_name="grade_change"), Reason.SHAPE_MISMATCH),
        (without(GOOD[0], "metadata", "event_name"), Reason.MISSING_FIELD),
        (without(GOOD[0], "metadata", "event_time"), Reason.MISSING_FIELD),
        (without(GOOD[0], "body", "user_id"), Reason.MISSING_FIELD),
        (without(GOOD[0], "body", "course_id"), Reason.MISSING_FIELD),
        (without(GOOD[1], "metadata", "context_type"), Reason.MISSING_FIELD),
        (changed(GOOD[0], "body", user_id="abc"), Reason.BAD_ID),
        (changed(GOOD[0], "body", user_id=2.5), Reason.BAD_ID),
        (changed(GOOD[0], "body", user_id=-1), Reason.BAD_ID),
        (changed(GOOD[0], "metadata", context_id="21070000000000x02"), Reason.BAD_ID),
        (changed(GOOD[0], "body", current_score=True), Reason.BAD_NUMBER),
        (changed(GOOD[0], "body", current_score=float("nan")), Reason.BAD_NUMBER),
        (changed(GOOD[0], "body", current_score="NaN"), Reason.BAD_NUMBER),
        (changed(GOOD[0], "body", current_score="1e999"), Reason.BAD_NUMBER),
        (GOOD[0].replace(b"71.5", b"1e999", 1), Reason.BAD_NUMBER),
        (changed(GOOD[0], "body", current_score=10**400), Reason.BAD_NUMBER),
        (changed(GOOD[0], "body", current_score=[]), Reason.BAD_NUMBER),
        (changed(GOOD[0], "metadata", event_time="2026-02-03T10:15:30"), Reason.BAD_TIME),
        (changed(GOOD[0], "metadata", event_time="2026-13-03T10:15:30Z"), Reason.BAD_TIME),
        (changed(GOOD[0], "metadata", event_time=5), Reason.BAD_TIME),
        (changed(GOOD[1], "body", muted="yes"), Reason.BAD_FIELD),
        (changed(GOOD[0], "metadata", event_time="2026-02-04T10:15:30.001Z"), Reason.FUTURE_EVENT),
    ],
)
def test_each_kind_of_bad_record_has_its_reason(value: bytes | None, expected: Reason) -> None:
    assert reason(value) == expected


def test_every_reason_but_our_own_failure_has_an_example() -> None:
    [mark] = test_each_kind_of_bad_record_has_its_reason.pytestmark  # type: ignore[attr-defined]

    assert {expected for _, expected in mark.args[1]} == set(Reason) - {Reason.INTERNAL}


@pytest.mark.parametrize("half", [r"\ud800", r"\udfff", r"\ud83d\ud83d", r"\ude00\ud83d"])
@pytest.mark.parametrize("field", ["assignment_name", "grade", "student_id", "new_in_canvas"])
def test_half_a_surrogate_pair_is_no_text_in_fields_we_use_or_skip(field: str, half: str) -> None:
    marked = changed(GOOD[1], "body", **{field: "HERE"})

    assert reason(marked.replace(b"HERE", half.encode())) == Reason.NOT_JSON
    assert reason(marked.replace(b"canvas", half.encode())) == Reason.NOT_JSON
    assert reason(marked.replace(b'"grade"', f'"{half}"'.encode())) == Reason.NOT_JSON


def test_a_whole_surrogate_pair_is_one_character() -> None:
    taken = read(changed(GOOD[1], "body", grade="HERE").replace(b"HERE", rb"\ud83d\ude00"))

    assert taken.grade == "\N{GRINNING FACE}"


def test_ids_beyond_2_to_the_53_stay_whole_as_text_and_as_integers() -> None:
    foreign = 30119999999999999  # as a float it would end in 0000

    for written in (foreign, str(foreign)):
        assert read(changed(GOOD[0], "body", user_id=written)).student_id == str(foreign)
        assert read(changed(GOOD[2], "body", enrollment_id=written)).enrollment_id == str(foreign)


def test_numbers_may_come_as_text_and_be_odd() -> None:
    odd = changed(GOOD[0], "body", current_score="12.5", old_current_score=-2, final_score=104.5)
    taken = read(odd)

    assert (taken.current_score, taken.old_current_score, taken.final_score) == (12.5, -2.0, 104.5)


@pytest.mark.parametrize("number", [1e308, -1e308, 1_000_000.1, "1e7", 2**53, 10**400])
@pytest.mark.parametrize(
    ("event", "field"),
    [(0, "current_score"), (0, "old_unposted_final_score"), (1, "score"), (1, "points_possible"),
     (2, "override_score")],
)  # fmt: skip
def test_what_is_no_percent_and_no_points_is_a_bad_number(
    event: int, field: str, number: object
) -> None:
    assert reason(changed(GOOD[event], "body", **{field: number})) == "bad_number"
    at_most = read(changed(GOOD[event], "body", **{field: -1_000_000}))
    assert getattr(at_most, field) == -1e6


def test_a_text_longer_than_canvas_keeps_is_left_out_and_costs_no_event() -> None:
    grade = read(changed(GOOD[1], "body", grade="x" * 256, old_grade="y" * 255))
    assert (grade.grade, grade.old_grade) == (None, "y" * 255)
    assert read(changed(GOOD[1], "body", grade=1e300)).grade is None
    state = read(changed(GOOD[0], "body", workflow_state="x" * 256))
    assert state == read(GOOD[0])


def test_a_tenant_of_255_characters_passes_and_a_longer_one_does_not() -> None:
    longest = changed(GOOD[0], "metadata", root_account_uuid="\U0001f393" * 255)

    assert read(longest).tenant == "\U0001f393" * 255
    assert reason(changed(GOOD[0], "metadata", root_account_uuid="x" * 256)) == "bad_id"


def test_absent_is_null_and_both_mean_unknown() -> None:
    null = changed(GOOD[0], "body", old_current_score=None)

    assert read(null) == read(without(GOOD[0], "body", "old_current_score"))
    removed = read(without(GOOD[2], "body", "override_score"))
    assert isinstance(removed, GradeOverride)
    assert removed.override_score is None


def test_local_and_global_ids_are_one_and_a_foreign_user_keeps_theirs() -> None:
    local, shard = read(GOOD[0]), read(changed(GOOD[0], "body", user_id=global_id("48")))
    foreign = read(changed(GOOD[0], "body", user_id=global_id("48", 3011)))

    assert local == shard
    assert foreign.student_id == global_id("48", 3011)
    assert read(GOOD[1]).student_id == local.student_id == "48"
    assert read(GOOD[1]).course_id == local.course_id == "565"


def test_the_actor_is_never_the_student() -> None:
    assert read(changed(GOOD[2], "metadata", user_id=global_id("99"))).student_id == "48"


def test_an_override_under_the_pages_wrong_name_is_an_override() -> None:
    taken = read(changed(GOOD[2], "metadata", event_name="grade_change"))

    assert taken == read(GOOD[2])


def test_old_envelopes_are_read_too() -> None:
    value = json.loads(GOOD[0])
    old = {"attributes": value["metadata"], "data": value["body"]}

    assert read(json.dumps(old).encode()) == read(GOOD[0])
    assert read(b"\xef\xbb\xbf" + GOOD[0]) == read(GOOD[0])


@pytest.mark.parametrize("score", [71.5, "71.5"], ids=["usual", "unusual"])
def test_a_null_part_of_an_envelope_is_an_absent_one(score: object) -> None:
    value = json.loads(changed(GOOD[0], "body", current_score=score))
    both = {"metadata": None, "attributes": value["metadata"], "body": None, "data": value["body"]}

    assert read(json.dumps(both).encode()) == read(GOOD[0])


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-02-03T10:15:30Z", "2026-02-03T10:15:30.000Z"),
        ("2026-02-03T12:15:30.5+02:00", "2026-02-03T10:15:30.500Z"),
        ("2026-02-03T10:15:30.123456Z", "2026-02-03T10:15:30.123Z"),
        ("2026-02-02T22:15:30-12:00", "2026-02-03T10:15:30.000Z"),
    ],
)
def test_every_offset_becomes_utc_with_milliseconds(time: str, expected: str) -> None:
    assert read(changed(GOOD[0], "metadata", event_time=time)).event_time == expected


def test_the_tenant_is_the_uuid_else_the_mapping_else_the_account_else_the_default() -> None:
    bare = without(GOOD[0], "metadata", "root_account_uuid")
    nothing = without(bare, "metadata", "root_account_id")
    account = json.loads(bare)["metadata"]["root_account_id"]

    assert read(GOOD[0]).tenant == json.loads(GOOD[0])["metadata"]["root_account_uuid"]
    assert read(bare, tenants={account: "north"}).tenant == "north"
    assert read(bare).tenant == account
    assert read(nothing, default_tenant="here").tenant == "here"


def test_who_acted_on_an_override_is_told_and_a_bad_id_there_is_nobodys() -> None:
    assert read(GOOD[2]).grader_id == "987"
    for odd in ("oxana", -5, 2.5, True, {"id": 5}, [5], None, 10**30):
        event = read(changed(GOOD[2], "metadata", user_id=odd))
        assert (event.grader_id, event.event_id) == (None, read(GOOD[2]).event_id)
        assert read(changed(GOOD[0], "metadata", user_id=odd)) == read(GOOD[0])


SCORE_FIELDS = [f"{old}{name}" for name in events.SCORES for old in ("", "old_")]


@given(st.dictionaries(st.sampled_from(SCORE_FIELDS), st.sampled_from([None, 0.0, 12.5, 71.5, 90])))
@settings(max_examples=examples(100), deadline=None)
def test_two_posted_ids_are_equal_where_what_students_see_is(scores: dict[str, float]) -> None:
    one, other = read(GOOD[0]), read(changed(GOOD[0], "body", **scores))
    seen = [name for name in SCORE_FIELDS if "unposted" not in name]
    same = all(getattr(one, name) == getattr(other, name) for name in seen)

    assert (one.posted_id == other.posted_id) == same
    assert len(one.posted_id) == 16
    assert one.posted_id != one.event_id


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        ("metadata", "event_time", "2026-02-03T10:15:31Z"),
        ("body", "updated_at", "2026-02-03T10:15:31Z"),
        ("body", "workflow_state", "deleted"),
        ("body", "user_id", "49"),
        ("body", "course_id", "566"),
        ("metadata", "root_account_uuid", "another"),
    ],
)
def test_a_posted_id_tells_apart_what_differs_in_anything_else(
    where: str, field: str, value: str
) -> None:
    other = read(changed(GOOD[0], where, **{field: value}))

    assert other.posted_id != read(GOOD[0]).posted_id


def test_the_three_events_keep_their_kinds() -> None:
    kinds = [type(read(raw)) for raw in GOOD]

    assert kinds == [CourseGradeChange, GradeChange, GradeOverride]
    assert read(changed(GOOD[0], "metadata", event_name="submission_updated")) is None
