"""A student who is erased is as one of whom nothing was heard before; others do not notice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core import alerts
from streams.core.alerts import Place
from streams.core.clock import State, encode_state
from streams.core.fates import Fate
from streams.core.flow import Partition
from streams.core.replay import HeldRows
from streams.core.rows import encode_row
from tests.living_logs import TENANT, encode, instants, logs
from tests.profiles import examples

if TYPE_CHECKING:
    from tests.oracle.living import Record

KEY = b"a key of the tests alone"
PLACE = Place("grade-events", "id", 0)
PASSED_OVER = encode({"type": "control", "kind": "nothing"})

Step = tuple[int, Fate, list[tuple[bytes, bytes]], tuple[str, ...]]


def erasure(student: str, at: str, fingerprints: tuple[str, ...] = ()) -> bytes:
    """Return the record that erases a student."""
    told = {"type": "control", "kind": "erase", "at": at, "tenant": TENANT, "student_id": student}
    return encode(told | ({"fingerprints": list(fingerprints)} if fingerprints else {}))


def played(
    values: list[bytes], held: HeldRows | None = None, state: State | None = None
) -> tuple[list[Step], dict[Any, bytes], State]:
    """Return each record's fate and alerts, the rows as they are kept, and the state."""
    held = held or HeldRows()
    partition = Partition(alerts.Writer(KEY, PLACE), PLACE, state or State(), held)
    steps: list[Step] = []
    for offset, value in enumerate(values):
        outcome = partition.step(value, offset, None)
        told = [(one.key, alerts.encode(one.alert)) for one in outcome.told]
        steps.append((offset, outcome.fate, told, outcome.erased))
    return steps, {at: encode_row(row) for at, row in held.rows.items()}, partition.state


def is_about(record: Record, student: str) -> bool:
    return bool(record.value.get("student_id") == student)


@st.composite
def erased_logs(draw: st.DrawFn) -> tuple[list[Record], int, str, str]:
    """Return a log, where in it somebody is erased, whom, and as of when."""
    log = draw(logs(single_shots=True))
    students = sorted({one.value["student_id"] for one in log if "student_id" in one.value})
    return log, draw(st.integers(1, len(log) - 1)), draw(st.sampled_from(students)), draw(instants)


@given(erased_logs())
@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
def test_it_is_as_if_nothing_of_theirs_had_come_before(
    given: tuple[list[Record], int, str, str],
) -> None:
    log, here, student, at = given
    values = [encode(one.value) for one in log]
    erased = [*values[:here], erasure(student, at), *values[here:]]
    steps, rows, state = played(erased)

    def is_covered(number: int, one: Record) -> bool:
        return is_about(one, student) and (number < here or one.value["event_time"] <= at)

    bare = [PASSED_OVER if is_covered(n, one) else values[n] for n, one in enumerate(log)]
    expected, without, plain = played([*bare[:here], PASSED_OVER, *bare[here:]])

    owner = f"{TENANT}:{student}".encode()
    assert rows == without
    assert {at for at, row in rows.items() if at[0] == owner} <= {
        (owner, one.value["course_id"].encode())
        for number, one in enumerate(log)
        if is_about(one, student) and not is_covered(number, one)
    }
    for found, told in zip(steps, expected, strict=True):
        others = [one for one in found[2] if one[0] != owner]
        assert others == [one for one in told[2] if one[0] != owner]
        if found[0] > here:
            assert found[2] == told[2]
    assert encode_state(plain) == encode_state(_forgotten(state))
    later = [one for n, one in enumerate(log, 1) if n > here and is_about(one, student)]
    skipped = [one for one in later if one.value["event_time"] <= at]
    assert sum(fate is Fate.ERASED for _, fate, _, _ in steps) == len(skipped)


@given(erased_logs())
@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
def test_a_log_played_again_brings_nothing_back(
    given: tuple[list[Record], int, str, str],
) -> None:
    """Offsets are set back to the beginning; rows and state are kept, as a changelog keeps them."""
    log, here, student, at = given
    values = [encode(one.value) for one in log]
    erased = [*values[:here], erasure(student, at), *values[here:]]
    held = HeldRows()
    _, rows, state = played(erased, held)
    owner = f"{TENANT}:{student}".encode()
    before = {key: row for key, row in rows.items() if key[0] == owner}
    steps, again, _ = played(erased[:here], held, state)

    assert {key for key in again if key[0] == owner} == set(before)
    theirs = [n for n, one in enumerate(log[:here]) if is_about(one, student)]
    assert [steps[number][1] for number in theirs] == [Fate.ERASED] * len(theirs)


@given(erased_logs())
@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
def test_every_alert_that_was_told_of_them_is_named(
    given: tuple[list[Record], int, str, str],
) -> None:
    """Without rule sets that come and go, the rows alone know all that is open."""
    log, here, student, at = given
    values = [
        encode(one.value) if number == 0 or one.value.get("kind") != "rules" else PASSED_OVER
        for number, one in enumerate(log)
    ]
    steps, _, _ = played([*values[:here], erasure(student, at, ("of-an-older-rule",))])
    owner = f"{TENANT}:{student}".encode()
    latest = {
        alert["fingerprint"]: alert["state"]
        for _, _, told, _ in steps
        for key, value in told
        if key == owner
        for alert in [_json(value)]
    }
    named = steps[-1][3]
    assert list(named) == sorted(set(named))
    assert "of-an-older-rule" in named
    assert {one for one, state in latest.items() if state == "firing"} <= set(named)


def test_an_erasure_of_nobody_is_refused_and_one_that_is_repeated_changes_nothing() -> None:
    nobody = encode({"type": "control", "kind": "erase", "at": "2026-02-03T12:00:00.000Z"})
    never = encode(
        {"type": "control", "kind": "erase", "at": "soon", "tenant": "t", "student_id": "48"}
    )
    twice = erasure("48", "2026-02-03T12:00:00.000Z")
    steps, rows, state = played([nobody, never, twice, twice])

    assert [fate for _, fate, _, _ in steps] == [
        Fate.REFUSED, Fate.REFUSED, Fate.CONTROL, Fate.CONTROL,
    ]  # fmt: skip
    assert rows == {}
    assert len(state.erased) == 1
    assert b"48" not in encode_state(state)


def _forgotten(state: State) -> State:
    """Return a state without whom it has erased."""
    return State(
        **{name: getattr(state, name) for name in state.__struct_fields__} | {"erased": {}}
    )


def _json(value: bytes) -> Any:  # noqa: ANN401 - JSON
    return json.loads(value)
