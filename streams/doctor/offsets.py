"""Where the group is in the log: whether what it goes on from is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kafka.admin import OffsetSpec

from streams.connection import patiently, refusals
from streams.core.topic_file import EVENTS
from streams.doctor.finding import Check, fail, warn

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient


def _within(patient: Patient) -> Look:
    """Look whether each committed offset is between the first and the last of its partition."""
    settings = patient.settings
    sources = settings.topic(settings.raw_topic), settings.topic(EVENTS)
    with refusals(patient.kafka):
        listed = patiently(lambda: patient.admin.list_group_offsets(settings.group))
    committed = {
        place: told.offset
        for place, told in listed[settings.group].items()
        if place.topic in sources and told.offset >= 0
    }
    first = patient.offsets(*sources, at=OffsetSpec.EARLIEST)
    last = patient.offsets(*sources, committed=True)
    reset = (
        "play them again if they can be had; then kafka-consumer-groups.sh --delete-offsets "
        f"--group {settings.group}, while no worker runs"
    )
    for place, at in sorted(committed.items()):
        where = f"{place.topic}[{place.partition}]"
        if place not in first:
            yield fail(f"{where} is not there, but was worked on up to {at}", reset)
        elif at < first[place]:
            yield fail(
                f"{where}: records {at} to {first[place] - 1} were deleted before they were read",
                reset,
            )
        elif at > last[place]:
            yield fail(
                f"{where}: worked on up to {at}, but the log ends at {last[place]}: it is another "
                "log, or Kafka lost records",
                reset,
            )
    lag = sum(max(0, end - committed.get(place, first[place])) for place, end in last.items())
    if lag and not patient.group[1]:
        yield warn(f"{lag} records wait, and no worker runs", "gradewatch worker")
    return f"{len(committed)} committed offsets are within the log; lag {lag} records"


CHECKS: Final = (Check("offsets", _within),)
