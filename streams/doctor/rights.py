"""Whether this principal may do what its role needs: each ACL, looked at by itself.

Kafka says what we may do with what we may describe (KIP-430). Where it says nothing, because what
we lack is the very ACL that would let us look, the rest is probed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafka.admin import ConfigResource, ConfigResourceType

from streams.connection import refusals
from streams.core.acls import Operation, Resource, required
from streams.doctor.finding import Check, fail
from streams.doctor.transactions import may_transact
from streams.settings import Guarantee

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.core.acls import Acl
    from streams.doctor.finding import Look
    from streams.doctor.patient import Patient

_TOPIC_REFUSED: Final = 29
"""Kafka's TOPIC_AUTHORIZATION_FAILED."""


def _acls(patient: Patient) -> Look:
    """Look for each ACL that the role needs."""
    settings = patient.settings
    transactions = settings.guarantee is Guarantee.EXACTLY_ONCE
    needed = required(patient.topics, settings.group, patient.role, transactions=transactions)
    missing = [acl for acl in needed if not _granted(patient, acl)]
    for acl in missing:
        yield fail(
            f"no {acl}: {acl.why}",
            f"gradewatch topics acls apply --role {patient.role} --principal User:NAME, as one who "
            "may; or a DENY is in the way",
        )
    return f"role {patient.role}: {len(needed)} ACLs, or what comes to the same"


def _granted(patient: Patient, acl: Acl) -> bool:
    match acl.resource:
        case Resource.TOPIC:
            return _on_topic(patient, acl)
        case Resource.GROUP:
            return _among(acl, patient.group["authorized_operations"])
        case Resource.TRANSACTIONAL_ID:
            return may_transact(patient, acl.operation)
        case Resource.CLUSTER:
            return _among(acl, patient.cluster["authorized_operations"])


def _on_topic(patient: Patient, acl: Acl) -> bool:
    told = patient.described[acl.name]
    if told["error_code"] != _TOPIC_REFUSED:
        return _among(acl, told["authorized_operations"])
    # Not even to be described: so no READ, WRITE or ALTER, which would imply it.
    return acl.operation is Operation.DESCRIBE_CONFIGS and _shows_config(patient, acl.name)


def _shows_config(patient: Patient, topic: str) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    with refusals(patient.kafka):
        told = patient.admin.describe_configs([resource], config_filter="all")
    return bool(told["topic"][topic])


def _among(acl: Acl, operations: Iterable[Any]) -> bool:
    return str(acl.operation) in set(map(str, operations))


CHECKS: Final = (Check("ACLs", _acls),)
