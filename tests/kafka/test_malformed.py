"""10,000 malformed records on a real worker: each refused for its reason, the valid ones unharmed.

What is malformed, and why, is for the oracle to say: it shares no code with intake.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any, Final

import hypothesis
import pytest
from hypothesis import strategies as st

from streams.core.events import Reason
from streams.simulator import RawRecord, semester
from streams.simulator.broken import REASONS, spoil
from tests import oracle
from tests.kafka.running import (
    Flow,
    assert_alerts_are_as_recomputed,
    assert_refused_are_as_recomputed,
    seen,
    source,
)
from tests.scenarios import START, a_course_grade_change, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

MALFORMED, VALID = 10_000, 500
NOW: Final = milliseconds(START)
SEED: Final = 20260203
BOTH_TRUE: Final = {
    ("missing_field", "shape_mismatch"),  # a body of no known event lacks its fields, too
    ("unknown_envelope", "bad_number"),  # a lone number, out of range
    ("bad_id", "not_json"),  # half of a surrogate pair where an id should be
}
"""What the oracle says and what intake says of records with two things wrong."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def hand_made() -> Iterator[bytes | None]:
    """Yield what people think of: nothing, too much, too deep, too big, twice, half."""
    good = a_course_grade_change()
    yield from (None, b"", b" \r\n\t", b"\x00", b"\xef\xbb\xbf", b"nul", b"0", b'"', b"{", b"}")
    yield b"x" * 1_048_400  # as large as the topic takes
    yield b'"' + b"x" * 1_000_000 + b'"'
    yield from (bracket * 100_000 for bracket in (b"[", b'{"a":'))
    yield b"[" * 900 + b"]" * 900
    yield good.replace(b'"body"', b'"body": null, "corps"')
    yield good[:-1] + b', "body": []}'  # named twice: the last one counts
    yield good.replace(b'"course_grade_change"', b'"\\ud800"').replace(b'"canvas"', b'"\xff"')
    yield from (good.replace(b"71.5", number) for number in (b"NaN", b"-Infinity", b"07", b"0x1"))
    yield from (good.replace(b"71.5", b'"%b"' % text) for text in (b"1e999", b"inf", b"1_0", b""))
    yield good.replace(b"71.5", b"9" * 400)
    for number in ("9" * 30, "9" * 5000, "-1", "0", "4.8e1", "\u0664\u0668", "\ud800", "48 "):
        yield changed(good, "body", "user_id", number)
    for time in ("", "now", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "2026-02-03", "9" * 99):
        yield changed(good, "metadata", "event_time", time)


def changed(raw: bytes, where: str, field: str, value: object) -> bytes:
    event = json.loads(raw)
    event[where][field] = value
    return json.dumps(event).encode()


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Return what hypothesis makes of a strategy: the same each time."""
    found: list[Any] = []

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def keep(value: Any) -> None:  # noqa: ANN401 - whatever it makes
        found.append(value)

    keep()
    return found


def mutated(random: Random) -> Iterator[bytes | None]:
    """Yield simulated events made bad without end: cut, garbled, spoilt, with a field replaced."""
    end = datetime.fromisoformat(START)
    simulated = [record.value for record in semester(SEED, 2000, end)]
    good = [raw for raw in simulated if raw and isinstance(oracle.canonical(raw, NOW), dict)]
    values = drawn(JSON, 500)
    while True:
        raw = random.choice(good)
        event = json.loads(raw)
        at = random.randrange(len(raw))
        where, fields = random.choice(list(event.items()))
        yield raw[:at]
        yield raw[:at] + random.randbytes(3) + raw[at + 3 :]
        yield changed(raw, where, random.choice(list(fields)), random.choice(values))
        metadata = event.get("metadata") or event["attributes"]
        yield spoil(random, random.choice(REASONS), metadata, event["body"], NOW)


def malformed(random: Random) -> dict[bytes | None, str]:
    """Return different bad values, each with its reason."""
    junk = drawn(st.binary(max_size=200), 1000)
    other = [json.dumps(value).encode() for value in drawn(JSON, 1000)]
    found: dict[bytes | None, str] = {}
    for value in chain(hand_made(), junk, other, mutated(random)):
        verdict = oracle.canonical(value, NOW)
        if isinstance(verdict, oracle.Refused):
            found[value] = verdict.reason
        if len(found) == MALFORMED:
            break
    return found


def mixed() -> Iterator[RawRecord]:
    """Yield the malformed records, valid ones at random places between them."""
    random = Random(SEED)  # noqa: S311 - reproducible, not secret
    valid = [a_course_grade_change(str(1000 + number)) for number in range(VALID)]
    values = [*malformed(random), *valid]
    random.shuffle(values)
    for value in values:
        key = random.choice([None, b"", b"key", random.randbytes(4)]) if value else None
        yield RawRecord(value, key, NOW)


def test_each_is_refused_for_its_reason_and_kept_and_the_valid_ones_between_them_pass(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker as worker:
        flow.play(mixed())
        flow.await_worked(MALFORMED + VALID)
        numbers = worker.numbers()
        assert json.loads(worker.get("/readyz")) == {"ready": True}

    found = seen(flow)
    # every bad record once, as it came, with its reason
    assert_refused_are_as_recomputed(found)
    assert len(found.refused) == len(found.refusable) == MALFORMED
    raw = {(record.partition, record.offset): record for record in flow.read("canvas-live-events")}
    reasons: Counter[str] = Counter()
    for record in found.refused:
        original = raw[source(record)]
        assert (record.key, record.value) == (original.key, original.value)
        reason = dict(record.headers)["gradewatch.reason"].decode()
        verdict = oracle.canonical(original.value, NOW)
        assert isinstance(verdict, oracle.Refused)
        assert reason == verdict.reason or (verdict.reason, reason) in BOTH_TRUE
        reasons[reason] += 1
    assert set(reasons) == set(Reason) - {Reason.INTERNAL}
    # the valid ones unharmed
    assert len({json.loads(event.value)["student_id"] for event in found.events}) == VALID
    assert len(found.events) == len(found.alerts) == VALID
    assert_alerts_are_as_recomputed(found)
    # every record counted once, by agents that never crashed: the numbers begin anew with a process
    assert numbers.of("intake") == MALFORMED + VALID
    assert numbers.passed == numbers.scored == VALID
    assert numbers.refused == reasons
    signs = ("Traceback", "rashed", "estart", "ERROR   gradewatch")
    assert [sign for sign in signs if sign in flow.log()] == []
