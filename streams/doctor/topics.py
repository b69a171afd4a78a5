"""The topics: as the file says, alike where they must be, and with all their replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.core.topic_file import CHANGELOG
from streams.core.topics import AddPartitions, Blocked, Create, Noted, SetConfig, plan
from streams.doctor.finding import Check, fail, warn

if TYPE_CHECKING:
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient


def _as_the_file_says(patient: Patient) -> Look:
    """Look at what ``gradewatch topics plan`` shows."""
    ours = patient.settings.kafka_bootstrap_servers is None  # the embedded broker
    for step in plan(patient.topics, patient.observed, create_external=ours).steps:
        match step:
            case Noted(what="room"):
                yield warn(step.text, "state it in topics.yaml; gradewatch topics apply")
            case Blocked(what="replication"):
                yield warn(f"{step.topic}: {step.reason}", "a worker runs on any replication")
            case Blocked():
                yield fail(f"{step.topic}: {step.reason}", "gradewatch topics plan")
            case Create():
                yield fail(f"there is no topic {step.topic}", "gradewatch topics apply")
            case AddPartitions() | SetConfig():
                yield fail(f"differs from topics.yaml: {step}", "gradewatch topics apply")
            case Noted():
                pass  # an override that the file does not state is its owner's affair
    return f"{len(patient.topics.specs)} topics as {patient.settings.topics} says"


def _copartitioned(patient: Patient) -> Look:
    """Look whether topics that share keys have as many partitions: else workers do not start."""
    counts = {
        name: len(told["partitions"])
        for name, told in patient.described.items()
        if told["error_code"] == 0
    }
    groups = patient.topics.copartitioned
    for group in groups:
        there = {name: counts[name] for name in group if name in counts}
        if len(set(there.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in there.items())
            yield fail(
                f"a student's records must be on partitions of one number, but there are: {listed}",
                "move to new topics under another GRADEWATCH_NAMESPACE, and play the raw topic in",
            )
    return "; ".join(
        f"{', '.join(group)}: {counts[group[0]]}" for group in groups if group[0] in counts
    )


def _replicas(patient: Patient) -> Look:
    """Look whether every partition has a leader, and as many replicas as writing needs."""
    observed = patient.observed.topics
    count = 0
    for name, told in patient.described.items():
        least = int(observed[name].config["min.insync.replicas"]) if name in observed else 1
        for each in told["partitions"]:
            count += 1
            place = f"{name}[{each['partition_index']}]"
            insync, replicas = len(each["isr_nodes"]), len(each["replica_nodes"])
            if each["leader_id"] < 0:
                yield fail(f"{place} has no leader", "start the brokers that hold it")
            elif insync < least:
                yield fail(
                    f"{place}: {insync} replicas in sync, min.insync.replicas is {least}: "
                    "nothing can be written",
                    "start the brokers that are away, or correct min.insync.replicas",
                )
            elif insync < replicas:
                yield warn(f"{place}: {insync} of {replicas} replicas in sync",
                           "start the brokers that are away")  # fmt: skip
    return f"{count} partitions have a leader and all their replicas"


def _changelog(patient: Patient) -> Look:
    """Look whether the changelog keeps the newest record of every row for ever."""
    name = patient.settings.topic(CHANGELOG)
    there = patient.observed.topics.get(name)
    if there is None:
        yield fail(f"there is no topic {name}", "gradewatch topics apply")
        return ""
    policy = there.config["cleanup.policy"]
    if policy != "compact":
        yield fail(
            f"{name} has cleanup.policy={policy}: Kafka deletes rows, and a worker restores less "
            "than was there",
            "gradewatch topics apply; then play the raw topic again under another namespace",
        )
    return f"{name}: cleanup.policy={policy}"


CHECKS: Final = (
    Check("topics", _as_the_file_says),
    Check("co-partitioning", _copartitioned),
    Check("replicas", _replicas),
    Check("changelog", _changelog),
)
