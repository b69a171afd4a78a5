"""Transactions: one of the doctor's own, which also tells the time there; and others' that hang."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from kafka.errors import KafkaError, TransactionalIdAuthorizationFailedError, for_code
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer.transaction import (
    AddOffsetsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from streams.connection import coordinator, refusals
from streams.core.acls import Operation, Role
from streams.doctor.finding import Check, fail, warn
from streams.errors import BrokerError
from streams.settings import Guarantee

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


def _name(patient: Patient) -> str:
    """Return a transactional id that is one of ours, so that it needs what a worker's need."""
    return f"{patient.settings.group}-doctor"


def _begun(patient: Patient, where: int) -> dict[str, Any]:
    """Return who may begin a transaction now: id, producer id and epoch, as requests tell them."""
    request = InitProducerIdRequest(
        transactional_id=_name(patient),
        transaction_timeout_ms=TIMEOUT_MS,
        producer_id=-1,
        producer_epoch=-1,
        max_version=4,
    )
    given = _answer(patient, request, where)
    return {
        "transactional_id": _name(patient),
        "producer_id": given.producer_id,
        "producer_epoch": given.producer_epoch,
        "max_version": 3,
    }


def _answer(patient: Patient, request: Any, where: int) -> Any:  # noqa: ANN401 - kafka-python's own
    """Return an answer that is no error; what went before on this id may take a moment to end."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        answer = patient.sent(request, where)
        error = for_code(answer.error_code)
        if not answer.error_code:
            return answer
        if not error.retriable or time.monotonic() > deadline:
            raise error(_name(patient))
        time.sleep(0.05)


def _time_there(patient: Patient) -> float:
    """Return Kafka's time of a transaction that was opened now, and given up.

    It holds no record and no offset: the group's offsets are named as part of it, and none is
    written.

    Returns:
        Seconds since 1970, by the clock of the transaction's coordinator.

    Raises:
        BrokerError: Kafka does not answer, or refuses.
    """
    name = _name(patient)
    with refusals(patient.kafka):
        coordinator(patient.admin, patient.settings.group)  # it must be there
        where = coordinator(patient.admin, name, CoordinatorType.TRANSACTION)
        who = _begun(patient, where)
        request = AddOffsetsToTxnRequest(group_id=patient.settings.group, **who)
        _answer(patient, request, where)
        try:
            told = patient.admin.describe_transactions([name])[name]
        finally:
            _answer(patient, EndTxnRequest(committed=False, **who), where)
    return float(told.transaction_start_time_ms) / 1000


def _clock(patient: Patient) -> Look:
    """Look whether transactions work, and whether Kafka's clock is ours."""
    if patient.settings.guarantee is not Guarantee.EXACTLY_ONCE or patient.role is not Role.WORKER:
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
        yield fail(
            f"{place.topic}[{place.partition}]: a transaction has been open at offset {at} for "
            f"more than {patient.patience:.0f} s, readers see nothing after it"
            + _by(patient, place),
            f"stop its producer, or: kafka-transactions.sh abort --topic {place.topic} "
            f"--partition {place.partition} --start-offset {at}",
        )
    return f"{len(list(patient.places()))} partitions looked at"


def _open(patient: Patient) -> dict[TopicPartition, int]:
    """Return where each open transaction keeps readers: partition → last stable offset."""
    stable, ends = patient.offsets(committed=True), patient.offsets()
    return {place: at for place, at in stable.items() if at < ends.get(place, at)}


def _by(patient: Patient, place: TopicPartition) -> str:
    """Return whose it is, as far as we may know: that needs READ on the topic."""
    try:
        state = patient.admin.describe_producers([place])[place]
    except KafkaError:
        return ""
    whose = [
        str(each.producer_id)
        for each in state.active_producers
        if each.current_transaction_start_offset >= 0
    ]
    return f" (producer id {', '.join(whose)})" if whose else ""


def may_transact(patient: Patient, operation: Operation) -> bool:
    """Tell whether this principal may use our transactional ids, or only see them.

    Args:
        patient: Who.
        operation: WRITE to use them, else DESCRIBE.

    Raises:
        BrokerError: Kafka does not answer.
    """
    try:
        with refusals(patient.kafka):
            where = coordinator(patient.admin, _name(patient), CoordinatorType.TRANSACTION)
            if operation is Operation.WRITE:
                _begun(patient, where)
    except BrokerError as error:
        if isinstance(error.__cause__, TransactionalIdAuthorizationFailedError):
            return False
        raise
    return True


CHECKS: Final = (Check("transactions and clock", _clock), Check("hanging transactions", _hanging))
