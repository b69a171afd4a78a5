"""A batch brings its partition as far as what passed, and never further than Kafka's time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.agents import Intake
from streams.core.events import Control, decode, encode
from streams.core.instants import instant
from streams.core.intake import Reader
from streams.engine.fetch import RecordBatch
from streams.watermarks import Progress
from tests.scenarios import START, a_course_grade_change, milliseconds, moment
from tests.test_agents import EVENTS, RAW, REFUSED, Record, a_batch, produced, raw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.agents import Work

FIRST = milliseconds(START)
OTHER = b'{"metadata":{"event_name":"submission_updated"},"body":{}}'


def worked(batch: RecordBatch) -> Work:
    return asyncio.run(Intake(Reader(), RAW, EVENTS, REFUSED).work(batch))


def watermarks(work: Work) -> list[tuple[int, Any]]:
    """Return what is said to each partition, the record with it."""
    return [(at, one) for at, one in produced(work, EVENTS.name) if one.key is None]


def said(records: Sequence[Record]) -> Control:
    """Return the watermark that a batch says to the first partition; the others hear less of it."""
    [first, *others] = watermarks(worked(a_batch(RAW.name, 1, records)))
    told = decode(first[1].value)
    assert isinstance(told, Control)
    assert first[0] == 0
    assert {one.value for _, one in others} == {encode(replace(told, heard={}))}
    return told


def test_every_partition_is_told_once_after_the_batchs_events() -> None:
    values = [a_course_grade_change(str(student), at=moment(5)) for student in range(40, 60)]
    work = worked(a_batch(RAW.name, 2, raw(values)))

    assert [partition for partition, _ in watermarks(work)] == [0, 1, 2, 3]
    for partition in range(EVENTS.partitions):
        records = [one for at, one in produced(work, EVENTS.name) if at == partition]
        assert [one.key is None for one in records] == [False] * (len(records) - 1) + [True]
        assert records[-1].headers == []
        assert records[-1].timestamp == FIRST + 19


def test_it_says_which_partition_of_how_many() -> None:
    told = said(raw([a_course_grade_change()]))

    assert (told.kind, told.topic, told.partition, told.partitions) == (
        "watermark", RAW.name, 1, RAW.partitions,
    )  # fmt: skip


def test_a_partition_that_is_newer_than_the_worker_counts() -> None:
    [(_, record), *_] = watermarks(worked(a_batch(RAW.name, 7, raw([a_course_grade_change()]))))

    assert b'"partition":7,"partitions":8' in record.value


@given(st.lists(st.tuples(st.integers(-9_000, 9_000), st.integers(-1, 9_000)), min_size=1))
def test_it_is_the_latest_event_time_each_at_most_its_records(told: list[tuple[int, int]]) -> None:
    records = [
        Record(
            offset,
            FIRST + stamp if stamp >= 0 else -1,
            None,
            a_course_grade_change(at=moment(event / 1000)),
        )
        for offset, (event, stamp) in enumerate(told)
    ]

    latest = max(event if stamp < 0 else min(event, stamp) for event, stamp in told)
    assert said(records).at == instant(FIRST + latest)


def test_what_did_not_pass_brings_nobody_further() -> None:
    future = a_course_grade_change(at=moment(90_000))

    assert watermarks(worked(a_batch(RAW.name, 1, raw([b"nonsense", OTHER, future])))) == []
    both = said(raw([a_course_grade_change(at=moment(-3)), future]))
    assert both.at == moment(-3)


def test_the_first_partition_is_told_when_each_tenant_was_heard_of_last() -> None:
    east = [a_course_grade_change(tenant="east", at=moment(at)) for at in (-9, -3, -5)]
    west = [a_course_grade_change(tenant="west", at=moment(at)) for at in (-7, 5_000, -7)]
    told = said(raw([*east, b"nonsense", *west, OTHER]))

    # The record of 5,000 s later came 5 ms after the first: its event is no later than that.
    assert told.heard == {"east": moment(-3), "west": moment(0.005)}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(-9_000, 9_000), st.integers(-1, 9_000)),
        min_size=1,
    )
)
def test_a_tenant_was_heard_of_at_its_latest_event_each_at_most_its_records(
    told: list[tuple[str, int, int]],
) -> None:
    progress = Progress(RecordBatch(TP(RAW.name, 1), 0, 0, 1, []))
    for tenant, event, stamp in told:
        progress.passed(tenant, instant(FIRST + event), FIRST + stamp if stamp >= 0 else -1)

    times: dict[str, list[int]] = {}
    for tenant, event, stamp in told:
        times.setdefault(tenant, []).append(event if stamp < 0 else min(event, stamp))
    latest = {tenant: instant(FIRST + max(some)) for tenant, some in sorted(times.items())}
    assert progress.heard == latest
    assert list(progress.heard) == list(latest)
    assert progress.at == max(latest.values())


def test_an_idle_partition_has_come_to_the_time_of_day() -> None:
    batch = RecordBatch(TP(RAW.name, 1), 0, 7, 7, [], idle_at=FIRST + 250)
    told = watermarks(worked(batch))

    assert [partition for partition, _ in told] == [0, 1, 2, 3]
    assert all(record.timestamp == FIRST + 250 for _, record in told)
    assert all(f'"at":"{moment(0.25)}"'.encode() in record.value for _, record in told)


def test_markers_alone_say_nothing() -> None:
    work = worked(RecordBatch(TP(RAW.name, 1), 0, 7, 9, []))

    assert produced(work, EVENTS.name) == []
