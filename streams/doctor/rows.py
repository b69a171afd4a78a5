"""Whether the changelog holds every row that the committed offsets claim."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, TopicPartition
from kafka.admin import OffsetSpec

from streams.connection import patiently, refusals
from streams.core.topic_file import CHANGELOG, EVENTS
from streams.doctor.finding import Check, fail
from streams.engine.blocking import Failed
from streams.engine.completeness import Source, gap
from streams.engine.reading import reader, to_the_end
from streams.engine.table import Rows
from streams.errors import BrokerError

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient

TAIL: Final = 1_000
"""Offsets at the end of a partition that are read first: every transaction ends with the offset."""

READ_SECONDS: Final = 60.0
"""How long one partition may take to be read."""

REMEDY: Final = (
    "put the changelog back as it was; or stop every worker and rebuild the rows from "
    "grade-events: docs/own-kafka.md, Rows that are incomplete"
)


def _complete(patient: Patient) -> Look:
    """Look whether the rows on the changelog are complete up to the committed offsets."""
    settings = patient.settings
    events, changelog = settings.topic(EVENTS), settings.topic(CHANGELOG)
    source = Source(events, str(patient.observed.topics[events].topic_id), changelog)
    with refusals(patient.kafka):
        listed = patiently(lambda: patient.admin.list_group_offsets(settings.group))
    committed = {
        place.partition: found.offset
        for place, found in listed[settings.group].items()
        if place.topic == events and found.offset > 0
    }
    first = patient.offsets(changelog, at=OffsetSpec.EARLIEST)
    last = patient.offsets(changelog)
    for place, end in sorted(last.items()):
        number = place.partition
        rows = _rows(patient, changelog, number, (max(first[place], end - TAIL), end))
        if rows.source_offset is None and end - TAIL > first[place]:
            rows = _rows(patient, changelog, number, (first[place], end))
        problem = gap(rows, source, number, committed.get(number))
        if problem:
            yield fail(problem, REMEDY)
    return f"rows of {len(last)} partitions are complete up to the committed offsets"


def _rows(patient: Patient, topic: str, number: int, span: tuple[int, int]) -> Rows:
    """Return the rows that a span of a changelog partition comes to."""
    rows, (start, end) = Rows(), span
    if start == end:
        return rows
    deadline = time.monotonic() + READ_SECONDS
    try:
        consumer = reader(patient.kafka, patient.settings.group, f"{patient.settings.group}-doctor")
        try:
            places = [TopicPartition(topic, number, start)]
            for messages in to_the_end(consumer, places, {(topic, number): end}):
                rows.apply(
                    (*(message.key() or b"").rpartition(b":")[::2], message.value())
                    for message in messages
                )
                if time.monotonic() > deadline:
                    raise BrokerError(f"{topic}[{number}] could not be read in time", "try again")
        finally:
            consumer.close()
    except (Failed, KafkaException) as error:
        raise BrokerError(f"{topic}[{number}] could not be read: {error}", "try again") from None
    return rows


CHECKS: Final = (Check("rows", _complete),)
