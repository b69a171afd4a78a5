"""Whether the changelog holds every row that the committed offsets claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from kafka.admin import OffsetSpec

from streams.connection import patiently, refusals
from streams.core.topic_file import CHANGELOG, EVENTS
from streams.doctor.finding import Check, fail
from streams.engine.blocking import Failed
from streams.engine.completeness import ITEM, OWNER, Source, decode, gap
from streams.engine.reading import latest, reader
from streams.engine.table import changelog_key
from streams.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient

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
    first, last = patient.offsets(changelog, at=OffsetSpec.EARLIEST), patient.offsets(changelog)
    bounds = {place.partition: (first[place], end) for place, end in sorted(last.items())}
    held = _held(patient, changelog, bounds)
    for number in bounds:
        value = held.get(number)
        offset = None if value is None else decode(value)
        problem = gap(offset, source, number, committed.get(number), empty=number not in held)
        if problem:
            yield fail(problem, REMEDY)
    return f"rows of {len(bounds)} partitions are complete up to the committed offsets"


def _held(
    patient: Patient, changelog: str, bounds: Mapping[int, tuple[int, int]]
) -> dict[int, bytes | None]:
    group = patient.settings.group
    try:
        consumer = reader(patient.kafka, group, f"{group}-doctor")
        try:
            return latest(consumer, changelog, bounds, changelog_key(OWNER, ITEM))
        finally:
            consumer.close()
    except (Failed, KafkaException) as error:
        raise BrokerError(f"{changelog} could not be read: {error}", "try again") from None


CHECKS: Final = (Check("rows", _complete),)
