"""A simulated semester is the same every time, and holds the bad days that a real topic has.

Seed, count and end decide every byte; nothing reads a clock.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from streams.core import alerts, flow, rules
from streams.core.canvas import Refusal
from streams.core.events import GradeEvent, Reason
from streams.core.instants import instant
from streams.core.intake import Reader
from streams.core.replay import Replay
from streams.core.rules import Kind
from streams.settings import shipped
from streams.simulator import RawRecord, semester
from streams.simulator.broken import REASONS, spoil
from tests.simulator.conftest import COUNT, END

if TYPE_CHECKING:
    from streams.core.alerts import Told
    from streams.simulator.wire import Fields

END_MS = int(END.timestamp() * 1000)


def digest(seed: int, count: int) -> str:
    whole = hashlib.sha256()
    for record in semester(seed, count, END):
        whole.update(repr(record).encode())
    return whole.hexdigest()


def test_the_same_seed_count_and_end_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from datetime import UTC, datetime; from streams.simulator import *\n"
        "whole = hashlib.sha256()\n"
        "for r in semester(7, 1500, datetime(2026, 5, 15, 17, tzinfo=UTC)):\n"
        "    whole.update(repr(r).encode())\n"
        "print(whole.hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert digest(7, 1500) == other.stdout.strip()


def test_another_seed_is_another_semester() -> None:
    assert digest(7, 300) != digest(8, 300)


@pytest.mark.parametrize(("count", "students", "courses"), [(1, 1, 1), (500, 1, 40), (700, 90, 1)])
def test_any_size_gives_exactly_the_records_asked_for(
    count: int, students: int, courses: int
) -> None:
    assert len(list(semester(1, count, END, students=students, courses=courses))) == count


def test_time_is_the_given_end_and_never_the_clock() -> None:
    end = datetime(1999, 12, 31, 23, tzinfo=UTC)
    records = list(semester(1, 3000, end))
    times = [record.timestamp_ms for record in records]
    last = int(end.timestamp() * 1000)
    assert times == sorted(times)
    assert times[-1] <= last
    assert times[0] >= last - 17 * 7 * 86_400_000  # sixteen weeks, and some hours
    reader = Reader()
    read = [reader.read(record.value, record.timestamp_ms) for record in records]
    events = [event for event in read if event and not isinstance(event, Refusal)]
    assert {event.event_time[:4] for event in events} == {"1999"}


def test_nearly_all_records_pass_and_every_refusal_reason_occurs(
    verdicts: list[GradeEvent | Refusal | None],
) -> None:
    reasons = Counter(verdict.reason for verdict in verdicts if isinstance(verdict, Refusal))
    assert set(reasons) == set(Reason) - {Reason.INTERNAL}
    assert 0.01 * COUNT < reasons.total() < 0.02 * COUNT
    assert 0.02 * COUNT < sum(verdict is None for verdict in verdicts) < 0.04 * COUNT


@pytest.mark.parametrize("reason", REASONS)
def test_whatever_event_is_spoiled_it_is_refused_for_the_intended_reason(
    reason: Reason, sent: list[tuple[Fields, Fields]]
) -> None:
    rng = Random(1)  # noqa: S311 - reproducible, not secret
    reader = Reader()
    for metadata, body in sent[::40]:
        found = reader.read(spoil(rng, reason, metadata, body, END_MS), END_MS)
        assert isinstance(found, Refusal)
        assert found.reason is reason


def test_some_records_come_twice_some_late_and_some_out_of_order(
    records: list[RawRecord], verdicts: list[GradeEvent | Refusal | None]
) -> None:
    values = Counter(record.value for record in records if record.value and record.value.strip())
    assert 0.005 * COUNT < values.total() - len(values) < 0.02 * COUNT
    arrived = [
        (datetime.fromisoformat(event.event_time).timestamp() * 1000, record.timestamp_ms)
        for record, event in zip(records, verdicts, strict=True)
        if event and not isinstance(event, Refusal)
    ]
    late = [arrival - time for time, arrival in arrived]
    assert min(late) >= 0
    assert sum(delay > 60_000 for delay in late) > 0.005 * COUNT
    assert max(late) > 86_400_000
    assert sum(one > two for (one, _), (two, _) in pairwise(arrived)) > 0.01 * COUNT


def test_keys_say_nothing_about_students(records: list[RawRecord]) -> None:
    keys = Counter(record.key for record in records)
    assert 0.4 * COUNT < keys[None] < 0.6 * COUNT
    assert all(key is None or int(key) < 1000 for key in keys)
    assert all(record.key for record in records if record.value is None)


def test_envelopes_come_under_both_names(records: list[RawRecord]) -> None:
    starts = Counter((record.value or b"")[:10] for record in records)
    assert starts[b'{"metadata'] > 10 * starts[b'{"attribut'] > 0


def test_the_shipped_rules_raise_every_kind_of_alert_and_drops_for_a_few_per_cent(
    records: list[RawRecord],
) -> None:
    file = shipped("rules.yaml")
    shipped_rules = rules.load(Path(file).read_text(), str(file))
    replay, reader = Replay(shipped_rules, b"a key for a test"), Reader()
    told: list[Told] = []
    for number, record in enumerate(records):
        passed = flow.take_in(reader, record.value, record.timestamp_ms)
        if isinstance(passed, flow.Passed):
            told += replay.event(passed.value)
        if number % 500 == 0:
            told += replay.clock(instant(record.timestamp_ms))
    kinds = Counter(
        alert.kind
        for _, alert in told
        if (alert.audience, alert.transition) == (alerts.STAFF, "opened")
    )
    assert set(kinds) == {rule.kind for rule in shipped_rules.rules}
    assert 0.02 * COUNT < kinds[Kind.SCORE_DROP] < 0.07 * COUNT
