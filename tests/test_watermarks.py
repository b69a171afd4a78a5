"""A batch brings its partition as far as what passed, and never further than Kafka's time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
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
FETCHED = 4_500
"""When Kafka answered the fetch, milliseconds after the first record."""
OTHER = b'{"metadata":{"event_name":"submission_updated"},"body":{}}'


def worked(batch: RecordBatch) -> Work:
    batch = (
        batch if batch.idle_at else batch._replace(fetched_at=batch.fetched_at or FIRST + FETCHED)
    )
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
        assert records[-1].timestamp == FIRST + FETCHED


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

    bound = max(FETCHED, *(stamp for _, stamp in told))  # of a record without a timestamp
    latest = max(min(event, bound if stamp < 0 else stamp) for event, stamp in told)
    assert said(records).at == instant(FIRST + latest)


@pytest.mark.parametrize("others", [[], [FETCHED - 9], [FETCHED + 9]])
def test_no_timestamp_is_no_licence(others: list[int]) -> None:
    """What an attacker, or a forwarder that sends no timestamps, can do to everybody's clock."""
    bound = FIRST + max([FETCHED, *others])
    day = 24 * 3_600_000
    times = [bound - 1, bound + day, bound + day + 1, milliseconds("2099-01-01T00:00:00.000Z")]
    records = [
        Record(0, -1, None, a_course_grade_change(str(at), at=instant(at))) for at in times
    ] + [Record(0, FIRST + at, None, OTHER) for at in others]
    work = worked(a_batch(RAW.name, 1, records)._replace(fetched_at=FIRST + FETCHED))

    assert work.tally.refused == {"future_event": 2}
    [(_, record), *_] = watermarks(work)
    told = decode(record.value)
    assert isinstance(told, Control)
    assert told.at == max(told.heard.values()) == instant(bound)
    passed = [one for _, one in produced(work, EVENTS.name) if one.key is not None]
    assert [one.timestamp for one in passed] == [bound, bound]


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
        progress.passed(tenant, instant(FIRST + event), FIRST + stamp)

    times: dict[str, list[int]] = {}
    for tenant, event, stamp in told:
        times.setdefault(tenant, []).append(min(event, stamp))
    latest = {tenant: instant(FIRST + max(some)) for tenant, some in sorted(times.items())}
    assert progress.heard == latest
    assert list(progress.heard) == list(latest)
    assert progress.at == max(latest.values())


def test_an_idle_partition_has_come_to_the_time_of_day() -> None:
    batch = RecordBatch(TP(RAW.name, 1), 0, 7, 7, [], idle_at=FIRST + 250)
    told = watermarks(worked(batch))

    assert [partition for partition, _ in told] == [0, 1, 2, 3]
    assert all(record.timestamp == FIRST + 250 for _, record in told)
    assert all(f'"at":"{moment(0.25)}","idle":true'.encode() in record.value for _, record in told)


def test_markers_alone_say_nothing() -> None:
    work = worked(RecordBatch(TP(RAW.name, 1), 0, 7, 9, []))

    assert produced(work, EVENTS.name) == []


def test_what_is_heard_is_said_in_records_that_fit_and_the_clock_moves_with_the_last() -> None:
    tenants = [f"{number:04}" + "\U0001f393" * 251 for number in range(1_000)]
    values = [a_course_grade_change(tenant=tenant, at=moment(-1)) for tenant in tenants]
    told = watermarks(worked(a_batch(RAW.name, 1, raw(values))))

    first = [record.value for partition, record in told if partition == 0]
    records = [one for value in first if isinstance(one := decode(value), Control)]
    assert max(map(len, first)) < 256 << 10
    assert [one.at for one in records] == [*[""] * (len(records) - 1), moment(-1)]
    assert [name for one in records for name in one.heard] == tenants
    assert [partition for partition, _ in told if partition] == [1, 2, 3]
