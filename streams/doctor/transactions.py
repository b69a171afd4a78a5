"""Transactions: one of the doctor's own, which also tells the time there; and others' that hang."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from kafka.admin import TransactionState
from kafka.errors import KafkaError
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer.transaction import (
    AddOffsetsToTxnRequest,
    EndTxnRequest,
)

from streams import rights
from streams.connection import coordinator, refusals
from streams.core.acls import Role
from streams.doctor.finding import Check, fail, warn

if TYPE_CHECKING:
    from kafka import TopicPartition

    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient

TIMEOUT_MS: Final = 10_000
"""How long Kafka keeps the doctor's transaction, should the doctor end in the middle of it."""

SKEW_SECONDS: Final = 5.0
"""A difference of clocks that is a warning."""

MAX_SKEW_SECONDS: Final = 300.0
"""One that breaks things: tokens and certificates are refused, `future_event` misjudged."""


def _time_there(patient: Patient) -> float:
    """Return Kafka's time of a transaction that was opened now, and given up.

    It holds no record and no offset: the group's offsets are named as part of it, and none is
    written. Its transactional id is one of ours, so that it needs what a worker's need.

    Returns:
        Seconds since 1970, by the clock of the transaction's coordinator.

    Raises:
        BrokerError: Kafka does not answer, or refuses.
    """
    group = patient.settings.group
    name, admin = f"{group}-doctor", patient.admin
    with refusals(patient.kafka):
        coordinator(admin, group)  # it must be there
        where = coordinator(admin, name, CoordinatorType.TRANSACTION)
        who = {**rights.begin(admin, name, TIMEOUT_MS), "max_version": 3}
        rights.answered(admin, AddOffsetsToTxnRequest(group_id=group, **who), where)
        try:
            told = admin.describe_transactions([name])[name]
        finally:
            rights.answered(admin, EndTxnRequest(committed=False, **who), where)
    return float(told.transaction_start_time_ms) / 1000


def _clock(patient: Patient) -> Look:
    """Look whether transactions work, and whether Kafka's clock is ours."""
    if not patient.settings.exactly_once or patient.role is not Role.WORKER:
        return "only a worker with transactions needs them"
    before = patient.now()
    there = _time_there(patient)
    after = patient.now()
    skew = there - before if there < before else max(0.0, there - after)
    said = f"Kafka's clock is {_difference(skew)}"
    remedy = "let chrony or ntpd set the clocks of this machine and of the brokers"
    if abs(skew) >= MAX_SKEW_SECONDS:
        yield fail(said, remedy)
    elif abs(skew) >= SKEW_SECONDS:
        yield warn(said, remedy)
    return f"a transaction began and was given up; {said}"


def _difference(skew: float) -> str:
    if abs(skew) < 0.05:  # what is measured so is no more exact
        return "this one's"
    return f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this one"


def _hanging(patient: Patient) -> Look:
    """Look for transactions that do not end: readers see nothing that stands after them."""
    deadline = time.monotonic() + patient.patience
    stuck = _open(patient)
    while stuck and time.monotonic() < deadline:
        time.sleep(min(0.5, patient.patience))
        now = _open(patient)
        stuck = {place: at for place, at in stuck.items() if now.get(place) == at}
    for place, at in sorted(stuck.items()):
        whose, state = _by(patient, place)
        abort = (
            f"kafka-transactions.sh abort --topic {place.topic} --partition {place.partition} "
            f"--start-offset {at}"
        )
        yield fail(
            f"{place.topic}[{place.partition}]: a transaction has been open at offset {at} for "
            f"more than {patient.patience:.0f} s, readers see nothing after it{whose}",
            f"Kafka lost the marker of its commit: {abort} loses what it wrote, so that the raw "
            "topic must be played again, under another GRADEWATCH_NAMESPACE"
            if state is TransactionState.COMPLETE_COMMIT
            else f"stop its producer, or: {abort}",
        )
    return f"{len(list(patient.places()))} partitions looked at"


def _open(patient: Patient) -> dict[TopicPartition, int]:
    """Return where each open transaction keeps readers: partition → last stable offset."""
    stable, ends = patient.offsets(committed=True), patient.offsets()
    return {place: at for place, at in stable.items() if at < ends.get(place, at)}


def _by(patient: Patient, place: TopicPartition) -> tuple[str, TransactionState | None]:
    """Return whose it is, and its state, as far as we may know: that needs READ on the topic."""
    try:
        producers = patient.admin.describe_producers([place])[place].active_producers
        listed = patient.admin.list_transactions()
    except KafkaError:
        return "", None
    states = {each.producer_id: each for told in listed.values() for each in told}
    for each in producers:
        if each.current_transaction_start_offset >= 0:
            known = states.get(each.producer_id)
            said = f", {known.state.value} to its coordinator" if known else ""
            return f" (producer id {each.producer_id}{said})", known.state if known else None
    return "", None


CHECKS: Final = (Check("transactions and clock", _clock), Check("hanging transactions", _hanging))
