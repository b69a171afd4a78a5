"""10,000 malformed records: each refused by reason with its bytes kept, the good ones unharmed."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from streams.core.events import Reason
from streams.simulator import RawRecord
from tests.core import test_intake
from tests.kafka.running import Flow, source
from tests.scenarios import START, a_course_grade_change, milliseconds, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kafka.conftest import Kafka

pytestmark = pytest.mark.kafka

MALFORMED, VALID = 10_000, 500
NOW = milliseconds(START)


def hand_made() -> list[bytes | None]:
    """Every bad record that the intake tests name, and a few that are only large or deep."""
    [mark] = test_intake.test_each_kind_of_bad_record_has_its_reason.pytestmark  # type: ignore[attr-defined]
    named = [value for value, _ in mark.args[1]]
    return [*named, b"x" * 1_000_000, b'{"a":' * 5_000, b'{"metadata":1,"metadata":2,"body":{}}']


def malformed(random: Random) -> Iterator[bytes | None]:
    """Yield bad records without end: cut off, junk, wrong types, wrong numbers."""
    yield from hand_made()
    junk: list[object] = [
        None,
        True,
        [],
        {},
        "",
        "abc",
        -1,
        1e308 * 10,
        2.5,
        "NaN",
        "\ud800",
        10**30,
    ]
    fields = ("user_id", "course_id")
    while True:
        match random.randrange(4):
            case 0:
                good = random.choice(test_intake.GOOD)
                yield good[: random.randrange(1, len(good) - 1)]
            case 1:
                yield random.randbytes(random.randrange(1, 60))
            case 2:
                value = json.loads(test_intake.GOOD[0])
                value["body"][random.choice(fields)] = random.choice(junk)
                yield json.dumps(value).encode()
            case 3:
                value = json.loads(test_intake.GOOD[0])
                value["body"]["current_score"] = random.choice([True, [], {}, "x", "1e999"])
                yield json.dumps(value).encode()


def mixed() -> Iterator[RawRecord]:
    random = Random(20260203)  # noqa: S311 - reproducible, not secret
    bad = malformed(random)
    valid = set(random.sample(range(MALFORMED + VALID), VALID))
    for number in range(MALFORMED + VALID):
        key = random.choice([None, b"key", random.randbytes(4)])
        if number in valid:
            raw = a_course_grade_change(str(1000 + number), at=moment(0))
            yield RawRecord(raw, key, NOW)
        else:
            yield RawRecord(next(bad), key, NOW)


def test_each_is_refused_and_kept_and_the_valid_ones_between_them_pass(
    kafka: Kafka, namespace: str, tmp_path: Path
) -> None:
    flow = Flow(kafka.bootstrap_servers, namespace, tmp_path)
    with flow.worker as worker:
        flow.play(mixed())
        flow.await_worked(MALFORMED + VALID)
        numbers = worker.numbers()
        worker.require_alive()
        assert json.loads(worker.get("/readyz")) == {"ready": True}

    assert numbers.of("intake") == MALFORMED + VALID
    assert numbers.fates["intake", "refused"] == MALFORMED
    assert numbers.passed == VALID
    raw = {(r.partition, r.offset): r for r in flow.read(flow.settings.raw_topic)}
    refused = flow.read("grade-events-refused")
    assert len(refused) == MALFORMED
    for record in refused:
        original = raw[source(record)]
        assert (record.key, record.value) == (original.key, original.value)
    reasons = {dict(record.headers)["gradewatch.reason"].decode() for record in refused}
    assert reasons == set(Reason) - {Reason.INTERNAL}
    students = {json.loads(record.value)["student_id"] for record in flow.read("grade-events")}
    assert len(students) == VALID
    log = flow.log()
    assert [word for word in ("Traceback", "rashed", "estart") if word in log] == []
