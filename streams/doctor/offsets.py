"""Where the group is in the log: whether what it goes on from is still there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kafka import TopicPartition
from kafka.admin import OffsetSpec

from streams.connection import patiently, refusals
from streams.core.topic_file import EVENTS
from streams.doctor.finding import Check, fail, warn

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient


STABLE: Final = "Stable"
"""Kafka's word for a group that is not rebalancing."""


def _within(patient: Patient) -> Look:
    """Look whether each committed offset is between the first and the last of its partition."""
    settings = patient.settings
    sources = settings.topic(settings.raw_topic), settings.topic(EVENTS)
    committed = _committed(patient)
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


def _progress(patient: Patient) -> Look:
    """Look whether each source partition has a worker, and whether what waits there gets less."""
    settings = patient.settings
    state, members = patient.group
    if not members or state != STABLE:
        return f"group {settings.group}: {state}; nobody's progress to look at"
    sources = settings.topic(settings.raw_topic), settings.topic(EVENTS)
    before = _committed(patient)
    waiting = {
        place: end - before.get(place, 0)
        for place, end in patient.offsets(*sources, committed=True).items()
        if end > before.get(place, 0)
    }
    owner = {
        TopicPartition(topic, number): member.worker
        for member in members
        for topic, numbers in member.partitions.items()
        for number in numbers
    }
    for place in sorted(set(patient.places(*sources)) - owner.keys()):
        yield fail(
            f"{place.topic}[{place.partition}] has no worker, though the group is stable; "
            f"{waiting.get(place, 0)} records wait",
            "start every worker again; was the topic made anew, or given more partitions?",
        )
    lagging = sorted(waiting.keys() & owner.keys())
    if lagging:
        time.sleep(patient.patience)
        after = _committed(patient)
        for place in lagging:
            if after.get(place, 0) <= before.get(place, 0):
                yield fail(
                    f"{place.topic}[{place.partition}]: {waiting[place]} records wait, and its "
                    f"worker {owner[place]} has committed nothing for {patient.patience:.0f} s",
                    "while rows are restored this passes; else /readyz and the log of the worker "
                    "say why",
                )
    return f"every source partition has a worker; {len(lagging)} have lag, and get on"


def _committed(patient: Patient) -> dict[TopicPartition, int]:
    """Return the group's committed offset of each source partition that has one."""
    settings = patient.settings
    sources = settings.topic(settings.raw_topic), settings.topic(EVENTS)
    with refusals(patient.kafka):
        listed = patiently(lambda: patient.admin.list_group_offsets(settings.group))
    return {
        place: told.offset
        for place, told in listed[settings.group].items()
        if place.topic in sources and told.offset >= 0
    }


CHECKS: Final = (Check("offsets", _within), Check("progress", _progress))
