"""Whether this principal may do what its role needs: each ACL, looked at by itself.

Kafka says what we may do with what we may describe (KIP-430). Where it says nothing, because what
we lack is the very ACL that would let us look, the rest is probed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.connection import refusals
from streams.core.acls import Operation, Resource, required
from streams.doctor.finding import Check, fail
from streams.doctor.transactions import may_transact
from streams.settings import Guarantee

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    # Not even to be described: so no READ, WRITE or ALTER, which would include it.
    probe = _PROBES.get(acl.operation)
    if probe is None:
        return False
    with refusals(patient.kafka):
        return probe(patient.admin, acl.name)


def _shows_config(admin: KafkaAdminClient, topic: str) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    return bool(admin.describe_configs([resource], config_filter="all")["topic"][topic])


def _would_set_config(admin: KafkaAdminClient, topic: str) -> bool:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "-1"})
    told = admin.alter_configs([resource], validate_only=True, incremental=True)
    return bool(told["topic"][topic] == "OK")


def _would_create(admin: KafkaAdminClient, topic: str) -> bool:
    wanted = {topic: {"num_partitions": 1, "replication_factor": 1}}
    told = admin.create_topics(wanted, validate_only=True, raise_errors=False)["topics"]
    return bool(told[0]["error_code"] != _TOPIC_REFUSED)


_PROBES: Final[dict[Operation, Callable[[KafkaAdminClient, str], bool]]] = {
    Operation.DESCRIBE_CONFIGS: _shows_config,
    Operation.ALTER_CONFIGS: _would_set_config,
    Operation.CREATE: _would_create,
}
"""What can be asked for, and not done, without DESCRIBE."""


def _among(acl: Acl, operations: Iterable[Any]) -> bool:
    return str(acl.operation) in set(map(str, operations))


CHECKS: Final = (Check("ACLs", _acls),)
